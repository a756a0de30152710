"""Probabilities one can count with: from decision values, at the prevalence of the sky they serve.

In: decision values of held-out objects and the truth. Out: a `Calibration`, probabilities, and how
many of the first so many objects are expected to be real, with an interval.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.bootstrap import Interval
from sky_ssl.probes.prevalence import Prevalence, logit

Numbers = npt.NDArray[np.floating]

_SLOPES = (0.05, 50.0)  # per deviation of the scores: hardly a ranking, a step


@dataclass(frozen=True)
class Calibration:
    """log-odds = slope x decision value + intercept, in a sky with this prevalence."""

    slope: float
    intercept: float
    prevalence: float  # of what it was fitted on, or moved to
    covariance: tuple[float, float, float] = (
        0.0,
        0.0,
        0.0,
    )  # slope^2, slope intercept, intercept^2
    audit: tuple[int, int] | None = None  # (hits, of) where an audit gave the prevalence
    labels: tuple[int, int] | None = None  # (positive, negative) it rests on; None: not limited

    def log_odds(self, scores: Numbers) -> Numbers:
        """Give calibrated log-odds of decision values, within the limits."""
        low, high = self.limits
        return np.clip(self.slope * np.asarray(scores) + self.intercept, low, high)

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest log-odds that the labels can support, see `fit_calibration`."""
        if self.labels is None:
            return -np.inf, np.inf
        prior, (positive, negative) = float(logit(self.prevalence)), self.labels
        return prior - np.log(positive + 1), prior + np.log(negative + 1)

    def probability(self, scores: Numbers) -> Numbers:
        """Give the probability (N,) of being positive for decision values (N,)."""
        from scipy.special import expit

        return np.asarray(expit(self.log_odds(scores)))

    def score(self, probability: float) -> float:
        """Give the decision value that has this probability; infinite if none has."""
        wanted = float(logit(probability))
        if self.slope <= 0 or wanted > self.limits[1]:
            return np.inf
        return (wanted - self.intercept) / self.slope

    def moved_to(self, prevalence: "float | Prevalence") -> "Calibration":
        """Move to the prevalence of another sky, where either kind looks as it does here.

        Bayes: all log-odds shift by the difference of the prior log-odds (Saerens, Latinne &
        Decaestecker 2002, Neural Comput. 14, 21).
        """
        p = prevalence if isinstance(prevalence, Prevalence) else Prevalence(float(prevalence))
        shift = float(logit(p.value) - logit(self.prevalence))
        audit = None if p.hits is None or p.of is None else (p.hits, p.of)
        return replace(self, intercept=self.intercept + shift, prevalence=p.value, audit=audit)

    def draws(self, count: int, seed: int) -> tuple[npt.NDArray, npt.NDArray]:
        """Draw slopes and intercepts (count,) that labels and audit allow."""
        rng = np.random.default_rng(seed)
        a, b, c = self.covariance
        # a Cholesky factor by hand: the matrix may be singular
        first, second = rng.normal(size=(2, count))
        along = np.sqrt(a)
        across = b / along if along > 0 else 0.0
        slope = np.maximum(self.slope + along * first, 0.0)
        rest = np.sqrt(max(c - across**2, 0.0))
        intercept = self.intercept + across * first + rest * second
        if self.audit:
            drawn = Prevalence(self.prevalence, *self.audit).draw(count, rng)
            intercept = intercept + logit(drawn) - logit(self.prevalence)
        return slope, intercept

    def as_dict(self) -> dict[str, Any]:
        """Give plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Calibration":
        """Read what `as_dict` gave.

        Raises:
            InputError: a value is missing.
        """
        try:
            audit, labels = values.get("audit"), values.get("labels")
            return cls(
                slope=float(values["slope"]),
                intercept=float(values["intercept"]),
                prevalence=float(values["prevalence"]),
                covariance=tuple(map(float, values.get("covariance", (0.0, 0.0, 0.0)))),  # type: ignore[arg-type]
                audit=None if audit is None else (int(audit[0]), int(audit[1])),
                labels=None if labels is None else (int(labels[0]), int(labels[1])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"calibration: cannot be read ({error!r})") from None


def fit_calibration(scores: Numbers, truth: npt.NDArray) -> Calibration:
    """Fit slope and intercept on held-out objects (Platt 1999, with his targets).

    The targets (n+ + 1) / (n+ + 2) and 1 / (n- + 2) instead of 1 and 0 stand for one more object
    of either kind: with few labels the probabilities stay away from 0 and 1. A score that does
    not rank gets next to no slope, never less: the order of objects remains. The covariance is
    that of the maximum-likelihood fit. What was not seen among n objects still has a rate
    of 1 / (n + 1) or so (Laplace's rule of succession): the likelihood ratio is never taken to be
    above n- + 1, nor below 1 / (n+ + 1), however far out the score. In a sky where positives are
    rare, this keeps the top of a list honest.

    Args:
        scores: (n,) decision values of objects that the probe was not trained on.
        truth: (n,) True = positive.

    Raises:
        InputError: one kind only, or scores that are not finite.
    """
    scores, truth = np.asarray(scores, dtype=np.float64), np.asarray(truth, dtype=bool)
    positives, n = int(truth.sum()), len(truth)
    if not 0 < positives < n:
        raise InputError(f"calibration: {positives} of {n} are positive; both kinds are needed")
    if scores.shape != truth.shape or not np.isfinite(scores).all():
        raise InputError(f"calibration: needs a finite score for each of {n} objects")
    high, low = (positives + 1) / (positives + 2), 1 / (n - positives + 2)
    target = np.where(truth, high, low)
    centre, width = float(scores.mean()), float(scores.std()) or 1.0
    z = (scores - centre) / width
    slope, intercept, hessian = _two_parameters(np.asarray(z, dtype=np.float64), target)
    covariance = np.linalg.inv(hessian)
    to_raw = np.array([[1 / width, 0.0], [-centre / width, 1.0]])
    spread = to_raw @ covariance @ to_raw.T
    return Calibration(
        slope=slope / width,
        intercept=intercept - slope * centre / width,
        prevalence=positives / n,
        covariance=(float(spread[0, 0]), float(spread[0, 1]), float(spread[1, 1])),
        labels=(positives, n - positives),
    )


def _two_parameters(
    z: npt.NDArray[np.float64], target: npt.NDArray[np.float64]
) -> tuple[float, float, npt.NDArray[np.float64]]:
    """Minimise the cross-entropy over slope and intercept; give them and the Hessian."""
    from scipy.optimize import minimize
    from scipy.special import expit

    def loss(p: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        f = p[0] * z + p[1]
        residual = expit(f) - target
        gradient = np.array([residual @ z, residual.sum()])
        return float((np.logaddexp(0, f) - target * f).sum()), gradient

    start = np.array([1.0, float(logit(target.mean()))])
    bounds = [_SLOPES, (None, None)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    p = expit(found[0] * z + found[1])
    v = p * (1 - p)
    hessian = np.array([[v @ z**2, v @ z], [v @ z, v.sum()]]) + 1e-9 * np.eye(2)
    return float(found[0]), float(found[1]), hessian


def expected_hits(probabilities: Numbers, top: int) -> Interval:
    """Count the positives expected among the `top` likeliest objects, were the probabilities exact.

    The 95 % interval is that of the count itself (Poisson-binomial, in its normal approximation
    with a continuity correction); `calibrated_hits` adds what is not known about the
    probabilities.

    Args:
        probabilities: (N,) calibrated; NaN counts as none.
        top: objects looked at, from the likeliest down.
    """
    p = _first(np.nan_to_num(np.asarray(probabilities, dtype=np.float64)), top)
    mean, spread = float(p.sum()), float(np.sqrt((p * (1 - p)).sum()))
    low = max(0.0, float(np.ceil(mean - 1.96 * spread - 0.5)))
    high = min(float(p.size), float(np.floor(mean + 1.96 * spread + 0.5)))
    return Interval(mean, min(low, mean), max(high, mean))


def calibrated_hits(
    scores: Numbers, top: int, calibration: Calibration, *, draws: int = 1000, seed: int = 0
) -> Interval:
    """Count the positives expected among the `top` highest scores: "the first 300 hold 40 +- 8".

    The 95 % interval joins the scatter of the count with the uncertainty of the calibration and
    of the prevalence where an audit gave it.

    Args:
        scores: (N,) decision values; NaN is left out.
        top: objects looked at, from the highest score down.
        calibration: moved to the prevalence of this sky.
        draws, seed: of the uncertainties.
    """
    from scipy.special import expit

    rng = np.random.default_rng(seed + 1)
    s = np.asarray(scores, dtype=np.float64)
    s = _first(s[np.isfinite(s)], top)
    slope, intercept = calibration.draws(draws, seed)
    low_end, high_end = _drawn_limits(calibration, draws, seed + 2)
    counts = np.empty(draws)
    for i in range(draws):
        p = expit(np.clip(slope[i] * s + intercept[i], low_end[i], high_end[i]))
        counts[i] = np.count_nonzero(rng.random(s.size) < p)
    mean = float(calibration.probability(s).sum())
    low, high = np.percentile(counts, [2.5, 97.5])
    return Interval(mean, min(float(low), mean), max(float(high), mean))


def _drawn_limits(
    calibration: Calibration, draws: int, seed: int
) -> tuple[npt.NDArray, npt.NDArray]:
    """Draw limits of the log-odds (draws,): the rate of what was never seen is not known."""
    if calibration.labels is None:
        return np.full(draws, -np.inf), np.full(draws, np.inf)
    rng, prior = np.random.default_rng(seed), float(logit(calibration.prevalence))
    positive, negative = calibration.labels
    return (
        prior + np.log(rng.beta(1, positive, draws)),
        prior - np.log(rng.beta(1, negative, draws)),
    )


def _first(values: npt.NDArray[np.float64], top: int) -> npt.NDArray[np.float64]:
    """Take the `top` highest."""
    if top < 1:
        raise InputError(f"top {top}: must be 1 or more")
    count = min(top, values.size)
    return np.partition(values, values.size - count)[values.size - count :] if count else values[:0]
