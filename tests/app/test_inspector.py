"""The inspector: the object close up, and each of its views."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from streamlit.testing.v1 import AppTest

from app import darkroom
from app.components.closeup_view import Closeup, contents
from app.routes import SHELF
from app.state import Chosen, State
from app.words import code
from sky_ssl.embedding.store import write_embeddings
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.figures.rgb import Stretch
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.cutting import CutConfig, cut_tiles
from sky_ssl.sky.survey import parse_survey
from sky_ssl.sky.tiles import find_tiles
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]
NAME, ROW = "MOCK-3-000014", 14


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


def inspect(open_page: Open, own: Workspace, view: str = "", **more: Any) -> AppTest:
    """Open the page of labels, which shows the inspector beside the gallery."""
    chosen = more.pop("chosen", Chosen(np.array([ROW, 8]), "lasso", "lasso"))
    state = State(labeller="ada", object=NAME, chosen=chosen, view=view, **more)
    return open_page(own.root, "labels", sky=state)


def sent(at: AppTest, key: str) -> dict[str, Any]:
    """Give what is sent to a component."""
    (found,) = [e.proto for e in at.get("bidi_component") if e.proto.id.endswith(f"-{key}")]
    content: dict[str, Any] = json.loads(found.json)
    return content


def test_the_object_is_shown_in_every_band(
    open_page: Open, words: Words, own: Workspace, data: DataSet
) -> None:
    """The pixels of the cutout as they are, all bands, with scale and links."""
    at = inspect(open_page, own)
    shown = sent(at, "closeup")
    assert shown["bands"] == ["u", "g", "r", "i", "z"]
    assert [shown["bands"][b] for b in shown["rgb"]] == ["i", "r", "g"]
    pixels = np.frombuffer(SHELF.content(shown["pixels"].split("/")[-1]) or b"", dtype="<f4")
    np.testing.assert_array_equal(pixels.reshape(shown["shape"]), data.images([ROW])[0])
    assert shown["scale"] == pytest.approx(0.1857, rel=0.01)
    assert "as red, green, blue, Lupton asinh, 11.9 arcsec wide" in shown["words"]
    said = words(at)
    assert NAME in said
    assert all(site in said for site in ("legacysurvey.org", "aladin", "sky.esa.int"))


def test_values_have_units(open_page: Open, words: Words, own: Workspace, data: DataSet) -> None:
    """Position in degrees and sexagesimal, magnitudes in AB, radii in arcsec, and the origin."""
    at = inspect(open_page, own)
    table = next(d.value for d in at.dataframe if "unit" in d.value).set_index("column")
    assert table.loc["mag r", "unit"] == "mag AB"
    assert float(table.loc["mag r", "value"]) == pytest.approx(data.column("mag_r")[ROW], rel=1e-3)
    assert table.loc["half light radius", "unit"] == "arcsec"
    assert table.loc["model", "value"] == "a" * 12
    assert f"{data.embeddings.ra[ROW]:.6f}" in words(at)
    assert "A simulated object" in words(at)


def test_its_like_come_with_a_way_to_them(open_page: Open, own: Workspace, data: DataSet) -> None:
    """Of the same class in these embeddings; they become the selection at a press."""
    at = inspect(open_page, own, "Alike")
    items = sent(at, "alike")["items"]
    assert len(items) == 24
    assert ROW not in [item["row"] for item in items]
    kinds = data.column("class").astype(str)
    same = np.mean([kinds[item["row"]] == kinds[ROW] for item in items])
    assert same > 1.5 * np.mean(kinds == kinds[ROW])  # these embeddings know the class
    scores = [float(item["text"]) for item in items]
    assert scores == sorted(scores, reverse=True)
    at.button(key="alike choose").click().run()
    assert at.session_state["sky"].chosen.rows.tolist() == [item["row"] for item in items]
    assert not at.exception


def test_the_probability_comes_with_its_reasons(
    open_page: Open, words: Words, own: Workspace, data: DataSet
) -> None:
    """Without labels what to do; with some the probability and the nearest labelled objects."""
    assert "No probe yet" in words(inspect(open_page, own, "Why"))
    kinds = data.column("class").astype(str)
    same, others = np.flatnonzero(kinds == kinds[ROW]), np.flatnonzero(kinds != kinds[ROW])
    ledger, origin = Ledger(own.labels), Origin("ada", dataset=data.fingerprint)
    for name, rows in (("dwarf", [r for r in same if r != ROW][:9]), ("other", others[:20])):
        ids = [str(data.embeddings.id[row]) for row in rows]
        ledger.label(ids, name, task="dwarf", origin=origin)
    at = inspect(open_page, own, "Why")
    assert "Of the 8 labelled objects most like it 8 are dwarf." in words(at)
    share, place = re.findall(r"dwarf \*\*(\d+)%\*\* :gray\[place (\d+) of 300", words(at))[0]
    assert int(share) > 31  # more than among the labels, 9 of 29
    assert 1 <= int(place) <= 2 * len(same)
    assert {item["label"] for item in sent(at, "reasons")["items"]} == {"dwarf"}
    ledger.label([NAME], "dwarf", task="dwarf", origin=origin)
    assert "the probe has learnt from that" in words(inspect(open_page, own, "Why"))


def test_of_an_audit_no_reason_is_given(open_page: Open, words: Words, own: Workspace) -> None:
    """It is labelled blind."""
    chosen = Chosen(np.array([ROW, 8]), "audit", "audit sample")
    said = words(inspect(open_page, own, "Why", chosen=chosen))
    assert "so that you label it blind" in said
    assert "No probe yet" not in said


def test_its_history_and_a_remark(open_page: Open, own: Workspace, data: DataSet) -> None:
    """Who said what of it; a remark is kept under one's name, and an empty one is not."""
    origin = Origin("bob", "lasso", data.fingerprint)
    Ledger(own.labels).label([NAME], "other", task="dwarf", origin=origin)
    at = inspect(open_page, own, "Labels")
    at.text_input(key=f"remark {NAME}").set_value("a ring <b>around</b> it").run()
    assert not at.exception
    table = next(d.value for d in at.dataframe if "remark" in d.value)
    assert table[["who", "what", "label", "remark"]].values.tolist() == [
        ["ada", "note", "", "a ring <b>around</b> it"],
        ["bob", "label", "other", ""],
    ]
    at.text_input(key=f"remark {NAME}").set_value("  ").run()
    assert len(Ledger(own.labels).all_notes()) == 1


