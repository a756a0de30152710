"""Linear probes: what can be read off embeddings by a plane.

In: embeddings (n, D) with classes or numbers (n,). Out: a plane that scores any number of rows,
block by block. Features are standardised with the mean and deviation of the training part alone;
for scoring this is folded into the coefficients, so that no standardised copy is made.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]

BLOCK_ROWS = 16_384
STRENGTHS = (0.0003, 0.003, 0.03, 0.3, 3.0)
"""Inverses of the L2 penalty to choose from."""
_FAR = 1000.0  # deviations between a feature's mean and zero where float32 gets too coarse


@dataclass(frozen=True)
class ClassScores:
    """A classifier on its test part."""

    balanced_accuracy: float  # mean over classes of the share found
    predicted: npt.NDArray  # (n_test,)


@dataclass(frozen=True)
class ValueScores:
    """A regression on its test part."""

    r2: float  # 1 - residual / total sum of squares
    predicted: Numbers  # (n_test,)


@dataclass(frozen=True)
class LinearClassifier:
    """A logistic regression on standardised features."""

    classes: npt.NDArray  # (K,) text, truth values or whole numbers, sorted
    coefficients: Numbers  # (K, D) of standardised features; (1, D) for two classes
    intercept: Numbers  # (K,) or (1,)
    mean: Numbers  # (D,)
    std: Numbers  # (D,)

    def decision(self, values: Features, progress: Progress | None = None) -> Features:
        """Score rows (N, D), which may be a memory map of any length.

        Returns:
            float32: (N,) log-odds of `classes[1]` where there are two, else (N, K). NaN for rows
            with NaN.
        """
        scores = project(values, self.coefficients, self.intercept, self.mean, self.std, progress)
        return scores[:, 0] if len(self.classes) == 2 else scores

    def probabilities(self, values: Features, progress: Progress | None = None) -> Features:
        """Give (N, K) float32 probabilities, as if all classes were equally frequent.

        They are neither calibrated nor moved to a prevalence: see `probes.calibration`.
        """
        return class_probabilities(self.decision(values, progress))

    def predict(self, values: Features) -> npt.NDArray:
        """Give the class (N,) of each row."""
        return self.classes[most_likely(self.decision(values))]


@dataclass(frozen=True)
class LinearRegressor:
    """A ridge regression on standardised features."""

    coefficients: Numbers  # (D,) of standardised features
    intercept: float
    mean: Numbers  # (D,)
    std: Numbers  # (D,)

    def predict(self, values: Features, progress: Progress | None = None) -> Features:
        """Predict the number (N,) float32 of rows (N, D), which may be a memory map."""
        rows, shift = self.coefficients[None], np.array([self.intercept])
        return project(values, rows, shift, self.mean, self.std, progress)[:, 0]


def project(
    values: Features,
    coefficients: Numbers,
    intercept: Numbers,
    mean: Numbers,
    std: Numbers,
    progress: Progress | None = None,
) -> Features:
    """Give ((values - mean) / std) @ coefficients.T + intercept, (N, K) float32, by blocks.

    Args:
        values: (N, D), may be a memory map; float16 is widened block by block.
        coefficients, intercept: (K, D) and (K,).
        mean, std: (D,) of the standardisation.
        progress: called with (rows, N).

    Raises:
        InputError: another number of features.
    """
    if values.ndim != 2 or values.shape[1] != len(mean):
        raise InputError(f"embeddings of shape {values.shape}: the probe needs (N, {len(mean)})")
    N, weights = len(values), np.asarray(coefficients / std, dtype=np.float64)
    offset = intercept - weights @ mean
    kind = np.float64 if np.max(np.abs(mean) / std, initial=0.0) > _FAR else np.float32
    folded: Features = np.ascontiguousarray(weights.T).astype(kind)  # (D, K)
    scores = np.empty((N, len(intercept)), dtype=np.float32)
    for start in range(0, N, BLOCK_ROWS):
        block: Features = np.asarray(values[start : start + BLOCK_ROWS]).astype(kind, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):  # rows of NaN score NaN
            scores[start : start + len(block)] = block @ folded + offset
        if progress:
            progress(start + len(block), N)
    return scores


def class_probabilities(decision: Features) -> Features:
    """Turn decision values, (N,) for two classes or (N, K), into probabilities (N, K)."""
    from scipy.special import expit, softmax

    if decision.ndim == 1:
        return np.stack([expit(-decision), expit(decision)], axis=1)
    return np.asarray(softmax(decision, axis=1))


def most_likely(decision: Features) -> npt.NDArray[np.int64]:
    """Give the place (N,) of the likeliest class for decision values (N,) or (N, K)."""
    if decision.ndim == 1:
        return (decision > 0).astype(np.int64)
    return np.asarray(decision.argmax(axis=1), dtype=np.int64)


def fit_classes(
    x: Features, y: npt.NDArray, *, strength: float = 0.01, balanced: bool = True
) -> LinearClassifier:
    """Fit a logistic regression with an L2 penalty.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) classes, two or more different ones.
        strength: inverse of the penalty (scikit-learn's C).
        balanced: give each class the same weight in all.

    Raises:
        InputError: one class only, or NaN.
    """
    return fit_path(x, y, (strength,), balanced=balanced)[0]


def fit_path(
    x: Features, y: npt.NDArray, strengths: tuple[float, ...], *, balanced: bool = True
) -> list[LinearClassifier]:
    """Fit `fit_classes` for several strengths, each started from the one before.

    With fewer labels than features the fit runs in the space that the labelled rows span: the
    penalty keeps the coefficients in it, so nothing is lost.
    """
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(y)
    if len(classes) < 2:
        what = f"all {len(y)} are {classes[0]!s}" if len(classes) else "there are none"
        raise InputError(f"labels: {what}; a probe needs at least two kinds")
    mean, std, z = _standardised(x, len(y))
    axes, reduced = _span(z)
    model = LogisticRegression(
        class_weight="balanced" if balanced else None, max_iter=2000, tol=1e-5, warm_start=True
    )
    fits = []
    for strength in strengths:
        model.set_params(C=strength).fit(reduced, y)
        coefficients = model.coef_ @ axes if axes is not None else model.coef_.copy()
        fits.append(LinearClassifier(classes, coefficients, model.intercept_.copy(), mean, std))
    return fits


def fit_values(x: Features, y: npt.NDArray, *, strength: float = 100.0) -> LinearRegressor:
    """Fit a ridge regression.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) finite numbers.
        strength: of the L2 penalty (scikit-learn's alpha).

    Raises:
        InputError: fewer than two rows, or NaN.
    """
    from scipy.linalg import solve

    y = np.asarray(y, dtype=np.float64)
    if len(y) < 2 or not np.isfinite(y).all():
        raise InputError(f"labels: {len(y)} numbers; a probe needs at least two, none of them NaN")
    mean, std, z = _standardised(x, len(y))
    n, D = z.shape
    level = float(y.mean())
    if n < D:  # the coefficients are combinations of the rows
        w = z.T @ solve(z @ z.T + strength * np.eye(n), y - level, assume_a="pos")
    else:
        w = solve(z.T @ z + strength * np.eye(D), z.T @ (y - level), assume_a="pos")
    return LinearRegressor(w, level, mean, std)


def _standardised(x: Features, n: int) -> tuple[Numbers, Numbers, Numbers]:
    """Give mean (D,), deviation (D,) and the standardised rows (n, D); constants become 0."""
    x = np.asarray(x, dtype=np.float64)
    if x.ndim != 2 or len(x) != n:
        raise InputError(f"embeddings of shape {x.shape} for {n} labels: must be ({n}, D)")
    if not np.isfinite(x).all():
        rows = np.count_nonzero(~np.isfinite(x).all(axis=1))
        raise InputError(f"embeddings: {rows} of {n} rows have NaN; leave them out")
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std <= 10 * np.finfo(np.float32).eps * np.abs(mean)] = 1.0
    return mean, std, (x - mean) / std


def _span(z: Numbers) -> tuple[Numbers | None, Numbers]:
    """Rotate rows (n, D) into their own span: axes (r, D) or None, coordinates (n, r)."""
    n, D = z.shape
    if n >= D:
        return None, z
    squares, u = np.linalg.eigh(z @ z.T)
    keep = squares > squares[-1] * 1e-12
    length = np.sqrt(squares[keep])
    return (u[:, keep] / length).T @ z, u[:, keep] * length


def probe_classes(
    x: Features, y: npt.NDArray, x_test: Features, y_test: npt.NDArray, strength: float = 0.01
) -> ClassScores:
    """Fit a logistic regression, each class with the same weight, and score it.

    Args:
        x, x_test: (n, D) embeddings.
        y, y_test: (n,) classes; test objects of classes unknown in training count as missed.
        strength: inverse of the L2 penalty.
    """
    predicted = fit_classes(x, y, strength=strength).predict(x_test)
    found = [np.mean(predicted[y_test == name] == name) for name in np.unique(y_test)]
    return ClassScores(float(np.mean(found)), predicted)


def probe_values(
    x: Features,
    y: Numbers,
    x_test: Features,
    y_test: Numbers,
    strength: float = 100.0,
) -> ValueScores:
    """Fit a ridge regression and score it.

    Args:
        x, x_test: (n, D) embeddings.
        y, y_test: (n,) numbers.
        strength: of the L2 penalty.
    """
    from sklearn.metrics import r2_score

    predicted = fit_values(x, y, strength=strength).predict(x_test)
    return ValueScores(float(r2_score(y_test, predicted)), predicted.astype(np.float64))
