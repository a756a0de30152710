"""Positions of a user's own as a map of embeddings."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapview import frame_map
from sky_ssl.explore.ownmap import place_own


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    """Four objects, a to d."""
    values = np.arange(8, dtype=np.float32).reshape(4, 2)
    columns = {"id": np.array(list("abcd"), object), "ra": np.arange(4.0), "dec": np.zeros(4)}
    path = tmp_path / "e.h5"
    write_embeddings(path, [values], values.shape, dtype="float32", columns=columns, attributes={})
    return open_embeddings(path)


def test_positions_follow_the_ids(e: Embeddings, tmp_path: Path) -> None:
    """In the order of the embeddings; one that the table lacks has no place."""
    table = tmp_path / "own.csv"
    table.write_text("id,umap_1,umap_2\nd,4,40\nb,2,20\na,1,10\n")
    made = place_own(table, e, tmp_path / "own.h5")
    assert (made["rows"], made["placed"]) == (4, 3)
    assert "1 objects have no position" in made["notes"][-1]
    found = open_map(tmp_path / "own.h5")
    assert found.id.tolist() == list("abcd")
    assert found.xy[[0, 1, 3]].tolist() == [[1, 10], [2, 20], [4, 40]]
    assert frame_map(found.xy).placed.tolist() == [True, True, False, True]


def test_tables_without_ids_go_by_order(e: Embeddings, tmp_path: Path) -> None:
    """Where there are as many rows as objects."""
    table = tmp_path / "own.csv"
    table.write_text("x,y\n1,2\n3,4\n5,6\n7,8\n")
    place_own(table, e, tmp_path / "own.h5")
    assert open_map(tmp_path / "own.h5").xy.tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]


def test_tables_of_other_objects_are_refused(e: Embeddings, tmp_path: Path) -> None:
    """With what ids look like here."""
    table = tmp_path / "own.csv"
    table.write_text("id,x,y\nz,1,2\n")
    with pytest.raises(InputError, match=r"own\.csv: not one of its 1 ids .* look like a"):
        place_own(table, e, tmp_path / "own.h5")
