"""A small workspace that pages are tested on."""

import numpy as np
import pytest

from sky_ssl.embedding.store import write_embeddings
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.mock import write_mock
from sky_ssl.workspace import Workspace

ROWS = 300


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Mock cutouts, embeddings that know class and size, and a map; read only."""
    w = Workspace(tmp_path_factory.mktemp("workspace"))
    cutouts = w.cutouts / "mock.h5"
    cutouts.parent.mkdir()
    write_mock(cutouts, ROWS, seed=3, workers=1)
    data = open_cutouts(cutouts)
    rng = np.random.default_rng(0)
    kinds = np.unique(data.column("class"), return_inverse=True)[1]
    values = rng.normal(size=(ROWS, 16)).astype(np.float32)
    values[np.arange(ROWS), kinds] += 6
    columns = {name: data.column(name) for name in ("id", "ra", "dec", "tile")}
    attributes = {
        "cutouts": str(cutouts),
        "cutouts_fingerprint": data.fingerprint(),
        "checkpoint_sha256": "a" * 64,
        "bands": " ".join(data.info.bands),
        "pooling": "mean",
    }
    write_embeddings(
        w.embeddings / "mock.h5",
        [values],
        values.shape,
        dtype="float32",
        columns=columns,
        attributes=attributes,
    )
    w.maps.mkdir()
    map_file(w.embeddings / "mock.h5", w.maps / "mock.h5", MapOptions(method="pca"))
    return w
