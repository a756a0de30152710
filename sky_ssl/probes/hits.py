"""How many of the first so many objects of a list are real, with an interval.

In: scores and a calibration at the prevalence of the sky. Out: expected numbers. Where the
calibration has seen the sky (`Calibration.seen_in`), two things must agree: what the log-odds add
up to, and how many true objects there are in all times the share of the held-out true ones that
score as high. The second does not hang on how false ones are spread, which a few labels cannot say.
"""

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.bootstrap import Interval
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.prevalence import logit

Numbers = npt.NDArray[np.floating]

_ALIKE = 2.0  # held-out objects of one sky tell as much as half as many independent ones
_LOOSE = 3.0  # deviation of the log-odds, before they are made to go with a sky that was seen
_TINY = 1e-6


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
        calibration: moved to the prevalence of this sky, which it has seen if it could.
        draws, seed: of the uncertainties.
    """
    s = np.asarray(scores, dtype=np.float64)
    s = np.sort(_first(s[np.isfinite(s)], top))[::-1]
    if not s.size:
        return Interval(0.0, 0.0, 0.0)
    found = hits_along(s, np.array([s.size]), calibration, draws=draws, seed=seed)
    return Interval(*(float(values[0]) for values in found))


def hits_along(
    scores: Numbers,
    lengths: npt.NDArray[np.integer],
    calibration: Calibration,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Count the positives expected among the first of a list, for several lengths at once.

    Args:
        scores: (n,) finite, the highest first.
        lengths: (m,) of 1 to n.
        calibration, draws, seed: as above.

    Returns:
        Mean, low and high ends of the 95 % interval, (m,) each.
    """
    from scipy.special import expit

    s, last = np.asarray(scores, dtype=np.float64), np.asarray(lengths) - 1
    rng = np.random.default_rng(seed + 1)
    slope, intercept, share = calibration.draws(draws, seed)
    low_end, high_end = _drawn_limits(calibration, share, seed + 2)
    if calibration.seen is not None:
        intercept = intercept + rng.normal(0, _LOOSE, draws)
        objects = calibration.seen[1][-1]  # whose positives are a draw themselves
        share = np.maximum(rng.binomial(objects, share), 0.5) / objects
    sums, counts = np.empty((draws, len(last))), np.empty((draws, len(last)))
    for i in range(draws):
        p = expit(np.clip(slope[i] * s + intercept[i], low_end[i], high_end[i]))
        sums[i] = np.cumsum(p)[last]
        counts[i] = np.cumsum(rng.random(s.size) < p)[last]
    result = np.empty((3, len(last)))
    for m, place in enumerate(last):
        weight = _agreement(sums[:, m], float(s[place]), int(place) + 1, share, calibration)
        chosen = rng.choice(draws, draws, p=weight)
        mean = float(weight @ sums[:, m])
        low, high = np.percentile(counts[chosen, m], [2.5, 97.5])
        result[:, m] = mean, min(low, mean), max(high, mean)
    return result[0], result[1], result[2]


def _agreement(
    sums: npt.NDArray[np.float64],
    score: float,
    length: int,
    share: npt.NDArray[np.float64],
    calibration: Calibration,
) -> npt.NDArray[np.float64]:
    """Weigh draws (d,) by how well their sum goes with the held-out true objects above a score.

    Args:
        sums: (d,) true ones among the first of the list, were a draw right.
        score: of the last of these.
        length: how many these are.
        share: (d,) prevalences drawn.
    """
    if calibration.seen is None or not calibration.true_scores:
        return np.full(len(sums), 1 / len(sums))
    above, objects = calibration.above(score)
    true = np.asarray(calibration.true_scores)
    n = calibration.trues / _ALIKE
    k = n * float(np.mean(true >= score))
    # the list may lack some that score as high: known ones, and twins
    part = sums / length * max(above, length) / (objects * share)
    part = np.clip(part, _TINY, 1 - _TINY)
    fit = k * np.log(part) + (n - k) * np.log1p(-part)
    weight = np.exp(fit - fit.max())
    return np.asarray(weight / weight.sum())


def _drawn_limits(
    calibration: Calibration, share: npt.NDArray[np.float64], seed: int
) -> tuple[npt.NDArray, npt.NDArray]:
    """Draw limits of the log-odds (d,): the rate of what was never seen is not known.

    By Jeffreys' prior: it may be far below one in as many as were looked at. So is the share at the
    top of a list of held-out objects known as well as their number allows.

    Args:
        share: (d,) prevalences drawn.
    """
    rng, prior, draws = np.random.default_rng(seed), logit(share), len(share)
    low, high = np.full(draws, -np.inf), np.full(draws, np.inf)
    if calibration.labels is not None:
        positive, negative = calibration.labels
        rates = [np.maximum(rng.beta(0.5, n + 0.5, draws), 1e-12) for n in (positive, negative)]
        low, high = prior + np.log(rates[0]), prior - np.log(rates[1])
    if calibration.top is not None:
        positive, of, where = calibration.top
        kinds = positive / _ALIKE + 0.5, (of - positive) / _ALIKE + 0.5
        best = logit(rng.beta(*kinds, draws)) + prior - logit(where)
        high = np.minimum(high, best)
    return low, high


def _first(values: npt.NDArray[np.float64], top: int) -> npt.NDArray[np.float64]:
    """Take the `top` highest."""
    if top < 1:
        raise InputError(f"top {top}: must be 1 or more")
    count = min(top, values.size)
    return np.partition(values, values.size - count)[values.size - count :] if count else values[:0]
