"""Nearest neighbours among embeddings: exact up to about a million rows, an index of FAISS beyond.

In: open embeddings. Out: rows and scores of the nearest to a query, scores exact in any case. An
index lies beside the embeddings, is mapped and not read, and grows when rows were added at the end.
"""

import contextlib
import os
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.indexfile import (
    Manifest,
    Segment,
    belongs,
    choose_kind,
    fingerprint,
    index_folder,
    read_manifest,
    segment_rows,
    write_manifest,
)
from sky_ssl.explore.recall import measure_recall
from sky_ssl.explore.similarity import (
    Best,
    Floats,
    Rows,
    Vectors,
    blocks,
    normalised,
    scores,
    token_count,
    top,
)
from sky_ssl.progress import Progress

__all__ = ["Index", "choose_kind", "normalised", "open_index", "scores", "token_count", "top"]

KINDS = ("auto", "exact", "ivf", "ivfpq")
RECALL = 0.95
"""Share of the exact 25 nearest that an index is set up to find."""
_ITERATIONS = 8
_SHORTLIST = 20  # codes looked up per neighbour wanted, to be scored exactly


@dataclass(frozen=True)
class Index:
    """Neighbours of the rows of an embeddings file; made by `open_index`."""

    values: Floats  # (N, D) memory map
    tokens: int
    kind: str  # "exact", "ivf" or "ivfpq"
    manifest: Manifest | None = None  # None: exact
    segments: tuple[Any, ...] = ()

    @property
    def recall(self) -> float:
        """Share of the exact 25 nearest that are found, as measured when it was made."""
        return 1.0 if self.manifest is None else self.manifest.recall_at_25

    def search(
        self,
        query: Floats,
        k: int,
        exclude: npt.NDArray[np.integer] | None = None,
        progress: Progress | None = None,
    ) -> tuple[Rows, Vectors]:
        """Find the rows nearest to a query (D,); see `similarity.top`."""
        if self.manifest is None:
            return top(self.values, query, self.tokens, k, exclude, progress)
        probes, lists = self.manifest.probes, self.manifest.lists
        while True:
            best = self._rescored(query, k, self._shortlist(query, k, probes, exclude))
            if len(best.rows) >= min(k, len(self.values)) or probes >= lists:
                return best.rows, best.scores
            probes = min(4 * probes, lists)

    def _shortlist(
        self, query: Floats, k: int, probes: int, exclude: npt.NDArray[np.integer] | None
    ) -> Rows:
        """Give rows that may be among the k nearest."""
        import faiss

        options: dict[str, Any] = {"nprobe": probes}
        if exclude is not None and len(exclude):
            left_out = faiss.IDSelectorBatch(np.asarray(exclude, dtype=np.int64))
            options["sel"] = faiss.IDSelectorNot(left_out)
        count = k * (_SHORTLIST if self.kind == "ivfpq" else 1)
        vector = np.ascontiguousarray(query, dtype=np.float32).reshape(1, -1)
        found = [
            piece.search(vector, count, params=faiss.SearchParametersIVF(**options))[1][0]
            for piece in self.segments
        ]
        rows = np.concatenate([np.empty(0, np.int64), *found])
        return np.unique(rows[rows >= 0])

    def _rescored(self, query: Floats, k: int, rows: Rows) -> Best:
        best = Best(k)
        best.add(scores(np.asarray(self.values[rows]), query, self.tokens), rows)
        return best


def open_index(
    e: Embeddings,
    folder: str | Path | None = None,
    *,
    kind: str = "auto",
    target: float = RECALL,
    seed: int = 0,
    progress: Progress | None = None,
) -> Index:
    """Open the index of an embeddings file; make it, or add rows to it, where that is needed.

    Args:
        e: the embeddings.
        folder: where the index is kept; None: beside the embeddings.
        kind: "auto" chooses by the number of rows, or "exact", "ivf", "ivfpq".
        target: recall at 25 that a new index is set up for.
        seed: of the training of a new index.
        progress: called with rows put into the index, and in all.

    Raises:
        InputError: an unknown kind, or a folder that cannot be written to.
    """
    if kind not in KINDS:
        raise InputError(f"index {kind!r}: allowed are {', '.join(KINDS)}")
    N, D = e.values.shape
    tokens = token_count(e.attributes, D)
    kind = choose_kind(N) if kind == "auto" else kind
    if kind == "exact" or N == 0:
        return Index(e.values, tokens, "exact")
    home = index_folder(e, folder)
    manifest = read_manifest(home)
    try:
        if manifest and belongs(manifest, e, kind, tokens):
            with contextlib.suppress(RuntimeError):  # FAISS: a piece is damaged
                index = _opened(e, home, manifest)
                if manifest.rows == N:
                    return index
                if N <= 2 * manifest.trained_rows:
                    return _extended(e, home, manifest, progress)
        home.mkdir(parents=True, exist_ok=True)
        return _built(e, home, kind, tokens, (target, seed), progress)
    except OSError as error:
        raise InputError(
            f"{home}: cannot write the index ({error.strerror}); name a folder for it with "
            "--index-folder, or search with --index exact"
        ) from error


def _opened(e: Embeddings, home: Path, manifest: Manifest) -> Index:
    """Map the pieces of an index."""
    import faiss

    flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY
    pieces = tuple(faiss.read_index(str(home / s.file), flags) for s in manifest.segments)
    return Index(e.values, manifest.tokens, manifest.kind, manifest, pieces)


