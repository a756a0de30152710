"""Clusters of a stored map, or of embeddings without one: cards, names and a table.

In: paths. Out: the clusters with a card each as plain values, and a table with the cluster of every
object. Names that are given lie beside the map.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl import __version__
from sky_ssl.errors import InputError
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.candidatefiles import check_ending, write_candidates
from sky_ssl.explore.clusternames import cluster_names, name_cluster, names_file
from sky_ssl.explore.clusters import Card, Clusters, find_clusters, make_cards
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.knownobjects import labels_of, read_known
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapjob import rows_of
from sky_ssl.explore.similarity import token_count
from sky_ssl.progress import Progress


@dataclass(frozen=True)
class ClusterRequest:
    """What to cluster, and what the cards tell."""

    map: Path | None = None
    embeddings: Path | None = None  # default: those that the map was made from, where they are
    cutouts: Path | None = None  # default: those that were embedded; their columns are on the cards
    labels: str = ""  # a ledger (file or URL), or any file with objects
    label_column: str = ""  # of such a file
    task: str = ""  # of a ledger; all, if empty
    out: Path | None = None
    min_size: int = 0  # see `find_clusters`
    components: int = 10  # principal axes to cluster in, where there is no map
    members: int = 9  # typical and odd ones to list
    seed: int = 0

    def __post_init__(self) -> None:
        if self.map is None and self.embeddings is None:
            raise InputError("nothing to cluster: give a map, or embeddings")
        for name in ("components", "members"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} = {getattr(self, name)}: must be 1 or more")
        if self.out is not None:
            check_ending(self.out)


@dataclass(frozen=True)
class Ground:
    """What clusters are sought on."""

    place: Path  # that names lie beside
    xy: npt.NDArray[np.floating]  # (N, 2) the map, or the first two principal axes
    space: npt.NDArray[np.floating]  # (N, P) in which clusters are sought: the map, or the axes
    how: npt.NDArray[np.uint8] | None
    id: npt.NDArray[np.str_]
    ra: npt.NDArray[np.float64]
    dec: npt.NDArray[np.float64]
    model: str
    data: DataSet | None
    rows: npt.NDArray[np.int64] | None  # (N,) of the data, -1 = none
    points: npt.NDArray[np.floating] | None  # (N, P) in which the middle of a cluster is taken


def cluster_file(
    request: ClusterRequest,
    names: Mapping[int, str] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Find the clusters, name some of them, and describe each.

    Args:
        request: the files.
        names: new names by number; an empty one takes the name away.
        progress: called with (rows, all rows) while embeddings are read.

    Returns:
        "clusters", a list of cards with the ids of typical and odd members; "objects", "alone" (in
        no cluster), "names" (file), "path" (table), "report" (of labels), "notes", "seconds".

    Raises:
        InputError: files that cannot be read, no clusters to name.
    """
    began = time.perf_counter()
    notes, report = list[str](), list[str]()
    ground = _ground(request, notes, progress)
    found = find_clusters(
        ground.space, min_size=request.min_size, how=ground.how, seed=request.seed
    )
    for number, name in (names or {}).items():
        name_cluster(ground.place, found, ground.id, number, name)
    named = cluster_names(ground.place, found, ground.id)
    cards = make_cards(
        found,
        ground.xy,
        points=ground.points,
        columns=_columns(ground),
        labels=_labels(request, ground, report),
        names=named,
        members=request.members,
    )
    if not found.count:
        notes.append("no clusters: the objects form no islands, or are too few (--min-size)")
    result = {
        "clusters": [_plain(card, ground.id) for card in cards],
        "of": str(ground.place),
        "objects": len(ground.id),
        "alone": int((found.number < 0).sum()),
        "min_size": request.min_size or None,
    }
    if named:
        result["names"] = str(names_file(ground.place))
    if request.out is not None:
        about = {
            "clusters_of": ground.place.name,
            "model": ground.model,
            "method": "HDBSCAN",
            "version": f"sky_ssl {__version__}",
        }
        table = cluster_table(found, named, ground.id, ground.ra, ground.dec)
        write_candidates(table, request.out, about, title="Clusters found by sky_ssl")
        result["path"] = str(request.out)
    seconds = round(time.perf_counter() - began, 2)
    return {**result, "report": report, "notes": notes, "seconds": seconds}


