"""Are the probabilities right? Reliability bins, Brier score, calibration error.

In: probabilities of held-out objects and the truth. Out: figures with intervals.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.probes.bootstrap import Interval, Weights, percentiles, replicates, wilson

Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Reliability:
    """Promised against found, in bins of equal numbers of objects."""

    promised: Numbers  # (B,) mean probability
    found: Numbers  # (B, 3) share of positives, with its 95 % interval
    count: Numbers  # (B,) objects
    brier_score_loss: Interval  # mean square of probability - truth
    log_loss: Interval
    calibration_error: Interval  # mean |promised - found| over the bins

    def as_dict(self) -> dict[str, object]:
        """Give plain values for JSON."""
        return {
            "promised": self.promised.tolist(),
            "found": self.found.tolist(),
            "count": self.count.tolist(),
            "brier_score_loss": self.brier_score_loss.as_dict(),
            "log_loss": self.log_loss.as_dict(),
            "calibration_error": self.calibration_error.as_dict(),
        }


def reliability(
    probability: Numbers,
    truth: npt.NDArray[np.bool_],
    *,
    bins: int = 10,
    groups: npt.NDArray | None = None,
    seed: int = 0,
) -> Reliability:
    """Compare probabilities with what was found.

    Args:
        probability, truth: (n,) of held-out objects, at the prevalence of these objects.
        bins: of about the same number of objects each.
        groups: (n,) blocks of sky, resampled as wholes.
        seed: of the resamples.
    """
    n = len(truth)
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-9, 1 - 1e-9)
    order = np.argsort(p, kind="stable")
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n) * min(bins, n) // n
    member = np.zeros((n, min(bins, n)))
    member[np.arange(n), place] = 1.0
    losses = np.stack([(p - truth) ** 2, -np.log(np.where(truth, p, 1 - p))], axis=1)

    def statistic(weights: Weights) -> Weights:
        total = weights.sum(axis=1, keepdims=True)
        gap = np.abs(weights @ (member * (p - truth)[:, None])).sum(axis=1, keepdims=True)
        return np.concatenate([weights @ losses, gap], axis=1) / total

    value, drawn = replicates(statistic, n, groups=groups, seed=seed)
    count, hits = member.sum(axis=0), member.T @ truth
    limits = np.array([wilson(h, c) for h, c in zip(hits, count, strict=True)])
    return Reliability(
        (member.T @ p) / count,
        np.column_stack([hits / count, limits]),
        count,
        *percentiles(value, drawn),
    )