def test_a_label_of_another_is_named_and_agreed_to(
    open_page: Open, words: Words, own: Workspace, data: DataSet
) -> None:
    """The button of it is lit; a press adds one's own, another takes that off again."""
    ledger = Ledger(own.labels)
    ledger.label([NAME], "other", task="dwarf", origin=Origin("bob", dataset=data.fingerprint))
    at = inspect(open_page, own)
    assert "bob: other" in words(at).replace("\\", "")
    at.button(key="label other").click().run()
    assert ledger.current()[["labeller", "label"]].values.tolist() == [
        ["bob", "other"],
        ["ada", "other"],
    ]
    at.button(key="label other").click().run()
    assert ledger.current()["labeller"].tolist() == ["bob"]
    assert not at.exception


def test_hidden_parts_need_a_model(
    open_page: Open,
    words: Words,
    own: Workspace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A sentence where there is none, not even the one that comes along."""
    monkeypatch.setattr(darkroom, "MODELS", tmp_path)
    at = inspect(open_page, own, "Hidden")
    assert "No trained model here" in words(at)
    assert not len(at.get("image"))


def test_hidden_parts_are_reconstructed(open_page: Open, words: Words, trained: Workspace) -> None:
    """Four pictures and how well they agree, other parts at a press."""
    at = inspect(open_page, trained, "Hidden")
    assert len(at.get("image")) == 4
    first = words(at)
    assert "χ² per hidden pixel" in first
    assert "60% of the patches hidden; model tiny" in first
    at.button(key="hide others").click().run()
    assert not at.exception
    assert "χ² per hidden pixel" in words(at)
    assert words(at) != first


def test_the_wider_view_is_offered_where_the_tile_is_at_hand(
    open_page: Open, own: Workspace
) -> None:
    """Not of a mock sky, which has no tiles."""
    at = inspect(open_page, own)
    views = at.segmented_control(key="inspector view").options
    assert views == ["Values", "Alike", "Why", "Labels", "Hidden"]


def test_a_name_cannot_be_more_than_text() -> None:
    """Backticks, HTML and new lines in an id stay in the code they are shown as."""
    assert code("a`b``c <script>\n*x*") == "``` a`b``c <script> *x* ```"
    assert code("MOCK-1") == "`MOCK-1`"


def test_what_the_browser_gets_is_plain() -> None:
    """Pixels as float32, unknown scale as nothing, numbers as they are."""
    image = np.arange(12, dtype=np.float64).reshape(3, 2, 2)
    stretch = Stretch((0.85, 1.0, 1.35), -1.0, 16.0)
    shown = contents(Closeup("<x>", image, ("g", "r", "i"), (2, 1, 0), [1, 2, 3], stretch, np.nan))
    assert shown["scale"] is None
    assert shown["object"] == "<x>"
    pixels = np.frombuffer(SHELF.content(shown["pixels"].split("/")[-1]) or b"", dtype="<f4")
    assert pixels.tolist() == list(range(12))
    assert json.loads(json.dumps(shown)) == shown


@pytest.fixture
def with_tiles(tmp_path: Path) -> Workspace:
    """Five cutouts of a tile of two bands, with embeddings."""
    w = Workspace(tmp_path / "tiled")
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    w.cutouts.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for band in "gr":
        fits.writeto(tiles / f"A_{band}.fits", rng.normal(size=(200, 200)).astype(np.float32))
    bands = [{"name": b, "pattern": rf"(?P<tile>.+)_{b}\.fits", "zero_point": 30.0} for b in "gr"]
    survey = parse_survey({"name": "two", "pixel_scale": 0.2, "bands": bands}, "test")
    file = w.cutouts / "two.h5"
    cut_tiles(find_tiles([tiles], survey)[0], survey, file, CutConfig(size=16, random=5))
    found = open_cutouts(file)
    columns = {name: found.column(name) for name in ("id", "ra", "dec", "tile")}
    attributes = {"cutouts": str(file), "cutouts_fingerprint": found.fingerprint()}
    values = rng.normal(size=(5, 4)).astype(np.float32)
    write_embeddings(w.embeddings / "two.h5", [values], values.shape, dtype="float32",
                     columns=columns, attributes=attributes)  # fmt: skip
    return w


def test_the_tile_around_an_object_is_shown(
    open_page: Open, words: Words, with_tiles: Workspace
) -> None:
    """Four fields wide, with what it is in words; no links without coordinates."""
    name = str(open_dataset(with_tiles.embeddings / "two.h5").embeddings.id[2])
    at = open_page(with_tiles.root, "labels", sky=State(object=name, view="Wider"))
    shown = sent(at, "wider")
    assert shown["shape"] == [2, 64, 64]
    assert shown["words"] == "13 arcsec of tile A"
    assert shown["object"] == name
    assert "legacysurvey" not in words(at)  # a tile without coordinates
