"""How alike embeddings are: the mean cosine over tokens, read block by block from a memory map.

In: embeddings (N, D), each T tokens side by side. Out: scores, or the rows of the best. Memory does
not grow with N: a block is read, used and given back to the system.
"""

import json
import mmap
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.model.config import SIZES
from sky_ssl.progress import Progress

Floats = npt.NDArray[np.floating]
Vectors = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_CACHE_BYTES = 2 << 20  # a block of this size stays in the cache of a core
_RELEASE_BYTES = 32 << 20
_SPREAD_ROWS = 256  # read before the pages that came along are let go


def token_count(attributes: dict[str, Any], dimensions: int) -> int:
    """Count the tokens side by side in each row of an embeddings file.

    Args:
        attributes: of the file; its pooling, projection and model say it.
        dimensions: D.

    Returns:
        4 or 9 for the pooling `central`; 1 for others, projected ones and foreign vectors.
    """
    if attributes.get("pooling") != "central" or int(attributes.get("projection", 0) or 0):
        return 1
    model = json.loads(attributes.get("model", "{}"))
    width = int(model.get("width") or SIZES.get(model.get("size", ""), (dimensions,))[0])
    width *= max(1, len(model.get("token_blocks", ())))
    return dimensions // width if dimensions % width == 0 else 1


