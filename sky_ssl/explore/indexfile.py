"""What is stored beside the pieces of an index, and whether it belongs to some embeddings.

An index is a folder: `index.json`, which says which embeddings it is of and which pieces count, and
the pieces. `index.json` is replaced last, so a kill at any instant leaves the last good index.
"""

import contextlib
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sky_ssl.embedding.store import Embeddings

SCHEMA = "sky_ssl index 1"
EXACT_UP_TO = 1_200_000
"""Rows that are searched one by one; more are cut into cells (IVF)."""
FLAT_UP_TO = 5_000_000
"""Rows whose vectors a cell keeps whole; of more it keeps short codes (IVF-PQ)."""
_SEGMENT_BYTES = 1 << 30
_NAME = "index.json"
_SAMPLE = 64
_LEFT_OVER_SECONDS = 86_400


def choose_kind(rows: int) -> str:
    """Choose the kind of index for a number of rows."""
    return "exact" if rows <= EXACT_UP_TO else "ivf" if rows <= FLAT_UP_TO else "ivfpq"


def segment_rows(kind: str, dimensions: int) -> int:
    """Give how many rows go into one piece of an index, which is in memory while it is made."""
    code = 4 * dimensions if kind == "ivf" else dimensions // 8 + 1
    return max(1, _SEGMENT_BYTES // (code + 8))


@dataclass(frozen=True)
class Segment:
    """A piece of an index: rows start to stop of the embeddings."""

    file: str
    start: int
    stop: int


@dataclass(frozen=True)
class Manifest:
    """What an index is."""

    kind: str  # "ivf" or "ivfpq"
    tokens: int
    rows: int  # of the embeddings that are in it
    fingerprint: str  # of these rows
    trained: str  # file of the trained, empty index
    trained_rows: int  # rows of the embeddings when it was trained
    segments: tuple[Segment, ...]
    lists: int  # cells that the space is cut into
    probes: int  # cells looked into per query
    recall_at_25: float  # share of the exact 25 nearest that are found
    recall_queries: int  # objects that this was measured on, others than `probes` was chosen on
    build_seconds: float

    @property
    def files(self) -> set[str]:
        """Names of all pieces."""
        return {self.trained, *(s.file for s in self.segments)}


def index_folder(e: Embeddings, folder: str | Path | None = None) -> Path:
    """Give the folder of the index: beside the embeddings, or inside a folder given."""
    home = e.path.parent if folder is None else Path(folder)
    return home / f"{e.path.name}.index"


def fingerprint(e: Embeddings, rows: int) -> str:
    """Hash the first rows: how many, their shape and type, ids, and a spread sample of numbers."""
    digest = hashlib.sha256(repr((rows, e.values.shape[1], e.values.dtype.str)).encode())
    ids = np.ascontiguousarray(e.id[:rows], dtype=np.str_)
    letters = ids.view(np.uint32).reshape(rows, ids.itemsize // 4)
    # longer ids that are added later must not change what the shorter ones hash to
    used = np.flatnonzero(letters.any(axis=0))[-1:].sum() + 1
    digest.update(np.ascontiguousarray(letters[:, :used]).tobytes())
    sample = np.unique(np.linspace(0, max(rows - 1, 0), min(rows, _SAMPLE)).astype(np.int64))
    digest.update(np.ascontiguousarray(e.values[sample]).tobytes())
    return digest.hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """Read what an index is; None if there is none of ours, or a piece is missing."""
    try:
        table = json.loads((folder / _NAME).read_text(encoding="utf-8"))
        if table.pop("schema") != SCHEMA:
            return None
        table["segments"] = tuple(Segment(**s) for s in table["segments"])
        manifest = Manifest(**table)
    except (OSError, ValueError, KeyError, TypeError):
        return None  # written by another version, or by something else: made anew
    return manifest if all((folder / name).is_file() for name in manifest.files) else None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Make a manifest the valid one, and clear away the pieces of the one before."""
    before = read_manifest(folder)
    temporary = folder / f".{_NAME}.{os.getpid()}.part"
    table = {"schema": SCHEMA, **asdict(manifest)}
    temporary.write_text(json.dumps(table, indent=1), encoding="utf-8")
    os.replace(temporary, folder / _NAME)
    clear_pieces(folder, "*.faiss*", manifest.files, before.files if before else set())


def clear_pieces(folder: Path, pattern: str, valid: set[str], old: set[str]) -> None:
    """Clear away pieces that count no more: those in `old`, and others left over for a day."""
    for path in folder.glob(pattern):
        if path.name in valid:
            continue
        # what nobody names may be in the making by another process, unless it is old
        with contextlib.suppress(FileNotFoundError):  # another process cleared it away
            if path.name in old or time.time() - path.stat().st_mtime > _LEFT_OVER_SECONDS:
                path.unlink(missing_ok=True)


def belongs(manifest: Manifest, e: Embeddings, kind: str, tokens: int) -> bool:
    """Say whether an index holds these embeddings, or the first of them."""
    same = (manifest.kind, manifest.tokens) == (kind, tokens)
    return (
        same
        and manifest.rows <= len(e.values)
        and manifest.fingerprint == fingerprint(e, manifest.rows)
    )
