"""A small workspace that pages are tested on."""

import os
import shutil
import subprocess
import sys
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
ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "app" / "main.py"


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


@pytest.fixture(scope="session")
def trained(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace of its own with a run of two steps on the mock cutouts; read only."""
    w = Workspace(tmp_path_factory.mktemp("trained"))
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    config = w.root / "tiny.toml"
    config.write_text(
        f'[data]\ncutouts = ["{w.cutouts / "mock.h5"}"]\n'
        "[model]\nwidth = 32\ndepth = 1\nheads = 2\npatch_size = 16\n"
        '[train]\nsteps = 2\nbatch_size = 8\nprecision = "fp32"\n'
        "[log]\nevery = 1\nvalidation_size = 8\nprobe_size = 100\n"
    )
    command = [sys.executable, str(ROOT / "train.py"), str(config), "--out", str(w.runs / "tiny")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return w
