"""A small workspace that pages are tested on."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from sky_ssl.embedding.store import write_embeddings
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.mock import write_mock
from sky_ssl.workspace import ENVIRONMENT, Workspace

ROWS = 300
MAIN = Path(__file__).resolve().parents[2] / "app" / "main.py"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Mock cutouts, embeddings that know class and size, and a map; read only."""
    w = Workspace(tmp_path_factory.mktemp("workspace"))
    cutouts = w.cutouts / "mock.h5"
    cutouts.parent.mkdir()
    write_mock(cutouts, ROWS, seed=3, workers=1)
    data = open_cutouts(cutouts)
    rng = np.random.default_rng(0)
    kinds = np.unique(data.column("class"), return_inverse=True)[1]
    values = rng.normal(size=(ROWS, 16)).astype(np.float32)
    values[np.arange(ROWS), kinds] += 6
    columns = {name: data.column(name) for name in ("id", "ra", "dec", "tile")}
    attributes = {
        "cutouts": str(cutouts),
        "cutouts_fingerprint": data.fingerprint(),
        "checkpoint_sha256": "a" * 64,
        "bands": " ".join(data.info.bands),
        "pooling": "mean",
    }
    write_embeddings(
        w.embeddings / "mock.h5",
        [values],
        values.shape,
        dtype="float32",
        columns=columns,
        attributes=attributes,
    )
    w.maps.mkdir()
    map_file(w.embeddings / "mock.h5", w.maps / "mock.h5", MapOptions(method="pca"))
    return w


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Open a page of the dashboard on a workspace, with a state of the session if given."""

    def opened(root: Path, page: str = "", **session: object) -> AppTest:
        monkeypatch.setenv(ENVIRONMENT, str(root))
        at = AppTest.from_file(str(MAIN), default_timeout=60)
        for name, value in session.items():
            at.session_state[name] = value
        at.run()
        if page:
            at.switch_page(f"../pages/{page}.py").run()
        assert not at.exception
        return at

    return opened


@pytest.fixture
def words() -> Callable[[AppTest], str]:
    """Give all that a page says."""

    def said(at: AppTest) -> str:
        kinds = (at.markdown, at.caption, at.info, at.title, at.error, at.code, at.text)
        return "\n".join(str(e.value) for kind in kinds for e in kind)

    return said
