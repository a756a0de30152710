"""Open maps of embeddings, and what is known of their objects: clusters, density, oddness."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.cache.ledgers import label_column, labels, ledger
from app.cache.stamps import Stamp, stamp
from app.cache.survey import data
from sky_ssl.explore.clusters import Card, Clusters
from sky_ssl.explore.mapfile import SkyMap, open_map
from sky_ssl.explore.mapview import MapFrame, frame_map
from sky_ssl.figures.colours import Colouring, colour_classes, colour_numbered, colour_numbers


def sky_map(path: Path) -> SkyMap:
    """Open a map."""
    return _sky_map(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _sky_map(path: Path, changed: Stamp) -> SkyMap:
    return open_map(path)


def is_of(path: Path, embeddings: Path) -> bool:
    """Say whether a map is of the objects of embeddings, in their order.

    Raises:
        InputError: it is no map.
    """
    return _is_of(path, embeddings, stamp(path), stamp(embeddings))


@st.cache_resource(max_entries=64, show_spinner=False)
def _is_of(path: Path, embeddings: Path, changed: Stamp, made: Stamp) -> bool:
    known, ids = sky_map(path).id, data(embeddings).embeddings.id
    return len(known) == len(ids) and bool((known == ids).all())


def frame(path: Path) -> MapFrame:
    """Open a map, on the grid of the screen."""
    return _frame(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _frame(path: Path, changed: Stamp) -> MapFrame:
    return frame_map(sky_map(path).xy)


def density_colours(path: Path) -> Colouring:
    """Colour the objects by how crowded the map is around them."""
    return _density_colours(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _density_colours(path: Path, changed: Stamp) -> Colouring:
    from sky_ssl.explore.mapdensity import local_density

    return colour_numbers(local_density(frame(path)), log=True)


def clusters(path: Path) -> Clusters | None:
    """Give the clusters of a map, if they are found."""
    from sky_ssl.explore.mapclusters import clusters_table

    return _clusters(path, stamp(path), stamp(clusters_table(path)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _clusters(path: Path, changed: Stamp, found: Stamp) -> Clusters | None:
    from sky_ssl.explore.mapclusters import kept_clusters

    return kept_clusters(path, sky_map(path).id)


def cluster_names(path: Path) -> dict[int, str]:
    """Give the names that users gave to the clusters of a map."""
    from sky_ssl.explore.clusternames import names_file
    from sky_ssl.explore.mapclusters import clusters_table

    return _cluster_names(path, stamp(path), stamp(clusters_table(path)), stamp(names_file(path)))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cluster_names(path: Path, changed: Stamp, found: Stamp, named: Stamp) -> dict[int, str]:
    from sky_ssl.explore.clusternames import cluster_names

    known = clusters(path)
    return {} if known is None else cluster_names(path, known, sky_map(path).id)


def cluster_colours(path: Path) -> Colouring | None:
    """Colour the objects by cluster, if those are found."""
    from sky_ssl.explore.mapclusters import cluster_title

    found = clusters(path)
    if found is None:
        return None
    names = cluster_names(path)
    titles = tuple(cluster_title(number, names.get(number, "")) for number in range(found.count))
    return _cluster_colours(path, titles, stamp(path), found)


@st.cache_resource(max_entries=8, show_spinner=False)
def _cluster_colours(
    path: Path, titles: tuple[str, ...], changed: Stamp, _found: Clusters
) -> Colouring:
    return colour_numbered(_found.number, titles)


def cluster_card(path: Path, embeddings: Path, number: int) -> Card:
    """Describe a cluster of a map; without its labels, which change all the time."""
    from sky_ssl.explore.mapclusters import clusters_table

    changed = stamp(path), stamp(embeddings), stamp(clusters_table(path))
    return _cluster_card(path, embeddings, number, changed)


@st.cache_resource(max_entries=64, show_spinner=False)
def _cluster_card(
    path: Path, embeddings: Path, number: int, changed: tuple[Stamp, Stamp, Stamp]
) -> Card:
    from sky_ssl.explore.mapclusters import describe

    found = clusters(path)
    assert found is not None
    return describe(found, number, sky_map(path), data(embeddings))


def measures(embeddings: Path) -> dict[str, npt.NDArray[np.float64]] | None:
    """Give the measures of how odd objects are, if they are made."""
    from sky_ssl.explore.oddview import odd_table

    return _measures(embeddings, stamp(embeddings), stamp(odd_table(embeddings)))


@st.cache_resource(max_entries=4, show_spinner=False)
def _measures(
    embeddings: Path, changed: Stamp, made: Stamp
) -> dict[str, npt.NDArray[np.float64]] | None:
    from sky_ssl.explore.oddview import kept_measures

    return kept_measures(embeddings, data(embeddings).embeddings.id)


def oddness(embeddings: Path, artefacts: tuple[int, ...]) -> npt.NDArray[np.float64] | None:
    """Score how odd objects are, labelled artefacts weighed down; None where not measured."""
    from sky_ssl.explore.oddview import odd_table

    changed = stamp(embeddings), stamp(odd_table(embeddings))
    return _oddness(embeddings, artefacts, changed)


@st.cache_resource(max_entries=4, show_spinner="Weighing what is like labelled artefacts")
def _oddness(
    embeddings: Path, artefacts: tuple[int, ...], changed: tuple[Stamp, Stamp]
) -> npt.NDArray[np.float64] | None:
    from sky_ssl.explore.oddview import oddness

    found = measures(embeddings)
    if found is None:
        return None
    points = _points(embeddings, changed[0]) if artefacts else None
    return oddness(found, points, np.array(artefacts, dtype=np.int64))


@st.cache_resource(max_entries=2, show_spinner=False)
def _points(embeddings: Path, changed: Stamp) -> npt.NDArray[np.float32]:
    from sky_ssl.explore.axes import principal_axes
    from sky_ssl.explore.similarity import token_count

    e = data(embeddings).embeddings
    axes = principal_axes(e.values, token_count(e.attributes, e.values.shape[1]))
    return axes.project(e.values)


def odd_colours(embeddings: Path, artefacts: tuple[int, ...]) -> Colouring | None:
    """Colour the objects by how odd they are, if that is measured."""
    from sky_ssl.explore.oddview import odd_table

    changed = stamp(embeddings), stamp(odd_table(embeddings))
    return _odd_colours(embeddings, artefacts, changed)


@st.cache_resource(max_entries=4, show_spinner=False)
def _odd_colours(
    embeddings: Path, artefacts: tuple[int, ...], changed: tuple[Stamp, Stamp]
) -> Colouring | None:
    found = oddness(embeddings, artefacts)
    return None if found is None else colour_numbers(found, 0.0, 1.0)


def artefacts(place: str, embeddings: Path) -> tuple[int, ...]:
    """List the objects (rows) that anybody labelled as an artefact, in any task."""
    return _artefacts(place, embeddings, stamp(embeddings), ledger(place).last_event())


@st.cache_resource(max_entries=4, show_spinner=False)
def _artefacts(place: str, embeddings: Path, changed: Stamp, newest: int) -> tuple[int, ...]:
    from sky_ssl.explore.oddview import is_artefact

    known = data(embeddings)
    found: set[int] = set()
    for task in ledger(place).tasks():
        said = labels(place, task, known.fingerprint)
        named = zip(said["object_id"], said["label"], strict=True)
        found |= {known.row_of.get(str(name), -1) for name, label in named if is_artefact(label)}
    return tuple(sorted(found - {-1}))


def label_colours(
    place: str, task: str, embeddings: Path, colours: tuple[tuple[str, str], ...]
) -> Colouring:
    """Colour the objects by their labels of a task."""
    return _label_colours(
        place, task, embeddings, colours, stamp(embeddings), ledger(place).last_event()
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _label_colours(
    place: str,
    task: str,
    embeddings: Path,
    colours: tuple[tuple[str, str], ...],
    changed: Stamp,
    newest: int,
) -> Colouring:
    known = data(embeddings)
    found = labels(place, task, known.fingerprint)
    return colour_classes(label_column(found, known.row_of, len(known)), dict(colours))


def cluster_labels(place: str, task: str, path: Path, embeddings: Path, number: int) -> Any:
    """Count the labels that the members of a cluster hold, the most frequent first."""
    from sky_ssl.explore.clusters import count_labels

    found, known = clusters(path), data(embeddings)
    assert found is not None
    said = label_column(labels(place, task, known.fingerprint), known.row_of, len(known))
    return count_labels(said[found.number == number])
