"""The script that makes the figures of the documentation, on a small mock sky."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sky_ssl.embedding.encode import embed_file
from sky_ssl.evaluate.evidence import SCHEMA
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.figures.printed.style import to_png
from sky_ssl.sky.mock import write_mock
from sky_ssl.workspace import Workspace

ROOT = Path(__file__).resolve().parents[3]
N = 500


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A mock sky with many dwarfs, a run of two steps on it, embeddings and a map; read only."""
    w = Workspace(tmp_path_factory.mktemp("figures"))
    cutouts = w.cutouts / "mock.h5"
    cutouts.parent.mkdir()
    write_mock(cutouts, N - 60, seed=3, enrich={"dwarf": 60}, workers=1)
    config = w.root / "tiny.toml"
    config.write_text(
        f'[data]\ncutouts = ["{cutouts}"]\nvalidation = 0.3\n'
        "[model]\nwidth = 32\ndepth = 1\nheads = 2\npatch_size = 16\n"
        '[train]\nsteps = 2\nbatch_size = 8\nprecision = "fp32"\n'
        "[log]\nevery = 1\nvalidation_size = 8\n"
    )
    command = [sys.executable, str(ROOT / "train.py"), str(config), "--out", str(w.runs / "tiny")]
    subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    embed_file(w.runs / "tiny", cutouts, w.embeddings / "mock.h5")
    w.maps.mkdir()
    map_file(w.embeddings / "mock.h5", w.maps / "mock.h5", MapOptions(method="pca"))
    return w


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    import make_figures

    return make_figures


@pytest.fixture
def run(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run it with arguments; give its status."""

    def ran(*argv: object) -> int:
        monkeypatch.setattr(sys, "argv", ["make_figures.py", *map(str, argv)])
        return int(script.main())

    return ran


def evidence(folder: Path) -> Path:
    """Write evidence of one figure."""
    fewshot = {
        "A": {"trained": {"10": {"balanced_accuracy": {"mean": 0.8, "low": 0.7, "high": 0.9}}}}
    }
    table = {
        "schema": SCHEMA,
        "settings": {"skies": [101], "objects": 100, "ceiling_objects": 500},
        "models": {"native": {"sha256": "a" * 64, "step": 3}},
        "presets": {"native": {"fewshot": fewshot}},
    }
    path = folder / "evidence.json"
    path.write_text(json.dumps(table))
    return path


def test_all_figures_by_one_command(
    place: Workspace, run: Any, script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wide, small, no word runs over an edge; and the workspace is as before."""
    drawn: list[Any] = []
    monkeypatch.setattr(script, "to_png", lambda figure: (drawn.append(figure), to_png(figure))[1])
    before = sorted(place.root.rglob("*"))
    out = tmp_path / "figures"
    argv = ("--workspace", place.root, "--out", out, "--evidence", evidence(tmp_path))
    assert run(*argv) == 0
    names = {"map", "search", "redshift", "confusion", "reconstructions", "few-shot"}
    assert {path.stem for path in out.iterdir()} == names
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert picture.width == 1600
        assert path.stat().st_size <= 300_000
    assert sorted(place.root.rglob("*")) == before
    for figure in drawn:
        words, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(words.x0, words.y0) >= 0, figure.texts[0].get_text()
        assert min(width - words.x1, height - words.y1) >= 0, figure.texts[0].get_text()


def test_nothing_is_shown_of_the_sky_that_was_learnt_from(
    place: Workspace, script: ModuleType
) -> None:
    """Exemplars on odd tiles, what is found on even ones, and no object is in both halves."""
    sky = script.open_sky(place.root, None)
    odd = sky.data.embeddings.tile.astype(int) % 2 == 1
    a, b = sky.halves(np.ones(N, bool))
    assert odd[a].all()
    assert not odd[b].any()
    assert len(a) + len(b) == N
    found, hits = script.find_dwarfs(sky)
    dwarf = sky.data.column("is_dwarf").astype(bool)
    for (exemplars, results), hit in zip(found, hits, strict=True):
        assert (odd & dwarf)[exemplars].all()
        assert not odd[results.rows].any()
        assert len(results) == 25
        assert dwarf[results.rows].sum() == hit


def test_reconstructed_objects_were_not_trained_on(place: Workspace, script: ModuleType) -> None:
    """Of a sky that the model was trained on, only its validation part is shown."""
    from sky_ssl.training.config import load_config
    from sky_ssl.training.data import open_source

    sky = script.open_sky(place.root, None)
    assert sky.is_trained_on
    assert "on this sky, without labels" in sky.note
    rows = script.choose_objects(sky)
    held = open_source(load_config(place.runs / "tiny" / "config.toml")).validation_rows
    assert 0 < len(held) < N
    assert len(rows) > 0
    assert set(rows) <= set(held.tolist())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--workspace", "nowhere"), "nowhere: no embeddings of a mock sky"),
        (("--only", "few-shot"), "few-shot curves: none of the preset native; give --evidence"),
        (("--evidence", "other.json"), "other.json: expected a file named evidence.json"),
        (("--evidence", "gone/evidence.json"), "evidence.json: not there"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    place: Workspace, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    argv: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    """Status 2, and the file or parameter by name."""
    given = argv if "--workspace" in argv else ("--workspace", place.root, *argv)
    assert run("--out", tmp_path / "out", *given) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "..." not in line]
    assert len(said) == 1
    assert message in said[0]


def test_map_of_other_embeddings_is_refused(
    place: Workspace, run: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A workspace without the map says which command makes it."""
    w = Workspace(tmp_path / "w")
    w.embeddings.mkdir(parents=True)
    os.link(place.embeddings / "mock.h5", w.embeddings / "mock.h5")
    assert run("--workspace", w.root, "--only", "map", "--out", tmp_path / "out") == 2
    assert "sky-ssl map --embeddings" in capsys.readouterr().err
