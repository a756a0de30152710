"""Numbers read off embeddings by ridge regression: redshifts, or any other column.

In: embeddings, a number per object where it is known. Out: a `Regression`: held-out predictions by
folds of sky, figures with 95 % intervals, deviations in bins, and a prediction for every object.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.labelcolumn import as_numbers, task_of
from sky_ssl.explore.probescore import Outcome, ProbeOptions, measure
from sky_ssl.explore.probeuse import predictions
from sky_ssl.explore.probing import BUFFER, MOST_LABELS, Problem, finite_rows, one_each, sky_groups
from sky_ssl.probes.bootstrap import Interval, wilson
from sky_ssl.probes.folds import Apart
from sky_ssl.probes.redshift import OUTLIER, value_figures
from sky_ssl.sky.coords import unit_vectors

Numbers = npt.NDArray[np.floating]
Tell = Callable[[float, str], None]

LEAST = 20  # known numbers, below which nothing is worth fitting
FORMATS = {"CSV": ".csv", "ECSV": ".ecsv", "FITS": ".fits", "VOTable": ".vot"}
"""Endings of the files that predictions can be had as."""
_BINS, _PER_BIN = 10, 30


@dataclass(frozen=True)
class Bins:
    """Deviations in bins of the truth, with about the same number of objects each."""

    edges: Numbers  # (B + 1,)
    centre: Numbers  # (B,) median truth
    bias: Numbers  # (B, 3) mean, low, high
    nmad: Numbers  # (B, 3)
    outliers: Numbers  # (B, 3) share with |D| > 0.15
    count: Numbers  # (B,)


@dataclass(frozen=True)
class Regression:
    """A regression and what is known about it; what is None is still to come."""

    problem: Problem
    outcome: Outcome
    bins: Bins | None = None
    table: pd.DataFrame | None = None  # predictions of all objects, see `probeuse.predictions`

    @property
    def is_redshift(self) -> bool:
        """Say whether deviations are in units of 1 + z."""
        return self.problem.task == "redshift"

    @property
    def held(self) -> npt.NDArray[np.bool_]:
        """Say which known objects (n,) were held out."""
        return np.isfinite(self.outcome.held)

    @property
    def truth(self) -> Numbers:
        """Give the known numbers (m,) of held-out objects."""
        return np.asarray(self.problem.y[self.held], dtype=np.float64)

    @property
    def predicted(self) -> Numbers:
        """Give the predictions (m,) of held-out objects."""
        return np.asarray(self.outcome.held[self.held], dtype=np.float64)

    @property
    def deviation(self) -> Numbers:
        """Give D (m,): predicted - true, of redshifts over 1 + z."""
        return deviations(self.truth, self.predicted, self.is_redshift)

    def figure(self, name: str) -> Interval | None:
        """Give a figure with its interval."""
        found = self.outcome.result.get(name)
        return None if found is None else Interval(found["mean"], found["low"], found["high"])

    def worst(self, count: int) -> tuple[npt.NDArray[np.int64], Numbers]:
        """Give the rows of the largest |D| and their D."""
        order = np.argsort(-np.abs(self.deviation), kind="stable")[:count]
        return self.problem.rows[self.held][order], self.deviation[order]


def deviations(truth: Numbers, predicted: Numbers, redshift: bool) -> Numbers:
    """Give predicted - true (n,), of redshifts over 1 + z."""
    error = np.asarray(predicted, np.float64) - truth
    return error / (1 + truth) if redshift else error


def kind_of(values: npt.ArrayLike, name: str) -> str:
    """Say what a column is for: "redshift", "regress", or "classify" where it holds kinds."""
    return task_of(pd.Series(np.asarray(values)), name)


def problem_of_values(
    e: Embeddings, values: npt.ArrayLike, name: str, *, task: str, folds: int = 5, seed: int = 0
) -> Problem:
    """Turn known numbers into what a regression is trained and tested on.

    Args:
        e: the embeddings.
        values: (N,), NaN or None where unknown.
        name: of the column.
        task: "redshift" or "regress".
        folds: that blocks of sky should suffice for.
        seed: of the choice where there are more numbers than can be used.

    Raises:
        InputError: fewer than 20 are known.
    """
    notes: list[str] = []
    y = as_numbers(pd.Series(np.asarray(values)), task, notes)
    rows = np.flatnonzero(np.isfinite(y))
    keep = one_each(rows, y[rows], e.ra[rows], e.dec[rows], task, notes)
    rows = rows[keep]
    if len(rows) > MOST_LABELS:
        notes.append(f"{len(rows)} known numbers: a random {MOST_LABELS} of them are used")
        rows = np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_LABELS])
    rows = rows[finite_rows(e, rows, notes)]
    if len(rows) < LEAST:
        raise InputError(
            f"column {name!r}: {len(rows)} objects with a number; a regression needs at least "
            f"{LEAST}, and some hundreds to be of use"
        )
    ra, dec = e.ra[rows], e.dec[rows]
    groups, split = sky_groups(ra, dec, e.tile[rows], None, folds)
    placed = groups is not None and np.isfinite(ra).any()
    apart = Apart(unit_vectors(ra, dec), float(np.radians(BUFFER))) if placed else None
    return Problem(e, name, task, rows, y[rows], "", "", groups, apart, split, notes)


def regress(problem: Problem, tell: Tell, *, seed: int = 0) -> Iterator[Regression]:
    """Fit and measure a regression.

    Args:
        problem: with numbers.
        tell: called with (share done, what is being done); may raise to stop.
        seed: of folds and resamples.

    Yields:
        The regression with its figures; then with bins; then with predictions of all objects.
    """
    tell(0.0, "choosing the penalty")
    outcome = measure(
        problem,
        ProbeOptions(seed=seed),
        lambda done, of: tell(0.2 + 0.5 * done / of, f"fold {done} of {of}"),
    )
    found = Regression(problem, outcome)
    yield found
    tell(0.8, "deviations in bins")
    found = replace(found, bins=binned(found, seed=seed))
    yield found
    tell(0.9, "predicting every object")
    yield replace(found, table=predictions(problem, outcome))


def binned(found: Regression, *, seed: int = 0) -> Bins | None:
    """Measure bias and NMAD of D in bins of the truth; None where there are too few objects."""
    groups = found.problem.groups
    mine = None if groups is None else groups[found.held]
    return bin_deviations(found.truth, found.deviation, mine, seed=seed)


def bin_deviations(
    truth: Numbers, d: Numbers, groups: npt.NDArray | None, *, seed: int = 0
) -> Bins | None:
    """Measure bias, NMAD and outliers of D (n,) in bins of the truth (n,).

    Args:
        truth, d: of held-out objects.
        groups: (n,) blocks of sky, resampled as wholes; or None.
        seed: of the resamples.

    Returns:
        None where there are too few objects for two bins.
    """
    count = int(min(_BINS, len(truth) // _PER_BIN))
    if count < 2:
        return None
    edges = np.quantile(truth, np.linspace(0, 1, count + 1))
    place = np.searchsorted(edges[1:-1], truth, side="right")
    rows: list[tuple[Any, ...]] = []
    for k in np.unique(place):
        here = place == k
        # D as the error of objects at 0 gives the figures of D itself
        figures = value_figures(
            np.zeros(int(here.sum())),
            d[here],
            redshift=True,
            groups=None if groups is None else groups[here],
            seed=seed,
        )
        middle, n = float(np.median(truth[here])), int(here.sum())
        out = int((np.abs(d[here]) > OUTLIER).sum())
        # by Wilson: where there is none, resampling would promise that there never is one
        outliers = (out / n, *wilson(out, n))
        rows.append((middle, figures["bias"], figures["nmad"], outliers, n))
    return Bins(edges, *(np.array(column) for column in zip(*rows, strict=True)))


def table_bytes(table: pd.DataFrame, ending: str) -> bytes:
    """Write a table as a file of a kind, and give its bytes."""
    from sky_ssl.sky.catalogue import write_catalogue

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"predictions{ending}"
        write_catalogue(table, path)
        return path.read_bytes()
