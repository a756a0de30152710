"""Map files: written and read, and positions of others."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.axes import Axes
from sky_ssl.explore.mapfile import (
    map_attributes,
    map_is_current,
    open_map,
    read_own_map,
    write_map,
)
from sky_ssl.explore.maps import NO_VECTOR, MapOptions

VALUES = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)


def embeddings(
    path: Path, values: np.ndarray = VALUES, model: str = "a" * 64, prefix: str = "o"
) -> Embeddings:
    count = len(values)
    columns = {
        "id": np.array([f"{prefix}{i}" for i in range(count)]),
        "ra": np.linspace(10, 20, count),
        "dec": np.zeros(count),
        "tile": np.full(count, "t"),
    }
    said = {"checkpoint_sha256": model, "pooling": "mean"}
    write_embeddings(
        path, [values], values.shape, dtype="float32", columns=columns, attributes=said
    )
    return open_embeddings(path)


def written(path: Path, e: Embeddings, options: MapOptions, onto: str = "") -> None:
    count = len(e.values)
    columns = {"id": e.id, "ra": e.ra, "dec": e.dec, "how": np.zeros(count, np.uint8)}
    axes = Axes(np.zeros(8, np.float32), np.eye(2, 8, dtype=np.float32), 1)
    xy = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    write_map(path, xy, columns, map_attributes(e, options, onto), axes)


def test_a_map_is_read_as_written(tmp_path: Path) -> None:
    """Positions, columns and axes come back, and nothing else is left in the folder."""
    e = embeddings(tmp_path / "e.h5")
    written(tmp_path / "maps" / "m.h5", e, MapOptions())
    read = open_map(tmp_path / "maps" / "m.h5")
    np.testing.assert_array_equal(read.xy, np.arange(60).reshape(30, 2))
    assert read.id.tolist() == e.id.tolist()
    np.testing.assert_array_equal(read.ra, e.ra)
    assert read.axes is not None
    np.testing.assert_array_equal(read.axes.axes, np.eye(2, 8))
    assert (read.attributes["method"], read.attributes["seed"], len(read)) == ("umap", 0, 30)
    assert [p.name for p in (tmp_path / "maps").iterdir()] == ["m.h5"]


def test_a_map_is_current_until_something_changes(tmp_path: Path) -> None:
    """Options, seed, model, embeddings, ids, or the map that it was placed into."""
    e, path, o = embeddings(tmp_path / "e.h5"), tmp_path / "m.h5", MapOptions()
    assert not map_is_current(path, e, o)
    written(path, e, o)
    assert map_is_current(path, e, o)
    assert map_is_current(path, embeddings(tmp_path / "copy.h5"), o)
    for other in (replace(o, seed=1), replace(o, method="tsne"), replace(o, neighbours=16)):
        assert not map_is_current(path, e, other)
    assert not map_is_current(path, e, o, onto="b" * 64)
    assert not map_is_current(path, embeddings(tmp_path / "f.h5", model="b" * 64), o)
    assert not map_is_current(path, embeddings(tmp_path / "g.h5", VALUES + 1), o)
    assert not map_is_current(path, embeddings(tmp_path / "h.h5", VALUES[:29]), o)
    assert not map_is_current(path, embeddings(tmp_path / "i.h5", prefix="p"), o)


def test_broken_and_foreign_files_are_refused(tmp_path: Path) -> None:
    """One line that names the file and what it holds; such a map is not current either."""
    e, path = embeddings(tmp_path / "e.h5"), tmp_path / "m.h5"
    with pytest.raises(InputError, match=r"e\.h5: no data set `xy` \(N, 2\) of a map; it holds"):
        open_map(e.path)
    written(path, e, MapOptions())
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match=r"m\.h5"):
        open_map(path)
    assert not map_is_current(path, e, MapOptions())
    with pytest.raises(InputError, match=r"absent\.h5"):
        open_map(tmp_path / "absent.h5")
    with h5py.File(path, "w") as file:
        file["xy"] = np.zeros((4, 3))
    with pytest.raises(InputError, match=r"`xy` \(N, 2\)"):
        open_map(path)


def test_own_positions_from_a_table(tmp_path: Path) -> None:
    """Usual names are found; rows without numbers lie outside, with a note."""
    path = tmp_path / "own.csv"
    path.write_text("id,ra,dec,UMAP_1,UMAP_2\na,10,1,0.5,2\nb,11,2,,3\nc,12,3,1.5,4\n")
    own = read_own_map(path)
    assert own.id.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(own.xy[[0, 2]], [[0.5, 2], [1.5, 4]])
    np.testing.assert_array_equal(own.ra, [10, 11, 12])
    assert own.how.tolist() == [0, NO_VECTOR, 0]
    assert (own.xy[1] < [0.5, 2]).all()
    assert own.notes == [f"{path}: 1 rows without a position in UMAP_1 and UMAP_2"]


def test_own_columns_by_name(tmp_path: Path) -> None:
    """Named columns are taken; wrong ones, and ones without numbers, are refused."""
    path = tmp_path / "own.csv"
    path.write_text("left,up,word\n1,2,p\n3,4,q\n")
    own = read_own_map(path, x="left", y="up")
    np.testing.assert_array_equal(own.xy, [[1, 2], [3, 4]])
    assert own.id.tolist() == ["0", "1"]
    assert own.notes == [f"{path}: no column with ids: row numbers are used"]
    with pytest.raises(InputError, match=r"no column 'x' for the map; name both with --x and --y"):
        read_own_map(path)
    with pytest.raises(InputError, match=r"no column 'down' for the map.* left up word"):
        read_own_map(path, x="left", y="down")
    with pytest.raises(InputError, match="columns word and up hold no numbers"):
        read_own_map(path, x="word", y="up")


def test_own_map_may_be_a_map_file(tmp_path: Path) -> None:
    """A map file given as own positions is read as it is."""
    e = embeddings(tmp_path / "e.h5")
    written(tmp_path / "m.h5", e, MapOptions())
    np.testing.assert_array_equal(
        read_own_map(tmp_path / "m.h5").xy, open_map(tmp_path / "m.h5").xy
    )
