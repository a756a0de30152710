"""The clusters of a map as they are kept beside it, found by `sky-ssl clusters`.

In: the map file. Out: a cluster per object, and names to show. What was found before the map was
made anew is not used.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.clusters import Card, Clusters, make_cards
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.keptcolumns import read_columns
from sky_ssl.explore.mapfile import SkyMap

MEMBERS = 8
"""Typical and odd members that a card shows."""


def clusters_table(map_path: Path) -> Path:
    """Give the table beside a map that says which object is in which cluster."""
    return map_path.parent / "clusters" / f"{map_path.stem}.fits"


def kept_clusters(map_path: Path, ids: npt.NDArray) -> Clusters | None:
    """Read the clusters of a map; None where they are not found yet, or those of an older map.

    Args:
        map_path: of the map.
        ids: (N,) of its objects.

    Raises:
        InputError: the table is none.
    """
    table = clusters_table(map_path)
    found = read_columns(table, map_path, ids, ("cluster", "membership"))
    if found is None:
        return None
    number = np.nan_to_num(found["cluster"], nan=-1).astype(np.int32)
    return Clusters(number, np.nan_to_num(found["membership"]).astype(np.float32))


def cluster_title(number: int, name: str = "") -> str:
    """Name a cluster as people do: by what it was called, else from 1, the largest first."""
    return f"{number + 1} {name}" if name else f"cluster {number + 1}"


def members(clusters: Clusters, number: int, by: str = "typical") -> npt.NDArray[np.int64]:
    """List the rows of a cluster.

    Args:
        clusters: of the map.
        number: of the cluster.
        by: "typical", those that belong most first, or "odd", those that belong least first.

    Raises:
        InputError: no such cluster, or another order.
    """
    if not 0 <= number < clusters.count:
        raise InputError(f"cluster {number + 1}: there are 1 to {clusters.count}")
    if by not in ("typical", "odd"):
        raise InputError(f"order {by!r}: allowed are typical, odd")
    rows = np.flatnonzero(clusters.number == number)
    belongs = clusters.membership[rows]
    return rows[np.argsort(-belongs if by == "typical" else belongs, kind="stable")]


def describe(clusters: Clusters, number: int, sky_map: SkyMap, data: DataSet) -> Card:
    """Describe one cluster: size, typical and odd members, medians of columns and colours.

    Args:
        clusters: of the map.
        number: of the cluster.
        sky_map: the map, of the same objects as the data.
        data: whose embeddings say where the middle is, and whose columns are told.
    """
    rows = np.flatnonzero(clusters.number == number)
    alone = Clusters(np.zeros(len(rows), np.int32), clusters.membership[rows])
    points = None
    values = data.embeddings.values
    if sky_map.axes is not None and sky_map.axes.mean.shape == values.shape[1:]:
        points = np.nan_to_num(sky_map.axes.project(values[rows]))
    told = {name: data.column(name)[rows] for name in data.column_names}
    (card,) = make_cards(alone, sky_map.xy[rows], points=points, columns=told, members=MEMBERS)
    return replace(
        card,
        number=number,
        typical=[int(rows[i]) for i in card.typical],
        odd=[int(rows[i]) for i in card.odd],
    )
