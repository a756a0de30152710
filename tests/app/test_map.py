"""The map page: what it shows, what it does with what is drawn, and what it offers."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from app import mapstage
from app.components.map_view import MapContent
from app.routes import SHELF
from app.state import State
from sky_ssl.explore.anomalyjob import AnomalyRequest, anomaly_table
from sky_ssl.explore.clusterjob import ClusterRequest, cluster_file
from sky_ssl.explore.dataset import open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.mapclusters import clusters_table
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.explore.mapview import FULL, frame_map
from sky_ssl.explore.oddview import odd_table
from sky_ssl.explore.rulefolder import list_rules
from sky_ssl.explore.selection import load_selection
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]
ROWS = 300
TOP, MIDDLE = FULL + 9, FULL / 2 - 0.5
LEFT = [[-9, -9], [MIDDLE, -9], [MIDDLE, TOP], [-9, TOP]]


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace of its own with embeddings and their map."""
    w = Workspace(tmp_path / "own")
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    return w


class Browser:
    """Stands in for the maps in a browser: keeps what they are given, sends what a user does."""

    def __init__(self) -> None:
        self.shown: dict[str, MapContent] = {}
        self._waiting: list[tuple[str, str, dict[str, Any]]] = []

    def draw(self, content: MapContent, *, key: str, on: dict[str, Any], height: str) -> None:
        self.shown[key] = content
        if self._waiting and self._waiting[0][0] == key:
            _, name, event = self._waiting.pop(0)
            on[name](event)
            st.rerun()

    def send(self, at: AppTest, name: str, on_map: str = "map", **event: Any) -> None:
        self._waiting.append((on_map, name, event))
        at.run()
        assert not at.exception
        assert not self._waiting, "the map is not on the page"

    def chosen(self, count: int, key: str = "map") -> npt.NDArray[np.int64]:
        """Rows that a map shows as chosen."""
        address = self.shown[key].mask
        if address is None:
            return np.zeros(0, dtype=np.int64)
        packed = np.frombuffer(SHELF.content(address.rsplit("/", 1)[1]) or b"", np.uint8)
        return np.flatnonzero(np.unpackbits(packed, count=count, bitorder="little"))


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    """What the maps of the page are given, and a way to act on them."""
    made = Browser()
    monkeypatch.setattr(mapstage, "draw_map", made.draw)
    return made


def half(w: Workspace, name: str = "mock.h5") -> npt.NDArray[np.bool_]:
    """Objects that lie in the left half of a map."""
    return frame_map(open_map(w.maps / name).xy).grid[:, 0] < MIDDLE


def test_a_lasso_chooses_and_survives_reload(
    open_page: Open, own: Workspace, browser: Browser
) -> None:
    """Just the objects inside; in the address, and there again in a new session."""
    at = open_page(own.root, "map")
    browser.send(at, "lasso", polygon=LEFT, mode="new", hidden=[])
    wanted = np.flatnonzero(half(own))
    assert 20 < len(wanted) < ROWS - 20
    assert browser.chosen(ROWS).tolist() == wanted.tolist()
    assert any(f"**{len(wanted)}** chosen by lasso" in m.value for m in at.markdown)
    name = at.session_state["sky"].selection
    again = open_page(own.root, "map", sky=State(selection=name, data="mock.h5"))
    assert browser.chosen(ROWS).tolist() == wanted.tolist()
    browser.send(again, "lasso", polygon=[], mode="new", hidden=[])
    assert browser.shown["map"].mask is None


def test_strokes_are_joined_and_obey_the_legend(
    open_page: Open, own: Workspace, browser: Browser
) -> None:
    """Added to, taken out of, intersected with; a class that is hidden is not touched."""
    at = open_page(own.root, "map")
    assert browser.shown["map"].scheme == "class"
    codes = np.frombuffer(
        SHELF.content(browser.shown["map"].codes.rsplit("/", 1)[1]) or b"", np.uint8
    )
    everything = [[-9, -9], [TOP, -9], [TOP, TOP], [-9, TOP]]
    browser.send(at, "lasso", polygon=everything, mode="new", hidden=[1])
    assert browser.chosen(ROWS).tolist() == np.flatnonzero(codes != 1).tolist()
    browser.send(at, "lasso", polygon=LEFT, mode="subtract", hidden=[])
    assert browser.chosen(ROWS).tolist() == np.flatnonzero((codes != 1) & ~half(own)).tolist()
    browser.send(at, "lasso", polygon=everything, mode="add", hidden=[])
    browser.send(at, "lasso", polygon=LEFT, mode="intersect", hidden=[])
    assert browser.chosen(ROWS).tolist() == np.flatnonzero(half(own)).tolist()


