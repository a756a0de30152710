"""Names that users give to clusters of a map, kept beside it (JSON).

A name belongs to the objects that the cluster held when it was named: after a recomputation it is
that of the cluster which is mostly the same objects, and it waits where there is none.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.clusters import Clusters

_MEMBERS = 2000  # ids kept of a large cluster, spread evenly
_MOSTLY = 0.5


def names_file(map_path: Path) -> Path:
    """Give the file beside a map that holds the names of its clusters; hidden, as it is no map."""
    return map_path.with_name(f".{map_path.stem}.clusters.json")


def cluster_names(map_path: Path, clusters: Clusters, ids: npt.NDArray) -> dict[int, str]:
    """Give the names of the clusters of a map, by number.

    Args:
        map_path: of the map; another map of the same objects with its own names has another file.
        clusters: as found now.
        ids: (N,).

    Raises:
        InputError: if the file of names is not one.
    """
    found: dict[int, str] = {}
    for entry in _read(names_file(map_path)):
        number = _cluster_of(entry, clusters, ids)
        if number is not None:
            found[number] = entry["name"]  # the name given last
    return found


def name_cluster(
    map_path: Path, clusters: Clusters, ids: npt.NDArray, number: int, name: str
) -> None:
    """Name a cluster, or take its name away by an empty one.

    Raises:
        InputError: if there is no such cluster.
    """
    if not 0 <= number < clusters.count:
        raise InputError(f"cluster {number}: there are 0 to {clusters.count - 1} in {map_path}")
    path = names_file(map_path)
    entries = [e for e in _read(path) if _cluster_of(e, clusters, ids) != number]
    rows = np.flatnonzero(clusters.number == number)
    kept = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MEMBERS)).astype(int))]
    if name.strip():
        members = [str(x) for x in ids[kept]]
        entries.append({"name": name.strip(), "size": len(rows), "members": members})
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text(json.dumps({"clusters": entries}, indent=1), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _cluster_of(entry: dict[str, Any], clusters: Clusters, ids: npt.NDArray) -> int | None:
    """Find the cluster that holds most of the members, and mostly these."""
    inside = clusters.number[np.isin(ids.astype(str), entry["members"])]
    if not (inside >= 0).any():
        return None
    number = int(np.bincount(inside[inside >= 0]).argmax())
    share = float(np.mean(inside == number))
    size = int((clusters.number == number).sum())
    # of a sample of the members the number of common ones is an estimate; members that this
    # data set lacks count neither way
    present = entry["size"] * len(inside) / len(entry["members"])
    mostly = share > _MOSTLY and share * present / size > _MOSTLY
    return number if mostly else None


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))["clusters"]
        [(str(e["name"]), int(e["size"]), e["members"][0]) for e in entries]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: not a file of cluster names ({error})") from None
    return list(entries)
