"""Maps of embeddings in two dimensions: UMAP, t-SNE or the first two principal axes.

In: embeddings (N, D), a memory map as a rule. Out: positions (N, 2). The same input and seed give
the same map, bit for bit, on any number of threads.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.axes import Axes, principal_axes
from sky_ssl.explore.graph import Points, fuzzy_graph, nearest, threads_or_all
from sky_ssl.explore.layout import lay_out
from sky_ssl.explore.placing import place
from sky_ssl.progress import Progress

Positions = npt.NDArray[np.float32]
METHODS = ("umap", "tsne", "pca")
FITTED, PLACED, NO_VECTOR = 0, 1, 2
_FFT = 7_500  # objects from which t-SNE is faster by FFT than by trees (at 10,000 by a third)
_FEW = 4  # with fewer objects there is nothing to lay out
_WIDTH = 10.0  # half the width of the map that UMAP starts from, as in umap-learn


@dataclass(frozen=True)
class MapOptions:
    """How to make a map."""

    method: str = "umap"  # "umap", "tsne" or "pca"
    seed: int = 0
    neighbours: int = 15  # UMAP: the object itself and those around it
    min_dist: float = 0.1  # UMAP: how close objects may lie, in units where the map is some 20 wide
    perplexity: float = 30.0  # t-SNE
    components: int = 50  # principal axes that neighbours are sought in
    epochs: int = 0  # passes of the optimisation; 0 = as many as are needed
    sample: int = 200_000  # of more objects, so many make the map and the rest are placed into it

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise InputError(f"method {self.method!r}: allowed are {', '.join(METHODS)}")
        lowest = {"neighbours": 2, "components": 1, "epochs": 0, "sample": 10, "seed": 0}
        for name, least in lowest.items():
            if getattr(self, name) < least:
                raise InputError(f"{name} = {getattr(self, name)}: must be {least} or more")
        if not 0 <= self.min_dist <= 1:
            raise InputError(f"min_dist = {self.min_dist}: must be 0 to 1")
        if not 1 <= self.perplexity <= 500:
            raise InputError(f"perplexity = {self.perplexity}: must be 1 to 500")


@dataclass(frozen=True)
class MadeMap:
    """A map, and what is needed to place more objects into it."""

    xy: Positions  # (N, 2)
    how: npt.NDArray[np.uint8]  # (N,) FITTED, PLACED, or NO_VECTOR: at the edge
    axes: Axes
    notes: list[str] = field(default_factory=list)


def make_map(
    values: npt.NDArray[np.floating],
    tokens: int = 1,
    options: MapOptions | None = None,
    *,
    warm: Positions | None = None,
    warm_rate: float = 0.03,
    threads: int = 0,
    progress: Progress | None = None,
) -> MadeMap:
    """Make a map of embeddings.

    Args:
        values: (N, D), raw as in the file; read by blocks.
        tokens: T of the pooling, see `similarity.token_count`.
        options: how.
        warm: (N, 2) positions in an older map to start from, NaN for objects that it lacks.
        warm_rate: of UMAP's first step from there, 1 from scratch. At 0.03 objects move by 2 % of
            the map (median) for 15 % new ones, at 0.25 by 5 %, at no better recall.
        threads: 0 for all cores; the map does not depend on it.
        progress: called with (done, 1000); what it raises stops the work.

    Raises:
        InputError: no row is a usable embedding.
    """
    o = options or MapOptions()
    axes = principal_axes(values, tokens, o.components)
    points = axes.project(values, share(progress, 0, 100))
    usable = np.isfinite(points).all(axis=1)
    if not usable.any():
        raise InputError(f"none of {len(values)} embeddings is usable: they are NaN or zero")
    fitted = np.flatnonzero(usable)
    if len(fitted) > o.sample and o.method != "pca":
        fitted = np.sort(np.random.default_rng(o.seed).choice(fitted, o.sample, replace=False))
    rest = np.setdiff1d(np.flatnonzero(usable), fitted, assume_unique=True)
    end = 1000 if len(rest) == 0 else 600
    start = None if warm is None else _warm_start(points[fitted], warm[fitted], threads)
    xy = np.full((len(values), 2), np.nan, np.float32)
    xy[fitted] = fit(points[fitted], o, start, warm_rate, threads, share(progress, 100, end))
    if len(rest):
        last = share(progress, end, 1000)
        xy[rest] = place(points[rest], points[fitted], xy[fitted], threads=threads, progress=last)
    how = np.full(len(values), PLACED, np.uint8)
    how[fitted], how[~usable] = FITTED, NO_VECTOR
    return MadeMap(put_at_edge(xy), how, axes, _notes(how))


def _notes(how: npt.NDArray[np.uint8]) -> list[str]:
    placed, broken = int((how == PLACED).sum()), np.flatnonzero(how == NO_VECTOR)
    notes = []
    if placed:
        notes.append(f"made with {int((how == FITTED).sum())} objects, {placed} placed into it")
    if len(broken):
        notes.append(
            f"{len(broken)} objects have no usable embedding (NaN or zero, the first is row "
            f"{broken[0]}) and lie outside, at the lower left corner"
        )
    return notes


def fit(
    points: Points,
    options: MapOptions,
    start: Positions | None = None,
    warm_rate: float = 0.03,
    threads: int = 0,
    progress: Progress | None = None,
) -> Positions:
    """Lay out projected embeddings (n, P), all finite; see `make_map`."""
    n = len(points)
    plane = np.zeros((n, 2), np.float32)
    plane[:, : points.shape[1]] = points[:, :2]
    if options.method == "pca" or n < _FEW:
        if progress:
            progress(1, 1)
        return plane
    k = min(options.neighbours - 1, n - 1)
    if options.method == "tsne":
        k = min(int(3 * options.perplexity), n - 1)
    rows, distances = nearest(
        points, points, k, is_self=True, threads=threads, progress=share(progress, 0, 250)
    )
    last = share(progress, 250, 1000)
    if options.method == "tsne":
        return _tsne(plane, rows, distances, options, start, threads, last)
    epochs = options.epochs or (300 if n <= 20_000 else 200)
    first = plane * (_WIDTH / max(float(np.abs(plane).max()), 1e-12))
    noise = np.random.default_rng(options.seed).normal(0, 1e-3, first.shape)
    return lay_out(
        fuzzy_graph(rows, distances),
        (first + noise).astype(np.float32) if start is None else start,
        min_dist=options.min_dist,
        epochs=epochs if start is None else -(-epochs // 3),
        rate=1.0 if start is None else warm_rate,
        seed=options.seed,
        threads=threads,
        progress=last,
    )


def _tsne(
    plane: Positions,
    rows: npt.NDArray[np.int32],
    distances: npt.NDArray[np.float32],
    options: MapOptions,
    start: Positions | None,
    threads: int,
    progress: Progress | None,
) -> Positions:
    """Run t-SNE (openTSNE, Policar et al. 2024) on neighbours that are known."""
    from openTSNE import TSNEEmbedding
    from openTSNE.affinity import PerplexityBasedNN
    from openTSNE.nearest_neighbors import PrecomputedNeighbors

    known = PrecomputedNeighbors(rows.astype(np.int64), distances.astype(np.float64))
    n, k = rows.shape
    jobs = threads_or_all(threads)
    affinities = PerplexityBasedNN(
        perplexity=min(options.perplexity, k / 3), knn_index=known, n_jobs=jobs
    )
    epochs = options.epochs or 750
    stages = [(epochs // 3, 12.0, 0.5), (epochs - epochs // 3, 1.0, 0.8)]
    spread = max(float(plane[:, 0].std()), 1e-12)
    noise = np.random.default_rng(options.seed).normal(0, 1e-6, plane.shape)
    first = plane.astype(np.float64) / spread * 1e-4 + noise
    if start is not None:
        first, stages = start.astype(np.float64), [(-(-epochs // 3), 1.0, 0.8)]
    done, total = 0, sum(count for count, _, _ in stages)

    def report(iteration: int, _error: float, _xy: npt.NDArray) -> None:
        if progress:
            progress(min(done + iteration, total - 1), total)

    embedding = TSNEEmbedding(
        first,
        affinities,
        negative_gradient_method="fft" if n > _FFT else "bh",
        n_jobs=jobs,
        random_state=options.seed,
        callbacks=[report],
        callbacks_every_iters=10,
    )
    for count, exaggeration, momentum in stages:
        embedding = embedding.optimize(count, exaggeration=exaggeration, momentum=momentum)
        done += count
    if progress:
        progress(total, total)
    return np.asarray(embedding, dtype=np.float32)


def _warm_start(points: Points, old: Positions, threads: int) -> Positions | None:
    """Start where objects were; new ones at their neighbours. None if none is known."""
    known = np.isfinite(old).all(axis=1)
    if not known.any():
        return None
    start = old.copy()
    if not known.all():
        start[~known] = place(points[~known], points[known], old[known], threads=threads)
    return start


def put_at_edge(xy: Positions) -> Positions:
    """Give objects without a position (NaN) one outside, at the lower left corner."""
    unknown = ~np.isfinite(xy).all(axis=1)
    if not unknown.any():
        return xy
    xy = xy.copy()
    low, high = (0.0, 1.0) if unknown.all() else (xy[~unknown].min(0), xy[~unknown].max(0))
    xy[unknown] = low - 0.05 * np.maximum(np.subtract(high, low), 1e-6)
    return xy


def share(progress: Progress | None, begin: int, end: int) -> Progress | None:
    """Make the progress of a stage, which is `begin` to `end` of 1000 of the whole."""
    if progress is None:
        return None

    def update(done: int, total: int) -> None:
        progress(begin + (end - begin) * done // max(total, 1), 1000)

    return update
