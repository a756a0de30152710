"""A stored rule applied to a file: from paths to a candidate list with its provenance.

In: a rule, an embeddings file, labels, catalogues. Out: the list and its file, the area searched,
and a summary to print.
"""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl import __version__
from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidatefiles import check_ending, write_candidates
from sky_ssl.explore.candidates import Candidates, ListOptions, find_candidates
from sky_ssl.explore.footprint import searched_area, square_degrees, write_area
from sky_ssl.explore.knownobjects import labels_of, read_known
from sky_ssl.explore.objects import read_objects
from sky_ssl.explore.rule import Selection, check_model
from sky_ssl.explore.rulefile import load_selection
from sky_ssl.progress import Progress


@dataclass(frozen=True)
class ListRequest:
    """Which files to make a list of."""

    selection: Path
    embeddings: Path
    out: Path
    labels: str = ""  # a ledger (file or URL), or any file with objects
    label_column: str = ""  # of such a file
    task: str = ""  # of a ledger; all, if empty
    catalogues: tuple[Path, ...] = ()
    columns: Path | None = None  # cutouts or a catalogue; default: the cutouts that were embedded
    fov_arcsec: float = 0.0  # width of a cutout; 0 = as those cutouts say
    moc: Path | None = None


def make_list(
    request: ListRequest,
    options: ListOptions,
    scoring: Progress | None = None,
    mapping: Progress | None = None,
) -> tuple[Candidates, dict[str, Any]]:
    """Make a candidate list and write its files.

    Args:
        request: the files.
        options: the choices; the field of view is that of the request.
        scoring, mapping: progress of the two long parts.

    Returns:
        The list, and a summary: counts, expected true ones, purity, provenance, notes.

    Raises:
        InputError: a file that cannot be read, or embeddings of another model.
    """
    check_ending(request.out)
    selection = load_selection(request.selection)
    e = open_embeddings(request.embeddings)
    check_model(selection, e)
    notes, report = list[str](), list[str]()
    labels = _labels(request, e, options.merge_arcsec, notes, report)
    catalogues = [(path.name, read_objects(path)) for path in request.catalogues]
    columns = _columns(request, e, notes)
    fov = request.fov_arcsec or _field_of_view(request, e)
    if request.moc and not fov:
        raise InputError("--moc: the width of a cutout is not known here: give --fov ARCSEC")
    options = replace(options, fov_arcsec=fov or options.fov_arcsec)
    found = find_candidates(
        selection,
        e,
        options,
        labels=labels,
        catalogues=catalogues,
        columns=columns,
        progress=scoring,
    )
    about = provenance(selection, request.selection, e, found)
    write_candidates(found.frame, request.out, about)
    summary: dict[str, Any] = {
        "out": str(request.out),
        "selection": selection.name,
        **found.counts,
        "threshold": found.threshold,
        "prevalence": found.prevalence,
        "expected": found.expected,
        "purity": _purity(found),
        "measured": selection.measured,
        "provenance": about,
    }
    if request.moc:
        area = searched_area(e.ra, e.dec, fov, mapping)
        write_area(area, request.moc)
        summary |= {"moc": str(request.moc), "square_degrees": square_degrees(area)}
    if not len(found.frame):
        notes.append(_why_empty(found))
    summary |= {"report": [*report, *found.report], "notes": [*notes, *found.notes]}
    return found, summary


def provenance(
    selection: Selection, file: Path, e: Embeddings, found: Candidates
) -> dict[str, Any]:
    """Say what a list comes from, in names and plain values; `file` is that of the rule."""
    values = {
        "selection": selection.name,
        "selection_kind": selection.kind,
        "selection_file": file.name,
        "selection_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "selection_made": selection.made,
        "model": selection.model,
        "survey": str(e.attributes.get("survey", "")),
        "pooling": selection.pooling,
        "bands": " ".join(selection.bands),
        "embeddings": e.path.name,
        "cutouts_fingerprint": str(e.attributes.get("cutouts_fingerprint", "")),
        "scored": found.counts["scored"],
        "threshold": "none" if found.threshold is None else repr(float(found.threshold)),
        "probability_of": selection.calibration_of,
        "prevalence": "" if found.prevalence is None else f"{found.prevalence:.6g}",
        "version": f"sky_ssl {__version__}",
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return {name: value for name, value in values.items() if value != ""}


def _labels(
    request: ListRequest, e: Embeddings, merge_arcsec: float, notes: list[str], report: list[str]
) -> npt.NDArray[np.object_] | None:
    """Read the labels of a ledger or of a file, for the objects of the embeddings (N,)."""
    if not request.labels:
        return None
    table, column = read_known(request.labels, request.label_column, request.task)
    labels, lines = labels_of(
        table, e.id, e.ra, e.dec, column=column, radius_arcsec=max(merge_arcsec, 0.5)
    )
    report.extend(lines)
    if len(labels) and (labels != "").all() and not column:
        notes.append(
            f"{request.labels}: every object counts as known; with --label-column only those with "
            "a value in that column do"
        )
    return labels


def _columns(request: ListRequest, e: Embeddings, notes: list[str]) -> pd.DataFrame | None:
    """Read the table with magnitudes, sizes and flags."""
    if request.columns is not None:
        return read_objects(request.columns)
    cutouts = str(e.attributes.get("cutouts", ""))
    if not cutouts:
        return None
    if not Path(cutouts).exists():
        notes.append(f"{cutouts}: not here, so no magnitudes and sizes: name a file by --columns")
        return None
    try:
        return read_objects(cutouts)
    except InputError as error:
        notes.append(f"no magnitudes and sizes ({error})")
        return None


def _field_of_view(request: ListRequest, e: Embeddings) -> float:
    """Measure a cutout of the file that was embedded, arcsec; 0 if unknown."""
    from sky_ssl.sky.cutoutset import open_cutouts

    path = str(e.attributes.get("cutouts", ""))
    if not path or not Path(path).exists():
        return 0.0
    try:
        data = open_cutouts(path)
    except InputError:
        return 0.0
    width = data.shape[2] * data.info.pixel_scale
    return float(width) if np.isfinite(width) else 0.0


def _purity(found: Candidates) -> dict[str, float] | None:
    """Give the expected purity of the whole list with its interval."""
    if not found.expected:
        return None
    last = found.expected[-1]
    return {name: last[name] / last["top"] for name in ("mean", "low", "high")}


def _why_empty(found: Candidates) -> str:
    if not found.counts["scored"]:
        return "no candidates: the embeddings have no rows"
    if not found.counts["passed"]:
        return f"no candidates: no score reaches the threshold {found.threshold:g}"
    return f"no candidates: all {found.counts['passed']} that pass are known (--known keep)"
