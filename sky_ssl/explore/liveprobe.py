"""The probe while one labels: refitted after each label, every object scored, in about a second.

In: embeddings, the rows that have a label, and the question (which label is positive, which are
left out). Out: a `Live`: counts, the classifier, a score for each object, probabilities for a
prevalence, and what to label next. Figures with intervals come later, from `probemeasure`.
"""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.features import features_of
from sky_ssl.explore.fitted import probe_selection
from sky_ssl.explore.probing import BUFFER, Problem, finite_rows, one_each, sky_groups
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.surveyprior import prior_of
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.crossval import Tuned, tune_classes
from sky_ssl.probes.folds import Apart
from sky_ssl.probes.learning import next_to_label
from sky_ssl.probes.linear import LinearClassifier, fit_classes
from sky_ssl.probes.prevalence import Prevalence
from sky_ssl.sky.coords import unit_vectors

Rows = npt.NDArray[np.int64]
Texts = npt.NDArray

_MOST = 1500  # labels of a side that the quick fit uses
_POOL = 40  # times as many random objects are looked at for diverse ones, before any probe
_FEW_KINDS = 0.03  # strength of a fit to several kinds at once
QUEUES = {
    "uncertainty": "the probe knows least about them",
    "margin": "the two likeliest labels are closest",
    "diversity": "uncertain, unlike each other and unlike what is labelled",
    "top": "the likeliest ones without a label",
}
"""What to label next, and why."""


@dataclass(frozen=True)
class Question:
    """Which label a probe looks for."""

    task: str
    positive: str
    left_out: tuple[str, ...] = ()  # labels that are neither positive nor negative


@dataclass(frozen=True)
class Live:
    """A probe of the labels of this moment."""

    question: Question
    e: Embeddings
    rows: Rows  # (n,) all that have a label, left out or not
    labels: Texts  # (n,) text
    problem: Problem | None  # None where the labels do not suffice
    missing: str  # what they lack
    model: Tuned | None
    scores: npt.NDArray[np.float32] | None  # (N,) log-odds at equal frequencies, not calibrated
    seconds: float  # that the refit took

    @property
    def counts(self) -> tuple[int, int]:
        """Positive and negative labels in use."""
        if self.problem is None:
            used = ~np.isin(self.labels, self.question.left_out)
            hits = int((self.labels == self.question.positive).sum())
            return hits, int(used.sum()) - hits
        hits = int(self.problem.y.sum())
        return hits, len(self.problem.y) - hits

    @cached_property
    def key(self) -> str:
        """Name the probe by what it was fitted to."""
        if self.problem is None:
            return ""
        p = self.problem
        made_by = self.e.attributes.get("checkpoint_sha256", "")  # a file may be made anew
        digest = hashlib.sha256(repr((self.question, str(self.e.path), made_by)).encode())
        digest.update(p.rows.tobytes() + p.y.tobytes())
        return digest.hexdigest()

    def calibration(self, prevalence: Prevalence) -> Calibration:
        """Give what turns scores into probabilities for a sky; rough below 3 labels of a kind."""
        found = None if self.model is None else self.model.calibration
        return (found or Calibration(1.0, 0.0, 0.5, labels=self.counts)).moved_to(prevalence)

    def probability(self, prevalence: Prevalence) -> npt.NDArray[np.float32]:
        """Give the probability (N,) of being positive in a sky; NaN where there is none."""
        if self.scores is None:
            return np.full(len(self.e.values), np.nan, dtype=np.float32)
        return self.calibration(prevalence).probability(self.scores).astype(np.float32)


def ask(e: Embeddings, rows: Rows, labels: Texts, question: Question, *, folds: int = 5) -> Live:
    """Fit a probe to labels and score every object.

    Args:
        e: the embeddings.
        rows: (n,) of the labelled objects.
        labels: (n,) text.
        question: what is looked for.
        folds: that blocks of sky should suffice for.
    """
    warm_up(e)
    started = time.perf_counter()
    try:
        problem = problem_of(e, rows, labels, question, folds=folds)
    except InputError as error:
        return Live(question, e, rows, labels, None, str(error), None, None, 0.0)
    model = quick_fit(problem)
    scores = score_all(e, model.model)
    spent = time.perf_counter() - started
    return Live(question, e, rows, labels, problem, "", model, scores, spent)


def warm_up(e: Embeddings) -> None:
    """Make ready what the first fit needs: it takes some seconds that need not fall on a label."""
    import sklearn.linear_model  # noqa: F401

    prior_of(e)


def problem_of(
    e: Embeddings, rows: Rows, labels: Texts, question: Question, *, folds: int = 5
) -> Problem:
    """Turn labels into what a probe is trained and tested on: an object in two tiles is one.

    Raises:
        InputError: one kind is missing.
    """
    use = ~np.isin(labels, (*question.left_out, ""))
    rows, labels = rows[use], labels[use]
    notes: list[str] = []
    ra, dec = e.ra[rows], e.dec[rows]
    keep = one_each(rows, labels == question.positive, ra, dec, "classify", notes)
    keep = keep[finite_rows(e, rows[keep], notes)]
    rows, labels, ra, dec = rows[keep], labels[keep], ra[keep], dec[keep]
    y = labels == question.positive
    if not y.any():
        raise InputError(f"no object is labelled {question.positive!r} yet")
    if y.all():
        raise InputError(f"{len(y)} labelled {question.positive!r}, none labelled otherwise yet")
    groups, split = sky_groups(ra, dec, e.tile[rows], y, folds)
    placed = groups is not None and np.isfinite(ra).any()
    apart = Apart(unit_vectors(ra, dec), float(np.radians(BUFFER))) if placed else None
    others = np.unique(labels[~y])
    negative = str(others[0]) if len(others) == 1 else "rest"
    return Problem(
        e, question.task, "classify", rows, y, question.positive, negative, groups, apart, split,
        notes,
    )  # fmt: skip


