"""The layout of UMAP: points that attract each other along a graph and repel all others.

In: a graph and starting positions. Out: positions (N, 2). The random choices of a point hang on
seed, epoch and point alone, and an epoch reads the positions of the one before: so a seed gives the
same map, bit for bit, on any number of threads.
"""

from functools import lru_cache

import numba
import numpy as np
import numpy.typing as npt
import scipy.sparse

from sky_ssl.explore.graph import in_blocks, threads_or_all
from sky_ssl.progress import Progress

Positions = npt.NDArray[np.float32]
_NEGATIVE = 5  # points that push, for each that pulls
_PULLS = np.float32(2)  # an edge is drawn from each of its ends: together as in umap-learn, which
# moves both ends at both draws
_LIMIT = np.float32(4)  # of a gradient, as in umap-learn


@lru_cache
def curve(min_dist: float, spread: float = 1.0) -> tuple[float, float]:
    """Fit a and b of 1 / (1 + a d^2b) to 1 up to `min_dist`, and exp(-(d - min_dist) / spread)."""
    from scipy.optimize import curve_fit

    d = np.linspace(0, 3 * spread, 300)
    wanted = np.where(d < min_dist, 1.0, np.exp(-(d - min_dist) / spread))
    (a, b), _ = curve_fit(lambda x, a, b: 1 / (1 + a * x ** (2 * b)), d, wanted)
    return float(a), float(b)


def lay_out(
    graph: scipy.sparse.csr_array,
    start: Positions,
    *,
    min_dist: float = 0.1,
    epochs: int = 200,
    seed: int = 0,
    rate: float = 1.0,
    threads: int = 0,
    progress: Progress | None = None,
) -> Positions:
    """Find positions by stochastic descent (McInnes et al. 2018, with updates epoch by epoch).

    Args:
        graph: (N, N) memberships, symmetric.
        start: (N, 2).
        min_dist: how close points may lie, in units where the map is some 20 wide.
        epochs: passes over the graph.
        seed: of the random repulsion.
        rate: of the first step; it falls to 0.
        threads: 0 for all cores.
        progress: called with (epochs done, epochs).

    Returns:
        (N, 2) float32.
    """
    a, b = curve(min_dist)
    strength = graph.data / max(float(graph.data.max(initial=0)), 1e-12)
    now = np.array(start, np.float32, order="C")
    after = now.copy()
    size = max(-(-len(now) // (4 * threads_or_all(threads))), 256)
    for epoch in range(epochs):
        alpha = np.float32(rate * (1 - epoch / epochs))

        def work(first: int, last: int) -> None:
            _epoch(
                graph.indptr, graph.indices, strength, now, after,  # noqa: B023
                (first, last), (epoch, seed), (np.float32(a), np.float32(b), alpha),  # noqa: B023
            )  # fmt: skip

        in_blocks(work, len(now), size, threads=threads)
        now, after = after, now
        if progress:
            progress(epoch + 1, epochs)
    return now


@numba.njit(nogil=True, cache=True)
def _mixed(x):  # type: ignore[no-untyped-def]
    """Scramble 64 bits (splitmix64, Steele et al. 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(nogil=True, cache=True)
def _epoch(indptr, indices, strength, now, after, rows, when, shape):  # type: ignore[no-untyped-def]
    """Move points `rows` through one epoch, each alone among the positions of before."""
    epoch, seed = when
    a, b, alpha = shape
    M = np.uint64(len(now))
    gold = np.uint64(0x9E3779B97F4A7C15)
    one, two, little = np.float32(1), np.float32(2), np.float32(0.001)
    for i in range(rows[0], rows[1]):
        x, y = now[i, 0], now[i, 1]
        state = _mixed(_mixed(np.uint64(seed) * gold + np.uint64(epoch)) * gold + np.uint64(i))
        for e in range(indptr[i], indptr[i + 1]):
            p = np.float64(strength[e])
            if np.floor((epoch + 1) * p) <= np.floor(epoch * p):
                continue
            j = indices[e]
            dx, dy = x - now[j, 0], y - now[j, 1]
            d2 = dx * dx + dy * dy
            if d2 > 0:
                power = d2**b
                pull = -_PULLS * two * a * b * power / (d2 * (a * power + one))
                x += alpha * min(max(pull * dx, -_LIMIT), _LIMIT)
                y += alpha * min(max(pull * dy, -_LIMIT), _LIMIT)
            for _ in range(_NEGATIVE):
                state += gold
                j = np.int64(_mixed(state) % M)
                dx, dy = x - now[j, 0], y - now[j, 1]
                d2 = dx * dx + dy * dy
                if d2 > 0:
                    push = two * b / ((little + d2) * (a * d2**b + one))
                    x += alpha * min(max(push * dx, -_LIMIT), _LIMIT)
                    y += alpha * min(max(push * dy, -_LIMIT), _LIMIT)
        after[i, 0], after[i, 1] = x, y
