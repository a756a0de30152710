"""A demo workspace from nothing: mock sky, model, embeddings, map.

Each stage is the command that a user can type, shown before it runs; a stage whose result is there
already is not repeated.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from sky_ssl.embedding.encode import embed_file
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.mapfile import map_is_current
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.figures.contact import draw_cutouts
from sky_ssl.progress import terminal
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.sky.mock import MOCK_VERSION, write_mock
from sky_ssl.training.checkpoint import find_checkpoint, load_model, read_checkpoint
from sky_ssl.training.config import load_config
from sky_ssl.workspace import MODELS, Workspace

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "configs" / "demo.toml"


def build_demo(
    workspace: Workspace, *, n: int = 12_000, seed: int = 0, steps: int | None = None
) -> dict[str, Any]:
    """Build, or complete, the demo workspace.

    Args:
        workspace: where.
        n: mock cutouts.
        seed: of the mock sky.
        steps: of a model trained there and then; None = the one that comes with the product, and
            where there is none, those of configs/demo.toml.

    Returns:
        What was made, with the seconds of each stage.
    """
    seconds: dict[str, float] = {}
    cutouts = workspace.cutouts / "mock.h5"
    sheet = workspace.exports / "mock.png"
    embeddings = workspace.embeddings / "mock.h5"

    started = time.monotonic()
    if not _is_mock(cutouts, n, seed):
        _say(f"sky-ssl mock --out {cutouts} --n {n} --seed {seed}")
        write_mock(cutouts, n, seed=seed, progress=terminal("mock sky", "cutout"))
        draw_cutouts(open_cutouts(cutouts), sheet)
    seconds["mock"] = time.monotonic() - started

    started = time.monotonic()
    run = _model(workspace, cutouts, steps)
    seconds["model"] = time.monotonic() - started

    started = time.monotonic()
    if not _is_current(embeddings, run, cutouts):
        _say(f"sky-ssl embed --run {run} --cutouts {cutouts} --out {embeddings}")
        embed_file(run, cutouts, embeddings, progress=terminal("embed", "cutout"))
    seconds["embed"] = time.monotonic() - started
    started = time.monotonic()
    umap = workspace.maps / "mock.h5"
    e = open_embeddings(embeddings)
    if not map_is_current(umap, e, MapOptions()):
        _say(f"sky-ssl map --embeddings {embeddings} --method umap --out {umap}")
        map_file(embeddings, umap, MapOptions(), progress=terminal("map umap", "‰"))
    seconds["map"] = time.monotonic() - started
    return {
        "workspace": str(workspace.root),
        "sky": "mock: simulated, not observed",
        "cutouts": str(cutouts),
        "contact_sheet": str(sheet),
        "run": str(run),
        "embeddings": f"{embeddings} ({e.values.shape[0]} x {e.values.shape[1]})",
        "map": str(umap),
        "seconds": ", ".join(f"{k} {v:.0f}" for k, v in seconds.items()),
        "next": f"streamlit run app/Home.py -- --workspace {workspace.root}",
    }


def _say(command: str) -> None:
    print(f"$ {command}", file=sys.stderr)


def _is_mock(path: Path, n: int, seed: int) -> bool:
    """Say whether this mock sky is there already."""
    if not path.exists():
        return False
    said = open_hdf5(path).attrs
    wanted = {"mock_version": MOCK_VERSION, "n": n, "seed": seed}
    return all(said.get(name) == value for name, value in wanted.items())


def _model(workspace: Workspace, cutouts: Path, steps: int | None) -> Path:
    """Give the model that comes with the product, or train one where steps are asked for."""
    shipped = MODELS / "mock"
    if steps is None and find_checkpoint(shipped) is not None:
        return shipped
    run = workspace.runs / "demo"
    found = find_checkpoint(run)
    wanted = steps or load_config(CONFIG).train.steps
    if found is not None and read_checkpoint(found).step >= wanted:
        return run
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        str(CONFIG),
        "--out",
        str(run),
        "--data.cutouts",
        str(cutouts),
    ]
    command += ["--train.steps", str(steps)] if steps else []
    _say(" ".join(["python", *command[1:]]))
    # standard output is for the result alone
    if subprocess.run(command, check=False, stdout=2).returncode != 0:
        raise InputError(f"{run}: training did not end well; see the lines above")
    return run


def _is_current(embeddings: Path, run: Path, cutouts: Path) -> bool:
    """Say whether the embeddings are of this model and these cutouts."""
    if not embeddings.exists():
        return False
    said = open_embeddings(embeddings).attributes
    _, state = load_model(run)
    return bool(
        said.get("checkpoint_sha256") == state.sha256()
        and said.get("cutouts_fingerprint") == open_cutouts(cutouts).fingerprint()
    )
