"""How many true objects a list holds: the calibration of a rule, moved to the sky searched.

In: a rule, scores, the prevalence of this sky. Out: probabilities, expected numbers with
intervals, and doubts where scores and prevalence do not go together.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.rule import Selection
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.hits import hits_along
from sky_ssl.probes.prevalence import Prevalence

Scores = npt.NDArray[np.floating]

_DEPTHS = (10, 30, 100, 300, 1000, 3000, 10_000)
_MANY = 10  # expected objects, from which on a whole number will do


def calibration_for(
    selection: Selection, prevalence: Prevalence | None, notes: list[str]
) -> Calibration | None:
    """Read the calibration of a rule and move it to a prevalence; None if the rule has none."""
    if selection.calibration is None:
        notes.append(
            "the rule has no calibration: no probabilities and no expected numbers"
            + (", and the prevalence has no effect" if prevalence else "")
        )
        return None
    calibration = Calibration.from_dict(selection.calibration)
    if prevalence is None:
        notes.append(
            f"probabilities are for a sky where {calibration.prevalence:.2%} are "
            f"{selection.calibration_of or 'true'}, as in the sample of the rule: give the "
            "prevalence of this one if it is another"
        )
        return calibration
    return calibration.moved_to(prevalence)


def seen_here(
    selection: Selection,
    calibration: Calibration | None,
    scores: Scores,
    prevalence: Prevalence | None,
) -> Calibration | None:
    """Bring the calibration of a few labels into line with the scores (N,) of this sky.

    Only where the prevalence given is one of this sky, and the labels say little about how false
    ones are spread. What was calibrated on all objects of a sky knows that, and stays as it is:
    between skies of other depth and seeing all scores shift, true ones too. Counting the held-out
    true ones above a score of this sky would then promise more where fewer are found: on mock
    skies the error of the first 100 doubled.
    """
    stored = selection.calibration or {}
    whole = bool(stored.get("whole_sky", "valid_from" in stored))
    if calibration is None or prevalence is None or whole:
        return calibration
    return calibration.seen_in(supported(scores, selection))


def highest_true_score(selection: Selection) -> float:
    """Give the highest score of a true object that was held out; infinite if unknown."""
    value = (selection.measured.get("true_scores") or {}).get("high")
    return float(value) if isinstance(value, int | float) else np.inf


def supported(scores: Scores, selection: Selection) -> npt.NDArray[np.float64]:
    """Bring scores (N,) into the range that true objects support.

    A score beyond all of them is as likely an oddity, such as an artefact, as a sure case: it
    gets no higher probability than the best true object.
    """
    return np.minimum(np.asarray(scores, dtype=np.float64), highest_true_score(selection))


def expectations(scores: Scores, calibration: Calibration | None) -> list[dict[str, float]]:
    """Count the true objects expected among the first 10, 30, 100 and so on, and in all.

    Args:
        scores: (n,) of the list, as `supported` gives them.
        calibration: moved to the prevalence of this sky, which it has seen if it could.

    Returns:
        {"top", "mean", "low", "high"} for each depth.
    """
    n = len(scores)
    if calibration is None or not n:
        return []
    depths = [depth for depth in _DEPTHS if depth < n] + [n]
    draws = 1000 if n <= 20_000 else 200
    best = np.sort(np.asarray(scores, dtype=np.float64))[::-1]
    rows = zip(depths, *hits_along(best, np.array(depths), calibration, draws=draws), strict=True)
    return [
        {"top": top, "mean": float(mean), "low": float(low), "high": float(high)}
        for top, mean, low, high in rows
    ]


def doubts(
    selection: Selection,
    scores: Scores,
    calibration: Calibration,
    prevalence: Prevalence | None,
    threshold: float | None,
) -> list[str]:
    """Say so where the scores (N,) do not go together with the prevalence."""
    notes = []
    good = scores[np.isfinite(scores)]
    begin = (selection.calibration or {}).get("valid_from")
    if begin is not None and (threshold is None or threshold < float(begin)):
        notes.append(
            f"probabilities of scores below {float(begin):.3g} are extrapolated: the calibration "
            "of the rule was made above"
        )
    said = (prevalence or Prevalence(calibration.prevalence)).interval
    rates = selection.measured.get("rates")
    if isinstance(rates, dict) and selection.threshold is not None:
        share = float(np.mean(good >= selection.threshold)) if good.size else 0.0
        expected = [p * rates["true"] + (1 - p) * rates["false"] for p in (said.low, said.high)]
        what = f"{share:.2%} of the objects pass, where {expected[0]:.2%}"
    elif begin is None:
        share = float(calibration.probability(good).mean()) if good.size else 0.0
        expected = [said.low, said.high]
        what = f"the scores add up to {share:.3%} true objects, where {expected[0]:.3%}"
    else:
        return notes
    several = max(share, expected[0]) * good.size > 10
    if several and not 0.5 * expected[0] < share < 2 * expected[1]:
        notes.append(
            f"{what} would be expected at the prevalence {'given' if prevalence else 'of the rule'}"
            ": it does not fit this sky, or the rule does not; look at a random sample before "
            "trusting the numbers"
        )
    return notes


def expectation_lines(expected: Sequence[dict[str, Any]], of: str) -> list[str]:
    """Say how many true objects the first so many hold, to read."""
    lines = []
    for row in expected:
        half = (row["high"] - row["low"]) / 2
        # a few, or none: their number is not spread evenly around the mean
        spread = f" +- {half:.0f}" if row["mean"] >= _MANY else ""
        lines.append(
            f"the first {row['top']:.0f} hold {count_words(row['mean'])}{spread} of "
            f"{of or 'the true ones'!r} (95 %: {row['low']:.0f} to {row['high']:.0f})"
        )
    return lines


def count_words(count: float) -> str:
    """Write an expected number of objects with the digits that it is good for: 40, 2.3, 0.04."""
    if count >= _MANY:
        return f"{count:,.0f}"
    if count < 0.01:
        return "0" if count == 0 else "less than 0.01"
    return f"{count:.1f}" if count >= 1 else f"{count:.1g}"