def test_a_click_looks_and_keys_label(
    open_page: Open, words: Words, own: Workspace, browser: Browser
) -> None:
    """The object is in the inspector; 1 labels it, Ctrl-z takes that back, j goes on."""
    at = open_page(own.root, "map")
    browser.send(at, "click", row=7, mode="new")
    assert "MOCK-3-000007" in words(at)
    browser.send(at, "keys", key="1", row=7)
    current = Ledger(own.labels).current(task="dwarf")
    assert current[["object_id", "label"]].values.tolist() == [["MOCK-3-000007", "dwarf"]]
    browser.send(at, "keys", key="undo", row=-1)
    assert len(Ledger(own.labels).current(task="dwarf")) == 0
    browser.send(at, "keys", key="j", row=7)
    assert at.session_state["sky"].object == "MOCK-3-000008"
    assert browser.shown["map"].object == 8


def test_one_flies_to_an_object(
    open_page: Open, words: Words, own: Workspace, browser: Browser
) -> None:
    """By id or place; what is not there is said in a sentence."""
    at = open_page(own.root, "map")
    at.text_input(key="go to").set_value("MOCK-3-000005").run()
    assert browser.shown["map"].fly == (5, 1)
    e = open_dataset(own.embeddings / "mock.h5").embeddings
    at.text_input(key="go to").set_value(f"{e.ra[9]:.6f} {e.dec[9]:+.6f}").run()
    assert browser.shown["map"].fly == (9, 2)
    at.text_input(key="go to").set_value("<b>nowhere").run()
    assert not at.exception
    assert "neither an id" in at.warning[0].value
    assert "<b>" not in at.warning[0].value


def test_two_maps_share_what_is_chosen(open_page: Open, own: Workspace, browser: Browser) -> None:
    """Drawn on the second, it is shown on both; the first alone has the legend."""
    map_file(own.embeddings / "mock.h5", own.maps / "other.h5", MapOptions(method="tsne", epochs=5))
    at = open_page(own.root, "map", sky=State(map="mock.h5", beside="other.h5"))
    assert set(browser.shown) == {"map", "map 2"}
    assert browser.shown["map"].points != browser.shown["map 2"].points
    assert (browser.shown["map"].legend, browser.shown["map 2"].legend) == (True, False)
    browser.send(at, "lasso", "map 2", polygon=LEFT, mode="new", hidden=[])
    wanted = np.flatnonzero(half(own, "other.h5")).tolist()
    assert browser.chosen(ROWS, "map").tolist() == browser.chosen(ROWS, "map 2").tolist() == wanted


def test_other_maps_are_offered(open_page: Open, own: Workspace, browser: Browser) -> None:
    """Those whose method is not there yet, and positions of one's own."""
    at = open_page(own.root, "map")
    assert at.selectbox(key="map choice").options == ["mock · PCA"]
    labels = [b.label for b in at.button]
    assert "Make the UMAP map" in labels
    assert "Make the t-SNE map" in labels
    assert "Make the PCA map" not in labels


def test_clusters_are_offered_then_shown(
    open_page: Open, words: Words, own: Workspace, browser: Browser
) -> None:
    """Until they are found labels colour the map; then there are cards, names and members."""
    at = open_page(own.root, "map", sky=State(colour="cluster"))
    assert "not found yet" in words(at)
    assert browser.shown["map"].scheme == "label"
    table = clusters_table(own.maps / "mock.h5")
    cluster_file(ClusterRequest(map=own.maps / "mock.h5", out=table, min_size=10))
    at.run()
    assert not at.exception
    assert browser.shown["map"].scheme == "cluster"
    assert "typical members" in words(at)
    at.text_input[1].set_value("odd <b>").run()
    assert not at.exception
    assert browser.shown["map"].palette[1]["name"] == "1 odd <b>"
    at.button(key="cluster typical").click().run()
    size = browser.shown["map"].palette[1]["count"]
    assert len(at.session_state["sky"].chosen.rows) == size
    assert at.session_state["sky"].chosen.name == "1 odd <b>"


