"""Labels joined to embeddings: what a probe is trained and tested on.

In: an embeddings file, a table with a column of labels. Out: a `Problem`: one row per object (an
object in two tiles is one), its class or number, and the blocks of sky that stay together.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.features import features_of
from sky_ssl.explore.labelcolumn import (
    as_classes,
    as_numbers,
    bias_notes,
    kinds_of,
    task_of,
)
from sky_ssl.explore.matching import match_objects, read_objects
from sky_ssl.explore.surveyprior import prior_of
from sky_ssl.probes.folds import Apart
from sky_ssl.probes.prior import Prior
from sky_ssl.sky.coords import first_of_each, sky_blocks, unit_vectors

TASKS = ("classify", "regress", "redshift")
MOST_LABELS = 50_000
_BLOCKS = (1.0, 0.5, 0.25, 0.1)  # degrees
BUFFER = 0.05  # degrees between training and test, as in sky/splits.py
_SAME_ARCSEC = 1.0


@dataclass(frozen=True)
class Problem:
    """What a probe is trained and tested on."""

    e: Embeddings
    column: str
    task: str  # classify, regress or redshift
    rows: npt.NDArray[np.int64]  # (n,) rows of the embeddings
    y: npt.NDArray  # (n,) truth values for two kinds, text for more, numbers
    positive: str  # the kind that True stands for
    negative: str  # the other, or "rest"
    groups: npt.NDArray | None  # (n,) blocks of sky or tiles
    apart: Apart | None  # what to keep between training and test
    split: str  # in words
    notes: list[str]

    @property
    def x(self) -> npt.NDArray[np.floating]:
        """Read the features (n, D) of the labelled objects."""
        return np.asarray(features_of(self.e)[self.rows], dtype=np.float32)

    @property
    def prior(self) -> Prior | None:
        """What the whole survey, unlabelled, says of the coefficients; none for numbers."""
        return prior_of(self.e) if self.task == "classify" else None


def load_problem(
    embeddings: str | Path,
    labels: str | Path,
    column: str,
    *,
    positive: str | None = None,
    task: str | None = None,
    radius_arcsec: float = 1.0,
    folds: int = 5,
    seed: int = 0,
) -> Problem:
    """Join labels to embeddings.

    Args:
        embeddings: the embeddings file.
        labels: a catalogue, or a cutout file or folder, with ids or positions.
        column: of the labels; rows without a value are left out.
        positive: one value against the rest.
        task: one of TASKS; None looks at the column.
        radius_arcsec: for objects that are found by position.
        folds: that the blocks of sky should suffice for.
        seed: of the choice where there are more labels than can be used.

    Raises:
        InputError: no such column or value, nothing matched, one kind alone.
    """
    e = open_embeddings(embeddings)
    table = read_objects(labels)
    if column not in table:
        raise InputError(f"{labels}: no column {column!r}; there are {' '.join(table.columns)}")
    notes = list(table.attrs.get("notes", []))
    task = task or task_of(table[column], column, positive)
    y = as_classes(table[column]) if task == "classify" else as_numbers(table[column], task, notes)
    known = y != "" if task == "classify" else np.isfinite(y)
    match = match_objects(table, e.id, e.ra, e.dec, radius_arcsec=radius_arcsec)
    notes += match.report if (match.rows < 0).any() or match.ambiguous.any() else []
    use = np.flatnonzero(known & (match.rows >= 0))
    if not use.size:
        raise InputError(
            f"{labels}: no object with a value of {column!r} is among the {len(e.id)} of "
            f"{embeddings} (by id, or within {radius_arcsec:g} arcsec)"
        )
    notes += bias_notes(table, column, use)
    ra, dec = _positions(e, table, match.rows)
    rows, y, ra, dec = match.rows[use], y[use], ra[use], dec[use]
    keep = one_each(rows, y, ra, dec, task, notes)
    keep = keep[finite_rows(e, rows[keep], notes)]
    if len(keep) > MOST_LABELS:
        notes.append(f"{len(keep)} labels: a random {MOST_LABELS} of them are used")
        chosen = np.random.default_rng(seed).permutation(len(keep))[:MOST_LABELS]
        keep = np.sort(keep[chosen])
    rows, y, ra, dec = rows[keep], y[keep], ra[keep], dec[keep]
    names = ("", "")
    if task == "classify":
        y, names, kept = kinds_of(y.astype(str), column, positive, notes)
        rows, ra, dec = rows[kept], ra[kept], dec[kept]
    elif len(y) < 2:
        raise InputError(f"{labels}: {len(y)} value of {column!r}; a probe needs at least two")
    groups, split = sky_groups(ra, dec, e.tile[rows], y if task == "classify" else None, folds)
    apart = Apart(unit_vectors(ra, dec), float(np.radians(BUFFER)))
    placed = groups is not None and np.isfinite(ra).any()
    return Problem(
        e, column, task, rows, y, *names, groups, apart if placed else None, split, notes
    )


def sky_groups(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    tile: npt.NDArray[np.str_],
    y: npt.NDArray | None,
    folds: int,
) -> tuple[npt.NDArray | None, str]:
    """Group objects (n,) by blocks of sky, by tile, or not at all; say which.

    Blocks are of 1 degree, or smaller where too few of these hold objects of the rarest kind.
    """
    rarest = np.ones(len(ra), dtype=bool)
    if y is not None:
        kinds, counts = np.unique(y, return_counts=True)
        rarest = y == kinds[counts.argmin()]
    if np.isfinite(ra).all() and np.isfinite(dec).all():
        wanted = min(2 * folds, int(rarest.sum()))
        for size in _BLOCKS:
            blocks = sky_blocks(ra, dec, size)
            if len(np.unique(blocks[rarest])) >= max(wanted, 2):
                return blocks, f"blocks of sky of {size:g} degree"
    if (tile != "").all() and len(np.unique(tile[rarest])) >= 2:
        return np.unique(tile, return_inverse=True)[1], "tiles"
    return None, "random"


def _positions(
    e: Embeddings, table: pd.DataFrame, rows: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Give RA and Dec of each row of the table, from the embeddings or else the table itself."""
    places = []
    for name, values in (("ra", e.ra), ("dec", e.dec)):
        there = np.asarray(values, np.float64)[np.maximum(rows, 0)]
        here = table[name].to_numpy(np.float64) if name in table else np.full(len(rows), np.nan)
        places.append(np.where(np.isfinite(there), there, here))
    return places[0], places[1]


