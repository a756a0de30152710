"""Folds by sky, and purity and completeness on what was held out.

In: positions, tiles, held-out scores and the truth. Out: a fold for each object, so that close
neighbours are never on both sides, and shares with 95 % intervals that know how far objects of one
block of sky are alike.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.probing import BUFFER, sky_groups
from sky_ssl.probes.folds import Apart, deal, far_from, possible_folds
from sky_ssl.sky.coords import unit_vectors

MOST_DRAWN, MOST_OTHERS = 4000, 12_000  # rows of a fit
_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Folds:
    """Which objects are held out together."""

    fold: npt.NDArray[np.int64]  # (N,) from 0
    group: npt.NDArray[np.int64]  # (N,) block of sky, tile, or the object itself
    count: int  # folds; below 2 nothing can be held out
    how: str  # in words


def sky_folds(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    tile: npt.NDArray[np.str_],
    drawn: npt.NDArray[np.bool_],
    most: int = 5,
) -> Folds:
    """Share objects out into folds of whole blocks of sky, as a probe does.

    Blocks, or tiles where positions are missing, are those of `probing.sky_groups`; without either
    each object stands alone. Folds get about equally many drawn objects.

    Args:
        ra, dec: (N,) degrees, NaN if unknown.
        tile: (N,) names; empty if unknown.
        drawn: (N,) the objects that must be in every fold.
        most: folds, where there are enough drawn objects.
    """
    groups, what = sky_groups(ra, dec, tile, drawn, most)
    count = possible_folds(drawn, groups, most) if drawn.any() else 0
    fold = deal(drawn, groups, count, seed=0) if count > 1 else np.zeros(len(ra), dtype=np.int64)
    if groups is None:
        return Folds(fold, np.arange(len(ra)), count, f"{count} folds of objects, one by one")
    group = np.unique(groups, return_inverse=True)[1]
    return Folds(fold, group, count, f"{count} folds of {what}")


def training_parts(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    part: npt.NDArray[np.int64],
    folds: Folds,
    drawn: npt.NDArray[np.bool_],
    seed: int,
) -> list[npt.NDArray[np.int64]]:
    """Give the rows to fit for each fold, none of them within 3 arcmin of an object of it.

    Args:
        ra, dec: (N,) degrees.
        part: (n,) rows that take part.
        folds: of these.
        drawn: (N,) what is told from the rest.
        seed: of the sample.

    Returns:
        Rows for each fold; none at all where nothing can be held out, or where objects of one kind
        alone are left to fit.
    """
    if folds.count < 2:
        return []
    apart = Apart(unit_vectors(ra, dec), float(np.radians(BUFFER)))
    result = []
    for k in range(folds.count):
        rows = sample_rows(part[folds.fold != k], drawn, seed)
        result.append(far_from(rows, part[folds.fold == k], apart))
    return result if all(0 < drawn[rows].sum() < len(rows) for rows in result) else []


def sample_rows(
    rows: npt.NDArray[np.int64], drawn: npt.NDArray[np.bool_], seed: int
) -> npt.NDArray[np.int64]:
    """Take as many rows (n,) of either kind as a fit needs, in the order of the file."""
    rng = np.random.default_rng(seed)
    chosen = []
    for flag, most in ((True, MOST_DRAWN), (False, MOST_OTHERS)):
        kind = rows[drawn[rows] == flag]
        chosen.append(kind if len(kind) <= most else rng.choice(kind, most, replace=False))
    return np.sort(np.concatenate(chosen))


def share(
    hits: npt.NDArray[np.bool_], group: npt.NDArray[np.int64]
) -> dict[str, float | int | None]:
    """Measure a share with its 95 % interval.

    Wilson's interval, for the number of objects that would tell as much if they were independent:
    objects of one group are alike, which their scatter between groups shows (Korn & Graubard 1998,
    Surv. Methodol. 24, 193).

    Args:
        hits: (n,) True where an object counts.
        group: (n,) block of sky or tile of each.

    Returns:
        {"mean", "low", "high", "of": n}; None instead of figures where n = 0.
    """
    n = len(hits)
    if n == 0:
        return {"mean": None, "low": None, "high": None, "of": 0}
    p = float(hits.mean())
    effective = n / _design_effect(hits, group, p)
    centre = (p + _Z**2 / (2 * effective)) / (1 + _Z**2 / effective)
    half = _Z * np.sqrt(p * (1 - p) / effective + _Z**2 / (4 * effective**2))
    half /= 1 + _Z**2 / effective
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"mean": p, "low": float(min(low, p)), "high": float(max(high, p)), "of": n}


def _design_effect(hits: npt.NDArray[np.bool_], group: npt.NDArray, p: float) -> float:
    """Say how much wider groups make the scatter of a share; at least 1."""
    inside = np.unique(group, return_inverse=True)[1]
    total = np.bincount(inside)
    G, n = len(total), len(hits)
    if not 0 < p < 1 or G < 8 or G == n:
        return 1.0
    excess = np.bincount(inside, weights=hits) - p * total
    between = G / (G - 1) * float((excess**2).sum()) / n**2
    return max(1.0, between / (p * (1 - p) / n))


def best_threshold(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_]) -> float:
    """Find the threshold with the largest F1 = 2 TP / (2 TP + FP + FN), between two scores."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    hits = np.cumsum(truth[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + hits[-1])
    # equal scores are taken together
    f1[:-1][ranked[:-1] == ranked[1:]] = -1.0
    best = int(f1.argmax())
    if best + 1 == len(ranked):
        return float(ranked[best])
    return float((ranked[best].astype(np.float64) + ranked[best + 1]) / 2)
