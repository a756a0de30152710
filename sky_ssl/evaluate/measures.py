"""The figures of one kind of features on one sky, draw by draw.

In: features (N, D) and the truth of a sky. Out: by figure, what each draw of labels or exemplars
came to. The linear probe is that of `sky-ssl probe`; trees are the other way to use photometry.
"""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.evaluate.fewshot import Fit, few_shot, linear_probe
from sky_ssl.evaluate.retrieval import retrieve, unit_rows
from sky_ssl.evaluate.testsky import Truth
from sky_ssl.explore.expanding import COUNT
from sky_ssl.explore.neighbours import normalised
from sky_ssl.explore.whitening import AXES, POWER, fit_whitening
from sky_ssl.probes.crossval import tune_values
from sky_ssl.probes.draws import draw_labels
from sky_ssl.probes.prior import Prior, fit_prior, sample_size
from sky_ssl.probes.redshift import value_statistic

Features = npt.NDArray[np.floating]
Draws = dict[str, list[float]]
"""By figure, one number per draw."""

PREVALENCE = 0.02
"""Share of dwarfs that average precision is given for."""
SEARCH = {"axes": AXES, "power": POWER, "expand": COUNT}
"""What a search depends on beside the features."""
_LEAF = 20  # labels to one leaf of a tree, at most


class Regressor(Protocol):
    """What predicts numbers."""

    def predict(self, x: Features, /) -> npt.NDArray[np.floating]:
        """Predict (n,) for features (n, D)."""


class Trees:
    """Gradient-boosted trees (scikit-learn's, by histograms) with the answers of a probe."""

    def __init__(self, x: Features, y: npt.NDArray, seed: int) -> None:
        from sklearn.ensemble import HistGradientBoostingClassifier

        self.model = HistGradientBoostingClassifier(
            min_samples_leaf=_leaf(len(y)), early_stopping=False, random_state=seed
        )
        self.model.fit(x, y)

    def decision(self, values: Features, classes: npt.NDArray) -> npt.NDArray[np.floating]:
        """Score rows (N, D): log-odds (N,) of the second of two classes, or (N, K)."""
        if not np.array_equal(self.model.classes_, classes):
            raise InputError(f"trees: fitted on {self.model.classes_}, asked for {classes}")
        return np.asarray(self.model.decision_function(values))


