"""A probe measured: by cross-validation on all labels, or by few-shot draws.

In: a `Problem` and options. Out: an `Outcome`: figures with 95 % intervals as plain values for
JSON, the probe, and what it said of objects that it had not seen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.probepurity import threshold_figures
from sky_ssl.explore.probing import Problem
from sky_ssl.probes.bootstrap import Interval, Statistic
from sky_ssl.probes.crossval import (
    HeldOut,
    Tuned,
    cross_validate_classes,
    cross_validate_values,
    tune_classes,
    tune_values,
)
from sky_ssl.probes.draws import Draw, averaged, few_shot
from sky_ssl.probes.folds import possible_folds
from sky_ssl.probes.linear import LinearRegressor
from sky_ssl.probes.metrics import (
    class_figures,
    class_statistic,
    confusion_matrix,
)
from sky_ssl.probes.prevalence import Prevalence
from sky_ssl.probes.redshift import coverage, value_figures, value_statistic
from sky_ssl.probes.scoring import most_likely
from sky_ssl.progress import Progress

Numbers = npt.NDArray[np.floating]

_ENOUGH = 20  # of each kind, before figures mean something
_LEAST_NUMBERS = 50
_NO_SKY = "too little sky is known to split by: at random, so neighbours may be on both sides"
SIZES = (4, 10, 20, 50, 100, 200, 500, 1000, 2000)
"""Numbers of labels of a learning curve."""
_CURVE_DRAWS = 5  # for each of them, at most


@dataclass(frozen=True)
class ProbeOptions:
    """How to measure a probe."""

    train: int = 0  # labels in a few-shot draw; 0 = cross-validation on all
    natural: bool = False  # draw kinds as frequent as they are
    repeats: int = 10  # few-shot draws
    folds: int = 5  # of the cross-validation
    seed: int = 0
    prevalence: Prevalence | None = None  # of the sky the probe is for
    learning_curve: bool = False  # few-shot scores for several numbers of labels

    def __post_init__(self) -> None:
        if self.train < 0 or self.train == 1:
            raise InputError(f"train {self.train}: must be 2 or more labels")
        if self.repeats < 1 or self.folds < 2:
            raise InputError(
                f"repeats {self.repeats}, folds {self.folds}: must be at least 1 and 2"
            )


@dataclass(frozen=True)
class Outcome:
    """A probe and what is known about it."""

    result: dict[str, Any]  # plain values, as the command prints them
    model: Tuned | LinearRegressor
    held: Numbers  # (n,) or (n, K) of labelled objects that the probe had not seen, else NaN
    trained: npt.NDArray[np.bool_]  # (n,) labelled objects that the probe has seen
    prevalence: Prevalence | None  # of the sky that probabilities are for


def measure(problem: Problem, o: ProbeOptions, progress: Progress | None = None) -> Outcome:
    """Fit a probe and measure it on objects it has not seen.

    Raises:
        InputError: too few labels for what is asked.
    """
    x, y, notes = problem.x, problem.y, list(problem.notes)
    numbers = problem.task != "classify"
    head: dict[str, Any] = {"task": problem.task, "column": problem.column, "labels": len(y)}
    if not numbers:
        names, counts = np.unique(y, return_counts=True)
        words = [problem.negative, problem.positive] if problem.positive else names.tolist()
        head |= {"positive": problem.positive or None}
        head |= {"classes": dict(zip(words, counts.tolist(), strict=True))}
        notes += _few(int(counts.min()), len(y))
    elif len(y) < _LEAST_NUMBERS:
        notes.append(f"{len(y)} labels: the figures are rough; label at least {_LEAST_NUMBERS}")
    if o.train:
        head |= {"natural": o.natural}
        body, model, held, trained = _by_draws(problem, x, o, notes, progress)
    else:
        body, model, held = _by_folds(problem, x, o, notes, progress)
        trained = np.ones(len(y), dtype=bool)
    prevalence = o.prevalence
    if not numbers and problem.positive:
        share = float(np.mean(y))
        prevalence = prevalence or Prevalence(share)
        body["prevalence"] = prevalence.interval.as_dict()
        body |= threshold_figures(problem, held, prevalence, o.prevalence, o.seed, notes)
    if o.learning_curve:
        body["learning_curve"] = _learning_curve(problem, x, o)
    return Outcome({**head, **body, "notes": notes}, model, held, trained, prevalence)


def _few(rarest: int, total: int) -> list[str]:
    if rarest >= _ENOUGH:
        return []
    if total <= 4:
        return [f"{total} labels: no figure can be trusted; label at least {_ENOUGH} of each kind"]
    return [
        f"{rarest} label{'s' * (rarest != 1)} of the rarest kind: the figures are rough; label at "
        f"least {_ENOUGH} of each kind"
    ]


def _by_folds(
    problem: Problem,
    x: Numbers,
    o: ProbeOptions,
    notes: list[str],
    progress: Progress | None,
) -> tuple[dict[str, Any], Tuned | LinearRegressor, Numbers]:
    """Cross-validate on all labels, then fit on all of them."""
    y, groups, numbers = problem.y, problem.groups, problem.task != "classify"
    is_redshift = problem.task == "redshift"
    kinds = np.zeros(len(y)) if numbers else y
    split, apart = problem.split, problem.apart
    if groups is not None and possible_folds(kinds, groups, o.folds) < 2:
        notes.append(f"a kind lies in one of the {split} alone: the folds are random instead")
        groups, apart, split = None, None, "random"
    elif groups is None:
        notes.append(
            "too little sky is known to split by: folds are random, neighbours may be on both sides"
        )
    model: Tuned | LinearRegressor
    if numbers:
        model, strength = tune_values(
            x, y, groups, folds=o.folds, seed=o.seed, redshift=is_redshift
        )
    else:
        model = tune_classes(x, y, groups, folds=o.folds, seed=o.seed, prior=problem.prior)
        strength = model.strength
    folds = possible_folds(kinds, groups, o.folds)
    body: dict[str, Any] = {"n_train": len(y), "n_test": 0, "repeats": 0, "split": split}
    if folds < 2 or (numbers and len(y) < 4):
        notes.append("too few labels to hold any out: nothing is measured")
        shape = (len(y),) if numbers or len(np.unique(y)) == 2 else (len(y), len(np.unique(y)))
        return body | {"strength": strength}, model, np.full(shape, np.nan)
    of_values = partial(cross_validate_values, redshift=is_redshift)
    of_classes = partial(cross_validate_classes, prior=problem.prior)
    held: HeldOut = (of_values if numbers else of_classes)(
        x, y, groups, folds=o.folds, seed=o.seed, apart=apart, progress=progress
    )
    body["n_train"] = round(len(y) * (folds - 1) / folds)
    body |= {"n_test": len(y), "repeats": 1, "folds": folds, "strength": strength}
    if numbers:
        figures = value_figures(y, held.values, redshift=is_redshift, groups=groups, seed=o.seed)
        figures |= coverage(y, held.values, held.fold)
        body["range"] = [float(y.min()), float(y.max())]
    else:
        classes = np.unique(y)
        figures = class_figures(y, held.values, classes, groups=groups, seed=o.seed)
        matrix = confusion_matrix(y, classes[most_likely(held.values)], classes)
        body["confusion_matrix"] = matrix.astype(int).tolist()
    return body | _plain(figures), model, held.values


def _by_draws(
    problem: Problem,
    x: Numbers,
    o: ProbeOptions,
    notes: list[str],
    progress: Progress | None,
) -> tuple[dict[str, Any], Tuned | LinearRegressor, Numbers, npt.NDArray[np.bool_]]:
    """Draw labels again and again; the first draw's probe is kept."""
    y, n = problem.y, len(problem.y)
    if problem.groups is None:
        notes.append(
            "too little sky is known to split by: parts are random, neighbours may be on both sides"
        )
    draws = _draws(problem, x, o, o.train, o.repeats, progress)
    sizes = [len(draw.train) for draw in draws]
    if min(sizes) < o.train:
        notes.append(
            f"{o.train} labels asked for, {min(sizes)} drawn: a kind has no more on its half"
        )
    names, statistic_of = _statistic(problem, draws)
    found = averaged(draws, statistic_of, n, problem.groups, o.seed)
    body = {
        "n_train": round(float(np.mean(sizes))),
        "n_test": round(float(np.mean([len(draw.test) for draw in draws]))),
        "repeats": o.repeats,
        "split": f"halves by {problem.split}" if problem.groups is not None else "random halves",
        **_plain(dict(zip(names, found, strict=True))),
    }
    first = draws[0]
    held = np.full((n, *first.values.shape[1:]), np.nan)
    held[first.test] = first.values
    if problem.task != "classify":
        body["range"] = [float(y.min()), float(y.max())]
    trained = np.zeros(n, dtype=bool)
    trained[first.train] = True
    return body, first.model, held, trained


