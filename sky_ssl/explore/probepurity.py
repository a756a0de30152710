"""Purity, completeness and reliability of a probe on held-out objects, for a prevalence.

In: a `Problem` with two kinds and what a probe said of objects it had not seen. Out: figures and
curves as plain values.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.probing import Problem
from sky_ssl.probes.bootstrap import percentiles, replicates
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.metrics import average_precision_at
from sky_ssl.probes.prevalence import Prevalence
from sky_ssl.probes.purity import curves_of, purity_at
from sky_ssl.probes.reliability import reliability

Numbers = npt.NDArray[np.floating]


def threshold_figures(
    problem: Problem,
    held: Numbers,
    prevalence: Prevalence,
    given: Prevalence | None,
    seed: int,
    notes: list[str],
) -> dict[str, Any]:
    """Measure what needs a threshold or a prevalence.

    Args:
        problem: with two kinds.
        held: (n,) held-out log-odds at equal frequencies, NaN where not held out.
        prevalence: that probabilities are for.
        given: the same where the user gave it, else None: then purity is that of the labels.
        seed: of resamples.
        notes: gets warnings.
    """
    use = np.isfinite(held)
    truth, score = problem.y[use].astype(bool), held[use]
    if not 0 < truth.sum() < len(truth):
        return {}
    groups = None if problem.groups is None else problem.groups[use]
    even = Calibration(1.0, 0.0, 0.5)
    probability = even.moved_to(float(truth.mean())).probability(score)
    body: dict[str, Any] = {
        "reliability": reliability(probability, truth, groups=groups, seed=seed).as_dict()
    }
    body |= {"brier_score_loss": body["reliability"]["brier_score_loss"]}
    curves = curves_of(
        truth,
        even.moved_to(prevalence).probability(score),
        prevalence=given,
        groups=groups,
        seed=seed,
    )
    body["curves"] = curves.as_dict()
    if given:
        others = int((~truth).sum())
        if given.value * others < 10:
            notes.append(
                f"at a prevalence of {given.value:.2g} purity hangs on fewer than one "
                f"false positive in {1 / given.value:,.0f}; {others} negatives cannot show "
                "that: look at the first candidates and audit them"
            )
        share = purity_at(score > 0, truth, given, groups=groups, seed=seed)
        body["precision_at_prevalence"] = share.as_dict()
        value, drawn = replicates(
            average_precision_at(truth, score, given.value),
            len(truth),
            groups=groups,
            seed=seed,
        )
        body["average_precision_at_prevalence"] = percentiles(value, drawn)[0].as_dict()
    return body