def _built(
    e: Embeddings,
    home: Path,
    kind: str,
    tokens: int,
    how: tuple[float, int],
    report: Progress | None,
) -> Index:
    """Train an index, fill it, and measure its recall; `how` is the recall to reach and a seed."""
    started = time.monotonic()
    target, seed = how
    empty = _trained(e.values, kind, tokens, seed)
    trained = _save(empty, home)
    segments = _fill(e, home, trained, 0, report, tokens)
    manifest = Manifest(
        kind=kind,
        tokens=tokens,
        rows=len(e.values),
        fingerprint=fingerprint(e, len(e.values)),
        trained=trained,
        trained_rows=len(e.values),
        segments=segments,
        lists=empty.nlist,
        probes=empty.nlist,
        recall_at_25=1.0,
        recall_queries=0,
        build_seconds=0.0,
    )
    index = _measured(_opened(e, home, manifest), target)
    assert index.manifest
    manifest = replace(index.manifest, build_seconds=round(time.monotonic() - started, 2))
    write_manifest(home, manifest)
    return replace(index, manifest=manifest)


def _extended(e: Embeddings, home: Path, before: Manifest, progress: Progress | None) -> Index:
    """Put rows added at the end into an index; it is not trained again."""
    kept, full = list(before.segments), segment_rows(before.kind, e.values.shape[1])
    # a last piece that is not full is made anew, so that pieces do not get many
    while kept and kept[-1].stop - kept[-1].start < full // 2:
        kept.pop()
    start = kept[-1].stop if kept else 0
    segments = (*kept, *_fill(e, home, before.trained, start, progress, before.tokens))
    N = len(e.values)
    manifest = replace(before, rows=N, fingerprint=fingerprint(e, N), segments=segments)
    index = _measured(_opened(e, home, manifest), None)
    assert index.manifest
    write_manifest(home, index.manifest)
    return index


def _trained(values: Floats, kind: str, tokens: int, seed: int) -> Any:
    """Train an empty index on a sample of the rows."""
    import faiss

    N, D = values.shape
    lists = max(1, min(int(2 * N**0.5), N // 40))
    count = min(N, max(40 * lists, 10_240))
    rows = np.sort(np.random.default_rng(seed).choice(N, count, replace=False))
    sample = normalised(np.asarray(values[rows]), tokens)
    sample = sample[np.isfinite(sample).all(axis=1)]
    if not len(sample):
        raise InputError("no index: all numbers of these embeddings are NaN")
    lists = min(lists, len(sample))
    coarse = faiss.IndexFlatIP(D)
    metric = faiss.METRIC_INNER_PRODUCT
    if kind == "ivfpq":
        codes = next(m for m in range(max(1, D // 8), 0, -1) if D % m == 0)
        bits = min(8, max(1, int(np.log2(len(sample)))))
        index: Any = faiss.IndexIVFPQ(coarse, D, lists, codes, bits, metric)
        index.pq.cp.min_points_per_centroid = 1  # a small sample is no reason for a remark
        index.pq.cp.seed = seed
    else:
        index = faiss.IndexIVFFlat(coarse, D, lists, metric)
    index.cp.min_points_per_centroid = 1
    index.cp.niter, index.cp.seed = _ITERATIONS, seed
    index.train(sample)
    return index


def _fill(
    e: Embeddings, home: Path, trained: str, start: int, progress: Progress | None, tokens: int
) -> tuple[Segment, ...]:
    """Write the rows from `start` on into pieces; rows with NaN are left out."""
    import faiss

    N, made = len(e.values), []
    while start < N:
        piece = faiss.read_index(str(home / trained))
        kind = "ivfpq" if isinstance(piece, faiss.IndexIVFPQ) else "ivf"
        stop = min(N, start + segment_rows(kind, e.values.shape[1]))
        for offset, block in blocks(e.values[start:stop]):
            vectors = normalised(block, tokens)
            good = np.isfinite(vectors).all(axis=1)
            rows = start + offset + np.flatnonzero(good)
            piece.add_with_ids(np.ascontiguousarray(vectors[good]), rows.astype(np.int64))
            if progress:
                progress(start + offset + len(block), N)
        made.append(Segment(_save(piece, home), start, stop))
        start = stop
    return tuple(made)


def _save(index: Any, home: Path) -> str:
    """Write a piece, under its name only when complete; give the name."""
    import faiss

    name = f"{uuid.uuid4().hex}.faiss"
    faiss.write_index(index, str(home / f"{name}.part"))
    os.replace(home / f"{name}.part", home / name)
    return name


def _measured(index: Index, target: float | None) -> Index:
    """Set how many cells are looked into, unless `target` is None, and note the recall."""
    manifest = index.manifest
    assert manifest

    def search(query: Floats, k: int, exclude: Rows, probes: int) -> Rows:
        trial = replace(index, manifest=replace(manifest, probes=probes))
        return trial.search(query, k, exclude)[0]

    probes, figure, queries = measure_recall(
        index.values,
        index.tokens,
        search,
        lists=manifest.lists,
        probes=manifest.probes if target is None else None,
        target=target or 0.0,
    )
    known = replace(manifest, probes=probes, recall_at_25=figure, recall_queries=queries)
    return replace(index, manifest=known)
