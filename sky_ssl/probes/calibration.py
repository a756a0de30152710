"""Probabilities one can count with: from decision values, at the prevalence of the sky they serve.

In: decision values of held-out objects and the truth. Out: a `Calibration`, and probabilities.
How many of a list are real with an interval is counted in `hits`.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.prevalence import Prevalence, logit

Numbers = npt.NDArray[np.floating]

_DOUBT = 2.0  # log-odds of real scores are no straight line: its deviations are doubled
_KEPT = 200  # held-out true scores, spread evenly over their ranks
_DEPTHS = 100  # ranks of a sky that are kept
_LEAST_TOP = 30  # objects that say how far the share at the top goes
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
    true_scores: tuple[float, ...] = ()  # of held-out positives, rising
    trues: int = 0  # positives that these stand for
    top: tuple[int, int, float] | None = None  # (positives, of) at best, prevalence; None: no limit
    seen: tuple[tuple[float, ...], tuple[int, ...]] | None = None  # scores of a sky, falling; ranks

    def log_odds(self, scores: Numbers) -> Numbers:
        """Give calibrated log-odds of decision values, within the limits."""
        low, high = self.limits
        return np.clip(self.slope * np.asarray(scores) + self.intercept, low, high)

    @property
    def limits(self) -> tuple[float, float]:
        """Log-odds that held-out objects support, see `fit_calibration` and `levelled`."""
        low, high = -np.inf, np.inf
        if self.labels is not None:
            prior, (positive, negative) = float(logit(self.prevalence)), self.labels
            low, high = prior - np.log(positive + 1), prior + np.log(negative + 1)
        if self.top is not None:
            positive, of, _ = self.top
            best = logit((positive + 0.5) / (of + 1)) + self.moved
            high = min(high, float(best))
        return low, high

    @property
    def moved(self) -> float:
        """By how much log-odds were shifted since the share at the top was measured."""
        return 0.0 if self.top is None else float(logit(self.prevalence) - logit(self.top[2]))

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

    def knowing(self, true_scores: Numbers) -> "Calibration":
        """Keep the decision values (n,) of held-out positives, or as many ranks of them."""
        kept = np.sort(np.asarray(true_scores, dtype=np.float64))
        if len(kept) > _KEPT:
            kept = np.quantile(kept, np.linspace(0, 1, _KEPT))
        return replace(self, true_scores=tuple(kept.tolist()), trues=len(true_scores))

    def levelled(self, scores: Numbers, truth: npt.NDArray[np.bool_]) -> "Calibration":
        """Promise no more than the best first part of a list of held-out objects has held.

        Where scores are of something else than the truth, such as a place on a map, the share of
        true ones levels off at the top, or falls, and a straight line of the log-odds overshoots.
        This is the highest step of an isotonic fit (Ayer et al. 1955, Ann. Math. Stat. 26, 641)
        that has 30 objects or more.

        Args:
            scores: (n,) decision values of held-out objects in the proportion of this prevalence.
            truth: (n,) True = positive.
        """
        ranked = np.asarray(truth, dtype=bool)[np.argsort(-np.asarray(scores), kind="stable")]
        hits, of = np.cumsum(ranked), np.arange(1, len(ranked) + 1)
        least = min(_LEAST_TOP, len(ranked)) - 1
        share = (hits / of)[least:]
        best = least + int(np.flatnonzero(share == share.max())[-1])
        return replace(self, top=(int(hits[best]), int(of[best]), self.prevalence))

    def seen_in(self, scores: Numbers) -> "Calibration":
        """Keep how many objects of a sky score as high, for numbers of true ones to go with.

        A few labels cannot say how rare high scores are among negatives; the sky itself can, see
        `hits`. The probability of each object stays as it is.

        Args:
            scores: (N,) of all objects of this sky, which has this prevalence; NaN is left out.
        """
        s = np.asarray(scores, dtype=np.float64)
        s = np.sort(s[np.isfinite(s)])[::-1]
        if not self.true_scores or not s.size:
            return self
        ranks = np.unique(np.geomspace(1, s.size, _DEPTHS).round().astype(np.int64))
        return replace(self, seen=(tuple(s[ranks - 1].tolist()), tuple(ranks.tolist())))

    def above(self, score: float) -> tuple[int, int]:
        """Count the objects of the sky seen that score as high, about, and all of them.

        Raises:
            InputError: no sky was seen.
        """
        if self.seen is None:
            raise InputError("calibration: has seen no sky to count the objects of")
        scores, ranks = (np.asarray(values, dtype=np.float64) for values in self.seen)
        rank = np.exp(np.interp(-score, -scores, np.log(ranks)))
        return round(float(rank)), int(ranks[-1])

    def draws(self, count: int, seed: int) -> tuple[npt.NDArray, npt.NDArray, npt.NDArray]:
        """Draw slopes, intercepts and prevalences (count,) that labels and audit allow."""
        rng = np.random.default_rng(seed)
        a, b, c = np.array(self.covariance) * _DOUBT**2
        # a Cholesky factor by hand: the matrix may be singular
        first, second = rng.normal(size=(2, count))
        along = np.sqrt(a)
        across = b / along if along > 0 else 0.0
        slope = np.maximum(self.slope + along * first, 0.0)
        rest = np.sqrt(max(c - across**2, 0.0))
        intercept = self.intercept + across * first + rest * second
        share = np.full(count, self.prevalence)
        if self.audit:
            share = Prevalence(self.prevalence, *self.audit).draw(count, rng)
            intercept = intercept + logit(share) - logit(self.prevalence)
        return slope, intercept, share

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
            names = ("audit", "labels", "seen", "top")
            audit, labels, seen, top = (values.get(name) for name in names)
            return cls(
                slope=float(values["slope"]),
                intercept=float(values["intercept"]),
                prevalence=float(values["prevalence"]),
                covariance=tuple(map(float, values.get("covariance", (0.0, 0.0, 0.0)))),  # type: ignore[arg-type]
                audit=None if audit is None else (int(audit[0]), int(audit[1])),
                labels=None if labels is None else (int(labels[0]), int(labels[1])),
                true_scores=tuple(map(float, values.get("true_scores", ()))),
                trues=int(values.get("trues", 0)),
                top=None if top is None else (int(top[0]), int(top[1]), float(top[2])),
                seen=None if seen is None else (tuple(seen[0]), tuple(seen[1])),
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
    ).knowing(scores[truth])


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
