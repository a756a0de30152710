"""From what was drawn to a rule: a lasso on a map, or a cut on a column.

In: open embeddings and which objects lie inside. Out: a `Selection` by a linear classifier of the
full embedding space, with purity and completeness measured on objects it was not fitted on.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.features import features_of, probe_softness, softened
from sky_ssl.explore.fitted import probe_selection
from sky_ssl.explore.heldout import (
    Folds,
    best_threshold,
    sample_rows,
    share,
    sky_folds,
    training_parts,
)
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.similarity import blocks
from sky_ssl.probes.calibration import fit_calibration
from sky_ssl.probes.linear import LinearClassifier, fit_classes
from sky_ssl.probes.scoring import project
from sky_ssl.progress import Progress
from sky_ssl.sky.coords import first_of_each

EXEMPLARS = 25
_CALIBRATION_ROWS, _LEAST_CALIBRATED = 200_000, 100
_WHOLE = 0.9  # share of objects with a label, from which on these stand for the sky
Flags = npt.NDArray[np.bool_]


def lasso_selection(
    e: Embeddings,
    inside: Flags,
    *,
    name: str = "lasso",
    labels: npt.NDArray[np.str_] | None = None,
    positive: str = "",
    origin: Mapping[str, Any] | None = None,
    use: Flags | None = None,
    merge_arcsec: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Selection:
    """Make a rule of objects that were drawn, by a probe of inside against outside.

    The threshold is where F1 against what was drawn is largest. Purity and completeness are
    measured on folds of sky that were held out, at the threshold that the other folds choose; no
    training object is within 3 arcmin of one that is tested.

    Args:
        e: the embeddings whose map was drawn on.
        inside: (N,) True = drawn.
        labels: (N,) classes where they are known, else empty: then purity and completeness for
            the class `positive` are measured as well, and probabilities are those of the class.
        positive: class that is looked for.
        origin: what was drawn on, such as the map and the polygon; kept in the rule.
        use: (N,) objects that take part; default all.
        merge_arcsec: objects closer than this are one, of which the drawn one counts.
        seed: of the sample, where there are too many objects to fit.
        progress: called with (rows, all rows) while the held-out objects are scored.

    Raises:
        InputError: nothing is drawn, or everything, or the arrays have other lengths.
    """
    inside = np.asarray(inside)
    part = _taking_part(e, inside, use, merge_arcsec)
    folds = sky_folds(e.ra[part], e.dec[part], e.tile[part], inside[part])
    final = _fit(e, sample_rows(part, inside, seed), inside)
    samples = training_parts(e.ra, e.dec, part, folds, inside, seed)
    folds = folds if samples else replace(folds, count=min(folds.count, 1))
    fits = [_fit(e, rows, inside) for rows in samples] or [final]
    scores = _held_out(e, part, folds, fits, progress)
    good = np.isfinite(scores)
    part, scores = part[good], scores[good]
    folds = replace(folds, fold=folds.fold[good], group=folds.group[good])
    truth = inside[part]
    threshold = best_threshold(scores, truth)
    accepted = _accepted(scores, truth, folds, threshold)
    measured = _measure(accepted, truth, folds)
    target, of, passing, whole = truth, name, accepted, True
    if labels is not None and positive:
        known = np.asarray(labels)[part] != ""
        target, of = np.asarray(labels)[part] == positive, positive
        measured |= _measure_class(accepted, truth, known, target, folds.group, positive)
        whole = bool(known.mean() >= _WHOLE)
        scores, target, passing = scores[known], target[known], accepted[known]
    usable = folds.count > 1 and 0 < target.sum() < len(target)
    calibration = _calibrate(scores, target, int(passing.sum()), whole) if usable else None
    if usable:
        measured |= _reach(scores, target, passing)
    rule = probe_selection(
        e,
        final,
        positive=True,
        threshold=threshold,
        measured=measured,
        name=name,
        exemplars=_examples(part, accepted, truth),
        origin={"from": "lasso", "drawn": int(inside.sum()), "of": len(inside), **(origin or {})},
    )
    return replace(rule, calibration=calibration, calibration_of=of if calibration else "")


def threshold_selection(
    e: Embeddings,
    values: npt.NDArray[np.floating],
    *,
    column: str,
    low: float | None = None,
    high: float | None = None,
    name: str = "",
    **options: Any,
) -> Selection:
    """Make a rule of a cut on any column or score of the objects, such as `mag_r` or an anomaly.

    The cut itself needs the column; the rule needs embeddings alone: it is a probe for the objects
    that passed, with purity and completeness against the cut. Objects without a value are left
    out.

    Args:
        values: (N,) of the column, NaN if unknown.
        column: its name.
        low, high: bounds, inclusive; one may be missing.
        options: of `lasso_selection`.

    Raises:
        InputError: no bound, or no object passes, or all do.
    """
    if low is None and high is None:
        raise InputError(f"threshold on {column}: give a lowest value, a highest, or both")
    values = np.asarray(values, dtype=np.float64)
    if values.shape != e.ra.shape:
        raise InputError(f"{column}: {values.shape} values for {len(e.ra)} objects")
    known = np.isfinite(values)
    passed = known & (values >= (-np.inf if low is None else low))
    passed &= values <= (np.inf if high is None else high)
    ends = ((">=", low), ("<=", high))
    bounds = [f"{sign} {value:g}" for sign, value in ends if value is not None]
    origin = {"from": "threshold", "column": column, "low": low, "high": high}
    title = name or f"{column} {' and '.join(bounds)}"
    rule = lasso_selection(e, passed, name=title, origin=origin, use=known, **options)
    return replace(rule, kind="threshold")


def _taking_part(
    e: Embeddings, inside: Flags, use: Flags | None, merge_arcsec: float
) -> npt.NDArray[np.int64]:
    """Give the rows that take part, each object once."""
    N = len(e.ra)
    if inside.shape != (N,) or inside.dtype != bool:
        raise InputError(f"inside: {inside.dtype} of shape {inside.shape}, must be ({N},) of bool")
    taking = np.ones(N, dtype=bool) if use is None else np.asarray(use, dtype=bool)
    drawn = int((inside & taking).sum())
    if drawn in (0, int(taking.sum())):
        raise InputError(
            f"{drawn} of {int(taking.sum())} objects are inside: a rule needs some inside and some "
            "outside"
        )
    taking = taking & first_of_each(e.ra, e.dec, merge_arcsec, np.argsort(~inside, kind="stable"))
    return np.flatnonzero(taking)


def _fit(e: Embeddings, rows: npt.NDArray[np.int64], inside: Flags) -> LinearClassifier:
    """Fit inside against outside."""
    x = np.asarray(features_of(e)[rows], dtype=np.float32)
    good = np.isfinite(x).all(axis=1)
    return fit_classes(x[good], inside[rows][good])


def _held_out(
    e: Embeddings,
    part: npt.NDArray[np.int64],
    folds: Folds,
    fits: list[LinearClassifier],
    progress: Progress | None,
) -> npt.NDArray[np.float32]:
    """Score each object (n,) by the fit that has not seen its fold, in one pass over the file."""
    which = np.full(len(e.ra), -1, dtype=np.int64)
    which[part] = np.minimum(folds.fold, len(fits) - 1)
    scores = np.full(len(e.ra), np.nan, dtype=np.float32)
    softness = probe_softness(e)
    for start, raw in blocks(e.values, progress):
        block = softened(raw, softness) if softness else raw
        mine = which[start : start + len(block)]
        for k, fit in enumerate(fits):
            rows = np.flatnonzero(mine == k)
            if rows.size:
                plane = fit.coefficients, fit.intercept, fit.mean, fit.std
                scores[start + rows] = project(block[rows], *plane)[:, 0]
    return scores[part]


def _accepted(
    scores: npt.NDArray[np.float32], truth: Flags, folds: Folds, threshold: float
) -> Flags:
    """Say which objects (n,) pass, each fold at the threshold that the others choose."""
    if folds.count < 2:
        return np.asarray(scores >= threshold)
    accepted = np.zeros(len(scores), dtype=bool)
    for k in range(folds.count):
        own = folds.fold == k
        accepted[own] = scores[own] >= best_threshold(scores[~own], truth[~own])
    return accepted


def _measure(accepted: Flags, truth: Flags, folds: Folds) -> dict[str, Any]:
    """Measure purity and completeness against what was drawn."""
    if folds.count < 2:
        return {"how": f"not measured: {int(truth.sum())} objects drawn leave none to hold out"}
    return {
        "purity": share(truth[accepted], folds.group[accepted]),
        "completeness": share(accepted[truth], folds.group[truth]),
        "how": f"against the {int(truth.sum())} objects drawn among {len(truth)}, duplicates "
        f"merged; each object judged by a fit and a threshold of the other folds ({folds.how}); "
        "95 % intervals (Wilson, for the scatter between them)",
    }


def _measure_class(
    accepted: Flags,
    drawn: Flags,
    known: Flags,
    target: Flags,
    group: npt.NDArray[np.int64],
    positive: str,
) -> dict[str, Any]:
    """Measure purity and completeness for a class, among the objects with a label."""
    chosen, wanted = accepted & known, target & known
    outside = int((known & ~drawn).sum())
    how = f"for {positive!r} among {int(known.sum())} labelled objects, {outside} of them outside"
    if outside < 20:
        how += "; labels from inside alone say little about what else the rule lets in"
    return {
        "class": positive,
        "class_purity": share(target[chosen], group[chosen]),
        "class_completeness": share(accepted[wanted], group[wanted]),
        "class_prevalence": share(target[known], group[known]),
        "class_how": how,
    }


def _calibrate(
    scores: npt.NDArray[np.float32], target: Flags, accepted: int, whole: bool
) -> dict[str, Any]:
    """Fit the calibration on the held-out scores (n,) that pass, of which a list is made.

    Over all scores the log-odds of a class are no straight line of the score for what was drawn,
    and at the top they level off. Taking a part by score leaves the odds at each score as they are,
    so the prevalence stays that of all objects, and what was never seen is as rare as in all.

    Args:
        target: (n,) True = of the class.
        accepted: how many pass.
        whole: these are the objects of a sky, not a choice of labels.
    """
    order = np.argsort(-scores, kind="stable")
    upper = order[: max(accepted, _LEAST_CALIBRATED)]
    if not 0 < target[upper].sum() < len(upper):
        upper = order
    some = upper[:: -(-len(upper) // _CALIBRATION_ROWS)]
    true = int(target.sum())
    fitted = replace(
        fit_calibration(scores[some], target[some]),
        prevalence=float(target.mean()),
        labels=(true, len(target) - true),
    )
    fitted = fitted.knowing(scores[target]).levelled(scores[upper], target[upper])
    return {**fitted.as_dict(), "valid_from": float(scores[upper].min()), "whole_sky": whole}


def _reach(
    scores: npt.NDArray[np.float32], target: Flags, accepted: Flags
) -> dict[str, dict[str, float]]:
    """Give the range of the scores of true objects, and how many of either kind pass."""
    hits = scores[target].astype(np.float64)
    return {
        "true_scores": {"low": float(hits.min()), "high": float(hits.max())},
        "rates": {"true": float(accepted[target].mean()), "false": float(accepted[~target].mean())},
    }


def _examples(part: npt.NDArray[np.int64], accepted: Flags, truth: Flags) -> npt.NDArray[np.int64]:
    """Choose drawn objects that the rule finds too, spread over the file."""
    rows = part[accepted & truth]
    rows = rows if len(rows) else part[truth]
    places = np.unique(np.linspace(0, len(rows) - 1, EXEMPLARS).round().astype(np.int64))
    return rows[places]
