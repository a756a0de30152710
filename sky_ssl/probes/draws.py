"""Few-shot scores: labels drawn, a probe tuned on them, scored on the other part of the sky.

In: embeddings, labels and groups such as blocks of sky. Out: one `Draw` per repeat, and figures
averaged over them whose intervals hold the scatter of the draws and of the sky they are tested on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.bootstrap import (
    Interval,
    Statistic,
    Weights,
    percentiles,
    resampled,
    resamples_for,
)
from sky_ssl.probes.crossval import Features, Numbers, Tuned, tune_classes, tune_values
from sky_ssl.probes.folds import Apart, Groups, Rows, deal, far_from, possible_folds
from sky_ssl.probes.linear import LinearRegressor
from sky_ssl.probes.prior import Prior
from sky_ssl.progress import Progress


@dataclass(frozen=True)
class Draw:
    """One repeat."""

    train: Rows  # rows that were drawn
    test: Rows  # rows of the other part of the sky
    values: Numbers  # decision values or numbers predicted for the test rows
    model: Tuned | LinearRegressor


def draw_labels(
    pool: Rows, y: npt.NDArray, labels: int, *, natural: bool, rng: np.random.Generator
) -> Rows:
    """Draw `labels` rows from a pool, equally many of each class, or as they come.

    A class with fewer gives all it has; as they come, at least one of each class is drawn, in the
    place of a row whose class was drawn more than once.

    Raises:
        InputError: as they come, fewer labels than classes.
    """
    classes = np.unique(y[pool])
    if natural:
        if labels < len(classes):
            raise InputError(f"{labels} labels of {len(classes)} kinds: at least one of each")
        drawn = rng.choice(pool, min(labels, len(pool)), replace=False)
        for name in classes[~np.isin(classes, y[drawn])]:
            _, place, count = np.unique(y[drawn], return_inverse=True, return_counts=True)
            drawn[np.flatnonzero(count[place] > 1)[-1]] = rng.choice(pool[y[pool] == name])
        return np.sort(drawn)
    each = max(1, labels // len(classes))
    sides = [pool[y[pool] == name] for name in classes]
    return np.concatenate([rng.choice(s, min(each, len(s)), replace=False) for s in sides])


def few_shot(
    x: Features,
    y: npt.NDArray,
    groups: Groups = None,
    *,
    labels: int,
    repeats: int = 10,
    natural: bool = False,
    numbers: bool = False,
    redshift: bool = False,
    seed: int = 0,
    apart: Apart | None = None,
    prior: Prior | None = None,
    progress: Progress | None = None,
) -> list[Draw]:
    """Draw labels from one half of the sky and score on the other, `repeats` times.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) classes, or numbers.
        groups: (n,) what stays together; another half of them for each repeat.
        labels: in a draw, equally many of each class unless `natural`.
        repeats: draws.
        natural: classes as frequent as they are.
        numbers: fit a regression.
        redshift: the numbers are redshifts, see `linear.fit_values`.
        seed: of halves and draws.
        apart: distance to keep between training and test.
        prior: of classes, see `crossval.tune_classes`.
        progress: called with (draws done, repeats).

    Raises:
        InputError: fewer than two labels, or a class that is not on both halves.
    """
    if labels < 2:
        raise InputError(f"{labels} labels: at least 2 are needed, one of each kind")
    kinds = np.zeros(len(y)) if numbers else y
    classes = np.unique(y)
    if possible_folds(kinds, groups, 2) < 2:
        raise InputError(
            "labels: a class lies in one block of sky alone, so it cannot be both learnt and "
            "tested; give more labels"
        )
    draws = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        half = deal(kinds, groups, 2, seed=int(rng.integers(1 << 31)))
        pool, test = np.flatnonzero(half == 0), np.flatnonzero(half == 1)
        pool = pool if apart is None else far_from(pool, test, apart)
        train = draw_labels(pool, kinds, labels, natural=natural or numbers, rng=rng)
        inner = None if groups is None else groups[train]
        model: Tuned | LinearRegressor
        if numbers:
            model = tune_values(x[train], y[train], inner, seed=repeat, redshift=redshift)[0]
            values = model.predict(x[test])
        else:
            model = tune_classes(x[train], y[train], inner, seed=repeat, prior=prior)
            values = model.decision(x[test], classes)
        draws.append(Draw(train, test, values, model))
        if progress:
            progress(repeat + 1, repeats)
    return draws


def averaged(
    draws: list[Draw],
    statistic_of: Callable[[Draw], Statistic],
    n: int,
    groups: Groups = None,
    seed: int = 0,
) -> list[Interval]:
    """Average figures over the draws, with 95 % intervals of that average.

    In each resample the same objects (or blocks of sky) are drawn for all test parts, since they
    share them, and the repeats are drawn as well.

    Args:
        draws: R of them.
        statistic_of: gives the function from weights (B, n_test) to figures (B, k) of a draw.
        n: objects in all.
        groups: (n,) what is resampled as one.
        seed: of the resamples.
    """
    R, count = len(draws), resamples_for(n * len(draws))
    statistics = [statistic_of(draw) for draw in draws]
    single = np.stack(
        [s(np.ones((1, len(d.test))))[0] for s, d in zip(statistics, draws, strict=True)]
    )
    parts: list[list[Weights]] = [[] for _ in draws]
    for weights in resampled(n, groups, count, seed):
        for part, draw, statistic in zip(parts, draws, statistics, strict=True):
            part.append(statistic(weights[:, draw.test]))
    drawn = np.stack([np.concatenate(part) for part in parts])  # (R, B, k)
    chosen = np.random.default_rng(seed + 1).integers(R, size=(R, count))
    mixed = np.mean(drawn[chosen, np.arange(count)], axis=0)  # (B, k)
    return percentiles(single.mean(axis=0), mixed)
