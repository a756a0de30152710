"""Figures of a classifier with 95 % intervals: accuracy, ROC AUC, purity, completeness.

In: the truth, decision values and predicted classes of objects that were not trained on. Out: a
dictionary of `Interval` by scikit-learn's names (precision = purity, recall = completeness).
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sky_ssl.probes.bootstrap import Interval, Weights, percentiles, replicates, widened, wilson
from sky_ssl.probes.scoring import class_probabilities, most_likely

Figures = dict[str, Interval]
Numbers = npt.NDArray[np.floating]
Share = tuple[float, float]  # hits, of


def confusion_matrix(truth: npt.NDArray, predicted: npt.NDArray, classes: npt.NDArray) -> Weights:
    """Count (K, K) objects by true class (rows) and predicted class (columns)."""
    return _confusions(truth, predicted, classes)(np.ones((1, len(truth))))[0]


def _confusions(
    truth: npt.NDArray, predicted: npt.NDArray, classes: npt.NDArray
) -> Callable[[Weights], Weights]:
    """Make the function from weights (B, n) to confusion matrices (B, K, K)."""
    K, n = len(classes), len(truth)
    cells = np.zeros((n, K * K))
    place = np.searchsorted(classes, truth) * K + np.searchsorted(classes, predicted)
    cells[np.arange(n), place] = 1.0
    return lambda weights: (weights @ cells).reshape(-1, K, K)


def class_figures(
    truth: npt.NDArray,
    decision: Numbers,
    classes: npt.NDArray,
    *,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> Figures:
    """Measure a classifier.

    Args:
        truth: (n,) classes.
        decision: (n,) log-odds of `classes[1]` for two classes, else (n, K).
        classes: (K,) sorted.
        groups: (n,) blocks of sky or the like, resampled as wholes.
        seed: of the resamples.

    Returns:
        accuracy, balanced_accuracy; for two classes roc_auc, average_precision, precision, recall
        and f1 of `classes[1]`; for more roc_auc_ovr and average_precision, means over the classes,
        and recall and precision of each, as `recall[name]`.
    """
    names, statistic = class_statistic(truth, decision, classes)
    value, drawn = replicates(statistic, len(truth), groups=groups, seed=seed)
    found = dict(zip(names, percentiles(value, drawn), strict=True))
    return secured(found, truth, decision, classes)


def class_statistic(
    truth: npt.NDArray, decision: Numbers, classes: npt.NDArray
) -> tuple[list[str], Callable[[Weights], Weights]]:
    """Give the names (k,) of the figures of `class_figures` and their function of the weights."""
    binary = decision.ndim == 1
    confusions = _confusions(truth, classes[most_likely(decision)], classes)
    columns = [decision] if binary else list(class_probabilities(decision).T)
    sides = [truth == classes[1]] if binary else [truth == name for name in classes]
    rankings = [ranking(side, column) for side, column in zip(sides, columns, strict=True)]
    names = ["accuracy", "balanced_accuracy", "roc_auc" if binary else "roc_auc_ovr"]
    names += ["average_precision"]
    if binary:
        names += ["precision", "recall", "f1"]
    else:
        names += [f"{kind}[{name}]" for kind in ("precision", "recall") for name in classes]

    def statistic(weights: Weights) -> Weights:
        matrix = confusions(weights)  # (B, K, K)
        with np.errstate(invalid="ignore", divide="ignore"):  # a class may be missing: NaN
            hits = np.diagonal(matrix, axis1=1, axis2=2)
            recall, precision = hits / matrix.sum(axis=2), hits / matrix.sum(axis=1)
            accuracy = hits.sum(axis=1) / matrix.sum(axis=(1, 2))
            ranked = np.mean([rank(weights) for rank in rankings], axis=0)  # (B, 2)
            first = [accuracy, recall.mean(axis=1), ranked[:, 0], ranked[:, 1]]
            if binary:
                r, p = recall[:, 1], precision[:, 1]
                f1 = 2 * hits[:, 1] / (matrix[:, 1].sum(axis=1) + matrix[:, :, 1].sum(axis=1))
                return np.stack([*first, p, r, f1], axis=1)
            return np.concatenate([np.stack(first, axis=1), precision, recall], axis=1)

    return names, statistic


def ranking(positive: npt.NDArray[np.bool_], score: Numbers) -> Callable[[Weights], Weights]:
    """Make the function from weights (B, n) to ROC AUC and average precision (B, 2), ties shared.

    Both as scikit-learn has them, with weights for how often an object was drawn.
    """
    order = np.argsort(-score, kind="stable")
    ranked, is_positive = score[order], positive[order]
    ends = np.flatnonzero(np.append(np.diff(ranked) != 0, True))  # last of each run of ties

    def both(weights: Weights) -> Weights:
        drawn = weights[:, order]
        above = np.cumsum(drawn * is_positive, axis=1)[:, ends]  # true positives so far
        false = np.cumsum(drawn, axis=1)[:, ends] - above
        start = np.zeros((len(weights), 1))
        gain = np.diff(above, axis=1, prepend=start)
        middle = false - np.diff(false, axis=1, prepend=start) / 2
        with np.errstate(invalid="ignore", divide="ignore"):  # one side may be missing: NaN
            auc = 1 - (gain * middle).sum(axis=1) / (above[:, -1] * false[:, -1])
            purity = np.where(gain > 0, above / (above + false), 0.0)
            average = (gain * purity).sum(axis=1) / above[:, -1]
        return np.stack([auc, average], axis=1)

    return both


def average_precision_at(
    positive: npt.NDArray[np.bool_], score: Numbers, prevalence: float
) -> Callable[[Weights], Weights]:
    """Make the function from weights (B, n) to average precision (B, 1) at another prevalence."""
    ranked = ranking(positive, score)

    def at(weights: Weights) -> Weights:
        real = (weights * positive).sum(axis=1, keepdims=True)
        rest = weights.sum(axis=1, keepdims=True) - real
        with np.errstate(invalid="ignore", divide="ignore"):  # one side may be missing: NaN
            share = np.where(positive, prevalence / real, (1 - prevalence) / rest)
            return ranked(weights * share)[:, 1:]

    return at


def secured(found: Figures, truth: npt.NDArray, decision: Numbers, classes: npt.NDArray) -> Figures:
    """Widen shares by Wilson's limits, and their mean by combining these (Zou & Donner 2008).

    Ten of ten resample to ten of ten for ever, but do not prove 100 %.
    """
    matrix = confusion_matrix(truth, classes[most_likely(decision)], classes)
    hits, of, said = np.diagonal(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    limits = {"accuracy": wilson(hits.sum(), of.sum()), "balanced_accuracy": _of_mean(hits, of)}
    if len(classes) == 2:
        limits |= {"precision": wilson(hits[1], said[1]), "recall": wilson(hits[1], of[1])}
        rarer = float(of.min())
        for name in ("roc_auc", "average_precision"):
            if found[name].low == found[name].high:  # all in order: no resample differs
                limits[name] = wilson(found[name].mean * rarer, rarer)
    else:
        for k, name in enumerate(classes):
            limits[f"precision[{name}]"] = wilson(hits[k], said[k])
            limits[f"recall[{name}]"] = wilson(hits[k], of[k])
    return {k: widened(v, *limits[k]) if k in limits else v for k, v in found.items()}


def _of_mean(hits: Weights, of: Weights) -> tuple[float, float]:
    """Limits of the mean of several shares."""
    have = of > 0
    shares = hits[have] / of[have]
    limits = np.array([wilson(h, n) for h, n in zip(hits[have], of[have], strict=True)])
    below = np.sqrt(((shares - limits[:, 0]) ** 2).sum()) / have.sum()
    above = np.sqrt(((limits[:, 1] - shares) ** 2).sum()) / have.sum()
    return float(shares.mean() - below), float(shares.mean() + above)