def one_each(
    rows: npt.NDArray[np.int64],
    y: npt.NDArray,
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    task: str,
    notes: list[str],
) -> npt.NDArray[np.int64]:
    """Choose one place of each object; those with two different classes are left out."""
    order = np.arange(len(rows))
    keep = first_of_each(ra, dec, _SAME_ARCSEC, order)
    keep &= ~pd.Series(rows).duplicated().to_numpy()
    dropped, kept = np.flatnonzero(~keep), np.flatnonzero(keep)
    if not dropped.size:
        return kept
    owner = _owners(rows, ra, dec, kept, dropped)
    differ = np.zeros(len(dropped), dtype=bool)
    if task == "classify":
        differ = y[owner] != y[dropped]
    notes.append(f"{len(dropped)} labels of objects that are there twice merged into one each")
    if differ.any():
        torn = np.unique(owner[differ])
        notes.append(f"{len(torn)} of these have two different labels and are left out")
        kept = np.setdiff1d(kept, torn)
    return kept


def _owners(
    rows: npt.NDArray[np.int64],
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    kept: npt.NDArray[np.int64],
    dropped: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Find the kept place of each dropped one: the same row, or the nearest position."""
    from scipy.spatial import cKDTree

    first = dict(zip(rows[kept].tolist(), kept.tolist(), strict=True))
    owner = np.array([first.get(row, -1) for row in rows[dropped].tolist()], dtype=np.int64)
    lost = np.flatnonzero(owner < 0)
    placed = kept[np.isfinite(ra[kept])]
    if lost.size:
        tree = cKDTree(unit_vectors(ra[placed], dec[placed]))
        near = tree.query(unit_vectors(ra[dropped[lost]], dec[dropped[lost]]))[1]
        owner[lost] = placed[near]
    return owner


def finite_rows(
    e: Embeddings, rows: npt.NDArray[np.int64], notes: list[str]
) -> npt.NDArray[np.bool_]:
    """Say which objects have an embedding without NaN."""
    good = np.ones(len(rows), dtype=bool)
    for start in range(0, len(rows), 16_384):
        part = e.values[rows[start : start + 16_384]]
        good[start : start + len(part)] = np.isfinite(part).all(axis=1)
    if not good.all():
        notes.append(f"{int((~good).sum())} labelled objects have NaN embeddings and are left out")
    return good