def _leaf(labels: int) -> int:
    """Give the fewest labels in a leaf: a tree of ten labels must be able to split at all."""
    return int(np.clip(labels // 10, 2, _LEAF))


def prior_of_sky(x: Features, truth: Truth) -> Prior | None:
    """Find what the training half says unlabelled, in natural proportion, of features (N, D)."""
    rows = np.flatnonzero(truth.natural & truth.train)
    size = sample_size(x.shape[1])
    return fit_prior(x[rows[:: -(-len(rows) // size) or 1]])


def class_draws(
    x: Features,
    truth: Truth,
    task: str,
    *,
    labels: int,
    repeats: int,
    trees: bool = False,
    prior: Prior | None = None,
) -> Draws:
    """Classify from so many labels, the same number of each class, drawn from the training half.

    Args:
        x: (N, D) features.
        truth: of the same sky.
        task: "A", "B" or "C", see `testsky.Truth.task`.
        labels: in a draw.
        repeats: draws.
        trees: boosted trees instead of the linear probe.
        prior: of the linear probe, see `prior_of_sky`.

    Returns:
        "balanced_accuracy"; for two classes "average_precision" at 2 %. Empty where the sky has
        too few objects of a class for so many labels.
    """
    asked = truth.task(task)
    a, b = asked.halves(truth.train)
    y, y_test = asked.kinds[a], asked.kinds[b]
    classes, counts = np.unique(y, return_counts=True)
    if counts.min(initial=labels) < labels // len(classes):
        return {}
    fit: Fit = Trees if trees else partial(linear_probe, prior=prior)
    if len(classes) == 2:
        score = few_shot(
            *(x[a], y, x[b], y_test),
            labels=labels,
            repeats=repeats,
            prevalence=PREVALENCE,
            fit=fit,
        )
        return {
            "balanced_accuracy": score.balanced_accuracy.tolist(),
            "average_precision": score.average_precision.tolist(),
        }
    found = []
    for repeat in range(repeats):
        rng = np.random.default_rng([0, repeat])
        rows = draw_labels(np.arange(len(a)), y, labels, natural=False, rng=rng)
        decision = fit(x[a[rows]], y[rows], repeat).decision(x[b], classes)
        predicted = classes[decision.argmax(axis=1)]
        found.append(float(np.mean([(predicted[y_test == k] == k).mean() for k in classes])))
    return {"balanced_accuracy": found}


def redshift_draws(
    x: Features, truth: Truth, *, labels: int, repeats: int, trees: bool = False
) -> Draws:
    """Predict redshifts from so many spectra of the training half; 0 = all of them, once.

    Returns:
        "r2", "nmad", "outlier_fraction" (|D| > 0.15, D in units of 1 + z), "bias". Empty where
        there are fewer spectra.
    """
    known, z = truth.with_redshift, np.asarray(truth.columns["zspec"], dtype=np.float64)
    a, b = np.flatnonzero(known & truth.train), np.flatnonzero(known & ~truth.train)
    if len(a) < max(labels, 2):
        return {}
    found: Draws = {}
    for repeat in range(repeats if labels else 1):
        rng = np.random.default_rng([1, repeat])
        rows = np.sort(rng.choice(a, labels, replace=False)) if labels else a
        tile = truth.columns["tile"][rows]
        model = (_forest if trees else _ridge)(x[rows], z[rows], tile, repeat)
        predicted = np.asarray(model.predict(x[b]), dtype=np.float64)
        for name, value in value_scores(z[b], predicted).items():
            found.setdefault(name, []).append(value)
    return found


def value_scores(truth: npt.NDArray, predicted: npt.NDArray) -> dict[str, float]:
    """Give "r2", "nmad", "outlier_fraction" and "bias" of redshifts (n,)."""
    names, statistic = value_statistic(truth, predicted, redshift=True)
    values = dict(zip(names, statistic(np.ones((1, len(truth))))[0].tolist(), strict=True))
    return {name: values[name] for name in ("r2", "nmad", "outlier_fraction", "bias")}


def _ridge(x: Features, z: npt.NDArray, tile: npt.NDArray, seed: int) -> Regressor:
    return tune_values(x, z, groups=tile, seed=seed, redshift=True)[0]


def _forest(x: Features, z: npt.NDArray, tile: npt.NDArray, seed: int) -> Regressor:
    from sklearn.ensemble import HistGradientBoostingRegressor

    model: Regressor = HistGradientBoostingRegressor(
        min_samples_leaf=_leaf(len(z)), early_stopping=False, random_state=seed
    ).fit(x, z)
    return model


def search_draws(
    x: Features,
    truth: Truth,
    tokens: int,
    *,
    exemplars: tuple[int, ...],
    top: tuple[int, ...],
    repeats: int,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """Search all objects in natural proportion with dwarfs that are not among them.

    Args:
        x: (N, D) features, raw.
        truth: of the same sky.
        tokens: T side by side in x; 0 for features that are no tokens, which are standardised.
        exemplars: numbers of them.
        top: how many of the nearest count; those beyond the dwarfs there are, are left out.
        repeats: draws of exemplars.
        progress: called with (done, total).

    Returns:
        "tokens", "whitened" and "expanded" (whitened, the best of a first search added to the
        exemplars) -> exemplars -> top -> share of dwarfs in each draw.
    """
    natural, dwarf = truth.natural, truth.dwarf
    raw: Features = x if tokens else unit_rows(x)
    T = tokens or 1
    whitening = fit_whitening(raw[natural], T)
    vectors = {"tokens": normalised(raw, T)}
    if len(whitening):
        vectors["whitened"] = vectors["expanded"] = normalised(whitening.apply(raw), 1)
    most = int((natural & dwarf).sum())
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for done, (scoring, unit) in enumerate(vectors.items()):
        gallery, pool = unit[natural], unit[dwarf & ~natural]
        for count in exemplars:
            for n in (n for n in top if n <= most):
                near = retrieve(
                    *(gallery, dwarf[natural], pool),
                    exemplars=count,
                    top=n,
                    repeats=repeats,
                    expand=COUNT if scoring == "expanded" else 0,
                )
                shares = found.setdefault(scoring, {}).setdefault(str(count), {})
                shares[str(n)] = near.purity.tolist()
        if progress:
            progress(done + 1, len(vectors))
    return found
