"""Clusters of a map, their cards and their names."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.clusternames import cluster_names, name_cluster, names_file
from sky_ssl.explore.clusters import Clusters, count_labels, find_clusters, make_cards, medians
from sky_ssl.explore.maps import NO_VECTOR

SIZES = (60, 100, 40)


def three_islands(seed: int = 0, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Make positions of islands of 60, 100 and 40 objects far apart, and whose each is."""
    rng = np.random.default_rng(seed)
    which = np.repeat(np.arange(3), np.multiply(SIZES, times))
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    return (centres[which] + rng.normal(0, 0.5, (len(which), 2))).astype(np.float32), which


def test_islands_are_found_largest_first() -> None:
    """Cluster 0 is the largest island; hardly any object belongs nowhere, or elsewhere."""
    xy, which = three_islands()
    found = find_clusters(xy)
    assert found.count == 3
    largest_first = np.array([1, 0, 2])  # number of each island
    inside = found.number >= 0
    assert inside.mean() > 0.9
    assert (found.number[inside] == largest_first[which[inside]]).all()
    assert (np.diff(np.bincount(found.number[inside])) <= 0).all()
    assert (found.membership[inside] > 0).all()
    assert (found.membership[~inside] == 0).all()


def test_a_continent_is_seen_by_its_dense_parts() -> None:
    """Two hills joined by a plain, and an islet: three clusters, not one with nearly all."""
    rng = np.random.default_rng(3)
    hills = [rng.normal((x, 0), 0.3, (300, 2)) for x in (0, 4)]
    plain = rng.uniform((-1, -1), (5, 1), (400, 2))
    islet = rng.normal((40, 40), 0.3, (60, 2))
    found = find_clusters(np.concatenate([*hills, plain, islet]).astype(np.float32), min_size=40)
    tops = [np.bincount(found.number[part][found.number[part] >= 0]).argmax() for part in
            (slice(0, 300), slice(300, 600), slice(1000, 1060))]  # fmt: skip
    assert len(set(tops)) == 3
    assert np.bincount(found.number + 1)[1:].max() < 0.6 * len(found.number)


def test_a_lone_object_is_in_no_cluster() -> None:
    """Neither are objects without a position or an embedding; the others do not notice."""
    xy, _ = three_islands()
    more = np.concatenate([xy, [[40, 40], [np.nan, 0], [0, 0]]]).astype(np.float32)
    how = np.zeros(len(more), np.uint8)
    how[-1] = NO_VECTOR
    found = find_clusters(more, how=how)
    assert found.number[-3:].tolist() == [-1, -1, -1]
    assert found.count == 3


def test_of_many_objects_a_sample_is_used() -> None:
    """The rest goes with its nearest; the same seed gives the same clusters."""
    xy, which = three_islands(times=5)
    found = find_clusters(xy, sample=300)
    assert found.count == 3
    inside = found.number >= 0
    assert inside.mean() > 0.8
    assert (found.number[inside] == np.array([1, 0, 2])[which[inside]]).all()
    np.testing.assert_array_equal(found.number, find_clusters(xy, sample=300).number)


@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_too_few_objects_have_no_clusters(count: int) -> None:
    """Nothing is found among a handful, nor where all positions are NaN."""
    for xy in (np.zeros((count, 2), np.float32), np.full((count, 2), np.nan, np.float32)):
        found = find_clusters(xy)
        assert found.count == 0
        assert found.number.tolist() == [-1] * count
        assert make_cards(found, xy) == []


def test_min_size_below_two_is_refused() -> None:
    """The message names the parameter and what is allowed."""
    with pytest.raises(InputError, match="min_size = 1: must be 2 or more"):
        find_clusters(np.zeros((9, 2)), min_size=1)


def test_min_size_joins_or_splits() -> None:
    """Where 50 members are the least, the island of 40 is none."""
    xy, _ = three_islands()
    assert np.bincount(find_clusters(xy, min_size=50).number + 1)[1:].min() >= 50


def test_a_card_says_who_is_typical_and_who_odd() -> None:
    """The middle one is first of the typical, the least member first of the odd."""
    xy = np.array([[0, 0], [1, 0], [-1, 0], [0, 3], [50, 50]], np.float32)
    membership = np.array([1, 0.9, 0.8, 0.1, 0], np.float32)
    clusters = Clusters(np.array([0, 0, 0, 0, -1], np.int32), membership)
    columns = {"mag_r": np.array([20, 21, 22, np.nan, 9]), "mag_g": np.array([21, 22, 23, 24, 9.0])}
    labels = np.array(["dwarf", "", "spiral", "dwarf", "star"])
    (card,) = make_cards(
        clusters, xy, columns=columns, labels=labels, names={0: "dwarfs"}, members=2
    )
    assert (card.number, card.name, card.size) == (0, "dwarfs", 4)
    assert (card.x, card.y) == (0, 0)
    assert card.typical == [0, 1]
    assert card.odd == [3, 2]
    assert card.medians == {"mag_r": 21, "mag_g": 22.5, "g - r": 1}
    assert card.labels == {"dwarf": 2, "spiral": 1}


