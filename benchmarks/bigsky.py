"""Made-up workspaces of any size, to time the dashboard on: embeddings, columns, cutouts, a map.

Embeddings lie in clumps of unequal size, each spread along a few directions of its own; the class
of an object is its clump. Pixels are those of a few hundred mock cutouts that all objects share by
an HDF5 virtual data set, so that a million objects take no more disk than their embeddings.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.mapfile import write_map
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.sky.mock import write_mock
from sky_ssl.workspace import Workspace

Floats = npt.NDArray[np.floating]
Say = Callable[[str], None]

TASK = "dwarf"
POOL = 512  # cutouts that all objects share
_CLUMPS, _DIRECTIONS = 40, 6
_PART = 50_000  # rows at once
_LABELS = 200


def build(place: Workspace, rows: int, dimensions: int, *, umap: bool, say: Say) -> None:
    """Build a workspace, where it is not there already; what is there is kept.

    Args:
        place: where.
        rows, dimensions: of the embeddings.
        umap: make the map as UMAP; else lay each clump out by its own first two directions.
        say: told what is being done.
    """
    sky, embeddings = place.cutouts / "sky.h5", place.embeddings / "sky.h5"
    which, along = clumps(rows)
    if not sky.exists():
        say("cutouts")
        write_cutouts(sky, which)
    if not embeddings.exists():
        say("embeddings")
        _write_embeddings(embeddings, sky, which, along, dimensions)
    data = open_dataset(embeddings)
    target = place.maps / ("umap.h5" if umap else "own.h5")
    if not target.exists():
        say("map")
        if umap:
            map_file(embeddings, target, MapOptions())
        else:
            _write_map(target, data, which, along)
    say("labels")
    place.labels.unlink(missing_ok=True)
    _label(place, data, which)


def clumps(rows: int, seed: int = 0) -> tuple[npt.NDArray[np.int64], Floats]:
    """Give each object a clump (rows,) and a place along its directions (rows, 6)."""
    rng = np.random.default_rng(seed)
    which = rng.choice(_CLUMPS, rows, p=rng.dirichlet(np.full(_CLUMPS, 2.0)))
    return which, rng.normal(0, 1, (rows, _DIRECTIONS)).astype(np.float32)


def write_cutouts(path: Path, which: npt.NDArray[np.int64]) -> None:
    """Write cutouts of N objects that are those of a few mock objects again and again."""
    pool = path.with_name(".pool.h5")  # hidden: it is no data set of its own
    if not pool.exists():
        write_mock(pool, POOL, seed=1)
    N, rng = len(which), np.random.default_rng(1)
    with h5py.File(pool) as source, h5py.File(path, "w", libver="latest") as file:
        first = source["cutouts"]
        layout = h5py.VirtualLayout((N, *first.shape[1:]), first.dtype)
        some = h5py.VirtualSource(pool.name, "cutouts", first.shape)
        for start in range(0, N, POOL):
            stop = min(start + POOL, N)
            layout[start:stop] = some[: stop - start]
        file.create_virtual_dataset("cutouts", layout)
        text = h5py.string_dtype()
        ids = np.array([f"SKY {row:07d}" for row in range(N)], dtype=object)
        file.create_dataset("id", data=ids, dtype=text)
        names = np.array([f"clump {k}" for k in range(_CLUMPS)], dtype=object)
        file.create_dataset("class", data=names[which], dtype=text)
        ra, dec = rng.uniform(120, 240, N), rng.uniform(0, 30, N)
        file["ra"], file["dec"] = ra, dec
        tiles = np.array([f"{int(r)}.{int(d)}" for r, d in zip(ra, dec, strict=True)])
        file.create_dataset("tile", data=tiles.astype(object), dtype=text)
        file["mag_r"], file["half_light_radius"] = rng.normal(22, 1, N), rng.lognormal(0.5, 0.4, N)
        file["zspec"] = np.where(rng.random(N) < 0.05, rng.gamma(2, 0.2, N), np.nan)
        file.attrs.update(source.attrs)
        file.attrs["n"] = N


def _write_embeddings(
    path: Path, cutouts: Path, which: npt.NDArray[np.int64], along: Floats, dimensions: int
) -> None:
    from sky_ssl.sky.cutoutset import open_cutouts

    rng = np.random.default_rng(2)
    centres = rng.normal(0, 0.4, (_CLUMPS, dimensions)).astype(np.float32)
    directions = rng.normal(0, 0.6, (_CLUMPS, _DIRECTIONS, dimensions)).astype(np.float32)

    def parts() -> Iterator[Floats]:
        for start in range(0, len(which), _PART):
            here, place = which[start : start + _PART], along[start : start + _PART]
            values = rng.standard_normal((len(here), dimensions), dtype=np.float32) * 0.2
            for clump in np.unique(here):
                of = here == clump
                values[of] += centres[clump] + place[of] @ directions[clump]
            yield values

    known = open_cutouts(cutouts)
    columns = {name: known.column(name) for name in ("id", "ra", "dec", "tile")}
    attributes = {
        "cutouts": str(cutouts),
        "cutouts_fingerprint": known.fingerprint(),
        "checkpoint_sha256": "0" * 64,
        "bands": " ".join(known.info.bands),
        "pooling": "mean",
    }
    shape = (len(which), dimensions)
    write_embeddings(path, parts(), shape, dtype="float32", columns=columns, attributes=attributes)


def _write_map(path: Path, data: DataSet, which: npt.NDArray[np.int64], along: Floats) -> None:
    """Lay clumps out beside each other, as positions that somebody brings along."""
    rng = np.random.default_rng(3)
    xy = rng.uniform(-10, 10, (_CLUMPS, 2))[which] + along[:, :2]
    e = data.embeddings
    columns = {"id": e.id, "ra": e.ra, "dec": e.dec, "how": np.zeros(len(e.id), np.uint8)}
    write_map(path, xy.astype(np.float32), columns, {"method": "own"})


def _label(place: Workspace, data: DataSet, which: npt.NDArray[np.int64]) -> None:
    """Label 200 objects: one clump beside all others."""
    rng, e = np.random.default_rng(4), open_embeddings(data.embeddings.path)
    hit = int(np.argsort(np.bincount(which))[_CLUMPS // 2])
    ledger = Ledger(place.labels)
    sides = (("dwarf", np.flatnonzero(which == hit)), ("other", np.flatnonzero(which != hit)))
    origin = Origin("benchmark", "click", data.fingerprint)
    for label, rows in sides:
        some = rng.choice(rows, min(_LABELS // 2, len(rows)), replace=False)
        ids = [str(name) for name in e.id[some]]
        ledger.label(ids, label, task=TASK, origin=origin, ra=e.ra[some], dec=e.dec[some])
    ledger.close()
