"""Odd objects: far from others, easily set apart, or badly foretold by the model.

In: projected embeddings (N, P), see `axes.Axes.project`, and cutouts with a model. Out: a score per
object in 0 to 1, the oddest highest. Objects like artefacts that are already labelled lose rank.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.graph import Points, nearest
from sky_ssl.explore.hiding import Hiding, fill_objects
from sky_ssl.explore.maps import share
from sky_ssl.progress import Progress
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import CutoutSet

if TYPE_CHECKING:
    from sky_ssl.model.simmim import SimMIM

Scores = npt.NDArray[np.float64]
NEIGHBOUR = 10
"""Which neighbour's distance counts: a clump of fewer objects is odd as a whole."""
_TREES = 200
_BLOCK = 64  # cutouts read at once


@dataclass(frozen=True)
class Anomalies:
    """How odd N objects are; NaN for those of which nothing is known."""

    score: Scores  # (N,) in 0 to 1, of all measures and artefacts together
    measures: dict[str, Scores]  # by name, (N,) each, larger = odder, in their own units
    unlike_artefacts: Scores  # (N,) 0 = as a labelled artefact, 1 = not at all

    def order(self) -> npt.NDArray[np.int64]:
        """Give the rows, the oddest first, of equals the lower row; unknown ones are left out."""
        known = np.flatnonzero(np.isfinite(self.score))
        return known[np.argsort(-self.score[known], kind="stable")]


def find_anomalies(
    points: Points,
    error: npt.NDArray[np.floating] | None = None,
    artefacts: npt.ArrayLike = (),
    *,
    neighbour: int = NEIGHBOUR,
    seed: int = 0,
    threads: int = 0,
    progress: Progress | None = None,
) -> Anomalies:
    """Score how odd objects are.

    Args:
        points: (N, P) projected embeddings, NaN rows for objects without one.
        error: (N,) of `reconstruction_error`, if it is known.
        artefacts: rows of objects that are labelled as artefacts.
        neighbour: see `neighbour_distance`.
        seed: of the isolation forest.
        threads: 0 for all cores; the scores do not depend on it.
        progress: called with (done, 1000).

    Raises:
        InputError: if `error` is of another number of objects.
    """
    if error is not None and len(error) != len(points):
        raise InputError(
            f"reconstruction errors of {len(error)} objects, embeddings of {len(points)}: "
            "both must be of the same cutouts"
        )
    measures = {
        "isolation": isolation(points, seed=seed, progress=share(progress, 0, 300)),
        "distance": neighbour_distance(
            points, neighbour, threads=threads, progress=share(progress, 300, 950)
        ),
    }
    if error is not None:
        measures["reconstruction"] = np.asarray(error, np.float64)
    unlike = unlike_artefacts(points, artefacts)
    score = ranks(combined(measures) * unlike)
    if progress:
        progress(1000, 1000)
    return Anomalies(score, measures, unlike)


def isolation(points: Points, *, seed: int = 0, progress: Progress | None = None) -> Scores:
    """Score by how few random cuts set an object apart (isolation forest, Liu et al. 2008).

    Args:
        points: (N, P).
        seed: of the cuts.
        progress: called with (rows done, N).

    Returns:
        (N,) in 0 to 1, about 0.5 for an average object; NaN for rows with NaN.
    """
    from sklearn.ensemble import IsolationForest

    good = np.flatnonzero(np.isfinite(points).all(axis=1))
    result = np.full(len(points), np.nan)
    if len(good) < 2:
        result[good] = 0.5
        return result
    forest = IsolationForest(n_estimators=_TREES, random_state=seed, n_jobs=1).fit(points[good])
    for start in range(0, len(good), 16_384):
        rows = good[start : start + 16_384]
        result[rows] = -forest.score_samples(points[rows])
        if progress:
            progress(start + len(rows), len(good))
    return result


