"""Few-shot accuracy: a linear probe on so many labels, drawn many times, scored on other tiles.

In: features of a training and of a test part. Out: the scores of the draws. The probe is that of
`sky-ssl probe` (`probes.crossval.tune_classes`); there the parts are halves of one sky.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.crossval import Tuned, tune_classes
from sky_ssl.probes.draws import draw_labels
from sky_ssl.probes.prior import Prior

Features = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


class Classifier(Protocol):
    """What scores rows (n, D): log-odds (n,) of the second of two classes, or (n, K)."""

    def decision(self, values: Features, classes: npt.NDArray, /) -> npt.NDArray[np.floating]:
        """Score them in the order of `classes`."""


Fit = Callable[[Features, npt.NDArray, int], Classifier]
"""(features (n, D), classes (n,), seed) -> a classifier."""


@dataclass(frozen=True)
class FewShot:
    """Scores of the draws, (repeats,) each."""

    balanced_accuracy: npt.NDArray[np.float64]
    average_precision: npt.NDArray[np.float64]  # at the prevalence asked for

    @property
    def mean(self) -> float:
        """Mean over the draws."""
        return float(self.balanced_accuracy.mean())

    @property
    def error(self) -> float:
        """Standard error of the mean over the draws."""
        return float(self.balanced_accuracy.std(ddof=1) / np.sqrt(len(self.balanced_accuracy)))


def few_shot(
    train: Features,
    positive: Flags,
    test: Features,
    test_positive: Flags,
    *,
    labels: int,
    repeats: int = 10,
    seed: int = 0,
    prevalence: float | None = None,
    fit: Fit | None = None,
) -> FewShot:
    """Fit on `labels` labels, half of each side, and score on all of the test part.

    Args:
        train: (M, D) features that labels are drawn from.
        positive: (M,) the truth.
        test: (N, D) features.
        test_positive: (N,) the truth.
        labels: number of labels in a draw.
        repeats: number of draws.
        seed: of the draws.
        prevalence: share of positives that the average precision is given for, by weights; None
            = as in the test part.
        fit: another classifier than the linear probe.

    Raises:
        InputError: fewer than half of `labels` on one side.
    """
    from sklearn.metrics import average_precision_score, balanced_accuracy_score

    fewest = int(min(positive.sum(), (~positive).sum()))
    if fewest < labels // 2:
        raise InputError(f"{labels} labels: one side has only {fewest} objects")
    kinds, pool = np.array([False, True]), np.arange(len(positive))
    share = float(test_positive.mean()) if prevalence is None else prevalence
    weight = np.where(
        test_positive, share / test_positive.mean(), (1 - share) / (~test_positive).mean()
    )
    accuracy, precision = [], []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        rows = draw_labels(pool, positive, labels, natural=False, rng=rng)
        model = (fit or linear_probe)(train[rows], positive[rows], repeat)
        score = model.decision(test, kinds)
        accuracy.append(balanced_accuracy_score(test_positive, score > 0))
        # calibrated scores end at a limit: they would tie at the top of a list
        rank = model.model.decision(test) if isinstance(model, Tuned) else score
        precision.append(average_precision_score(test_positive, rank, sample_weight=weight))
    return FewShot(np.array(accuracy), np.array(precision))


def linear_probe(x: Features, y: npt.NDArray, seed: int, prior: Prior | None = None) -> Classifier:
    """Fit the probe of `sky-ssl probe`, which has a prior on tokens (`crossval.tune_classes`)."""
    return tune_classes(x, y, seed=seed, prior=prior)
