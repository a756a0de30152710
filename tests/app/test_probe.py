"""The probe page: labels in; figures, charts, queues and a rule out."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.state import State
from sky_ssl.explore.dataset import open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.rulefile import load_selection
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]
KIND = "spiral"  # stands for the dwarfs, of which so small a mock has too few


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace whose ledger is the test's alone."""
    w = Workspace(tmp_path / "own")
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    return w


def label(w: Workspace, *, source: str = "lasso") -> int:
    """Label every object by its class; give the number of positive ones."""
    data = open_dataset(w.embeddings / "mock.h5")
    dwarf = data.column("class").astype(str) == KIND
    ledger, e = Ledger(w.labels), data.embeddings
    for name, rows in (("dwarf", dwarf.nonzero()[0]), ("other", (~dwarf).nonzero()[0])):
        ledger.label(
            [str(i) for i in e.id[rows]],
            name,
            task="dwarf",
            origin=Origin("ada", source, data.fingerprint, model=data.model),
            ra=e.ra[rows],
            dec=e.dec[rows],
        )
    return int(dwarf.sum())


def measured(at: AppTest) -> AppTest:
    """Run the page until the probe is measured."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        at.run()
        assert not at.exception
        if any(c.value.startswith("Cross-validated on") for c in at.caption):
            return at
        time.sleep(0.3)
    raise AssertionError("the probe is never measured")


def charts(at: AppTest) -> int:
    return len(at.get("plotly_chart"))


def test_an_empty_workspace_says_what_to_do(open_page: Open, words: Words, tmp_path: Path) -> None:
    """No probe without embeddings, but the way to them."""
    assert "No embeddings in this workspace yet" in words(open_page(tmp_path, "probe"))


def test_an_empty_ledger_says_what_to_do(open_page: Open, words: Words, own: Workspace) -> None:
    """No figure and no chart, but how to begin; objects to label are there already."""
    at = open_page(own.root, "probe")
    assert "No probe yet: no object is labelled 'dwarf' yet" in words(at).replace("\\", "")
    assert "import labels" in words(at)
    assert not at.metric
    assert charts(at) == 0
    at.button(key="fetch").click().run()
    assert not at.exception
    chosen = at.session_state["sky"].chosen
    assert len(set(chosen.rows.tolist())) == 60


def test_labels_are_imported_from_a_column_and_undone(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """The value named like a label becomes it, others become the other; undo takes them back."""
    at = open_page(own.root, "probe")
    at.selectbox(key="import column").set_value("class").run()
    at.selectbox(key="import rest dwarf").set_value("other").run()
    at.button(key="import").click().run()
    assert not at.exception
    found = Ledger(own.labels).current(task="dwarf")
    truth = open_dataset(own.embeddings / "mock.h5").column("class").astype(str) == "dwarf"
    assert len(found) == 300
    assert (found["label"] == "dwarf").sum() == truth.sum()
    assert set(found["source"]) == {"import"}
    assert "scored in" in words(at)
    at.button(key="undo").click().run()
    assert not at.exception
    assert len(Ledger(own.labels).current(task="dwarf")) == 0
    at.button(key="redo").click().run()
    assert len(Ledger(own.labels).current(task="dwarf")) == 300


def test_labels_give_figures_charts_and_a_rule(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """Three figures with intervals, the charts, a warning of the biased draw, and a rule."""
    dwarfs = label(own)
    at = measured(open_page(own.root, "probe"))
    said = words(at)
    assert f"dwarf **{dwarfs}**" in said
    assert "Cross-validated on 300 labels, " in said
    assert [m.label for m in at.metric] == ["Balanced accuracy", "ROC AUC", "Average precision"]
    for metric in at.metric:
        low, high = (float(part) for part in metric.delta.split(" to "))
        assert 0.9 < float(metric.value) <= 1.0  # these embeddings know the class
        assert low <= float(metric.value) <= high
    assert charts(at) >= 4
    assert "picked (lasso 300), not drawn at random" in said.replace("\\", "")
    at.text_input(key="probe rule").set_value("dwarfs of a test").run()
    at.button(key="probe rule save").click().run()
    assert not at.exception
    (file,) = own.selections.glob("*.json")
    rule = load_selection(file)
    assert rule.name == "dwarfs of a test"
    state: State = at.session_state["sky"]
    assert state.listing.rule == file.stem


def test_the_likeliest_without_a_label_come_next(open_page: Open, own: Workspace) -> None:
    """A queue fills the gallery with objects that nobody has labelled."""
    data = open_dataset(own.embeddings / "mock.h5")
    dwarf = data.column("class").astype(str) == KIND
    known = [*dwarf.nonzero()[0][:8], *(~dwarf).nonzero()[0][:20]]
    names = ["dwarf" if dwarf[row] else "other" for row in known]
    ids = [str(data.embeddings.id[row]) for row in known]
    origin = Origin("ada", "review", data.fingerprint)
    Ledger(own.labels).label(ids, names, task="dwarf", origin=origin)
    at = open_page(own.root, "probe")
    at.session_state["queue"] = "top"
    at.number_input(key="queue count").set_value(5).run()
    at.button(key="fetch").click().run()
    assert not at.exception
    rows = at.session_state["sky"].chosen.rows
    assert len(rows) == 5
    assert not set(rows.tolist()) & set(known)
    assert dwarf[rows].all()
    assert any("8 of the rarer kind" in m.value for m in at.markdown)


def test_an_audit_sample_is_labelled_blind(open_page: Open, words: Words, own: Workspace) -> None:
    """It is drawn once, remembered by the ledger, and shown without probabilities."""
    label(own)
    at = open_page(own.root, "probe")
    at.number_input(key="queue count").set_value(10).run()
    at.button(key="audit").click().run()
    assert not at.exception
    chosen = at.session_state["sky"].chosen
    assert chosen.source == "audit"
    assert "so that you label blind" in words(at)


def test_the_map_is_coloured_by_probability(open_page: Open, words: Words, own: Workspace) -> None:
    """With labels the map takes the colour; without, it says why not."""
    at = open_page(own.root, "map", sky=State(colour="probability", labeller="ada"))
    assert "No probe yet" in words(at)
    label(own)
    at.run()
    assert not at.exception
    assert "No probe yet" not in words(at)
