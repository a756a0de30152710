"""What is asked of objects, and with which labels: the tasks of a workspace.

In and out: `tasks.json` of the workspace, one entry per task with its labels in the order of their
keys, each with a colour. The labels themselves are in the ledger.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.figures.colours import class_colours

MOST_LABELS = 9  # one for each key
VETTING = "vetting of "  # begins the names of tasks that hold verdicts on a candidate list


@dataclass(frozen=True)
class LabelKind:
    """A label that objects can be given."""

    name: str
    colour: str  # #rrggbb

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 100:
            raise InputError(f"label {self.name!r}: give it a name of 1 to 100 characters")
        digits = self.colour.removeprefix("#")
        if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
            raise InputError(f"colour {self.colour!r} of label {self.name!r}: write it as #rrggbb")


@dataclass(frozen=True)
class Task:
    """A question, and its answers; the first answer is what a probe looks for."""

    name: str
    labels: tuple[LabelKind, ...]

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.name) > 100:
            raise InputError(f"task {self.name!r}: give it a name of 1 to 100 characters")
        names = [label.name for label in self.labels]
        if not 1 <= len(names) <= MOST_LABELS or len(set(names)) < len(names):
            raise InputError(f"task {self.name!r}: give it 1 to {MOST_LABELS} different labels")

    @property
    def colours(self) -> dict[str, str]:
        """Colour by label."""
        return {label.name: label.colour for label in self.labels}


def make_task(name: str, labels: Sequence[str]) -> Task:
    """Make a task with colours that tell its labels apart."""
    names = [label.strip() for label in labels if label.strip()]
    colours = class_colours(names)
    return Task(name.strip(), tuple(LabelKind(n, colours[n]) for n in names))


DWARF = make_task("dwarf", ["dwarf", "other", "unsure"])


def is_vetting(task: str) -> bool:
    """Say whether a task is one of verdicts on a candidate list."""
    return task.startswith(VETTING)


def load_tasks(path: Path) -> list[Task]:
    """Read the tasks of a workspace; where there are none, one for dwarf galaxies.

    Tasks of verdicts on candidate lists come last, so that the first is one that somebody asked.

    Raises:
        InputError: the file is not one of ours.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return [DWARF]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        tasks = [
            Task(t["name"], tuple(LabelKind(k["name"], k["colour"]) for k in t["labels"]))
            for t in json.loads(text)["tasks"]
        ]
        asked = [t for t in tasks if not is_vetting(t.name)] or [DWARF]
        return [*asked, *(t for t in tasks if is_vetting(t.name))]
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a list of tasks ({error}); mend or remove it") from error


def save_task(path: Path, task: Task) -> list[Task]:
    """Add a task, or replace the one of its name; give all tasks."""
    tasks = load_tasks(path) if path.exists() else []
    names = [t.name for t in tasks]
    if task.name in names:
        tasks[names.index(task.name)] = task
    else:
        tasks.append(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps({"tasks": [asdict(t) for t in tasks]}, indent=1), "utf-8")
    temporary.replace(path)
    return tasks
