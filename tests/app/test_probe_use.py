"""What a probe is used for: a threshold, other tasks, the candidates of this moment."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sky_ssl.explore.dataset import open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.tasks import load_tasks
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace with its own ledger: 40 spirals, called dwarfs, and 60 others."""
    w = Workspace(tmp_path / "own")
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    data = open_dataset(w.embeddings / "mock.h5")
    kind = data.column("class").astype(str) == "spiral"
    origin = Origin("ada", "lasso", data.fingerprint)
    for name, rows in (("dwarf", kind.nonzero()[0][:40]), ("other", (~kind).nonzero()[0][:60])):
        ids = [str(i) for i in data.embeddings.id[rows]]
        Ledger(w.labels).label(ids, name, task="dwarf", origin=origin)
    return w


def measured(at: AppTest) -> AppTest:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        at.run()
        assert not at.exception
        if any("objects pass" in m.value for m in at.markdown):
            return at
        time.sleep(0.3)
    raise AssertionError("the probe is never measured")


def test_the_threshold_is_that_of_the_slider(open_page: Open, own: Workspace) -> None:
    """It moves figures and stays; another question goes back to the best one."""
    at = measured(open_page(own.root, "probe"))
    slider = at.select_slider(key="least probability")
    least = slider.options[0]
    slider.set_value(float(least.rstrip("%")) / 100 if "%" in least else float(least))
    at = measured(at)
    first = at.session_state["sky"].probing.threshold
    assert first is not None
    at = measured(at)
    assert at.session_state["sky"].probing.threshold == first
    at.selectbox(key="positive dwarf").set_value("other").run()
    assert not at.exception
    assert at.session_state["sky"].probing.threshold is None
    assert at.session_state["sky"].probing.positive == "other"


def test_a_share_moves_the_probabilities(open_page: Open, words: Words, own: Workspace) -> None:
    """Typed as a share or an audit; nonsense is said so in one sentence."""
    at = measured(open_page(own.root, "probe"))
    at.text_input(key="probe share").set_value("2/400").run()
    at = measured(at)
    assert "as given" in words(at)
    at.text_input(key="probe share").set_value("many").run()
    assert not at.exception
    assert any("give a share such as" in e.value for e in at.error)


def test_a_new_task_has_labels_and_no_probe_yet(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """It is saved beside the one that was there, chosen, and its label for doubt is left out."""
    at = open_page(own.root, "probe")
    at.session_state["task form"] = "New task"
    at.run()
    at.text_input(key="task name").set_value("lens <b>")
    for i, name in enumerate(("lens", "no lens")):
        at.text_input(key=f"label {i} of New task").set_value(name)
    at.run()
    at.button(key="task save").click().run()
    assert not at.exception
    tasks = load_tasks(own.tasks)
    assert [t.name for t in tasks] == ["dwarf", "lens <b>"]
    assert [label.name for label in tasks[1].labels] == ["lens", "no lens"]
    assert at.session_state["sky"].task == "lens <b>"
    assert "No probe yet" in words(at)


def test_candidates_follow_the_probe(open_page: Open, words: Words, own: Workspace) -> None:
    """The probe of this moment is a rule like those that were saved."""
    at = open_page(own.root, "candidates")
    assert at.selectbox(key="rule").options == ["the present probe"]
    said = words(at)
    assert "100 known ones left out" in said
    assert "expected to be true" in said
    assert len(list(own.selections.glob(".probe-*.json"))) == 1
