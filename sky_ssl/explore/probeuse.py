"""What a measured probe is used for: predictions for every object, expected hits, a selection rule.

In: a `Problem` and its `Outcome`. Out: a table with a row for each object of the embeddings file,
the number of real ones to expect at its top, a `Selection`.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.features import features_of
from sky_ssl.explore.probescore import Outcome
from sky_ssl.explore.probing import Problem
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.crossval import Tuned
from sky_ssl.probes.domain import fit_domain
from sky_ssl.probes.hits import calibrated_hits
from sky_ssl.probes.linear import LinearRegressor
from sky_ssl.probes.prevalence import Prevalence, logit, parse_prevalence
from sky_ssl.probes.redshift import fit_intervals
from sky_ssl.probes.scoring import class_probabilities
from sky_ssl.progress import Progress

if TYPE_CHECKING:
    from sky_ssl.explore.selection import Selection

Numbers = npt.NDArray[np.floating]


def predictions(
    problem: Problem, outcome: Outcome, progress: Progress | None = None
) -> pd.DataFrame:
    """Predict for every object of the embeddings file.

    Labelled objects get what a probe said that had not seen them (`held_out` True), where there
    is one. Redshifts and other numbers come with the range that holds 68 and 95 % of objects
    predicted alike, and `outside_range`: predicted beyond the training values, or an embedding
    farther out than 99.5 % of the training objects.

    Returns:
        N rows: id, ra, dec, tile, label, held_out, and by task score (decision value) and
        probability; or predicted and probability of the class; or predicted with its ranges.
        NaN where the embedding has NaN.
    """
    e, y = problem.e, problem.y
    N = len(e.id)
    frame = pd.DataFrame({"id": e.id.astype(object), "ra": e.ra, "dec": e.dec, "tile": e.tile})
    label: npt.NDArray = np.full(N, np.nan) if y.dtype.kind == "f" else np.full(N, "", dtype=object)
    named = np.where(y, problem.positive, problem.negative) if problem.positive else y
    label[problem.rows] = named
    frame["label"] = label
    held = np.asarray(np.isfinite(outcome.held.reshape(len(y), -1)).all(axis=1))
    unseen = np.ones(N, dtype=bool)
    unseen[problem.rows] = held | ~outcome.trained
    model = outcome.model
    if isinstance(model, LinearRegressor):
        columns = _of_values(problem, outcome, model, held, progress)
    elif problem.positive:
        columns = _of_two(problem, outcome, model, held, progress)
    else:
        columns = _of_many(problem, outcome, model, held, progress)
    for name, values in {**columns, "held_out": unseen}.items():
        frame[name] = values
    return frame


def _of_two(
    problem: Problem,
    outcome: Outcome,
    model: Tuned,
    held: npt.NDArray[np.bool_],
    progress: Progress | None,
) -> dict[str, npt.NDArray]:
    from scipy.special import expit

    score = model.model.decision(features_of(problem.e), progress).astype(np.float64)
    calibration = calibration_of(outcome)
    if calibration is None:
        return {"score": score}
    log_odds = calibration.log_odds(score)
    even = Calibration(1.0, 0.0, 0.5).moved_to(calibration.prevalence)
    log_odds[problem.rows[held]] = even.log_odds(outcome.held[held])
    return {"score": score, "probability": expit(log_odds)}


def _of_many(
    problem: Problem,
    outcome: Outcome,
    model: Tuned,
    held: npt.NDArray[np.bool_],
    progress: Progress | None,
) -> dict[str, npt.NDArray]:
    names = np.unique(problem.y)
    decision = model.model.decision(features_of(problem.e), progress)
    if decision.ndim == 1:
        decision = np.stack([-decision / 2, decision / 2], axis=1)
    full = np.full((len(decision), len(names)), -np.inf)
    full[:, np.searchsorted(names, model.model.classes)] = decision
    full[problem.rows[held]] = outcome.held[held]
    p = class_probabilities(full)
    known = np.isfinite(p).all(axis=1)
    best = np.where(known, np.nan_to_num(p).argmax(axis=1), 0)
    probability = np.where(known, p[np.arange(len(p)), best], np.nan)
    return {
        "predicted": np.where(known, names[best], "").astype(object),
        "probability": probability,
    }


def _of_values(
    problem: Problem,
    outcome: Outcome,
    model: LinearRegressor,
    held: npt.NDArray[np.bool_],
    progress: Progress | None,
) -> dict[str, npt.NDArray]:
    predicted = model.predict(features_of(problem.e), progress).astype(np.float64)
    predicted[problem.rows[held]] = outcome.held[held]
    columns: dict[str, npt.NDArray] = {"predicted": predicted}
    if np.count_nonzero(held) >= 2:
        ranges = fit_intervals(problem.y[held], outcome.held[held]).around(predicted)
        ranges[np.isnan(predicted)] = np.nan
        names = ("low_68", "high_68", "low_95", "high_95")
        columns |= dict(zip(names, ranges.T, strict=True))
    trained = outcome.trained
    low, high = problem.y[trained].min(), problem.y[trained].max()
    outside = ~((predicted >= low) & (predicted <= high))
    outside |= fit_domain(problem.x[trained]).outside(features_of(problem.e))
    return {**columns, "outside_range": outside}


def calibration_of(outcome: Outcome) -> Calibration | None:
    """Give the calibration of the final probe, at the prevalence of the outcome."""
    model = outcome.model
    if not isinstance(model, Tuned) or model.calibration is None or outcome.prevalence is None:
        return None
    return model.calibration.moved_to(outcome.prevalence)


def expected(
    problem: Problem, outcome: Outcome, frame: pd.DataFrame, top: int
) -> dict[str, dict[str, float]]:
    """Say how many real objects the first `top` hold, and how true that is where labels tell.

    Returns:
        `expected_hits` {"top", "mean", "low", "high"} among the objects without a label, and
        `expected_hits_held_out`, with "found", among labelled ones held out; each where there are
        some.
    """
    calibration = calibration_of(outcome)
    if calibration is None:
        return {}
    result: dict[str, dict[str, float]] = {}
    bare = np.ones(len(frame), dtype=bool)
    bare[problem.rows] = False
    score = frame["score"].to_numpy()[bare]
    if np.isfinite(score).any():
        # the share among the labels is none of this sky, a prevalence that was given is
        given = calibration.prevalence != float(np.mean(problem.y))
        sky = calibration.seen_in(score) if given else calibration
        hits = calibrated_hits(score, top, sky)
        count = min(top, int(np.isfinite(score).sum()))
        result["expected_hits"] = {"top": count, **hits.as_dict()}
    held = np.isfinite(outcome.held)
    truth, log_odds = problem.y[held].astype(bool), outcome.held[held]
    if len(truth) and 0 < truth.sum() < len(truth):
        # the spread of slope and intercept, on the scale of log-odds
        a, b, c = calibration.covariance
        s = max(calibration.slope, 1e-9)
        shift = calibration.moved_to(0.5).intercept / s
        spread = (a / s**2, b / s - a * shift / s, c - 2 * b * shift + a * shift**2)
        even = replace(Calibration(1.0, 0.0, 0.5), covariance=spread)
        count = min(top, len(truth))
        hits = calibrated_hits(log_odds, count, even.moved_to(float(truth.mean())))
        order = np.argsort(-log_odds, kind="stable")[:count]
        result["expected_hits_held_out"] = {
            "top": count,
            **hits.as_dict(),
            "found": int(truth[order].sum()),
        }
    return result


def selection_of(problem: Problem, outcome: Outcome, labels: Path, name: str = "") -> "Selection":
    """Make the rule: what scores above the threshold with the best F1 on held-out objects.

    Raises:
        InputError: no single kind to select, or nothing measured to set a threshold by.
    """
    from sky_ssl.explore.selection import probe_selection

    model, curves = outcome.model, outcome.result.get("curves")
    if not isinstance(model, Tuned) or not problem.positive:
        raise InputError("--save: a rule selects one kind; choose it with --positive VALUE")
    calibration = calibration_of(outcome)
    if calibration is None or curves is None or calibration.slope <= 0:
        raise InputError("--save: the labels do not tell the kinds apart, so there is no threshold")
    purity, completeness = np.array(curves["purity"]), np.array(curves["completeness"])
    total = np.maximum(purity[:, 0] + completeness[:, 0], 1e-12)
    best = int(np.argmax(purity[:, 0] * completeness[:, 0] / total))
    probability = float(curves["threshold"][best])
    threshold = (float(logit(probability)) - calibration.intercept) / calibration.slope
    result = outcome.result
    how = (
        f"held-out objects, {result['split']}; {result['n_train']} labels to train, "
        f"{result['n_test']} to test; purity at a prevalence of {calibration.prevalence:.3g}; "
        f"threshold at the best F1, probability {probability:.3g}"
    )
    measured: dict[str, Any] = {
        kind: dict(zip(("mean", "low", "high"), band[best].tolist(), strict=True))
        for kind, band in (("purity", purity), ("completeness", completeness))
    }
    for figure in ("balanced_accuracy", "roc_auc", "average_precision"):
        if figure in result:
            measured[figure] = result[figure]
    positives = problem.rows[problem.y.astype(bool) & outcome.trained]
    rule = probe_selection(
        problem.e,
        model.model,
        positive=model.model.classes[1],
        threshold=threshold,
        calibration=calibration,
        measured={**measured, "how": how},
        name=name or f"{problem.column} {problem.positive}",
        exemplars=positives[:100],
        origin={"labels": labels.name, "column": problem.column, "labelled": len(problem.y)},
    )
    # the classifier knows its kinds as true and false
    return replace(rule, calibration_of=problem.positive)


def given_prevalence(prevalence: str | None, audit: str | None) -> Prevalence | None:
    """Read `--prevalence P` or `--audit K/N`.

    Raises:
        InputError: both, or values out of range.
    """
    if prevalence and audit:
        raise InputError("--prevalence and --audit: give one of them")
    if audit and "/" not in audit:
        raise InputError(f"--audit {audit}: give K/N, positives of objects looked at, as 3/500")
    return parse_prevalence(audit or prevalence or "")
