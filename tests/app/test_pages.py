"""Pages, run without a browser: what they say, and what they do."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from sky_ssl.workspace import ENVIRONMENT, Workspace

MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


def open_page(monkeypatch: pytest.MonkeyPatch, root: Path, page: str = "") -> AppTest:
    monkeypatch.setenv(ENVIRONMENT, str(root))
    at = AppTest.from_file(str(MAIN), default_timeout=60)
    at.run()
    if page:
        at.switch_page(f"../pages/{page}.py").run()
    assert not at.exception
    return at


def words(at: AppTest) -> str:
    return "\n".join(e.value for e in [*at.markdown, *at.caption, *at.info, *at.title, *at.error])


def test_home_without_anything_offers_the_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A button that starts the command, and how to bring one's own data."""
    at = open_page(monkeypatch, tmp_path / "new")
    assert [b.label for b in at.button] == ["Build the demo"]
    assert "12,000 simulated cutouts" in words(at)
    assert "sky-ssl embed" in words(at)
    assert not (tmp_path / "new").exists()


def test_home_lists_what_is_there(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> None:
    """The embeddings to choose from, how many there are, and that the sky is a mock."""
    at = open_page(monkeypatch, workspace.root)
    assert at.selectbox[0].options == ["mock"]
    assert {m.label: m.value for m in at.metric}["Objects"] == "300"
    assert "300 objects" in words(at)
    assert len(at.get("image")) == 1
    assert "simulated, not observed" in words(at)


def test_the_map_says_what_to_do_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An empty workspace: no empty chart, but the way on."""
    at = open_page(monkeypatch, tmp_path, "map")
    assert "No embeddings in this workspace yet" in words(at)


def test_the_map_shows_an_object_and_labels_it(
    monkeypatch: pytest.MonkeyPatch, workspace: Workspace
) -> None:
    """The object of the address is in the inspector; its label is in the ledger, and undone."""
    from sky_ssl.explore.labels import Ledger

    at = open_page(monkeypatch, workspace.root, "map")
    assert "Click a point on the map" in words(at)
    at.session_state["map"] = {"click": {"row": 7, "mode": "new"}}
    at.query_params["object"] = "MOCK-3-000007"
    del at.session_state["sky"]
    at.run()
    assert "MOCK-3-000007" in words(at)
    next(b for b in at.button if b.label == "dwarf").click().run()
    current = Ledger(workspace.labels).current(task="dwarf")
    assert current[["object_id", "label"]].values.tolist() == [["MOCK-3-000007", "dwarf"]]
    next(b for b in at.button if b.label == "dwarf").click().run()
    assert len(Ledger(workspace.labels).current(task="dwarf")) == 0
    assert not at.exception


def test_the_way_in_loads_no_network() -> None:
    """Home and the map open without torch, which takes seconds to load."""
    import subprocess
    import sys

    code = "import app.frame, app.homeview, app.panels, sys; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
