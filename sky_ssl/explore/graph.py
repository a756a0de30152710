"""Nearest neighbours among points, exact, and the fuzzy graph that UMAP makes of them.

In: (N, P) points. Out: neighbours and a sparse matrix of memberships. The numbers do not depend on
how many threads do the work: each row is worked out alone, and close calls are settled in float64.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import numpy.typing as npt
import scipy.sparse
from threadpoolctl import threadpool_limits

from sky_ssl.progress import Progress

Points = npt.NDArray[np.float32]
_QUERIES, _TILE, _SPARE = 256, 4096, 4


def threads_or_all(threads: int = 0) -> int:
    """Give the number of threads asked for, or that of the cores open to this process."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return threads or (len(affinity(0)) if affinity else os.cpu_count() or 1)


def in_blocks(
    work: Callable[[int, int], object],
    rows: int,
    size: int,
    *,
    threads: int = 0,
    progress: Progress | None = None,
) -> None:
    """Call `work(start, stop)` for blocks of rows on several threads; an error stops the rest."""
    starts = range(0, rows, size)
    with ThreadPoolExecutor(threads_or_all(threads)) as pool:
        waiting = [pool.submit(work, start, min(start + size, rows)) for start in starts]
        try:
            for start, one in zip(starts, waiting, strict=True):
                one.result()
                if progress:
                    progress(min(start + size, rows), rows)
        finally:
            for one in waiting:
                one.cancel()


def nearest(
    query: Points,
    reference: Points,
    k: int,
    *,
    is_self: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
    """Find the k nearest of `reference` for each of `query`, by comparing all with all.

    Args:
        query: (n, P).
        reference: (N, P).
        k: neighbours; fewer are given where the reference has no more.
        is_self: query and reference are the same points, and none is its own neighbour.
        threads: 0 for all cores.
        progress: called with (rows done, n).

    Returns:
        rows (n, k) of the reference, nearest first, of equals the lower row; distances (n, k),
        Euclidean.
    """
    n, N = len(query), len(reference)
    k = min(k, N - is_self)
    kept = min(k + _SPARE, N - is_self)
    rows = np.zeros((n, k), np.int32)
    distances = np.zeros((n, k), np.float32)
    query, reference = np.ascontiguousarray(query), np.ascontiguousarray(reference)
    half = 0.5 * np.einsum("ij,ij->i", reference, reference)

    def work(start: int, stop: int) -> None:
        part = query[start:stop]
        value = np.full((stop - start, kept), np.inf, np.float32)
        which = np.zeros((stop - start, kept), np.int32)
        for first in range(0, N, _TILE):
            tile = reference[first : first + _TILE]
            own = start - first if is_self else -N - n
            _keep_least(part @ tile.T, half[first : first + _TILE], first, own, value, which)
        _settle(part, reference, which, rows[start:stop], distances[start:stop])

    if k > 0:
        with threadpool_limits(1, "blas"):
            in_blocks(work, n, _QUERIES, threads=threads, progress=progress)
    return rows, distances


@numba.njit(nogil=True, cache=True)
def _keep_least(product, half, first, own, value, which):  # type: ignore[no-untyped-def]
    """Take a tile of products (n, m) into the lists of the least half |r|^2 - q.r so far."""
    n, m = product.shape
    last = value.shape[1] - 1
    for i in range(n):
        worst = value[i, last]
        for j in range(m):
            v = half[j] - product[i, j]
            if v < worst and j != own + i:
                place = last
                while place > 0 and value[i, place - 1] > v:
                    value[i, place] = value[i, place - 1]
                    which[i, place] = which[i, place - 1]
                    place -= 1
                value[i, place] = v
                which[i, place] = first + j
                worst = value[i, last]


@numba.njit(nogil=True, cache=True)
def _settle(query, reference, which, rows, distances):  # type: ignore[no-untyped-def]
    """Sort candidates by their distance in float64, of equals the lower row first."""
    n, kept = which.shape
    k, P = rows.shape[1], query.shape[1]
    exact = np.empty(kept)
    for i in range(n):
        candidates = np.sort(which[i])
        for c in range(kept):
            total = 0.0
            for p in range(P):
                difference = np.float64(query[i, p]) - np.float64(reference[candidates[c], p])
                total += difference * difference
            exact[c] = total
        order = np.argsort(exact, kind="mergesort")
        for c in range(k):
            rows[i, c] = candidates[order[c]]
            distances[i, c] = np.sqrt(exact[order[c]])


def memberships(distances: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Turn distances to neighbours into memberships (UMAP, McInnes et al. 2018, algorithm 3).

    Args:
        distances: (N, k), nearest first, the point itself not among them.

    Returns:
        (N, k) in 0 to 1: exp(-(d - nearest) / sigma), with sigma such that the memberships of a
        point sum to log2(k + 1).
    """
    N, k = distances.shape
    if distances.size == 0:
        return np.zeros((N, k), np.float32)
    d = distances.astype(np.float64)
    positive = np.where(d > 0, d, np.inf).min(axis=1)
    excess = np.maximum(d - np.where(np.isfinite(positive), positive, 0)[:, None], 0)
    low, high, sigma = np.zeros(N), np.full(N, np.inf), np.ones(N)
    for _ in range(64):
        total = np.exp(-excess / sigma[:, None]).sum(axis=1)
        above = total > np.log2(k + 1)
        high, low = np.where(above, sigma, high), np.where(above, low, sigma)
        sigma = np.where(np.isfinite(high), (low + high) / 2, sigma * 2)
        sigma = np.minimum(sigma, 1e30)
    floor = 1e-3 * np.where(np.isfinite(positive), d.mean(axis=1), d.mean())
    sigma = np.maximum(sigma, np.maximum(floor, 1e-12))
    return np.exp(-excess / sigma[:, None]).astype(np.float32)


def fuzzy_graph(
    rows: npt.NDArray[np.int32], distances: npt.NDArray[np.float32]
) -> scipy.sparse.csr_array:
    """Join the neighbourhoods of all points into one symmetric graph.

    Args:
        rows, distances: (N, k) of `nearest`, with `is_self`.

    Returns:
        (N, N) sparse, a + b - a b for memberships a and b of either side.
    """
    N, k = rows.shape
    start = np.arange(0, N * k + 1, k) if k else np.zeros(N + 1, np.int64)
    graph = scipy.sparse.csr_array((memberships(distances).ravel(), rows.ravel(), start), (N, N))
    graph.eliminate_zeros()
    other = graph.T.tocsr()
    joined = (graph + other - graph * other).tocsr()
    joined.sort_indices()
    return joined
