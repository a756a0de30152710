"""The oddest objects of an embeddings file, as a ranked list.

In: paths of embeddings, and of a run where the model's own reconstruction error is wanted; labels,
for artefacts. Out: a table, the oddest first, each object once, and a summary.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl import __version__
from sky_ssl.errors import InputError
from sky_ssl.explore.anomaly import (
    NEIGHBOUR,
    Anomalies,
    Scores,
    find_anomalies,
    reconstruction_error,
)
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.candidatecolumns import measured_columns
from sky_ssl.explore.candidatefiles import check_ending, write_candidates
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.hiding import Hiding
from sky_ssl.explore.knownobjects import labels_of, read_known
from sky_ssl.explore.similarity import token_count
from sky_ssl.progress import Progress
from sky_ssl.sky.coords import first_of_each

_NAMES = {
    "isolation": "isolation",
    "distance": "neighbour_distance",
    "reconstruction": "reconstruction_error",
}


@dataclass(frozen=True)
class AnomalyRequest:
    """Where to look for odd objects, and how."""

    embeddings: Path
    cutouts: Path | None = None  # default: those that were embedded
    run: Path | None = None  # of the model: adds its reconstruction error
    draws: int = 4  # masks of each object, for that
    labels: str = ""  # a ledger (file or URL), or any file with objects
    label_column: str = ""  # of such a file
    task: str = ""  # of a ledger; all, if empty
    artefacts: tuple[str, ...] = ("artefact",)  # labels that mean an artefact
    out: Path | None = None
    top: int = 0  # rows of the table; 0 = all
    neighbour: int = NEIGHBOUR
    components: int = 50  # principal axes
    merge_arcsec: float = 1.0  # objects closer than this are one, the oddest is kept
    seed: int = 0
    threads: int = 0

    def __post_init__(self) -> None:
        for name, least in (("components", 1), ("neighbour", 1), ("top", 0), ("draws", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} = {getattr(self, name)}: must be {least} or more")
        if not self.merge_arcsec >= 0:
            raise InputError(f"merge = {self.merge_arcsec}: must be 0 arcsec or more")
        if self.out is not None:
            check_ending(self.out)


def anomaly_table(
    request: AnomalyRequest,
    progress: Progress | None = None,
    filling: Progress | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Rank the objects of an embeddings file by how odd they are, and write the list.

    Args:
        request: files and choices.
        progress: of the two measures of embeddings, called with (done, 1000).
        filling: of the reconstruction error, called with (objects, N).

    Returns:
        The table: rank, id, ra, dec, `anomaly` (0 to 1), each measure, `unlike_artefacts`, label,
        magnitudes and sizes where they are known; and a summary.

    Raises:
        InputError: files that cannot be read or do not go together.
    """
    began = time.perf_counter()
    data = open_dataset(request.embeddings, request.cutouts)
    e, notes, report = data.embeddings, list(data.notes), list[str]()
    labels = _labels(request, data, report)
    artefacts = np.flatnonzero(np.isin(labels.astype(str), request.artefacts))
    if request.labels and not artefacts.size:
        there = ", ".join(sorted(set(labels[labels != ""].tolist()))[:5]) or "none of these objects"
        wanted = " or ".join(request.artefacts)
        notes.append(f"{request.labels}: no object is labelled {wanted} (labels: {there})")
    error = _error(request, data, filling)
    tokens = token_count(e.attributes, e.values.shape[1])
    points = principal_axes(e.values, tokens, request.components).project(e.values)
    found = find_anomalies(
        points,
        error,
        artefacts,
        neighbour=request.neighbour,
        seed=request.seed,
        threads=request.threads,
        progress=progress,
    )
    order = _each_once(found, e.ra, e.dec, request.merge_arcsec)
    lost = int((~np.isfinite(found.score)).sum())
    if lost:
        notes.append(f"{lost} objects have no usable embedding and are left out")
    if request.top:
        order = order[: request.top]
    table = _table(data, found, order, labels)
    summary: dict[str, Any] = {
        "objects": len(e.id),
        "measures": [_NAMES[name] for name in found.measures],
        "artefacts": int(artefacts.size),
        "listed": len(table),
    }
    if request.out is not None:
        write_candidates(table, request.out, _about(request, data), title=_TITLE)
        summary["path"] = str(request.out)
    seconds = round(time.perf_counter() - began, 2)
    return table, {**summary, "report": report, "notes": notes, "seconds": seconds}


_TITLE = "Anomalies among the embeddings of sky_ssl"


def _labels(request: AnomalyRequest, data: DataSet, report: list[str]) -> npt.NDArray[np.object_]:
    """Read the labels (N,) of the objects, empty where one has none."""
    e = data.embeddings
    if not request.labels:
        return np.full(len(e.id), "", dtype=object)
    table, column = read_known(request.labels, request.label_column, request.task)
    labels, lines = labels_of(table, e.id, e.ra, e.dec, column=column)
    report += lines
    return labels


def _error(request: AnomalyRequest, data: DataSet, progress: Progress | None) -> Scores | None:
    """Measure the reconstruction error (N,) by the model that made the embeddings."""
    if request.run is None:
        return None
    from sky_ssl.training.checkpoint import load_model

    if data.cutouts is None:
        raise InputError(
            f"{request.run}: a reconstruction error needs the cutouts of {request.embeddings}: "
            "name them by --cutouts"
        )
    model, state = load_model(request.run)
    sha = state.sha256()
    if data.model != sha:
        raise InputError(
            f"{request.run}: model {sha[:12]}, but {request.embeddings} was made with model "
            f"{data.model[:12] or 'unknown'}; name the run that it was embedded with"
        )
    hiding = Hiding(draws=request.draws, seed=request.seed)
    error = reconstruction_error(model, state.info, data.cutouts, hiding=hiding, progress=progress)
    if data.rows is None:
        return error
    return np.where(data.rows >= 0, error[np.maximum(data.rows, 0)], np.nan)


def _each_once(
    found: Anomalies,
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    merge_arcsec: float,
) -> npt.NDArray[np.int64]:
    """Give rows, the oddest first, of several within the radius the oddest alone."""
    order = found.order()
    kept = first_of_each(ra[order], dec[order], merge_arcsec, np.arange(len(order)))
    return order[kept]


def _table(
    data: DataSet,
    found: Anomalies,
    order: npt.NDArray[np.int64],
    labels: npt.NDArray[np.object_],
) -> pd.DataFrame:
    e = data.embeddings
    columns: dict[str, Any] = {
        "rank": np.arange(1, len(order) + 1),
        "id": e.id[order].astype(object),
        "ra": e.ra[order],
        "dec": e.dec[order],
        "anomaly": found.score[order],
    }
    columns |= {_NAMES[name]: values[order] for name, values in found.measures.items()}
    columns |= {"unlike_artefacts": found.unlike_artefacts[order], "label": labels[order]}
    for name in measured_columns(list(data.column_names)):
        columns[name] = data.column(name)[order]
    return pd.DataFrame(columns)


def _about(request: AnomalyRequest, data: DataSet) -> dict[str, Any]:
    """Say what a list comes from."""
    return {
        "embeddings": request.embeddings.name,
        "model": data.model,
        "cutouts_fingerprint": data.fingerprint,
        "measures": f"isolation forest, distance to neighbour {request.neighbour}"
        + ("" if request.run is None else ", reconstruction error"),
        "seed": request.seed,
        "version": f"sky_ssl {__version__}",
    }
