"""The whitened vectors of an embeddings file, kept beside it: small, mapped and not read.

In: open embeddings. Out: the whitening and the vectors (N, q) to search by. They lie in the folder
of the index, and the rules are the same: `whitened.json` says which embeddings they are of and is
replaced last, so a kill at any instant leaves the last good ones; rows that were added at the end
are whitened along the axes that are there, until the file has twice the rows these were found on.
"""

import json
import os
import uuid
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.explore.axes import Axes
from sky_ssl.explore.indexfile import clear_pieces, fingerprint, index_folder
from sky_ssl.explore.similarity import Floats, Rows, Vectors, blocks, token_count, top
from sky_ssl.explore.whitening import FEWEST, Whitening, fit_whitening
from sky_ssl.progress import Progress

SCHEMA = "sky_ssl whitened 2"
_NAME = "whitened.json"
_DAMAGED = (
    OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile,
)  # fmt: skip


@dataclass(frozen=True)
class Whitened:
    """The whitened vectors of embeddings; made by `open_whitened`."""

    whitening: Whitening
    values: Vectors  # (N, q), mapped as a rule
    notes: list[str] = field(default_factory=list)  # what a user should know, a line each

    def search(
        self,
        query: Floats,
        k: int,
        exclude: npt.NDArray[np.integer] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Rows, Vectors]:
        """Find the rows nearest to a query (q,), exactly; see `similarity.top`.

        A million rows take about 60 ms, so that an index would gain nothing.
        """
        return top(self.values, query, 1, k, exclude, progress)


@dataclass(frozen=True)
class _Manifest:
    """What is kept."""

    tokens: int
    rows: int  # of the embeddings that are in it
    fingerprint: str  # of these rows
    fitted_rows: int  # rows of the embeddings when the axes were found
    axes: str  # file of the whitening
    vectors: str  # file of the whitened vectors

    @property
    def files(self) -> set[str]:
        return {self.axes, self.vectors}


def open_whitened(
    e: Embeddings, folder: str | Path | None = None, progress: Progress | None = None
) -> Whitened:
    """Open the whitened vectors of an embeddings file; make them, or add rows, where needed.

    Args:
        e: the embeddings, of a model or vectors of one's own.
        folder: where they are kept; None: beside the embeddings. If it cannot be written to they
            are made in memory, and a note says so.
        progress: called with rows whitened, and in all.

    Returns:
        With no axes (`len(whitening)` 0, and a note) where there are too few different objects.
    """
    tokens = token_count(e.attributes, e.values.shape[1])
    home = index_folder(e, folder)
    manifest, kept = _kept(home, e, tokens)
    if manifest and kept and manifest.rows == len(e.values):
        return kept
    if manifest and kept and len(e.values) <= 2 * manifest.fitted_rows:
        whitening, before, fitted_rows = kept.whitening, kept.values, manifest.fitted_rows
    else:
        whitening, fitted_rows = fit_whitening(e.values, tokens), len(e.values)
        before = np.empty((0, len(whitening)), dtype=np.float32)
    if not len(whitening):
        note = (
            f"{e.path}: fewer than {FEWEST} different objects, too few to whiten; scored by the "
            "mean cosine over tokens"
        )
        return Whitened(whitening, np.empty((len(e.values), 0), dtype=np.float32), [note])
    parts = _parts(e.values, whitening, before, progress)
    try:
        manifest = _write(home, e, whitening, parts, fitted_rows)
        kept = _opened(home, manifest)
    except OSError as error:
        values = whitening.apply(e.values, progress)
        note = (
            f"{home}: cannot be written to ({error.strerror}); the whitened vectors were made in "
            f"memory ({values.nbytes / 1e6:.0f} MB) and not kept: name a folder for them with "
            "--index-folder"
        )
        return Whitened(whitening, values, [note])
    return kept


def _parts(
    values: Floats, whitening: Whitening, before: Vectors, progress: Progress | None
) -> Iterator[Vectors]:
    """Give whitened rows in order: those that are there, then the others of values (N, D)."""
    for _, block in blocks(before):
        yield block
    done, N = len(before), len(values)
    for start, block in blocks(values[done:]):
        yield whitening.apply(block)
        if progress:
            progress(done + start + len(block), N)


def _kept(home: Path, e: Embeddings, tokens: int) -> tuple[_Manifest | None, Whitened | None]:
    """Open what is kept; None if there is nothing, or not of these embeddings."""
    manifest = _read(home)
    if (
        manifest is None
        or manifest.tokens != tokens
        or manifest.rows > len(e.values)
        or manifest.fingerprint != fingerprint(e, manifest.rows)
    ):
        return None, None
    try:
        return manifest, _opened(home, manifest)
    except _DAMAGED:
        return None, None


def _read(home: Path) -> _Manifest | None:
    try:
        table = json.loads((home / _NAME).read_text(encoding="utf-8"))
        return _Manifest(**table) if table.pop("schema") == SCHEMA else None
    except _DAMAGED:
        return None  # written by another version, or by something else: made anew


def _opened(home: Path, manifest: _Manifest) -> Whitened:
    """Map the vectors.

    Raises:
        one of `_DAMAGED`: a file is missing, cut short or does not fit the other.
    """
    with (home / manifest.axes).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
        axes = Axes(file["mean"], file["axes"], manifest.tokens)
        whitening = Whitening(axes, file["deviation"])
    values = np.load(home / manifest.vectors, mmap_mode="r", allow_pickle=False)
    if values.shape != (manifest.rows, len(whitening)):
        raise ValueError(f"{home}: vectors {values.shape}")
    return Whitened(whitening, values)


def _write(
    home: Path, e: Embeddings, whitening: Whitening, parts: Iterator[Vectors], fitted_rows: int
) -> _Manifest:
    """Write axes and vectors, then the manifest that makes them the valid ones."""
    home.mkdir(parents=True, exist_ok=True)
    N, before = len(e.values), _read(home)

    def write_axes(file: IO[bytes]) -> None:
        axes = whitening.axes
        np.savez(file, mean=axes.mean, axes=axes.axes, deviation=whitening.deviation)

    def write_vectors(file: IO[bytes]) -> None:
        # written and not mapped: on a full disk that is an error, and no end of the process
        shape = (N, len(whitening))
        head = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, head)
        for part in parts:
            file.write(part.astype("<f4").tobytes())

    manifest = _Manifest(
        tokens=whitening.axes.tokens,
        rows=N,
        fingerprint=fingerprint(e, N),
        fitted_rows=fitted_rows,
        axes=_save(home, "npz", write_axes),
        vectors=_save(home, "npy", write_vectors),
    )
    text = json.dumps({"schema": SCHEMA, **asdict(manifest)}, indent=1)
    temporary = home / f".{_NAME}.{os.getpid()}.part"
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, home / _NAME)
    clear_pieces(home, "*.np[yz]*", manifest.files, before.files if before else set())
    return manifest


def _save(home: Path, ending: str, write: Callable[[IO[bytes]], None]) -> str:
    """Write a file, under its name only when complete; give the name."""
    name = f"{uuid.uuid4().hex}.{ending}"
    temporary = home / f"{name}.part"
    try:
        with temporary.open("wb") as file:
            write(file)
        os.replace(temporary, home / name)
    finally:
        temporary.unlink(missing_ok=True)
    return name
