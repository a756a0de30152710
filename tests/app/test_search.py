"""The search page: exemplars in, objects like them out, and a rule."""

import io
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app.state import State
from sky_ssl.cli import main
from sky_ssl.explore.rulefile import load_selection
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


def test_an_empty_workspace_says_what_to_do(open_page: Open, words: Words, tmp_path: Path) -> None:
    """No search without embeddings, but the way to them."""
    assert "No embeddings in this workspace yet" in words(open_page(tmp_path, "search"))


def test_an_id_makes_an_exemplar_and_finds_its_like(
    open_page: Open, words: Words, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the page finds is what its command finds, and the map shows it as the selection."""
    at = open_page(workspace.root, "search")
    assert "objects most like" not in words(at)
    at.text_input(key="add").set_value("MOCK-3-000007").run()
    at.number_input(key="top").set_value(12).run()
    assert "**12** objects most like 1 exemplar, of 300" in words(at)
    state: State = at.session_state["sky"]
    assert state.like == ("MOCK-3-000007",)
    assert state.chosen is not None
    assert state.chosen.source == "search"
    command = next(c.value for c in at.code if c.value.startswith("sky-ssl search"))
    assert main([*shlex.split(command)[1:], "--json"]) == 0
    printed = capsys.readouterr().out
    found = [f'"id": "MOCK-3-{row:06d}"' for row in state.chosen.rows]
    assert all(name in printed for name in found)
    assert printed.count('"rank"') == 12


def test_a_position_finds_the_nearest_object(
    open_page: Open, words: Words, workspace: Workspace
) -> None:
    """As a counter-example too; what lies nowhere near says how far the nearest is."""
    from sky_ssl.embedding.store import open_embeddings

    e = open_embeddings(workspace.embeddings / "mock.h5")
    at = open_page(workspace.root, "search")
    at.segmented_control(key="add as").set_value("counter-example").run()
    at.text_input(key="add").set_value(f"{e.ra[5]:.6f} {e.dec[5] + 1 / 3600:+.6f}").run()
    assert at.session_state["sky"].unlike == ("MOCK-3-000005",)
    assert "1.0 arcsec from that position" in at.toast[0].value.replace("\\", "")
    assert "Counter-examples alone find nothing" in words(at)
    at.text_input(key="add").set_value("12:00:00 -80:00:00").run()
    assert "the nearest" in words(at)
    at.text_input(key="add").set_value("<b>nothing</b>").run()
    assert "neither an id" in words(at)
    assert "<b>" not in words(at).replace("\\<b\\>", "")


def test_a_search_is_saved_as_a_rule(open_page: Open, workspace: Workspace) -> None:
    """With its exemplars and, if wanted, the score of the last result as its threshold."""
    at = open_page(workspace.root, "search")
    at.text_input(key="add").set_value("MOCK-3-000007").run()
    at.text_input(key="rule name").set_value("like seven").run()
    at.checkbox(key="rule cut").check().run()
    at.button(key="rule save").click().run()
    assert not at.exception
    rule = load_selection(workspace.selections / "like-seven.json")
    (workspace.selections / "like-seven.json").unlink()
    scores = at.session_state["sky"].chosen.scores
    assert rule.exemplar_ids == ("MOCK-3-000007",)
    assert rule.threshold == pytest.approx(scores[-1], abs=1e-6)


def test_a_bad_image_gets_one_sentence(open_page: Open, words: Words, workspace: Workspace) -> None:
    """Here the run is not in the workspace, which is said before the file is looked at."""
    picture = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture, "PNG")
    at = open_page(workspace.root, "search")
    at.file_uploader(key="image 0").upload("dwarf.png", picture.getvalue(), "image/png").run()
    assert "no run in" in words(at).replace("\\", "")
    assert not at.exception


def test_a_search_is_expanded_and_back(open_page: Open, workspace: Workspace) -> None:
    """The command says so, finds other objects, and the page shows what the command finds."""
    at = open_page(workspace.root, "search")
    at.text_input(key="add").set_value("MOCK-3-000007").run()
    plain = at.session_state["sky"].chosen.rows.tolist()
    at.toggle(key="expand").set_value(True).run()
    found = at.session_state["sky"].chosen.rows.tolist()
    assert found != plain
    command = next(c.value for c in at.code if c.value.startswith("sky-ssl search"))
    assert "--expand 20" in command
    at.toggle(key="expand").set_value(False).run()
    assert at.session_state["sky"].chosen.rows.tolist() == plain
