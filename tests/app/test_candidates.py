"""The candidates page: a rule's list, vetted, and in files."""

import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app.state import State
from sky_ssl.cli import main
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.selection import (
    lasso_selection,
    load_selection,
    save_selection,
    search_selection,
)
from sky_ssl.explore.tasks import load_tasks
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the workspace with two rules: one that counts, one that only ranks."""
    w = Workspace(tmp_path / "own")
    shutil.copytree(workspace.embeddings, w.embeddings)
    e = open_embeddings(w.embeddings / "mock.h5")
    inside = e.values[:, :6].max(axis=1) > 3
    save_selection(lasso_selection(e, inside, name="first kind"), w.selections / "lasso.json")
    save_selection(search_selection(e, [7], name="like seven"), w.selections / "search.json")
    return w


def table(at: AppTest, column: str = "verdict", without: str = "") -> pd.DataFrame:
    """Give the table of a page that has one column and not another."""
    tables = [d.value for d in at.dataframe]
    return next(t for t in tables if column in t and without not in t)


def test_without_a_rule_it_says_where_they_come_from(
    open_page: Open, words: Words, tmp_path: Path, workspace: Workspace
) -> None:
    """An empty workspace, and one without rules."""
    assert "No embeddings in this workspace yet" in words(open_page(tmp_path, "candidates"))
    w = Workspace(tmp_path / "bare")
    shutil.copytree(workspace.embeddings, w.embeddings)
    said = words(open_page(w.root, "candidates"))
    assert "No rule yet" in said
    assert "sky-ssl probe" in said


def test_the_list_is_that_of_the_command(open_page: Open, words: Words, own: Workspace) -> None:
    """The same objects, the same probabilities, at the prevalence that was typed."""
    at = open_page(own.root, "candidates")
    at.selectbox(key="rule").set_value("lasso").run()
    at.text_input(key="prevalence").set_value("3/150").run()
    at.number_input(key="list top").set_value(20).run()
    assert not at.exception
    said = words(at)
    assert "**20** candidates of 300 objects" in said
    assert "expected to be true" in said
    command = next(c.value for c in at.code if c.value.startswith("sky-ssl candidates"))
    assert main([*shlex.split(command)[1:], "--json"]) == 0
    from astropy.table import Table

    written = Table.read(own.exports / "lasso.vot")
    shown = table(at)
    assert list(written["id"]) == list(shown["id"])
    np.testing.assert_allclose(written["probability"], shown["probability"])
    at.text_input(key="prevalence").set_value("often").run()
    assert "give a share such as" in words(at)


def test_verdicts_are_labels_of_a_task_of_their_own(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """In the ledger, counted, filtered, and still there for the next session."""
    at = open_page(own.root, "candidates")
    at.selectbox(key="rule").set_value("search").run()
    ids = table(at)["id"].tolist()
    at.session_state["sky"] = replace(at.session_state["sky"], object=ids[0])
    at.run()
    at.button(key="verdict accept").click().run()
    assert at.session_state["sky"].object == ids[1]
    at.button(key="verdict reject").click().run()
    assert "2 of 200 vetted, 1 accepted, 1 rejected" in [p.text for p in at.get("progress")]
    current = Ledger(own.labels).current(task="vetting of like seven")
    assert current["label"].tolist() == ["accept", "reject"]
    assert set(current["source"]) == {"review"}
    assert [t.name for t in load_tasks(own.tasks)] == ["dwarf", "vetting of like seven"]
    at.segmented_control(key="vetting filter").set_value("accepted").run()
    assert table(at)["id"].tolist() == ids[:1]
    at.session_state["sky"] = replace(at.session_state["sky"], object=ids[0])
    at.run()
    at.button(key="verdict accept").click().run()
    again = open_page(own.root, "candidates")
    assert "1 of 200 vetted, 1 rejected" in [p.text for p in again.get("progress")]


def test_labelled_objects_are_left_out_or_kept(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """By the task that is chosen; verdicts do not count as labels."""
    at = open_page(own.root, "candidates")
    best = str(table(at)["id"].iat[0])
    Ledger(own.labels).label([best], "dwarf", task="dwarf")
    at.run()
    assert best not in table(at)["id"].tolist()
    assert "known ones left out" in words(at)
    at.selectbox(key="known").set_value("keep").run()
    assert best in table(at)["id"].tolist()


def test_a_catalogue_names_the_nearest_known_objects(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """With the separation; a file that is no catalogue gets one sentence."""
    at = open_page(own.root, "candidates")
    e = open_embeddings(own.embeddings / "mock.h5")
    row = int(str(table(at)["id"].iat[0])[-6:])
    text = f"name,ra,dec\n<i>Fornax</i>,{e.ra[row]:.7f},{e.dec[row] + 2 / 3600:.7f}\n"
    at.file_uploader(key="catalogue 0").upload("known.csv", text.encode(), "text/csv").run()
    at.run()
    assert "**1** of 200 candidates lie within 10 arcsec of a known object" in words(at)
    near = table(at, "nearest_catalogue", without="ra")
    assert near["nearest_known"].tolist() == ["<i>Fornax</i>"]
    assert near["nearest_separation"].iat[0] == pytest.approx(2, abs=0.01)
    at.file_uploader(key="catalogue 1").upload("bad.fits", b"SIMPLE = no", "x").run()
    assert any("bad" in error.value for error in at.error)
    assert not at.exception


def test_samp_without_a_hub_is_one_clear_line(
    open_page: Open, words: Words, own: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The list is written all the same, for the next try."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:file://{tmp_path}/none")
    at = open_page(own.root, "candidates")
    at.button(key="samp").click().run()
    assert "no hub runs" in words(at)
    assert not at.exception


def test_the_present_search_is_a_rule_too(open_page: Open, own: Workspace) -> None:
    """Without saving it; its file is hidden among the rules."""
    at = open_page(own.root, "candidates", sky=State(like=("MOCK-3-000003",), labeller="me"))
    at.selectbox(key="rule").set_value("the present search").run()
    assert not at.exception
    assert len(table(at)) == 200
    assert len(list(own.selections.glob("[!.]*.json"))) == 2
    hidden = next(own.selections.glob(".search-*.json"))
    assert load_selection(hidden).exemplar_ids == ("MOCK-3-000003",)
