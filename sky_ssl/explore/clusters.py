"""Clusters of a map, and a card of each: how many, who is typical, what colours and labels.

In: positions (N, 2) and columns. Out: a cluster number per object, and cards. Sought on the map:
HDBSCAN finds a handful of clusters in 50 dimensions (adjusted mutual information with the classes
of a mock survey 0.14), on the map more, in a tenth of the time. Where all is one continent and a
few islets (0.13), the densest parts of it are the clusters (0.32).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.graph import nearest
from sky_ssl.explore.maps import NO_VECTOR

SAMPLE = 25_000
"""Above so many objects the clusters are found on a sample; the others go with their nearest."""
_CONTINENT = 0.6  # share of the objects in one cluster, from which on its parts are looked at
_BANDS = "FNugrizyYJHK"  # in the order of wavelength, for colours
_PLACES = ("id", "ra", "dec", "x", "y", "tile", "row")


@dataclass(frozen=True)
class Clusters:
    """Which object belongs where; cluster 0 is the largest."""

    number: npt.NDArray[np.int32]  # (N,) -1 = none
    membership: npt.NDArray[np.float32]  # (N,) 0 to 1, strength of belonging

    @property
    def count(self) -> int:
        """How many clusters there are."""
        return int(self.number.max(initial=-1)) + 1


@dataclass(frozen=True)
class Card:
    """What is known of a cluster."""

    number: int
    name: str  # given by a user, or empty
    size: int
    x: float  # median position in the map
    y: float
    typical: list[int]  # rows of members nearest to the middle of the cluster
    odd: list[int]  # rows of members that belong least
    medians: dict[str, float] = field(default_factory=dict)  # of columns, and colours
    labels: dict[str, int] = field(default_factory=dict)  # how many of each, most first


def find_clusters(
    xy: npt.NDArray[np.floating],
    *,
    min_size: int = 0,
    how: npt.NDArray[np.uint8] | None = None,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Clusters:
    """Find the clusters of a map (HDBSCAN, Campello et al. 2013).

    Where one cluster holds more than 0.6 of the objects, the leaves of the tree are taken, its
    densest parts; what lies between them is in none.

    Args:
        xy: (N, 2).
        min_size: the least number of members; 0 = the square root of N, 5 at least.
        how: (N,) of the map; objects without an embedding belong nowhere.
        sample: objects that the clusters are found on.
        seed: of the sample.

    Raises:
        InputError: `min_size` below 2.
    """
    if min_size and min_size < 2:
        raise InputError(f"min_size = {min_size}: must be 2 or more")
    good = np.isfinite(xy).all(axis=1)
    if how is not None:
        good &= how != NO_VECTOR
    rows = np.flatnonzero(good)
    used = rows
    if len(rows) > sample:
        used = np.sort(np.random.default_rng(seed).choice(rows, sample, replace=False))
    number = np.full(len(xy), -1, np.int32)
    membership = np.zeros(len(xy), np.float32)
    least = min_size or max(5, round(len(rows) ** 0.5))
    least = max(2, round(least * len(used) / max(len(rows), 1)))
    if len(used) >= 2 * least:
        number[used], membership[used] = _hdbscan(xy[used], least)
        rest = np.setdiff1d(rows, used, assume_unique=True)
        by, _ = nearest(xy[rest].astype(np.float32), xy[used].astype(np.float32), 1)
        if len(rest):
            number[rest], membership[rest] = number[used[by[:, 0]]], membership[used[by[:, 0]]]
    return _largest_first(number, membership)


def _hdbscan(
    xy: npt.NDArray[np.floating], least: int
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.floating]]:
    from sklearn.cluster import HDBSCAN

    # few samples for the density: a large smoothing loses the small islands
    samples = min(10, least)
    model = HDBSCAN(min_cluster_size=least, min_samples=samples, copy=True).fit(xy)
    if np.bincount(model.labels_ + 1)[1:].max(initial=0) > _CONTINENT * len(xy):
        model = HDBSCAN(
            min_cluster_size=least,
            min_samples=samples,
            cluster_selection_method="leaf",
            copy=True,
        ).fit(xy)
    return model.labels_, model.probabilities_


def _largest_first(number: npt.NDArray[np.int32], membership: npt.NDArray[np.float32]) -> Clusters:
    sizes = np.bincount(number[number >= 0])
    new = np.empty(len(sizes) + 1, np.int32)
    new[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    new[-1] = -1  # where -1 points
    return Clusters(new[number], membership)


def make_cards(
    clusters: Clusters,
    xy: npt.NDArray[np.floating],
    *,
    points: npt.NDArray[np.floating] | None = None,
    columns: Mapping[str, npt.NDArray] | None = None,
    labels: npt.NDArray | None = None,
    names: Mapping[int, str] | None = None,
    members: int = 9,
) -> list[Card]:
    """Describe each cluster.

    Args:
        clusters: of the map.
        xy: (N, 2).
        points: (N, P) projected embeddings, in which the middle is taken; else the map.
        columns: (N,) numbers each; of `mag_*` the colours of neighbouring bands are given too.
        labels: (N,) text, empty where there is none.
        names: given by users.
        members: how many typical and odd ones to list.
    """
    where = xy if points is None else points
    cards = []
    for number in range(clusters.count):
        rows = np.flatnonzero(clusters.number == number)
        inside = where[rows].astype(np.float64)
        far = np.linalg.norm(inside - np.median(inside, axis=0), axis=1)
        by_distance = np.argsort(far, kind="stable")
        # of those that belong equally little, the farthest from the middle first
        by_oddity = np.lexsort((-far, clusters.membership[rows]))
        x, y = np.median(xy[rows], axis=0)
        card = Card(
            number=number,
            name=(names or {}).get(number, ""),
            size=len(rows),
            x=float(x),
            y=float(y),
            typical=rows[by_distance[:members]].tolist(),
            odd=rows[by_oddity[:members]].tolist(),
            medians=medians({name: column[rows] for name, column in (columns or {}).items()}),
            labels={} if labels is None else count_labels(labels[rows]),
        )
        cards.append(card)
    return cards


def medians(columns: Mapping[str, npt.NDArray]) -> dict[str, float]:
    """Give the medians of columns (n,) of numbers, and of colours between neighbouring bands."""
    numbers = {
        name: np.asarray(values, np.float64)
        for name, values in columns.items()
        if np.asarray(values).dtype.kind in "fiu" and name not in _PLACES
    }
    bands = [name.removeprefix("mag_") for name in numbers if name.startswith("mag_")]
    # other names than the usual ones stay in the order they came in
    bands.sort(key=lambda b: _BANDS.find(b[0]) if len(b) == 1 else len(_BANDS))
    for a, b in pairwise(bands):
        numbers[f"{a} - {b}"] = numbers[f"mag_{a}"] - numbers[f"mag_{b}"]
    known = {name: values[np.isfinite(values)] for name, values in numbers.items()}
    return {name: float(np.median(values)) for name, values in known.items() if len(values)}


def count_labels(labels: npt.NDArray) -> dict[str, int]:
    """Count labels (n,), the most frequent first; empty ones and NaN are none."""
    text = np.array(["" if x is None or x != x else str(x) for x in labels.tolist()], dtype=str)
    names, counts = np.unique(text[text != ""], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]): int(counts[i]) for i in order}
