"""Tasks of a workspace."""

from pathlib import Path

import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.tasks import (
    DWARF,
    VETTING,
    LabelKind,
    Task,
    load_tasks,
    make_task,
    save_task,
)


def test_tasks_come_back_in_order(tmp_path: Path) -> None:
    """One for dwarfs from the start; a second beside it; the same name replaces."""
    path = tmp_path / "w" / "tasks.json"
    assert load_tasks(path) == [DWARF]
    save_task(path, DWARF)
    ring = make_task("ring", ["ring", " none ", ""])
    assert [label.name for label in ring.labels] == ["ring", "none"]
    assert save_task(path, ring) == [DWARF, ring] == load_tasks(path)
    assert save_task(path, make_task("ring", ["yes"]))[1].labels[0].name == "yes"
    assert len(load_tasks(path)) == 2


def test_labels_have_different_colours() -> None:
    """Nine labels, nine colours."""
    task = make_task("kinds", [f"k{i}" for i in range(9)])
    assert len(set(task.colours.values())) == 9


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: make_task("", ["a"]), "give it a name"),
        (lambda: make_task("t", []), "1 to 9 different labels"),
        (lambda: make_task("t", ["a"] * 2), "1 to 9 different labels"),
        (lambda: LabelKind("a", "red"), "write it as #rrggbb"),
        (lambda: Task("t", (LabelKind("a", "#12345g"),)), "write it as #rrggbb"),
    ],
)
def test_what_is_no_task_is_refused(make: object, reason: str) -> None:
    """One line each."""
    with pytest.raises(InputError, match=reason):
        make()  # type: ignore[operator]


def test_a_broken_file_is_named_and_kept(tmp_path: Path) -> None:
    """The file is named, and is not written over."""
    path = tmp_path / "tasks.json"
    path.write_text("{")
    with pytest.raises(InputError, match=r"tasks\.json: not a list of tasks"):
        save_task(path, DWARF)
    assert path.read_text() == "{"


def test_tasks_of_verdicts_come_after_what_was_asked(tmp_path: Path) -> None:
    """A vetted list does not become the task that one labels, even where it is the only one."""
    place = tmp_path / "tasks.json"
    save_task(place, make_task(f"{VETTING}rule", ["accept", "reject"]))
    assert [t.name for t in load_tasks(place)] == ["dwarf", "vetting of rule"]
    save_task(place, make_task("lens", ["lens", "none"]))
    assert [t.name for t in load_tasks(place)] == ["dwarf", "lens", "vetting of rule"]