def neighbour_distance(
    points: Points, k: int = NEIGHBOUR, *, threads: int = 0, progress: Progress | None = None
) -> Scores:
    """Give the distance to the k-th nearest other object (Ramaswamy et al. 2000).

    Args:
        points: (N, P).
        k: which; the farthest where there are fewer others.
        threads: 0 for all cores.
        progress: called with (rows done, N).

    Returns:
        (N,), 0 for an object that is alone, NaN for rows with NaN.

    Raises:
        InputError: `k` below 1.
    """
    if k < 1:
        raise InputError(f"neighbour = {k}: must be 1 or more")
    good = np.isfinite(points).all(axis=1)
    result = np.full(len(points), np.nan)
    used = points[good]
    if len(used):
        _, distances = nearest(used, used, k, is_self=True, threads=threads, progress=progress)
        result[good] = distances[:, -1] if distances.shape[1] else 0.0
    return result


def reconstruction_error(
    model: "SimMIM",
    info: CutoutInfo,
    cutouts: CutoutSet,
    *,
    hiding: Hiding | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Measure how badly the model foretells hidden parts of objects.

    It grows with brightness too: the noise that it is given in is that of the empty sky.

    Args:
        model: in evaluation mode.
        info: what the model was trained on.
        cutouts: with the bands of the model, in its order; read by blocks.
        hiding: what is hidden; 4 random masks of 60 % each, if not given.
        progress: called with (objects done, N); what it raises stops the work.

    Returns:
        (N,) mean |model - sky| over hidden pixels with data, in sky noise; NaN without any.

    Raises:
        InputError: the cutouts are not of the size or the pixel scale of the model.
    """
    hidden = hiding or Hiding(draws=4)
    N = len(cutouts)
    result = np.full(N, np.nan)
    for start in range(0, N, _BLOCK):
        rows = range(start, min(start + _BLOCK, N))
        residual = fill_objects(model, info, cutouts, rows, hidden).residual
        result[rows.start : rows.stop] = mean_size(residual)
        if progress:
            progress(rows.stop, N)
    return result


def mean_size(residual: npt.NDArray[np.floating]) -> Scores:
    """Give the mean of |residual| (B, ...) of each object over its finite values, else NaN."""
    flat = np.abs(residual.reshape(len(residual), -1))
    there = np.isfinite(flat)
    total = np.where(there, flat, 0).sum(axis=1, dtype=np.float64)
    count = there.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def unlike_artefacts(points: Points, artefacts: npt.ArrayLike) -> Scores:
    """Say how little objects are like any of the labelled artefacts.

    The distance to an artefact is measured against that of the farther of both from the middle of
    all objects: ordinary objects, and odd ones in another direction, keep their weight.

    Args:
        points: (N, P), NaN rows for objects without an embedding.
        artefacts: rows of labelled artefacts.

    Returns:
        (N,) from 0, an artefact itself, to 1, none of them is near (the square of the ratio above,
        1 at most).
    """
    labelled = np.asarray(artefacts, np.int64).reshape(-1)
    result = np.ones(len(points))
    good = np.all(np.isfinite(points), axis=1)
    if not good.any() or not labelled.size:
        result[labelled] = 0
        return result
    away = points - np.median(points[good], axis=0)
    size = np.linalg.norm(away, axis=1)
    for row in labelled[good[labelled]]:
        apart = np.linalg.norm(away - away[row], axis=1)
        ratio = apart / np.maximum(np.maximum(size, size[row]), 1e-12)
        result[good] = np.minimum(result[good], np.square(ratio[good]))
    result[labelled] = 0
    return result


def ranks(values: npt.NDArray[np.floating]) -> Scores:
    """Give ranks (N,) in 0 to 1: the share of known values below, equals sharing; NaN stays."""
    from scipy.stats import rankdata

    known = np.isfinite(values)
    result = np.full(len(values), np.nan)
    if known.any():
        result[known] = (rankdata(values[known]) - 0.5) / known.sum()
    return result


def combined(measures: Mapping[str, npt.NDArray[np.floating]] | Sequence[Scores]) -> Scores:
    """Join measures (N,) by their ranks, as independent probabilities are joined (Fisher 1925).

    The mean of -ln(1 - rank) over the measures known of an object: one at the very top of a single
    measure stands out, as it would not in a mean of ranks.
    """
    each = list(measures.values() if isinstance(measures, Mapping) else measures)
    parts = np.stack([-np.log1p(-ranks(values)) for values in each])  # (measures, N)
    known = np.isfinite(parts)
    total, count = np.where(known, parts, 0).sum(axis=0), known.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