def _draws(
    problem: Problem,
    x: Numbers,
    o: ProbeOptions,
    labels: int,
    repeats: int,
    progress: Progress | None = None,
) -> list[Draw]:
    return few_shot(
        x,
        problem.y,
        problem.groups,
        labels=labels,
        repeats=repeats,
        natural=o.natural,
        numbers=problem.task != "classify",
        redshift=problem.task == "redshift",
        seed=o.seed,
        apart=problem.apart,
        prior=problem.prior,
        progress=progress,
    )


def _statistic(
    problem: Problem, draws: list[Draw]
) -> tuple[list[str], Callable[[Draw], Statistic]]:
    """Give the names of the figures, and how a draw's are computed."""
    y, classes = problem.y, np.unique(problem.y)

    def both(draw: Draw) -> tuple[list[str], Statistic]:
        if problem.task == "classify":
            return class_statistic(y[draw.test], draw.values, classes)
        return value_statistic(y[draw.test], draw.values, problem.task == "redshift")

    return both(draws[0])[0], lambda draw: both(draw)[1]


def curve_point(
    problem: Problem, x: Numbers, size: int, o: ProbeOptions
) -> dict[str, Interval] | None:
    """Score few-shot draws of so many labels on the other half of the sky.

    Args:
        x: (n, D) features of the problem.
        size: labels in a draw.
        o: options; at most five repeats are made.

    Returns:
        Figures by name; None where a kind has too few labels for it.

    Raises:
        InputError: a kind lies in one block of sky alone.
    """
    draws = _draws(problem, x, o, size, min(o.repeats, _CURVE_DRAWS))
    if np.mean([len(draw.train) for draw in draws]) < 0.9 * size:
        return None
    names, statistic_of = _statistic(problem, draws)
    found = averaged(draws, statistic_of, len(problem.y), problem.groups, o.seed)
    return dict(zip(names, found, strict=True))


def _learning_curve(problem: Problem, x: Numbers, o: ProbeOptions) -> list[dict[str, Any]]:
    """Score rising numbers of labels."""
    points: list[dict[str, Any]] = []
    for size in [size for size in SIZES if size <= len(problem.y) // 2]:
        figures = curve_point(problem, x, size, o)
        if figures is None:
            break
        points.append({"n_train": size, **_plain(figures)})
    return points


def _plain(figures: dict[str, Interval]) -> dict[str, dict[str, float]]:
    return {name: figure.as_dict() for name, figure in figures.items()}
