"""Clusters and other columns that lie beside a map, and how crowded the map is."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.explore.clusters import Clusters
from sky_ssl.explore.keptcolumns import read_columns
from sky_ssl.explore.mapclusters import cluster_title, clusters_table, kept_clusters, members
from sky_ssl.explore.mapdensity import local_density
from sky_ssl.explore.mapview import frame_map

IDS = np.array(["c", "a", "-b 1", "d"])


def write_table(map_path: Path) -> Path:
    """Write clusters of three of the four objects, in another order."""
    map_path.touch()
    table = clusters_table(map_path)
    columns = {"id": ["a", "-b 1", "c"], "cluster": [0, 1, -1], "membership": [1.0, 0.5, 0.0]}
    write_candidates(pd.DataFrame(columns), table, {}, title="clusters")
    return table


def test_clusters_come_back_in_the_order_of_the_objects(tmp_path: Path) -> None:
    """By id, whatever the order of the table; an object that it lacks is in none."""
    write_table(tmp_path / "m.h5")
    found = kept_clusters(tmp_path / "m.h5", IDS)
    assert found is not None
    assert found.number.tolist() == [-1, 0, 1, -1]
    assert found.membership.tolist() == [0, 1, 0.5, 0]


def test_old_and_foreign_tables_are_not_used(tmp_path: Path) -> None:
    """None before there are any, after the map was made anew, and for other objects."""
    path = tmp_path / "m.h5"
    assert kept_clusters(path, IDS) is None
    table = write_table(path)
    assert kept_clusters(path, np.array(["x", "y"])) is None
    os.utime(table, (1, 1))
    assert kept_clusters(path, IDS) is None


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    table = write_table(tmp_path / "m.h5")
    with pytest.raises(InputError, match=r"no columns id and score.*delete it"):
        read_columns(table, tmp_path / "m.h5", IDS, ("score",))
    table.write_bytes(b"not FITS")
    with pytest.raises(InputError, match=r"m\.fits: cannot be read"):
        kept_clusters(tmp_path / "m.h5", IDS)


def test_members_are_listed_by_how_they_belong() -> None:
    """Those that belong most, or least, first; people count from 1."""
    found = Clusters(np.array([0, 1, 0, -1, 0]), np.array([0.2, 1, 0.9, 0, 0.5], np.float32))
    assert members(found, 0).tolist() == [2, 4, 0]
    assert members(found, 0, "odd").tolist() == [0, 4, 2]
    assert (cluster_title(0), cluster_title(1, "arcs")) == ("cluster 1", "2 arcs")
    with pytest.raises(InputError, match="cluster 3: there are 1 to 2"):
        members(found, 2)
    with pytest.raises(InputError, match="allowed are typical, odd"):
        members(found, 0, "best")


def test_density_is_that_of_a_slow_count() -> None:
    """It follows the number of neighbours; objects without a place have none."""
    rng = np.random.default_rng(0)
    xy = np.concatenate([rng.normal(0, 0.3, (2000, 2)), rng.normal(4, 1.5, (2000, 2))])
    xy[7] = np.nan
    found = local_density(frame_map(xy))
    assert np.isnan(found[7])
    assert np.nanmedian(found) == pytest.approx(1)
    some = rng.choice(np.flatnonzero(np.isfinite(found)), 300, replace=False)
    near = [(np.hypot(*(xy - xy[i]).T) < 0.25).sum() for i in some]
    assert (
        np.corrcoef(np.argsort(np.argsort(near)), np.argsort(np.argsort(found[some])))[0, 1] > 0.9
    )
    assert np.isnan(local_density(frame_map(np.full((3, 2), np.nan)))).all()