def normalised(values: Floats, tokens: int) -> Vectors:
    """Bring each token to unit length and divide by sqrt(T): inner products are mean cosines.

    Args:
        values: (n, D), D a multiple of `tokens`.
        tokens: T.

    Returns:
        (n, D); a token of length 0 stays 0, a row with a number that is not finite is NaN.
    """
    x = np.array(values, dtype=np.float32, ndmin=2)
    x /= np.repeat(_lengths(x, tokens), x.shape[1] // tokens, axis=1)
    x[~np.isfinite(x).all(axis=1)] = np.nan
    return x


def _lengths(x: Vectors, tokens: int) -> Vectors:
    """Measure the tokens (n, T) of x (n, D), times sqrt(T); NaN for those that are not finite."""
    n, D = x.shape
    parts = x.reshape(n, tokens, D // tokens)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.sqrt(np.einsum("ntw,ntw->nt", parts, parts) * tokens)
    lengths[~np.isfinite(lengths)] = np.nan
    return np.where(lengths == 0, 1, lengths)


def blocks(values: Floats, progress: Progress | None = None) -> Iterator[tuple[int, Vectors]]:
    """Read (N, D) in blocks that fit the cache of a core.

    Pages of a read-only memory map are given back after use, so that it never fills the memory.

    Yields:
        The first row and (n, D) float32; not to be kept or changed.
    """
    N, D = values.shape
    step = max(1, _CACHE_BYTES // max(4 * D, 1))
    release = max(1, _RELEASE_BYTES // max(values.itemsize * D * step, 1)) * step
    for start in range(0, N, step):
        stop = min(start + step, N)
        yield start, _single(values[start:stop])
        if stop % release == 0 or stop == N:
            give_back(values[(stop - 1) // release * release : stop])
        if progress:
            progress(stop, N)


def _single(block: Floats) -> Vectors:
    """Bring numbers to float32; of float16 five times as fast as numpy does, infinity as NaN."""
    if block.dtype != np.dtype("<f2") or sys.byteorder != "little":
        return np.asarray(block, dtype=np.float32)
    # shift exponent and fraction to their places, keep the sign, and correct the exponent's bias
    bits = np.ascontiguousarray(block).view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= -0x70002000
    result: Vectors = bits.view(np.float32)
    result *= np.float32(2.0**112)
    result[np.abs(result) >= 65536] = np.nan
    return result


def spread(values: Floats, most: int) -> Iterator[Floats]:
    """Read up to `most` rows spread evenly over (N, D), as copies (n, D) of a few at a time.

    The pages of a memory map that come along with them are let go: a step through the file would
    else bring all of it into memory.
    """
    step = -(-len(values) // most) or 1
    for start in range(0, len(values), step * _SPREAD_ROWS):
        span = values[start : start + step * _SPREAD_ROWS]
        yield span[::step].copy()
        give_back(span)


def give_back(block: Floats) -> None:
    """Let go of the pages of a piece of a read-only memory map; they stay in the file's cache."""
    owner: Any = block
    while isinstance(owner, np.ndarray):
        if owner.flags.writeable:
            return
        owner = owner.base
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        first = np.frombuffer(owner, dtype=np.uint8).ctypes.data
        begin = (block.ctypes.data - first) // mmap.PAGESIZE * mmap.PAGESIZE
        owner.madvise(mmap.MADV_DONTNEED, begin, block.ctypes.data - first + block.nbytes - begin)


def _block_scores(x: Vectors, queries: Vectors, tokens: int) -> Vectors:
    """Score x (n, D) against queries (Q, D), made for normalised rows; (n, Q), NaN if unknown."""
    if len(queries) > 1:
        return np.asarray(normalised(x, tokens) @ queries.T)
    # one query needs no normalised copy; einsum beats a product with so few columns two times
    n, D = x.shape
    parts, pieces = x.reshape(n, tokens, D // tokens), queries[0].reshape(tokens, D // tokens)
    with np.errstate(over="ignore", invalid="ignore"):
        dot = np.einsum("ntw,tw->nt", parts, pieces)
        score = (dot / _lengths(x, tokens)).sum(axis=1, keepdims=True)
    return np.where(np.isfinite(score), score, np.float32(np.nan))


def scores(
    values: Floats, query: Floats, tokens: int, progress: Progress | None = None
) -> npt.NDArray[np.float32]:
    """Score every row by its inner product, normalised, with a query.

    Args:
        values: (N, D), raw as in the file.
        query: (D,), as `search.query_vector` makes it.
        tokens: T.

    Returns:
        (N,); NaN for rows with a number that is not finite.
    """
    queries = np.asarray(query, dtype=np.float32).reshape(1, -1)
    result = np.empty(len(values), dtype=np.float32)
    for start, x in blocks(values, progress):
        result[start : start + len(x)] = _block_scores(x, queries, tokens)[:, 0]
    return result


def top(
    values: Floats,
    query: Floats,
    tokens: int,
    k: int,
    exclude: npt.NDArray[np.integer] | None = None,
    progress: Progress | None = None,
) -> tuple[Rows, Vectors]:
    """Find the rows nearest to a query, exactly; see `scores`.

    Args:
        k: how many; fewer are given where there are not so many.
        exclude: rows to leave out.

    Returns:
        Rows (k,) and scores (k,), the best first; of equal scores the first row. Rows with numbers
        that are not finite are never among them.
    """
    queries = np.asarray(query, dtype=np.float32).reshape(1, -1)
    best = Best(k)
    for rows, found in _scored(values, queries, tokens, exclude, progress):
        best.add(found[:, 0], rows)
    return best.rows, best.scores


def top_of_many(
    values: Floats, queries: Floats, tokens: int, k: int, progress: Progress | None = None
) -> list[Rows]:
    """Find the rows nearest to each of the queries (Q, D), in one pass; see `top`."""
    found = [Best(k) for _ in queries]
    vectors = np.asarray(queries, dtype=np.float32)
    for rows, score in _scored(values, vectors, tokens, None, progress):
        for best, column in zip(found, score.T, strict=True):
            best.add(column, rows)
    return [best.rows for best in found]


def _scored(
    values: Floats,
    queries: Vectors,
    tokens: int,
    exclude: npt.NDArray[np.integer] | None,
    progress: Progress | None,
) -> Iterator[tuple[Rows, Vectors]]:
    """Give rows (n,) and their scores (n, Q), NaN for those to leave out."""
    out = np.unique(np.asarray([] if exclude is None else exclude, dtype=np.int64))
    for start, x in blocks(values, progress):
        score = _block_scores(x, queries, tokens)
        first, last = np.searchsorted(out, [start, start + len(x)])
        score[out[first:last] - start] = np.nan
        yield np.arange(start, start + len(x)), score


class Best:
    """The best k of a stream of scored rows: `rows` (k,), `scores` (k,), the best first."""

    def __init__(self, k: int) -> None:
        self.k = max(k, 0)
        self.rows: Rows = np.empty(0, dtype=np.int64)
        self.scores: Vectors = np.empty(0, dtype=np.float32)

    @property
    def least(self) -> float:
        """The score that a row has to reach."""
        full = self.k and len(self.rows) == self.k
        return float(self.scores[-1]) if full else float("-inf")

    def add(self, scores: Floats, rows: npt.NDArray[np.integer]) -> None:
        """Take in rows (n,) with scores (n,); those of NaN are passed over."""
        keep = np.flatnonzero(scores >= self.least)  # NaN is not
        if len(keep) > 4 * self.k:
            # only rows that can be among the best are sorted, all equal ones with them
            edge = np.partition(scores[keep], len(keep) - max(self.k, 1))[-max(self.k, 1)]
            keep = keep[scores[keep] >= edge]
        all_scores = np.concatenate([self.scores, scores[keep].astype(np.float32)])
        all_rows = np.concatenate([self.rows, np.asarray(rows)[keep].astype(np.int64)])
        order = np.lexsort((all_rows, -all_scores))[: self.k]
        self.rows, self.scores = all_rows[order], all_scores[order]
