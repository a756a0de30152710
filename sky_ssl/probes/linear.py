"""Linear probes: what can be read off embeddings by a plane.

In: embeddings (n, D) with classes or numbers (n,). Out: a plane that scores any number of rows,
block by block. Features are standardised with the mean and deviation of the training part alone;
for scoring this is folded into the coefficients, so that no standardised copy is made.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.scoring import class_probabilities, most_likely, project
from sky_ssl.progress import Progress

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.float64]

STRENGTHS = (0.0003, 0.003, 0.03, 0.3, 3.0)
"""Inverses of the L2 penalty of classifiers to choose from."""
PENALTIES = (1e5, 1e4, 1e3, 1e2, 1e1, 1.0)
"""L2 penalties of regressions to choose from."""
_MARGIN = 0.2  # of the range of ln(1 + z) learnt from, beyond which no redshift is foretold
_EXACT_ROWS = 1000


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
    """A ridge regression on standardised features, of a number or of ln(1 + redshift)."""

    coefficients: Numbers  # (D,) of standardised features
    intercept: float
    mean: Numbers  # (D,)
    std: Numbers  # (D,)
    redshift: bool = False  # what is linear is ln(1 + z)
    limits: tuple[float, float] = (-np.inf, np.inf)  # no prediction is beyond

    def linear(self, values: Features, progress: Progress | None = None) -> Features:
        """Give what is linear in the features, (N,) float32: the number, or ln(1 + z)."""
        rows, shift = self.coefficients[None], np.array([self.intercept])
        return project(values, rows, shift, self.mean, self.std, progress)[:, 0]

    def predict(self, values: Features, progress: Progress | None = None) -> Features:
        """Predict the number (N,) float32 of rows (N, D), which may be a memory map."""
        found = self.linear(values, progress)
        return np.expm1(np.clip(found, *self.limits)) if self.redshift else found


def fit_classes(
    x: Features,
    y: npt.NDArray,
    *,
    strength: float = 0.1,
    balanced: bool = True,
    scaled: bool = False,
) -> LinearClassifier:
    """Fit a logistic regression with an L2 penalty.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) classes, two or more different ones.
        strength: inverse of the penalty (scikit-learn's C).
        balanced: give each class the same weight in all.
        scaled: the features are scaled already, as by `prior.Prior.apply`: leave them as they are.

    Raises:
        InputError: one class only, or NaN.
    """
    return next(fit_path(x, y, (strength,), balanced=balanced, scaled=scaled))


def fit_path(
    x: Features,
    y: npt.NDArray,
    strengths: tuple[float, ...],
    *,
    balanced: bool = True,
    scaled: bool = False,
) -> Iterator[LinearClassifier]:
    """Fit `fit_classes` for several strengths in turn, each started from the one before.

    With fewer labels than features the fit runs in the space that the labelled rows span: the
    penalty keeps the coefficients in it, so nothing is lost.
    """
    from sklearn.linear_model import LogisticRegression

    classes = np.unique(y)
    if len(classes) < 2:
        what = f"all {len(y)} are {classes[0]!s}" if len(classes) else "there are none"
        raise InputError(f"labels: {what}; a probe needs at least two kinds")
    if scaled:
        z = _checked(x, len(y))
        mean, std = np.zeros(z.shape[1]), np.ones(z.shape[1])
    else:
        mean, std, z = _standardised(x, len(y))
    axes, reduced = _span(z)
    if len(z) > _EXACT_ROWS:
        reduced = reduced.astype(np.float32)  # half the time, differences below 1 %
    model = LogisticRegression(
        class_weight="balanced" if balanced else None,
        max_iter=2000,
        tol=1e-5 if len(classes) == 2 else 1e-4,
        warm_start=True,
    )
    for strength in strengths:
        model.set_params(C=strength).fit(reduced, y)
        coefficients = model.coef_ @ axes if axes is not None else model.coef_.copy()
        yield LinearClassifier(classes, coefficients, model.intercept_.copy(), mean, std)


def fit_values(
    x: Features, y: npt.NDArray, *, strength: float = 100.0, redshift: bool = False
) -> LinearRegressor:
    """Fit a ridge regression.

    Args:
        x: (n, D) embeddings without NaN.
        y: (n,) finite numbers.
        strength: of the L2 penalty (scikit-learn's alpha).
        redshift: fit ln(1 + y) instead, of which a difference is that of y in units of 1 + y, by
            which redshifts are judged: a quasar at 3 then does not outweigh hundreds of galaxies.

    Raises:
        InputError: fewer than two rows, NaN, or a redshift of -1 or less.
    """
    return fit_value_path(x, y, (strength,), redshift=redshift)[0]


def fit_value_path(
    x: Features, y: Numbers, strengths: tuple[float, ...], *, redshift: bool = False
) -> list[LinearRegressor]:
    """Fit `fit_values` for several strengths from one decomposition."""
    y = np.asarray(y, dtype=np.float64)
    if len(y) < 2 or not np.isfinite(y).all():
        raise InputError(f"labels: {len(y)} numbers; a probe needs at least two, none of them NaN")
    limits = (-np.inf, np.inf)
    if redshift:
        if not (y > -1).all():
            raise InputError(f"labels: a redshift of {y.min():g}; they must be above -1")
        y = np.log1p(y)
        margin = _MARGIN * (y.max() - y.min())
        limits = (float(y.min() - margin), float(y.max() + margin))
    mean, std, z = _standardised(x, len(y))
    n, D = z.shape
    level = float(y.mean())
    if n < D:  # the coefficients are combinations of the rows
        squares, u = np.linalg.eigh(z @ z.T)
        before, after = u.T @ (y - level), z.T @ u
    else:
        squares, u = np.linalg.eigh(z.T @ z)
        before, after = u.T @ (z.T @ (y - level)), u
    return [
        LinearRegressor(after @ (before / (squares + s)), level, mean, std, redshift, limits)
        for s in strengths
    ]


def _standardised(x: Features, n: int) -> tuple[Numbers, Numbers, Numbers]:
    """Give mean (D,), deviation (D,) and the standardised rows (n, D); constants become 0."""
    x = _checked(x, n)
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std <= 10 * np.finfo(np.float32).eps * np.abs(mean)] = 1.0
    return mean, std, (x - mean) / std


def _checked(x: Features, n: int) -> Numbers:
    """Give rows (n, D) in float64; refuse another shape, and NaN."""
    rows: Numbers = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != n:
        raise InputError(f"embeddings of shape {rows.shape} for {n} labels: must be ({n}, D)")
    if not np.isfinite(rows).all():
        bad = np.count_nonzero(~np.isfinite(rows).all(axis=1))
        raise InputError(f"embeddings: {bad} of {n} rows have NaN; leave them out")
    return rows


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
