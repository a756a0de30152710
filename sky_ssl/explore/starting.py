"""The commands that fill a workspace: detect, cut, train, embed, map, from names and choices.

In: what a user chose. Out: the command, as words. What it writes lies in the workspace, under a
name that is checked; what it reads may lie anywhere.
"""

import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
TRAIN = ROOT / "train.py"
CONFIGS = ROOT / "configs"
_LONGEST = 80


def check_name(name: str) -> str:
    """Give a name that a file of the workspace may have.

    Raises:
        InputError: empty, too long, with a leading dot or dash, or with a character that is no
            letter, digit or one of . _ + -.
    """
    word = name.strip()
    if not word:
        raise InputError("a name is needed")
    if len(word) > _LONGEST:
        raise InputError(f"name of {len(word)} characters: at most {_LONGEST}")
    if word.startswith((".", "-")) or not re.fullmatch(r"[\w.+-]+", word):
        raise InputError(
            f"name {word!r}: letters, digits and . _ + - only, not beginning with a dot or dash"
        )
    return word


def free_name(taken: Sequence[str], wanted: str) -> str:
    """Give a name that is allowed and not taken, as like the wanted one as may be."""
    fit = re.sub(r"[^\w.+-]+", "-", wanted)[: _LONGEST - 10].strip(".-") or "new"
    name, number = fit, 2
    while name in taken:
        name, number = f"{fit}-{number}", number + 1
    return name


def read_path(text: str, what: str) -> Path:
    """Give the path that a user typed, in full.

    Raises:
        InputError: nothing was typed, or there is nothing.
    """
    if not text.strip():
        raise InputError(f"{what}: a path is needed")
    path = Path(text.strip()).expanduser().absolute()
    try:
        there = path.exists()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if not there:
        raise InputError(f"{path}: no such file or folder")
    return path


def detect_command(
    workspace: Workspace,
    tiles: Path,
    survey: str,
    name: str,
    *,
    threshold: float = 1.5,
    reproject: bool = False,
) -> tuple[str, ...]:
    """Detect sources on tiles: a catalogue (ECSV)."""
    out = workspace.catalogues / f"{check_name(name)}.ecsv"
    words = ["detect", str(tiles), "--survey", survey, "--threshold", f"{threshold:g}"]
    return _ours(*words, *(["--reproject"] if reproject else []), "--out", str(out))


def cut_command(
    workspace: Workspace,
    tiles: Path,
    survey: str,
    name: str,
    *,
    catalogue: Path | None = None,
    random: int = 0,
    overlap: float = 0.0,
    fov: float = 0.0,
    size: int = 64,
    dtype: str = "float32",
    seed: int = 0,
    reproject: bool = False,
) -> tuple[str, ...]:
    """Cut images out of tiles: of a catalogue, else random windows, else a grid."""
    words = ["cut", str(tiles), "--survey", survey]
    if catalogue is not None:
        words += ["--catalogue", str(catalogue)]
    elif random:
        words += ["--random", str(random), "--seed", str(seed)]
    else:
        words += ["--grid", f"{overlap:g}"]
    words += ["--size", str(size), "--dtype", dtype]
    words += ["--fov", f"{fov:g}"] if fov else []
    words += ["--reproject"] if reproject else []
    return _ours(*words, "--out", str(workspace.cutouts / f"{check_name(name)}.h5"))


def embed_command(
    workspace: Workspace,
    run: Path,
    cutouts: Path,
    name: str,
    *,
    pooling: str = "central",
    turns: int = 1,
    project: int = 0,
    dtype: str = "float32",
    sigma: str = "checkpoint",
) -> tuple[str, ...]:
    """Embed cutouts with the model of a run."""
    words = ["embed", "--run", str(run), "--cutouts", str(cutouts), "--pooling", pooling]
    words += ["--turns", str(turns)] if turns > 1 else []
    words += ["--project", str(project)] if project else []
    words += ["--dtype", dtype, "--sigma", sigma]
    return _ours(*words, "--out", str(workspace.embeddings / f"{check_name(name)}.h5"))


def map_command(
    workspace: Workspace,
    embeddings: Path,
    name: str,
    *,
    method: str = "umap",
    seed: int = 0,
    neighbours: int = 15,
    perplexity: float = 30.0,
    warm: Path | None = None,
) -> tuple[str, ...]:
    """Lay embeddings out in two dimensions."""
    words = ["map", "--embeddings", str(embeddings), "--method", method, "--seed", str(seed)]
    words += ["--neighbours", str(neighbours)] if method == "umap" else []
    words += ["--perplexity", f"{perplexity:g}"] if method == "tsne" else []
    words += ["--warm", str(warm)] if warm is not None else []
    return _ours(*words, "--out", str(workspace.maps / f"{check_name(name)}.h5"))


def clusters_command(map_path: Path, out: Path) -> tuple[str, ...]:
    """Find the clusters of a map."""
    return _ours("clusters", "--map", str(map_path), "--out", str(out))


def anomalies_command(embeddings: Path, out: Path) -> tuple[str, ...]:
    """Measure how odd objects are; every one of them is listed."""
    return _ours("anomalies", "--embeddings", str(embeddings), "--merge", "0", "--out", str(out))


def train_command(
    config: Path, run: Path, settings: Mapping[str, object] | None = None
) -> tuple[str, ...]:
    """Train, or go on training, in a run directory; settings are "section.name": value."""
    words = [sys.executable, str(TRAIN), str(config), "--out", str(run)]
    for name, value in (settings or {}).items():
        words += [f"--{name}", value if isinstance(value, str) else f"{value}"]
    return tuple(words)


def shown(command: Sequence[str], ranks: int = 1) -> str:
    """Write a command as one types it into a shell, or a cluster job on several GPUs.

    Args:
        command: that runs here.
        ranks: processes on one machine; with more than one, by torchrun.
    """
    words = list(command)
    if words[:3] == [sys.executable, "-m", "sky_ssl"]:
        words = ["sky-ssl", *words[3:]] if ranks == 1 else ["-m", *words[2:]]
    elif words[:1] == [sys.executable]:
        words = ["python", *words[1:]] if ranks == 1 else words[1:]
    if ranks > 1:
        words = ["torchrun", "--nproc_per_node", str(ranks), *words]
    return shlex.join(words)


def written_by(command: Sequence[str]) -> Path | None:
    """Give what a command writes: the word after --out."""
    words = list(command)
    at = words.index("--out") if "--out" in words[:-1] else -1
    return Path(words[at + 1]) if at >= 0 else None


def _ours(*words: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "sky_ssl", *words)
