"""What a probe is worth, measured while one goes on labelling: figures, curves, a rule to keep.

In: a `Problem` of two kinds. Out: a `Measured`: cross-validated figures with 95 % intervals, curves
against threshold and against the number of labels, confusion at a threshold, a `Selection`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.labelcolumn import biased_sources
from sky_ssl.explore.probescore import SIZES, Outcome, ProbeOptions, curve_point, measure
from sky_ssl.explore.probeuse import calibration_of
from sky_ssl.explore.probing import Problem
from sky_ssl.explore.rule import Selection
from sky_ssl.probes.bootstrap import Interval, wilson
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.crossval import Tuned
from sky_ssl.probes.prevalence import Prevalence, logit
from sky_ssl.probes.purity import curves_of

Numbers = npt.NDArray[np.floating]
Tell = Callable[[float, str], None]

FIGURES = ("balanced_accuracy", "roc_auc", "average_precision")
_ENOUGH = 20  # labels of a kind before figures mean something
_EXEMPLARS = 100


@dataclass(frozen=True)
class Measured:
    """A probe and its figures."""

    problem: Problem
    outcome: Outcome
    prevalence: Prevalence
    curve: list[dict[str, Any]]  # {"n_train", figures by name} for rising numbers of labels

    @property
    def notes(self) -> list[str]:
        """What to beware of."""
        return list(self.outcome.result["notes"])

    @property
    def has_curves(self) -> bool:
        """Say whether anything was held out, so that curves could be drawn."""
        return "curves" in self.outcome.result

    def figure(self, name: str) -> Interval | None:
        """Give a figure with its interval, by scikit-learn's name."""
        found = self.outcome.result.get(name)
        return None if found is None else Interval(found["mean"], found["low"], found["high"])

    def curves(self) -> dict[str, Numbers]:
        """Give threshold (T,), purity (T, 3), completeness (T, 3), selected (T,)."""
        return {k: np.array(v) for k, v in self.outcome.result["curves"].items()}

    def reliability(self) -> dict[str, Any]:
        """Give promised (B,), found (B, 3), count (B,) and calibration_error."""
        return dict(self.outcome.result["reliability"])

    def best_threshold(self) -> float:
        """Give the probability with the best F1 on held-out objects."""
        c = self.curves()
        p, r = c["purity"][:, 0], c["completeness"][:, 0]
        return float(c["threshold"][int(np.argmax(p * r / np.maximum(p + r, 1e-12)))])

    def held_out(self) -> tuple[npt.NDArray[np.bool_], Numbers]:
        """Give the truth (m,) and held-out probabilities (m,)."""
        use = np.isfinite(self.outcome.held)
        even = Calibration(1.0, 0.0, 0.5).moved_to(self.prevalence)
        return self.problem.y[use].astype(bool), even.probability(self.outcome.held[use])

    def confusion(self, threshold: float) -> Numbers:
        """Count held-out objects (2, 2): truth (negative, positive) by what the probe says."""
        truth, probability = self.held_out()
        said = probability >= threshold
        return np.array([[np.sum((truth == t) & (said == s)) for s in (0, 1)] for t in (0, 1)])

    def at(self, threshold: float) -> dict[str, Interval]:
        """Measure purity and completeness at one threshold, at the prevalence."""
        truth, probability = self.held_out()
        groups = self.problem.groups
        kept = None if groups is None else groups[np.isfinite(self.outcome.held)]
        given = self.prevalence if self.outcome.result["given"] else None
        found = curves_of(truth, probability, np.array([threshold]), prevalence=given, groups=kept)
        return {
            "purity": Interval(*found.purity[0].tolist()),
            "completeness": Interval(*found.completeness[0].tolist()),
        }