def test_the_oddest_objects_fill_the_gallery(
    open_page: Open, own: Workspace, browser: Browser
) -> None:
    """The oddest first; one that is labelled as an artefact comes last."""
    at = open_page(own.root, "map", sky=State(colour="oddness"))
    assert [b.label for b in at.button].count("Measure it") == 2
    anomaly_table(
        AnomalyRequest(
            own.embeddings / "mock.h5", out=odd_table(own.embeddings / "mock.h5"), merge_arcsec=0
        )
    )
    at.run()
    assert browser.shown["map"].scheme == "oddness"
    at.button(key="odd first").click().run()
    chosen = at.session_state["sky"].chosen
    assert len(chosen.rows) == ROWS
    assert (np.diff(chosen.scores) <= 0).all()
    name = f"MOCK-3-{chosen.rows[0]:06d}"
    fingerprint = open_dataset(own.embeddings / "mock.h5").fingerprint
    Ledger(own.labels).label(
        [name], "artefact", task="defects", origin=Origin("ada", dataset=fingerprint)
    )
    at.button(key="odd first").click().run()
    assert not at.exception
    assert at.session_state["sky"].chosen.rows[-1] == chosen.rows[0]


@pytest.mark.parametrize("by", ["label", "density", "mag_r", "class", "probability"])
def test_every_colouring_covers_all_objects(
    open_page: Open, own: Workspace, browser: Browser, by: str
) -> None:
    """A code for each, and a palette that has them all."""
    at = open_page(own.root, "map", sky=State(colour=by))
    content = browser.shown["map"]
    codes = np.frombuffer(SHELF.content(content.codes.rsplit("/", 1)[1]) or b"", np.uint8)
    assert len(codes) == ROWS
    assert codes.max() < len(content.palette)
    if by == "density":
        assert len(set(codes.tolist())) > 5
    if by == "probability":
        assert any("No probe yet" in c.value for c in at.caption)


def test_without_a_map_one_is_offered(open_page: Open, words: Words, own: Workspace) -> None:
    """A button that makes it, in place of an empty chart."""
    shutil.rmtree(own.maps)
    at = open_page(own.root, "map")
    assert "no map of these embeddings yet" in words(at)
    assert [b.label for b in at.button] == ["Make the map"]


def test_what_is_drawn_is_kept_as_a_rule(
    own: Workspace, open_page: Open, words: Words, browser: Browser
) -> None:
    """The lasso becomes a file among the rules, with what it is worth in words."""
    at = open_page(own.root, "map")
    browser.send(at, "lasso", polygon=LEFT, mode="new", hidden=[])
    drawn = len(browser.chosen(ROWS))
    next(box for box in at.text_input if box.label == "Name").set_value("left half")
    next(button for button in at.button if button.label == "Fit and keep").click().run()
    assert not at.exception
    (file,) = list_rules(own.selections)
    rule = load_selection(file)
    assert (rule.name, rule.origin["drawn"], rule.origin["from"]) == ("left half", drawn, "lasso")
    assert "of what was drawn is found" in words(at)
    assert "page Candidates" in words(at)


def test_a_rule_needs_something_outside(
    own: Workspace, open_page: Open, words: Words, browser: Browser
) -> None:
    """Everything drawn is no rule: one sentence, and no file."""
    at = open_page(own.root, "map")
    everything = [[-9, -9], [TOP, -9], [TOP, TOP], [-9, TOP]]
    browser.send(at, "lasso", polygon=everything, mode="new", hidden=[])
    next(button for button in at.button if button.label == "Fit and keep").click().run()
    assert not at.exception
    assert at.error
    assert not list_rules(own.selections)
