"""Linear probes: what can be read off embeddings by a plane.

Features are standardised with the mean and deviation of the training part alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.floating]


@dataclass(frozen=True)
class ClassScores:
    """A classifier on its test part."""

    balanced_accuracy: float  # mean over classes of the share found
    predicted: npt.NDArray  # (n_test,)


@dataclass(frozen=True)
class ValueScores:
    """A regression on its test part."""

    r2: float  # 1 - residual / total sum of squares
    predicted: npt.NDArray[np.float64]  # (n_test,)


def probe_classes(
    x: Features, y: npt.NDArray, x_test: Features, y_test: npt.NDArray, strength: float = 0.01
) -> ClassScores:
    """Fit a logistic regression, each class with the same weight.

    Args:
        x, x_test: (n, D) embeddings.
        y, y_test: (n,) classes; test objects of classes unknown in training count as missed.
        strength: inverse of the L2 penalty.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
    )
    model.fit(x, y)
    predicted = model.predict(x_test)
    found = [np.mean(predicted[y_test == name] == name) for name in np.unique(y_test)]
    return ClassScores(float(np.mean(found)), predicted)


def probe_values(
    x: Features,
    y: npt.NDArray[np.float64],
    x_test: Features,
    y_test: npt.NDArray[np.float64],
    strength: float = 100.0,
) -> ValueScores:
    """Fit a ridge regression.

    Args:
        x, x_test: (n, D) embeddings.
        y, y_test: (n,) numbers.
        strength: of the L2 penalty.
    """
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), Ridge(alpha=strength)).fit(x, y)
    predicted = model.predict(x_test)
    return ValueScores(float(r2_score(y_test, predicted)), predicted)