def quick_fit(problem: Problem, seed: int = 0) -> Tuned:
    """Fit a probe at once: to all labels, or to 1500 of each kind where there are more."""
    y = problem.y.astype(bool)
    if len(y) <= 2 * _MOST:
        return tune_classes(problem.x, y, problem.groups, seed=seed, prior=problem.prior)
    rng = np.random.default_rng(seed)
    sides = [rng.permutation(np.flatnonzero(y == side))[:_MOST] for side in (True, False)]
    some = np.sort(np.concatenate(sides))
    groups = None if problem.groups is None else problem.groups[some]
    x = np.asarray(features_of(problem.e)[problem.rows[some]], dtype=np.float32)
    return tune_classes(x, y[some], groups, seed=seed, prior=problem.prior)


def score_all(e: Embeddings, model: LinearClassifier) -> npt.NDArray[np.float32]:
    """Score every object (N,) by a classifier of two kinds, block by block."""
    return np.asarray(model.decision(features_of(e)), dtype=np.float32)


def next_rows(strategy: str, count: int, live: Live, *, seed: int = 0) -> Rows:
    """Choose objects to label next, the first to look at in front.

    Args:
        strategy: one of QUEUES. Before there is a probe: objects unlike each other.
        count: how many.
        live: the probe.
        seed: of what is random.
    """
    values = features_of(live.e)
    if live.scores is None or live.model is None:
        rng, N = np.random.default_rng(seed), len(live.e.values)
        some = np.sort(rng.permutation(N)[: _POOL * count])
        some = some[np.isfinite(np.asarray(values[some])).all(axis=1)]
        noise = np.full(N, np.nan)  # what has NaN is never chosen
        noise[some] = rng.normal(size=len(some))
        return next_to_label("diversity", count, noise, values, live.rows, seed=seed)
    if strategy == "margin" and len(kinds_in_use(live)) > 2:
        decision = _of_kinds(live)
    else:
        even = live.calibration(Prevalence(0.5))
        # without the limits of the calibration, at which the best would all be alike
        decision = replace(even, labels=None).log_odds(live.scores)
    return next_to_label(strategy, count, decision, values, live.rows, seed=seed)


def kinds_in_use(live: Live) -> list[str]:
    """List the labels with at least two objects that are not left out."""
    names, counts = np.unique(live.labels.astype(str), return_counts=True)
    out = (*live.question.left_out, "")
    return [str(n) for n, c in zip(names, counts, strict=True) if c >= 2 and n not in out]


def _of_kinds(live: Live) -> npt.NDArray[np.float32]:
    """Score every object by each label in use (N, K)."""
    use = np.isin(live.labels.astype(str), kinds_in_use(live))
    x = np.asarray(features_of(live.e)[live.rows[use]], dtype=np.float32)
    good = np.isfinite(x).all(axis=1)
    y, prior = live.labels[use][good].astype(str), prior_of(live.e)
    if prior is None:
        model = fit_classes(x[good], y, strength=_FEW_KINDS)
    else:
        model = prior.unfolded(
            fit_classes(prior.apply(x[good]), y, strength=_FEW_KINDS, scaled=True)
        )
    return np.asarray(model.decision(features_of(live.e)), dtype=np.float32)


def rule_now(live: Live, prevalence: Prevalence) -> Selection:
    """Make a rule of the probe of this moment: a ranking with probabilities, not measured.

    Raises:
        InputError: there is no probe.
    """
    if live.problem is None or live.model is None:
        raise InputError(f"no probe: {live.missing}")
    p = live.problem
    hits, others = live.counts
    rule = probe_selection(
        live.e,
        live.model.model,
        positive=live.model.model.classes[1],
        threshold=0.0,
        calibration=live.calibration(prevalence),
        measured={"how": "not measured: the probe of a moment of labelling"},
        name=f"{p.positive} probe {live.key[:8]}",
        exemplars=p.rows[p.y.astype(bool)][:100],
        origin={"task": p.column, "label": p.positive,
                "labelled": {"positive": hits, "negative": others}},
    )  # fmt: skip
    return replace(rule, threshold=None, calibration_of=p.positive)


def prevalence_for(
    live: Live, text: Prevalence | None, audit: Sequence[str]
) -> tuple[Prevalence, Prevalence | None, str]:
    """Choose the share of positives that probabilities are for.

    Args:
        live: the probe.
        text: as the user gave it.
        audit: labels of the audit sample that are given so far.

    Returns:
        The share; the same where it is known of the sky, else None; and where it is from, in words.
    """
    from sky_ssl.probes.prevalence import audited

    if text is not None:
        return text, text, "as given"
    known = [label for label in audit if label and label not in live.question.left_out]
    if len(known) >= _ENOUGH_AUDITED:
        found = audited(known.count(live.question.positive), len(known))
        return found, found, f"from {len(known)} audited objects"
    hits, others = live.counts
    share = min(max((hits + 0.5) / (hits + others + 1), 1e-6), 1 - 1e-6)
    return Prevalence(share), None, "as among the labels"


_ENOUGH_AUDITED = 50
