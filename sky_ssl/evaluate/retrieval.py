"""Retrieval: how many of the nearest to a few exemplars are of their kind, drawn many times."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.expanding import expand_query

Features = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Retrieval:
    """Share of the right kind among the nearest, (repeats,) draws of exemplars."""

    purity: npt.NDArray[np.float64]
    top: int

    @property
    def mean(self) -> float:
        """Mean number of the right kind among the `top` nearest."""
        return float(self.purity.mean() * self.top)


def unit_rows(x: Features) -> npt.NDArray[np.float32]:
    """Bring features (N, D) to mean 0 and deviation 1, and rows to length 1, for cosines."""
    deviation = x.std(axis=0)
    standard = (x - x.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    length = np.linalg.norm(standard, axis=1, keepdims=True)
    result: npt.NDArray[np.float32] = (standard / np.where(length > 0, length, 1)).astype("float32")
    return result


def retrieve(
    gallery: Features,
    positive: Flags,
    pool: Features,
    *,
    exemplars: int = 5,
    top: int = 25,
    repeats: int = 20,
    seed: int = 0,
    expand: int = 0,
) -> Retrieval:
    """Search a gallery with exemplars of one kind that are not in it.

    Args:
        gallery: (N, D) rows of length 1, what is searched, in natural proportion.
        positive: (N,) the truth.
        pool: (M, D) objects of the kind, of length 1, that exemplars are drawn from.
        exemplars: number in a draw; their mean is the query, its score the inner product.
        top: how many of the nearest count.
        repeats: number of draws.
        seed: of the draws.
        expand: search again with so many of the best added to the exemplars.

    Raises:
        ValueError: fewer objects in the pool or of the kind in the gallery than are asked for.
    """
    if len(pool) < exemplars or positive.sum() < top:
        raise ValueError(
            f"{exemplars} exemplars of {len(pool)}, {top} nearest of {positive.sum()} in the "
            "gallery: too few objects of the kind"
        )

    def search(query: Features, count: int) -> tuple[npt.NDArray[np.intp], Features]:
        scores = gallery @ query
        best = np.argsort(-scores, kind="stable")[:count]
        return best, scores[best]

    rng = np.random.default_rng(seed)
    purity = []
    for _ in range(repeats):
        query = pool[rng.choice(len(pool), exemplars, replace=False)].mean(axis=0)
        query = expand_query(query, exemplars, gallery, 1, search, expand)
        nearest = search(query, top)[0]
        purity.append(positive[nearest].mean())
    return Retrieval(np.array(purity), top)
