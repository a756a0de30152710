"""Folds: objects dealt into parts that are held out in turn, close neighbours kept apart.

In: classes (n,), and groups (n,) such as blocks of sky that stay together. Out: a fold for each
object, and the rows to train and to test on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Groups = npt.NDArray | None
Rows = npt.NDArray[np.int64]

FOLDS = 5


@dataclass(frozen=True)
class Apart:
    """Objects of a training part this close to a test object are left out of it."""

    points: npt.NDArray[np.float64]  # (n, 3) unit vectors; NaN if unknown
    distance: float  # in the same unit


def possible_folds(y: npt.NDArray, groups: Groups, most: int = FOLDS) -> int:
    """Give the number of folds that leave every class in every training part; below 2 is none.

    Args:
        y: (n,) classes; a constant for numbers.
        groups: (n,) what stays together.
        most: folds wanted.
    """
    if groups is None:
        return int(min(most, np.unique(y, return_counts=True)[1].min(initial=most)))
    return int(min([most, *(len(np.unique(groups[y == name])) for name in np.unique(y))]))


def deal(y: npt.NDArray, groups: Groups, folds: int, seed: int) -> Rows:
    """Deal objects into folds with about the same share of each class; groups stay together.

    Args:
        y: (n,) classes; a constant for numbers.
        groups: (n,) or None.
        folds: two or more.
        seed: of the order in which groups are dealt.

    Returns:
        (n,) fold from 0.
    """
    rng = np.random.default_rng(seed)
    codes = np.unique(y, return_inverse=True)[1]
    if groups is None:
        order = rng.permutation(len(y))
        order = order[np.argsort(codes[order], kind="stable")]
        fold = np.empty(len(y), dtype=np.int64)
        fold[order] = np.arange(len(y)) % folds
        return fold
    members = np.unique(groups, return_inverse=True)[1]
    shares = np.zeros((members.max() + 1, codes.max() + 1))
    np.add.at(shares, (members, codes), 1.0)
    shares /= shares.sum(axis=0)
    # the fullest first, each to the fold that has least of what it holds
    order = np.lexsort((rng.random(len(shares)), -shares.max(axis=1).round(3)))
    load = np.zeros((folds, shares.shape[1]))
    chosen = np.empty(len(shares), dtype=np.int64)
    tie = 1e-9 * rng.random(folds)
    for group in order:
        chosen[group] = np.argmin(load @ shares[group] + tie)
        load[chosen[group]] += shares[group]
    return chosen[members]


def parts(fold: Rows, apart: Apart | None = None) -> Iterator[tuple[Rows, Rows]]:
    """Give (training rows, test rows) of each fold, training rows near a test row left out."""
    for number in range(int(fold.max()) + 1):
        test, train = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        yield (train if apart is None else far_from(train, test, apart)), test


def far_from(train: Rows, test: Rows, apart: Apart) -> Rows:
    """Keep the training rows that are not close to any test row."""
    from scipy.spatial import cKDTree

    known = np.asarray(np.isfinite(apart.points).all(axis=1))
    placed = test[known[test]]
    if not placed.size or apart.distance <= 0:
        return train
    mine = np.where(known[train][:, None], apart.points[train], 9.0)  # far from everything
    distance, _ = cKDTree(apart.points[placed]).query(mine, distance_upper_bound=apart.distance)
    return train[~np.isfinite(distance)]
