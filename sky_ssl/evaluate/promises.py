"""Whether a probe keeps its promises where dwarfs are rare: probabilities against the truth.

In: features and the truth of a sky. Out: for each draw of labels and each prevalence, what was
promised and what was found. A probe learns from as many dwarfs as others; its probabilities are
moved to the prevalence, as `sky-ssl candidates --prevalence` does.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.evaluate.testsky import Features, Truth
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.crossval import tune_classes
from sky_ssl.probes.draws import draw_labels
from sky_ssl.probes.hits import calibrated_hits
from sky_ssl.probes.prior import Prior

EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the bins of probability; a probe of few labels promises little where dwarfs are rare."""
FIRST = 100
"""Length of the list that is promised to hold so many dwarfs."""

Numbers = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


def promise_draws(
    x: Features,
    truth: Truth,
    *,
    prevalences: tuple[float, ...],
    labels: int,
    repeats: int,
    prior: Prior | None = None,
) -> dict[str, dict[str, Any]]:
    """Fit probes on the training half and compare what they promise with the test half.

    Args:
        x: (N, D) features, as probes see them.
        truth: of the same sky.
        prevalences: shares of dwarfs, above 0.
        labels: in a draw, half of each side.
        repeats: draws.
        prior: see `measures.prior_of_sky`.

    Returns:
        By prevalence, lists of a number per draw: "calibration_error" (mean distance of promise
        and truth over the bins of `EDGES`), "brier_score_loss", "expected" and "found" dwarfs
        among the first 100 of a sky with that share of dwarfs, "inside" (1 where the number found
        is within the 95 % interval that was promised); and "bins", (draws, bins, 3): shares of the
        sky, of promised and of true dwarfs in each. Empty where there are too few labels.
    """
    task = truth.task("A")
    a, b = task.halves(truth.train)
    y, real = task.kinds[a], task.kinds[b]
    if min(y.sum(), (~y).sum()) < labels // 2 or labels < 6:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for repeat in range(repeats):
        rng = np.random.default_rng([2, repeat])
        rows = draw_labels(np.arange(len(a)), y, labels, natural=False, rng=rng)
        probe = tune_classes(x[a[rows]], y[rows], seed=repeat, prior=prior)
        assert probe.calibration is not None  # three or more labels of a kind have one
        score = probe.model.decision(x[b])
        for prevalence in prevalences:
            moved = probe.calibration.moved_to(prevalence)
            kept = kept_promises(moved, score, real, rng)
            mine = found.setdefault(f"{prevalence:g}", {})
            for name, value in kept.items():
                mine.setdefault(name, []).append(value)
    return found


def kept_promises(
    calibration: Calibration, score: Numbers, real: Flags, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare the probabilities of a calibration with the truth, at its prevalence.

    Args:
        calibration: moved to the prevalence.
        score: (n,) decision values of objects that were not trained on.
        real: (n,) True = dwarf.
        rng: draws which of the dwarfs are on the sky that is listed.

    Returns:
        See `promise_draws`, for one draw.

    Raises:
        InputError: all objects are of one kind.
    """
    if real.all() or not real.any():
        raise InputError("promises: objects of one kind only; both are needed")
    p = np.asarray(calibration.probability(score), dtype=np.float64)
    share = calibration.prevalence
    weight = np.where(real, share / real.sum(), (1 - share) / (~real).sum())
    place = np.digitize(p, EDGES[1:-1])
    sums = np.stack(
        [
            np.bincount(place, weight * what, minlength=len(EDGES) - 1)
            for what in (np.ones_like(p), p, real)
        ],
        axis=1,
    )
    wanted = max(1, round(share / (1 - share) * int((~real).sum())))
    dwarfs = rng.permutation(np.flatnonzero(real))[:wanted]
    sky = np.sort(np.concatenate([np.flatnonzero(~real), dwarfs]))
    ranked = sky[np.argsort(-score[sky], kind="stable")][:FIRST]
    promised = calibrated_hits(score[sky], FIRST, calibration.seen_in(score[sky]))
    count = int(real[ranked].sum())
    return {
        "calibration_error": float(np.abs(sums[:, 1] - sums[:, 2]).sum()),
        "brier_score_loss": float(weight @ (p - real) ** 2),
        "expected": promised.mean,
        "found": float(count),
        "inside": float(promised.low <= count <= promised.high),
        "bins": sums.tolist(),
    }
