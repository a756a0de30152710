"""Cross-validation: every object predicted by a probe that has not seen it, nor its surroundings.

In: embeddings (n, D), labels (n,), and groups (n,) such as blocks of sky that stay together. Out:
held-out decision values or numbers. The strength is chosen, and the decision value calibrated,
inside each training part, so nothing of the test part enters.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sky_ssl.probes.calibration import Calibration, fit_calibration
from sky_ssl.probes.folds import FOLDS, Apart, Groups, Rows, deal, parts, possible_folds
from sky_ssl.probes.linear import (
    PENALTIES,
    STRENGTHS,
    LinearClassifier,
    LinearRegressor,
    fit_classes,
    fit_path,
    fit_value_path,
    fit_values,
)
from sky_ssl.probes.prior import Prior
from sky_ssl.progress import Progress

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.floating]

_DEFAULT_STRENGTH = 0.3
_DEFAULT_PENALTY = 100.0
_LEAST = 3  # of each kind, before anything can be chosen on them
_FEW = 100  # labels, below which a fixed strength is better than one chosen on them
_MANY, _FEW_FOLDS = 1000, 3


@dataclass(frozen=True)
class Tuned:
    """A classifier with the strength that was best on held-out parts of its own labels."""

    model: LinearClassifier
    strength: float
    calibration: Calibration | None  # for two classes, where there are labels enough

    def decision(self, values: Features, classes: npt.NDArray) -> Numbers:
        """Score rows (N, D): log-odds (N,) at equal frequencies, or (N, K) in the order of classes.

        Classes that the training part lacked score -inf.
        """
        raw = self.model.decision(values)
        if raw.ndim == 1 and len(classes) == 2:
            balanced = self.calibration.moved_to(0.5) if self.calibration else None
            return balanced.log_odds(raw) if balanced else raw
        full = np.full((len(values), len(classes)), -np.inf, dtype=np.float32)
        columns = np.stack([-raw / 2, raw / 2], axis=1) if raw.ndim == 1 else raw
        full[:, np.searchsorted(classes, self.model.classes)] = columns
        return full


@dataclass(frozen=True)
class HeldOut:
    """What was predicted for each object by a probe that had not seen it."""

    values: Numbers  # (n,) log-odds of the second class at equal frequencies, (n, K), or numbers
    fold: Rows  # (n,) from 0
    strengths: list[float]  # chosen in each fold


def tune_classes(
    x: Features,
    y: npt.NDArray,
    groups: Groups = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    prior: Prior | None = None,
) -> Tuned:
    """Fit a classifier with the strength that has the least balanced log-loss on held-out folds.

    With fewer than 100 labels the strength is 0.3, which does better than one chosen on so few.
    Where the groups do not suffice for folds single objects are held out; where there are fewer
    than three labels of a kind there is no calibration. With more than a thousand labels three
    folds are enough. What the unlabelled survey says of the coefficients (`prior`) is for features
    as they are; the classifier found is for these as well.
    """
    if prior is None:
        return _tuned(x, y, groups, folds, seed, scaled=False)
    found = _tuned(prior.apply(x), y, groups, folds, seed, scaled=True)
    return replace(found, model=prior.unfolded(found.model))


def _tuned(
    x: Features, y: npt.NDArray, groups: Groups, folds: int, seed: int, *, scaled: bool
) -> Tuned:
    """Fit as `tune_classes` says, on features that are scaled already or not."""
    folds = min(folds, _FEW_FOLDS) if len(y) > _MANY else folds
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2 or counts.min() < _LEAST:
        model = fit_classes(x, y, strength=_DEFAULT_STRENGTH, scaled=scaled)
        return Tuned(model, _DEFAULT_STRENGTH, None)
    if possible_folds(y, groups, folds) < 2:
        groups = None
    fold = deal(y, groups, possible_folds(y, groups, folds), seed)
    grid = STRENGTHS if len(y) >= _FEW else (_DEFAULT_STRENGTH,)
    best, least, held = _DEFAULT_STRENGTH, np.inf, np.empty(0)
    paths = [
        (fit_path(x[train], y[train], grid, scaled=scaled), test) for train, test in parts(fold)
    ]
    for strength in grid:
        scores = np.empty(len(y) if len(classes) == 2 else (len(y), len(classes)))
        for path, test in paths:
            scores[test] = Tuned(next(path), strength, None).decision(x[test], classes)
        loss = _balanced_loss(scores, y, classes)
        if loss >= least:  # weaker penalties are slower to fit and would be worse still
            break
        best, least, held = strength, loss, scores
    calibration = fit_calibration(held, y == classes[1]) if len(classes) == 2 else None
    return Tuned(fit_classes(x, y, strength=best, scaled=scaled), best, calibration)


def _balanced_loss(decision: Numbers, y: npt.NDArray, classes: npt.NDArray) -> float:
    """Cross-entropy of decision values with the same weight for each class."""
    from scipy.special import log_softmax

    columns = np.stack([0 * decision, decision], 1) if decision.ndim == 1 else decision
    loss = -log_softmax(columns, axis=1)[np.arange(len(y)), np.searchsorted(classes, y)]
    loss = np.minimum(loss, 50.0)  # a class that a training part lacked
    return float(np.mean([loss[y == name].mean() for name in classes]))


def cross_validate_classes(
    x: Features,
    y: npt.NDArray,
    groups: Groups = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    apart: Apart | None = None,
    prior: Prior | None = None,
    progress: Progress | None = None,
) -> HeldOut:
    """Predict each object by a tuned classifier that was trained on the other folds.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) classes; `possible_folds` must be 2 or more.
        groups: (n,) what stays together.
        folds: at most so many.
        seed: of the folds.
        apart: distance to keep between training and test.
        prior: see `tune_classes`.
        progress: called with (folds done, folds).
    """
    classes, scaled = np.unique(y), prior is not None
    x = x if prior is None else prior.apply(x)
    fold = deal(y, groups, possible_folds(y, groups, folds), seed)
    values = np.empty(len(y) if len(classes) == 2 else (len(y), len(classes)))
    strengths = []
    for number, (train, test) in enumerate(parts(fold, apart)):
        inner = None if groups is None else groups[train]
        tuned = _tuned(x[train], y[train], inner, folds, seed + number + 1, scaled=scaled)
        values[test] = tuned.decision(x[test], classes)
        strengths.append(tuned.strength)
        if progress:
            progress(number + 1, int(fold.max()) + 1)
    return HeldOut(values, fold, strengths)


def tune_values(
    x: Features,
    y: npt.NDArray[np.float64],
    groups: Groups = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    redshift: bool = False,
) -> tuple[LinearRegressor, float]:
    """Fit a ridge regression with the penalty that has the least square error on held-out folds.

    Of redshifts (`redshift`) it is ln(1 + z) that is fitted and compared, see `fit_values`.
    """
    same = np.zeros(len(y))
    if groups is not None and possible_folds(same, groups, folds) < 2:
        groups = None
    if len(y) < 2 * _LEAST:
        model = fit_values(x, y, strength=_DEFAULT_PENALTY, redshift=redshift)
        return model, _DEFAULT_PENALTY
    truth = np.log1p(y) if redshift else y
    fold = deal(same, groups, possible_folds(same, groups, folds), seed)
    error = np.zeros(len(PENALTIES))
    for train, test in parts(fold):
        for k, model in enumerate(fit_value_path(x[train], y[train], PENALTIES, redshift=redshift)):
            error[k] += float(((model.linear(x[test]) - truth[test]) ** 2).sum())
    best = PENALTIES[int(error.argmin())]
    return fit_values(x, y, strength=best, redshift=redshift), best


def cross_validate_values(
    x: Features,
    y: npt.NDArray[np.float64],
    groups: Groups = None,
    *,
    folds: int = FOLDS,
    seed: int = 0,
    apart: Apart | None = None,
    progress: Progress | None = None,
    redshift: bool = False,
) -> HeldOut:
    """Predict each number by a tuned regression on the other folds, as classes above."""
    same = np.zeros(len(y))
    fold = deal(same, groups, possible_folds(same, groups, folds), seed)
    values, strengths = np.empty(len(y)), []
    for number, (train, test) in enumerate(parts(fold, apart)):
        inner = None if groups is None else groups[train]
        model, strength = tune_values(
            x[train], y[train], inner, folds=folds, seed=seed + number + 1, redshift=redshift
        )
        values[test] = model.predict(x[test])
        strengths.append(strength)
        if progress:
            progress(number + 1, int(fold.max()) + 1)
    return HeldOut(values, fold, strengths)