def measure_probe(
    problem: Problem,
    prevalence: Prevalence,
    given: Prevalence | None,
    tell: Tell,
    *,
    seed: int = 0,
) -> Iterator[Measured]:
    """Measure a probe: first by cross-validation, then with a learning curve that grows.

    Args:
        problem: of two kinds.
        prevalence: that probabilities are for.
        given: the same where it is that of the sky, else None.
        tell: called with (share done, what is being done); may raise to stop.
        seed: of folds, draws and resamples.

    Yields:
        The same probe with more and more of its learning curve.
    """
    options = ProbeOptions(prevalence=given, seed=seed)
    tell(0.0, "cross-validation")
    outcome = measure(
        problem, options, lambda done, of: tell(0.4 * done / of, f"fold {done} of {of}")
    )
    outcome.result["given"] = given is not None
    yield Measured(problem, outcome, prevalence, [])
    points: list[dict[str, Any]] = []
    sizes = [size for size in SIZES if size <= len(problem.y) // 2]
    for place, size in enumerate(sizes):
        tell(0.5 + 0.5 * place / len(sizes), f"learning curve, {size} labels")
        try:
            figures = curve_point(problem, problem.x, size, options)
        except InputError:  # a kind lies in one block of sky alone
            break
        if figures is None:
            break
        points.append({"n_train": size, **figures})
        yield Measured(problem, outcome, prevalence, list(points))


def verdict(positive: int, negative: int) -> str:
    """Say plainly whether so many labels of either kind are enough to judge by; "" if so."""
    rarest = min(positive, negative)
    if rarest >= _ENOUGH:
        return ""
    if rarest < 3:
        return (
            f"{rarest} of the rarer kind: far too little to judge the probe by; figures and "
            f"probabilities mean nothing yet. Label at least {_ENOUGH} of each kind."
        )
    return (
        f"{rarest} of the rarer kind: the figures are rough, as their intervals show. Label at "
        f"least {_ENOUGH} of each kind."
    )


def bias_words(sources: dict[str, int]) -> str:
    """Warn where labels were picked and not drawn at random; "" if not.

    Args:
        sources: labels by where they are from, as the ledger names it.
    """
    import pandas as pd

    listed = pd.Series([name for name, count in sources.items() for _ in range(count)], dtype=str)
    if not biased_sources(listed):
        return ""
    picked = {k: n for k, n in sources.items() if k not in ("audit", "import") and n}
    total, chosen = sum(sources.values()), sum(picked.values())
    kinds = ", ".join(f"{k} {n:,}" for k, n in sorted(picked.items(), key=lambda item: -item[1]))
    return (
        f"{chosen:,} of {total:,} labels were picked ({kinds}), not drawn at random: purity, "
        "completeness and probabilities measured on them are those of a biased draw. Label an "
        "audit sample, or give the share in this sky, before you quote them."
    )


def rule_of(
    measured: Measured, threshold: float, *, name: str, sources: dict[str, int] | None = None
) -> Selection:
    """Make the rule of a probe: what reaches a probability.

    Args:
        measured: the probe and its figures.
        threshold: least probability, at the prevalence of the figures.
        name: of the rule.
        sources: labels by where they are from.

    Raises:
        InputError: nothing could be held out, or the labels do not tell the kinds apart.
    """
    from sky_ssl.explore.selection import probe_selection

    outcome, problem, result = measured.outcome, measured.problem, measured.outcome.result
    calibration, model = calibration_of(outcome), outcome.model
    if not isinstance(model, Tuned) or calibration is None or not measured.has_curves:
        raise InputError("too few labels for a rule: nothing could be held out to measure it by")
    if calibration.slope <= 0:
        raise InputError("the labels do not tell the kinds apart, so there is no rule")
    score = (float(logit(threshold)) - calibration.intercept) / calibration.slope
    found = measured.at(threshold)
    figures = {n: found[n].as_dict() for n in ("purity", "completeness")}
    figures |= {n: result[n] for n in FIGURES if n in result}
    truth, probability = measured.held_out()
    said = probability >= threshold
    rates = {"true": float(said[truth].mean()), "false": float(said[~truth].mean())}
    how = (
        f"held-out objects, {result['split']}; {result['n_train']} labels to train, "
        f"{result['n_test']} to test; purity at a prevalence of {calibration.prevalence:.3g}; "
        f"threshold at a probability of {threshold:.3g}"
    )
    positives = problem.rows[problem.y.astype(bool)]
    counts = {"positive": len(positives), "negative": len(problem.y) - len(positives)}
    rule = probe_selection(
        problem.e,
        model.model,
        positive=model.model.classes[1],
        threshold=score,
        calibration=calibration,
        measured={**figures, "rates": rates, "how": how},
        name=name,
        exemplars=positives[:_EXEMPLARS],
        origin={
            "task": problem.column,
            "label": problem.positive,
            "labelled": counts,
            "sources": dict(sources or {}),
        },
    )
    return replace(rule, calibration_of=problem.positive)


def share_limits(matrix: Numbers) -> Numbers:
    """Give (2, 2, 3): the share of each cell in its row, with its 95 % limits."""
    total = matrix.sum(axis=1)
    cells = [
        [(c / max(t, 1), *wilson(c, t)) for c in row] for row, t in zip(matrix, total, strict=True)
    ]
    return np.array(cells, dtype=np.float64)
