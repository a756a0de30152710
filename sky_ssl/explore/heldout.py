"""Folds by sky, and purity and completeness on what was held out.

In: positions, tiles, held-out scores and the truth. Out: a fold for each object, so that close
neighbours are never on both sides, and shares with 95 % intervals that know how far objects of one
block of sky are alike.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.coords import sky_blocks

_SIZES = (1.0, 0.5, 0.25, 0.1, 0.05)  # degrees
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
    """Share objects out into folds of whole blocks of sky.

    The blocks are of 1 degree, or of the largest smaller size at which at least twice as many as
    there are folds hold drawn objects. Without positions tiles take their place, without tiles each
    object stands alone. Folds get about equally many drawn objects.

    Args:
        ra, dec: (N,) degrees, NaN if unknown.
        tile: (N,) names; empty if unknown.
        drawn: (N,) the objects that must be in every fold.
        most: folds, where there are enough drawn objects.
    """
    known = np.isfinite(ra) & np.isfinite(dec)
    group, what = np.arange(len(ra)), "objects, one by one"
    if known.all() and known.size:
        for size in _SIZES:
            blocks = np.unique(sky_blocks(ra, dec, size), return_inverse=True)[1]
            if len(np.unique(blocks[drawn])) >= 2 * most:
                group, what = blocks, f"blocks of sky of {size:g} degrees"
                break
    elif (tile != "").all() and tile.size:
        tiles = np.unique(tile, return_inverse=True)[1]
        if len(np.unique(tiles[drawn])) >= 2:
            group, what = tiles, "tiles"
    groups = np.bincount(group, minlength=int(group.max(initial=-1)) + 1)
    held = np.bincount(group[drawn], minlength=len(groups))
    count = min(most, int((held > 0).sum()))
    fold = _deal(held, groups, max(count, 1))
    return Folds(fold[group], group, count, f"{count} folds of {what}")


def _deal(
    drawn: npt.NDArray[np.integer], objects: npt.NDArray[np.integer], folds: int
) -> npt.NDArray[np.int64]:
    """Give each group (G,) a fold, the fullest first, each to the fold that has least."""
    result = np.zeros(len(drawn), dtype=np.int64)
    order = np.lexsort((-objects, -drawn))
    if len(drawn) > 10_000:  # single objects: in turn is as even
        result[order] = np.arange(len(order)) % folds
        return result
    load = np.zeros((folds, 2))
    for group in order:
        chosen = min(range(folds), key=lambda k: tuple(load[k]))
        result[group] = chosen
        load[chosen] += (drawn[group], objects[group])
    return result


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
