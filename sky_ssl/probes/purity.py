"""Purity and completeness against threshold, and what purity becomes in another sky.

In: the truth and decision values of held-out objects, a prevalence. Out: intervals and curves.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.probes.bootstrap import Interval, Weights, group_numbers, replicates
from sky_ssl.probes.prevalence import Prevalence

Numbers = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]

_DRAWS = 2000


@dataclass(frozen=True)
class Curves:
    """Purity and completeness of what scores at least each threshold, with 95 % bands."""

    threshold: Numbers  # (T,) falling
    purity: Numbers  # (T, 3) mean, low, high
    completeness: Numbers  # (T, 3)
    selected: Numbers  # (T,) held-out objects at or above the threshold

    def as_dict(self) -> dict[str, list]:
        """Give plain lists for JSON."""
        return {
            "threshold": self.threshold.tolist(),
            "purity": self.purity.tolist(),
            "completeness": self.completeness.tolist(),
            "selected": self.selected.tolist(),
        }


def purity_of(true_rate: Numbers, false_rate: Numbers, prevalence: npt.ArrayLike) -> Numbers:
    """Give the purity that Bayes' rule gives: p t / (p t + (1 - p) f)."""
    p = np.asarray(prevalence, dtype=np.float64)
    real = p * true_rate
    return np.asarray(real / (real + (1 - p) * false_rate))


def purity_at(
    selected: Flags,
    truth: Flags,
    prevalence: Prevalence,
    *,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> Interval:
    """Give the purity of a selection in a sky with another prevalence.

    The rates of true and false positives carry over, the frequencies do not. The interval holds
    what is not known about the rates (Jeffreys' prior: no false positive among 100 negatives does
    not prove that there are none; fewer objects where those of a group are alike) and about the
    prevalence.

    Args:
        selected, truth: (n,) of held-out objects.
        prevalence: of the other sky.
        groups: (n,) blocks of sky.
        seed: of the draws.
    """
    score = selected.astype(np.float64)
    curves = curves_of(
        truth, score, np.array([0.5]), prevalence=prevalence, groups=groups, seed=seed
    )
    return Interval(*curves.purity[0].tolist())


def curves_of(
    truth: Flags,
    score: Numbers,
    thresholds: Numbers | None = None,
    *,
    prevalence: Prevalence | None = None,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> Curves:
    """Measure purity and completeness against threshold.

    Args:
        truth, score: (n,) of held-out objects.
        thresholds: (T,) falling; default: 50 between the scores, closer at the top.
        prevalence: of the sky that the purity is for; None for that of the objects given.
        groups: (n,) blocks of sky, resampled as wholes.
        seed: of the resamples.
    """
    if thresholds is None:
        places = np.unique(np.geomspace(1, len(score), 50).astype(int)) - 1
        thresholds = np.unique(np.sort(score)[::-1][places])[::-1]
    above = (score[:, None] >= thresholds).astype(np.float64)  # (n, T)
    columns = np.concatenate([above * truth[:, None], above * ~truth[:, None]], axis=1)
    sizes = np.stack([truth, ~truth], axis=1).astype(np.float64)

    def counts(weights: Weights) -> Weights:
        return np.concatenate([weights @ columns, weights @ sizes], axis=1)

    value, drawn = replicates(counts, len(truth), groups=groups, seed=seed)
    T = len(thresholds)
    hits, false, positives, negatives = value[:T], value[T : 2 * T], value[-2], value[-1]
    # drawn rates: Beta distributions of as many objects as tell as much as the groups do
    rng = np.random.default_rng(seed)
    mean: Numbers
    grouped = group_numbers(groups, len(truth))[1] is not None
    completeness = _rates(hits, positives, drawn[:, :T], drawn[:, -2:-1], grouped, rng)
    false_rate = _rates(false, negatives, drawn[:, T : 2 * T], drawn[:, -1:], grouped, rng)
    if prevalence is None:
        p: npt.ArrayLike = positives / (positives + negatives)
        mean = hits / np.maximum(hits + false, 1)
    else:
        p = prevalence.draw(_DRAWS, rng)[:, None]
        rates = (hits + 0.5) / (positives + 1), (false + 0.5) / (negatives + 1)
        mean = purity_of(*rates, prevalence.value)
    return Curves(
        thresholds,
        _band(mean, purity_of(completeness, false_rate, p)),
        _band(hits / max(positives, 1), completeness),
        hits + false,
    )


def _rates(
    hits: Weights,
    of: float,
    drawn: Weights,
    drawn_of: Weights,
    grouped: bool,
    rng: np.random.Generator,
) -> Weights:
    """Draw (draws, T) rates hits / of, in step along the thresholds."""
    from scipy.stats import beta

    worth = np.full(len(hits), 1.0)
    if grouped:
        p = np.clip(hits / max(of, 1), 0.5 / (of + 1), 1 - 0.5 / (of + 1))
        with np.errstate(invalid="ignore", divide="ignore"):  # a resample without this kind
            spread = np.nanvar(drawn / drawn_of, axis=0)
        worth = np.maximum(spread / (p * (1 - p) / max(of, 1)), 1.0)
    a, b = (hits / worth) + 0.5, (of - hits) / worth + 0.5
    return np.asarray(beta.ppf(rng.random((_DRAWS, 1)), a, b))


def _band(mean: Numbers, drawn: Numbers) -> Numbers:
    """Give (T, 3): mean and the 95 % band of draws (B, T)."""
    low, high = np.nanpercentile(drawn, [2.5, 97.5], axis=0)
    return np.stack([mean, np.fmin(low, mean), np.fmax(high, mean)], axis=1)