def cluster_table(
    clusters: Clusters,
    names: Mapping[int, str],
    ids: npt.NDArray,
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
) -> pd.DataFrame:
    """Give the cluster of each object as a table (N rows); -1 and an empty name for none."""
    name = np.array([names.get(number, "") for number in range(clusters.count)] + [""], object)
    return pd.DataFrame(
        {
            "id": ids.astype(object),
            "ra": ra,
            "dec": dec,
            "cluster": clusters.number,
            "cluster_name": name[clusters.number],
            "membership": clusters.membership,
        }
    )


def _ground(request: ClusterRequest, notes: list[str], progress: Progress | None) -> Ground:
    if request.map is None:
        return _of_embeddings(request, notes, progress)
    m = open_map(request.map)
    model = str(m.attributes.get("checkpoint_sha256", ""))
    data = rows = points = None
    path = request.embeddings or Path(str(m.attributes.get("embeddings", "")))
    if request.embeddings is None and not path.is_file():
        notes.append(f"{m.path}: its embeddings are not here, so the cards have no columns")
    else:
        data = open_dataset(path, request.cutouts)
        notes += data.notes
        rows = rows_of(m.id, data.embeddings.id)
        if not (rows >= 0).any():
            raise InputError(f"{path}: not one of its objects is on the map {m.path}")
        values = data.embeddings.values
        fits = m.axes is not None and m.axes.mean.shape == values.shape[1:]
        if fits and m.axes is not None and (rows == np.arange(len(rows))).all():
            points = m.axes.project(values[: len(rows)], progress)
    return Ground(m.path, m.xy, m.xy, m.how, m.id, m.ra, m.dec, model, data, rows, points)


def _of_embeddings(request: ClusterRequest, notes: list[str], progress: Progress | None) -> Ground:
    """Project embeddings onto a few principal axes, in place of a map."""
    assert request.embeddings is not None  # or there would be a map
    data = open_dataset(request.embeddings, request.cutouts)
    e = data.embeddings
    notes += data.notes
    notes.append("clusters sought along principal axes: on a map (--map) there are more to find")
    tokens = token_count(e.attributes, e.values.shape[1])
    points = principal_axes(e.values, tokens, request.components).project(e.values, progress)
    rows = np.arange(len(e.id))
    xy = np.pad(points[:, :2], ((0, 0), (0, max(0, 2 - points.shape[1]))))
    return Ground(e.path, xy, points, None, e.id, e.ra, e.dec, data.model, data, rows, points)


def _columns(ground: Ground) -> dict[str, npt.NDArray]:
    """Read the columns of numbers of all objects (N,), NaN where one has none."""
    if ground.data is None or ground.rows is None:
        return {}
    known = ground.rows >= 0
    columns = {}
    for name in ground.data.column_names:
        values = ground.data.column(name)
        if values.dtype.kind in "fiub":
            picked = values.astype(np.float64)[np.maximum(ground.rows, 0)]
            columns[name] = np.where(known, picked, np.nan)
    return columns


def _labels(
    request: ClusterRequest, ground: Ground, report: list[str]
) -> npt.NDArray[np.object_] | None:
    """Read the labels (N,) of the objects, empty where one has none."""
    if not request.labels:
        return None
    table, column = read_known(request.labels, request.label_column, request.task)
    labels, lines = labels_of(table, ground.id, ground.ra, ground.dec, column=column)
    report += lines
    return labels


def _plain(card: Card, ids: npt.NDArray) -> dict[str, Any]:
    """Give a card as plain values, its members by their ids."""
    return {
        "number": card.number,
        "name": card.name,
        "size": card.size,
        "x": card.x,
        "y": card.y,
        "typical": [str(ids[row]) for row in card.typical],
        "odd": [str(ids[row]) for row in card.odd],
        "medians": card.medians,
        "labels": card.labels,
    }
