"""Candidates: a selection rule applied to embeddings, as a ranked list of objects.

In: a `Selection`, open embeddings, and what is known already. Out: the best objects, each once,
with calibrated probabilities, and how many true ones are expected among the first so many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidatecolumns import as_dms, as_hms
from sky_ssl.explore.expectation import (
    calibration_for,
    doubts,
    expectations,
    highest_true_score,
    seen_here,
    supported,
)
from sky_ssl.explore.knownobjects import columns_of, nearest, nearest_known
from sky_ssl.explore.rule import Selection, check_model
from sky_ssl.explore.skylinks import SITES, sky_links
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.prevalence import Prevalence
from sky_ssl.progress import Progress
from sky_ssl.sky.coords import first_of_each, unit_vectors


@dataclass(frozen=True)
class ListOptions:
    """How to make a list."""

    threshold: float | None = None  # least score; None = the rule's
    top: int | None = None  # at most so many; None = all that pass, or 1000 of a ranking alone
    prevalence: Prevalence | None = None  # of the sky searched; None = that of the labelled sample
    known: str = "drop"  # objects with a label: "drop" or "keep"
    merge_arcsec: float = 1.0  # objects closer than this are one; 0 = none are
    radius_arcsec: float = 10.0  # within which a known object is named
    fov_arcsec: float = 60.0  # width of a cutout, for the links

    def __post_init__(self) -> None:
        if self.known not in ("drop", "keep"):
            raise InputError(f"known {self.known!r}: allowed are drop and keep")
        if self.top is not None and self.top < 1:
            raise InputError(f"top {self.top}: must be 1 or more")
        if not 0 <= self.merge_arcsec <= 3600:
            raise InputError(f"merge {self.merge_arcsec} arcsec: must be from 0 to 3600")


@dataclass(frozen=True)
class Candidates:
    """A ranked list."""

    frame: pd.DataFrame  # a row for each candidate, the best first
    rows: npt.NDArray[np.int64]  # (n,) of the embeddings
    expected: list[dict[str, float]]  # {"top", "mean", "low", "high"}: true ones among the first
    counts: dict[str, int]  # scored, passed, known, merged, listed
    threshold: float | None
    prevalence: float | None  # at which the probabilities are
    calibration: Calibration | None = None  # that the probabilities are by
    notes: list[str] = field(default_factory=list)  # warnings, a line each
    report: list[str] = field(default_factory=list)  # what was found where


def find_candidates(
    selection: Selection,
    e: Embeddings,
    options: ListOptions | None = None,
    *,
    labels: npt.NDArray[np.object_] | None = None,
    catalogues: Sequence[tuple[str, pd.DataFrame]] = (),
    columns: pd.DataFrame | None = None,
    progress: Progress | None = None,
) -> Candidates:
    """Apply a rule to embeddings.

    Args:
        selection: of the same model, pooling and projection.
        e: embeddings; scored over the memory map, block by block.
        labels: (N,) known labels, empty where there is none; see `knownobjects.labels_of`.
        catalogues: name and table of each, for the nearest known object.
        columns: table with magnitudes, sizes and flags.
        progress: called with (rows scored, N).

    Raises:
        InputError: embeddings of another model.
    """
    o = options or ListOptions()
    notes, report = check_model(selection, e), list[str]()
    scores = selection.scores(e.values, progress)
    threshold = selection.threshold if o.threshold is None else o.threshold
    passed = np.isfinite(scores) & (scores >= (-np.inf if threshold is None else threshold))
    known = known_labels(selection, e, labels, o.merge_arcsec)
    left = passed & (known == "") if o.known == "drop" else passed
    order = np.flatnonzero(left)
    order = order[np.argsort(-scores[order], kind="stable")]
    top = o.top or (len(order) if threshold is not None else 1000)
    rows, merged = _merged(e, order, top, o.merge_arcsec)
    raw = calibration_for(selection, o.prevalence, notes)
    calibration = seen_here(selection, raw, scores, o.prevalence)
    frame = _table(selection, e, rows, scores, known, calibration, o)
    if columns is not None:
        extra, line = columns_of(columns, e.id[rows], e.ra[rows], e.dec[rows])
        report.append(line)
        frame = pd.concat([frame, extra], axis=1)
    if catalogues:
        found = nearest_known(e.ra[rows], e.dec[rows], catalogues, o.radius_arcsec)
        frame = frame.assign(**found)
    if raw is not None:
        notes += doubts(selection, scores, raw, o.prevalence, threshold)
    return Candidates(
        frame=frame[_in_order(list(frame))],
        rows=rows,
        expected=expectations(supported(scores[rows], selection), calibration),
        counts={
            "scored": len(scores),
            "not_finite": int((~np.isfinite(scores)).sum()),
            "passed": int(passed.sum()),
            "known_left_out": int(passed.sum() - left.sum()),
            "merged": merged,
            "listed": len(rows),
        },
        threshold=threshold,
        prevalence=None if calibration is None else calibration.prevalence,
        calibration=calibration,
        notes=notes,
        report=report,
    )


def known_labels(
    selection: Selection,
    e: Embeddings,
    labels: npt.NDArray[np.object_] | None,
    radius_arcsec: float,
) -> npt.NDArray[np.object_]:
    """Give known labels (N,); the exemplars of a search are known too."""
    N = len(e.ra)
    known = np.full(N, "", dtype=object) if labels is None else np.array(labels, dtype=object)
    if known.shape != (N,):
        raise InputError(f"labels of shape {known.shape} for {N} objects")
    if selection.kind != "search" or not selection.exemplar_ids:
        return known
    place = np.array([selection.exemplar_ra, selection.exemplar_dec], dtype=np.float64)
    near = nearest(e.ra, e.dec, place[0], place[1], max(radius_arcsec, 0.1)) >= 0
    without = [i for i, ra in zip(selection.exemplar_ids, place[0], strict=True) if np.isnan(ra)]
    near |= np.isin(e.id, without)
    known[near & (known == "")] = "exemplar"
    return known


def _merged(
    e: Embeddings, order: npt.NDArray[np.int64], top: int, arcsec: float
) -> tuple[npt.NDArray[np.int64], int]:
    """Take the best `top` rows, each object once, and count the others among what was looked at."""
    depth = max(10 * top, 10_000)
    while True:
        rows = order[:depth]
        keep = first_of_each(e.ra[rows], e.dec[rows], arcsec, np.arange(len(rows)))
        if keep.sum() >= top or depth >= len(order):
            break
        depth *= 4
    kept = np.flatnonzero(keep)[:top]
    last = kept[-1] + 1 if kept.size == top > 0 else len(rows)
    return rows[kept], int((~keep[:last]).sum())


def _table(
    selection: Selection,
    e: Embeddings,
    rows: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float32],
    known: npt.NDArray[np.object_],
    calibration: Calibration | None,
    o: ListOptions,
) -> pd.DataFrame:
    ra, dec = e.ra[rows].astype(np.float64), e.dec[rows].astype(np.float64)
    placed = np.isfinite(ra) & np.isfinite(dec)
    ra, dec = np.where(placed, ra, np.nan), np.where(placed, dec, np.nan)
    columns: dict[str, Any] = {
        "id": e.id[rows].astype(object),
        "ra": ra,
        "dec": dec,
        "ra_hms": as_hms(ra),
        "dec_dms": as_dms(dec),
        "rank": np.arange(1, len(rows) + 1, dtype=np.int32),
        "score": scores[rows],
    }
    if calibration is not None:
        columns["probability"] = calibration.probability(supported(scores[rows], selection))
    if np.isfinite(highest_true_score(selection)):
        columns["beyond"] = scores[rows] > highest_true_score(selection)
    columns["twins"] = _twins(e, ra, dec, o.merge_arcsec)
    if o.known == "keep":
        columns["label"] = known[rows]
    columns["tile"] = e.tile[rows].astype(object)
    links = sky_links(ra, dec, o.fov_arcsec)
    columns |= {f"link_{site}": np.array(links[site], dtype=object) for site in SITES}
    return pd.DataFrame(columns)


def _twins(
    e: Embeddings, ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64], arcsec: float
) -> npt.NDArray[np.int32]:
    """Count the other rows of the embeddings within the merging radius of each candidate (n,)."""
    from scipy.spatial import cKDTree

    twins = np.zeros(len(ra), dtype=np.int32)
    here = np.isfinite(ra)
    there = np.isfinite(e.ra) & np.isfinite(e.dec)
    if arcsec <= 0 or not here.any():
        return twins
    chord = 2 * np.sin(np.radians(arcsec / 3600) / 2)
    tree = cKDTree(unit_vectors(e.ra[there], e.dec[there]))
    near = tree.query_ball_point(unit_vectors(ra[here], dec[here]), chord, return_length=True)
    twins[here] = np.maximum(near - 1, 0)
    return twins


def _in_order(names: list[str]) -> list[str]:
    """Put the columns in the order of a paper: what, where, how good, measured, known, links."""
    last = ["nearest_known", "nearest_separation", "nearest_catalogue", "twins", "label", "tile"]
    last = [name for name in (*last, *(f"link_{site}" for site in SITES)) if name in names]
    return [name for name in names if name not in last] + last
