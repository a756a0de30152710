"""Few-shot accuracy: a linear probe on so many labels, drawn many times, scored on other tiles."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

_STRENGTHS = np.array(
    [0.0003, 0.003, 0.03, 0.3, 3.0]
)  # inverse of the L2 penalty, chosen by 5 folds


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

    Raises:
        ValueError: fewer than half of `labels` on one side.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score, balanced_accuracy_score
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sides = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    half = labels // 2
    if min(map(len, sides)) < half:
        raise ValueError(f"{labels} labels: one side has only {min(map(len, sides))} objects")
    rng = np.random.default_rng(seed)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    share = float(test_positive.mean()) if prevalence is None else prevalence
    weight = np.where(
        test_positive, share / test_positive.mean(), (1 - share) / (~test_positive).mean()
    )
    accuracy, precision = [], []
    for _ in range(repeats):
        rows = np.concatenate([rng.choice(side, half, replace=False) for side in sides])
        search = GridSearchCV(
            model, {"logisticregression__C": _STRENGTHS}, cv=min(5, half), scoring="roc_auc"
        )
        search.fit(train[rows], positive[rows])
        accuracy.append(balanced_accuracy_score(test_positive, search.predict(test)))
        score = search.decision_function(test)
        precision.append(average_precision_score(test_positive, score, sample_weight=weight))
    return FewShot(np.array(accuracy), np.array(precision))