def test_the_middle_is_taken_among_embeddings() -> None:
    """Where projected embeddings are given, typical is who is in their middle."""
    clusters = Clusters(np.zeros(3, np.int32), np.ones(3, np.float32))
    xy = np.array([[0, 0], [1, 0], [2, 0]], np.float32)
    (card,) = make_cards(clusters, xy, points=np.array([[0.0], [9.0], [5.0]]), members=1)
    assert card.typical == [2]


def test_medians_are_of_numbers() -> None:
    """Bands by wavelength give colours; text, positions and empty columns are left out."""
    columns = {
        "mag_z": np.array([1.0, 2.0]),
        "mag_u": np.array([5.0, 5.0]),
        "flag": np.array([1, 3]),
        "name": np.array(["a", "b"]),
        "ra": np.array([1.0, 2.0]),
        "empty": np.array([np.nan, np.nan]),
    }
    assert medians(columns) == {"mag_z": 1.5, "mag_u": 5, "flag": 2, "u - z": 3.5}


def test_labels_are_counted() -> None:
    """Most first, of equals by name; empty ones, None and NaN are none."""
    labels = np.array(["b", "a", "", None, float("nan"), "c", "c"], dtype=object)
    assert list(count_labels(labels).items()) == [("c", 2), ("a", 1), ("b", 1)]
    assert count_labels(np.array([], dtype=object)) == {}


def numbered(*number: int) -> Clusters:
    return Clusters(np.array(number, np.int32), np.ones(len(number), np.float32))


IDS = np.array(["a", "b", "c", "d", "e", "f"])


def test_a_name_follows_its_objects(tmp_path: Path) -> None:
    """After a recomputation the name is with the cluster of mostly the same objects."""
    path = tmp_path / "m.h5"
    name_cluster(path, numbered(0, 0, 0, 1, 1, 1), IDS, 1, " rings ")
    assert cluster_names(path, numbered(0, 0, 0, 1, 1, 1), IDS) == {1: "rings"}
    assert cluster_names(path, numbered(1, 1, -1, 0, 0, 0), IDS) == {0: "rings"}
    assert cluster_names(path, numbered(1, 1, 1, 0, 0, -1), IDS) == {0: "rings"}
    assert cluster_names(path, numbered(0, 0, 0, 0, 0, 0), IDS) == {}
    assert cluster_names(path, numbered(0, 0, 0, 1, 1, 1), IDS) == {1: "rings"}  # it waited
    assert cluster_names(path, numbered(0, 0, 0, 1, 1, 1), np.char.add("x", IDS)) == {}


def test_names_are_given_anew_and_taken_away(tmp_path: Path) -> None:
    """The last name counts; an empty one takes it away; other clusters keep theirs."""
    path, clusters = tmp_path / "m.h5", numbered(0, 0, 0, 1, 1, 1)
    for number, name in ((0, "stars"), (1, "rings"), (1, "spirals")):
        name_cluster(path, clusters, IDS, number, name)
    assert cluster_names(path, clusters, IDS) == {0: "stars", 1: "spirals"}
    name_cluster(path, clusters, IDS, 1, "")
    assert cluster_names(path, clusters, IDS) == {0: "stars"}
    assert [p.name for p in tmp_path.iterdir()] == [names_file(path).name]
    with pytest.raises(InputError, match="cluster 2: there are 0 to 1"):
        name_cluster(path, clusters, IDS, 2, "none")


def test_names_of_a_large_cluster(tmp_path: Path) -> None:
    """Of many members a part is kept, and knows the cluster again although it has grown."""
    ids = np.array([f"o{i}" for i in range(9000)])
    number = np.repeat([0, 1], [5000, 4000])
    name_cluster(tmp_path / "m.h5", numbered(*number), ids, 0, "large")
    assert cluster_names(tmp_path / "m.h5", numbered(*number), ids) == {0: "large"}
    number[5000:7000] = 0
    assert cluster_names(tmp_path / "m.h5", numbered(*number), ids) == {0: "large"}
    number[:] = 0
    number[:6000] = 1
    number[:1500] = 2
    assert cluster_names(tmp_path / "m.h5", numbered(*number), ids) == {1: "large"}


@pytest.mark.parametrize("text", ["", "[]", '{"clusters": [{"name": "a"}]}', '{"clusters": 3}'])
def test_a_foreign_file_of_names_is_refused(tmp_path: Path, text: str) -> None:
    """The message names the file."""
    names_file(tmp_path / "m.h5").write_text(text)
    with pytest.raises(InputError, match=r"m\.clusters\.json: not a file of cluster names"):
        cluster_names(tmp_path / "m.h5", numbered(0, 0), IDS[:2])
