"""The gallery: order, filter, pages, and what becomes of keys."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import cards, gallerybar, panels
from app.state import Chosen, State
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
ROWS = np.array([40, 7, 22, 105, 3])


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace whose ledger is the test's alone."""
    w = Workspace(tmp_path / "own")
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    return w


@pytest.fixture
def data(own: Workspace) -> DataSet:
    return open_dataset(own.embeddings / "mock.h5")


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch) -> Callable[[AppTest, str, dict[str, Any]], None]:
    """Let the gallery do what a key in the browser would have it do."""
    real = panels.draw_gallery

    def drawn(*items: Any, on: dict[str, Callable[[Any], None]], **more: Any) -> None:
        name, event = st.session_state.pop("pressed", ("", {}))
        if name:
            on[name](event)
        real(*items, on=on, **more)

    monkeypatch.setattr(panels, "draw_gallery", drawn)

    def pressed(at: AppTest, name: str, event: dict[str, Any]) -> None:
        at.session_state["pressed"] = (name, event)
        at.run()
        at.run()  # as a trigger of the browser does
        assert not at.exception

    return pressed


def gallery(at: AppTest) -> dict[str, Any]:
    """Give what is sent to the gallery of the page."""
    (sent,) = [e.proto for e in at.get("bidi_component") if e.proto.id.endswith("labels gallery")]
    content: dict[str, Any] = json.loads(sent.json)
    return content


def rows(at: AppTest) -> list[int]:
    return [item["row"] for item in gallery(at)["items"]]


def opened(open_page: Open, own: Workspace, **chosen: Any) -> AppTest:
    state = State(labeller="ada", chosen=Chosen(ROWS, "lasso", "lasso", **chosen))
    return open_page(own.root, "labels", sky=state)


def test_the_chosen_come_in_their_order_or_by_a_column(
    open_page: Open, own: Workspace, data: DataSet
) -> None:
    """The largest first, the smallest first, and back."""
    at = opened(open_page, own, scores=np.array([0.5, 0.9, 0.1, 0.7, 0.3]))
    assert rows(at) == ROWS.tolist()
    assert [i["text"] for i in gallery(at)["items"]][:2] == ["0.500", "0.900"]
    at.selectbox(key="labels gallery sort").set_value("mag_r").run()
    mags = data.column("mag_r")[ROWS]
    known = np.isfinite(mags)
    expected = ROWS[np.lexsort((-np.where(known, mags, 0), ~known))]
    assert rows(at) == expected.tolist()
    at.selectbox(key="labels gallery sort").set_value("score").run()
    at.button(key="labels gallery way").click().run()
    assert rows(at) == [22, 3, 40, 105, 7]
    at.selectbox(key="labels gallery sort").set_value("as chosen").run()
    assert rows(at) == ROWS.tolist()
    assert not at.exception


def test_a_filter_by_label_stays_put_while_one_labels(
    open_page: Open, own: Workspace, data: DataSet
) -> None:
    """What gets a label does not jump away; when the filter is chosen anew, it goes."""
    ids = [str(data.embeddings.id[row]) for row in ROWS]
    ledger, origin = Ledger(own.labels), Origin("ada", dataset=data.fingerprint)
    ledger.label(ids[:2], "dwarf", task="dwarf", origin=origin)
    at = opened(open_page, own)
    at.selectbox(key="labels gallery show").set_value("without a label").run()
    assert rows(at) == [22, 105, 3]
    ledger.label(ids[2:3], "dwarf", task="dwarf", origin=origin)
    at.run()
    assert rows(at) == [22, 105, 3]
    at.selectbox(key="labels gallery show").set_value("dwarf").run()
    assert rows(at) == [40, 7, 22]
    at.selectbox(key="labels gallery show").set_value("other").run()
    assert rows(at) == []
    assert "choose another filter" in gallery(at)["empty"]


def test_many_come_in_pages(
    open_page: Open, own: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page goes on where the first ends; the count of all is there for Ctrl-a."""
    for module in (panels, gallerybar):
        monkeypatch.setattr(module, "MOST_SHOWN", 2)
    at = opened(open_page, own)
    assert rows(at) == [40, 7]
    assert gallery(at)["total"] == 5
    (page,) = [n for n in at.number_input if n.label == "Page"]
    page.set_value(3).run()
    assert rows(at) == [3]


def test_one_key_labels_some_or_the_whole_selection(
    open_page: Open, own: Workspace, data: DataSet, press: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what is on another page; undo takes all of it back, redo restores."""
    for module in (panels, gallerybar):
        monkeypatch.setattr(module, "MOST_SHOWN", 2)
    at = opened(open_page, own)
    press(at, "label", {"rows": [7, 10**6], "label": "other"})
    ledger = Ledger(own.labels)
    assert ledger.current()["object_id"].tolist() == [str(data.embeddings.id[7])]
    press(at, "label", {"rows": [40, 7], "label": "dwarf", "all": True})
    found = ledger.current(labeller="ada")
    assert set(found["object_id"]) == {str(data.embeddings.id[row]) for row in ROWS}
    assert set(found["label"]) == {"dwarf"}
    assert set(found["source"]) == {"lasso"}
    press(at, "undo", {})
    assert ledger.current()["label"].tolist() == ["other"]
    press(at, "redo", {})
    assert len(ledger.current()) == 5
    press(at, "label", {"rows": [7], "label": "clear"})
    assert len(ledger.current()) == 4


def test_an_audit_is_shown_as_it_was_drawn(open_page: Open, own: Workspace) -> None:
    """Neither sorted by a column nor with probabilities, so that it is labelled blind."""
    state = State(labeller="ada", chosen=Chosen(ROWS, "audit", "audit sample"))
    at = open_page(own.root, "labels", sky=state)
    assert at.selectbox(key="labels gallery sort").options == ["sort: as chosen"]
    assert {item["text"] for item in gallery(at)["items"]} == {""}


def test_objects_of_two_minds_say_so(open_page: Open, own: Workspace, data: DataSet) -> None:
    """Two people, two labels: both are shown, and a filter finds them."""
    for who, label in (("ada", "dwarf"), ("bob", "other")):
        origin = Origin(who, dataset=data.fingerprint)
        ids = [str(data.embeddings.id[7])]
        Ledger(own.labels).label(ids, label, task="dwarf", origin=origin)
    at = opened(open_page, own)
    assert [item["label"] for item in gallery(at)["items"]][:3] == ["", "dwarf|other", ""]
    at.selectbox(key="labels gallery show").set_value("of two minds").run()
    assert rows(at) == [7]


def test_rows_from_outside_the_data_are_left_out() -> None:
    """Whatever a browser sends."""
    assert cards.rows_of({"rows": [-1, 0, 4, 5, "2"]}, 5) == [0, 4, 2]
