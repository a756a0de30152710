"""A data set as one looks at it: embeddings, and beside each the cutout and the columns it has.

In: an embeddings file; the cutouts that it names. Out: both, row by row in the order of the
embeddings, opened once and read piece by piece. Where the cutouts are gone, the rest works.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts

_POSITIONAL = ("id", "ra", "dec", "tile", "x", "y")


@dataclass(frozen=True)
class DataSet:
    """Embeddings with their cutouts."""

    embeddings: Embeddings
    cutouts: CutoutSet | None
    rows: npt.NDArray[np.int64] | None  # (N,) of the cutouts, -1 = none; None = the same
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.embeddings.values)

    @property
    def fingerprint(self) -> str:
        """Name the data in the label ledger: that of the cutouts, so that models share labels."""
        return str(self.embeddings.attributes.get("cutouts_fingerprint", ""))

    @property
    def model(self) -> str:
        """Hash of the model that made the embeddings, empty if unknown."""
        return str(self.embeddings.attributes.get("checkpoint_sha256", ""))

    @property
    def is_mock(self) -> bool:
        """Say whether the sky is simulated."""
        return self.cutouts is not None and self.cutouts.info.survey == "mock"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of columns with one value for each object, without names and positions."""
        names = () if self.cutouts is None else self.cutouts.column_names
        return tuple(name for name in names if name not in _POSITIONAL)

    def column(self, name: str) -> npt.NDArray:
        """Read a column (N,); objects without a cutout have NaN, or empty text.

        Raises:
            InputError: there is no such column.
        """
        if self.cutouts is None:
            raise InputError(f"{self.embeddings.path}: no column {name}, its cutouts are not here")
        values = self.cutouts.column(name)
        if self.rows is None:
            return values
        if not len(values):
            return np.full(len(self), np.nan)
        if values.dtype.kind in "iub":
            values = values.astype(np.float64)
        missing = "" if values.dtype.kind in "US" else np.nan
        return np.where(self.rows >= 0, values[np.maximum(self.rows, 0)], missing)

    def images(self, rows: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Read cutouts (n, C, H, W), NaN where an object has none.

        Raises:
            InputError: the cutouts are not here.
        """
        if self.cutouts is None:
            raise InputError(f"{self.embeddings.path}: the cutouts of these embeddings are gone")
        wanted = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        found = wanted if self.rows is None else self.rows[wanted]
        images = np.full((len(found), *self.cutouts.shape), np.nan, dtype=np.float32)
        images[found >= 0] = self.cutouts.read(found[found >= 0])
        return images

    @cached_property
    def row_of(self) -> dict[str, int]:
        """Row of each id."""
        return {str(name): row for row, name in enumerate(self.embeddings.id)}


def open_dataset(path: str | Path, cutouts: str | Path | None = None) -> DataSet:
    """Open embeddings and the cutouts they are of.

    Args:
        path: the embeddings file.
        cutouts: where the cutouts are; None = where the embeddings file says.

    Returns:
        The data set; what is missing or does not fit stands in its `notes`.

    Raises:
        InputError: the embeddings cannot be read.
    """
    e = open_embeddings(path)
    place = Path(cutouts or str(e.attributes.get("cutouts", "")) or ".")
    if not place.exists() or place == Path("."):
        where = f" ({place})" if place != Path(".") else ""
        return DataSet(e, None, None, [f"{e.path}: the cutouts are not here{where}"])
    bands = str(e.attributes.get("bands", "")).split() or None
    try:
        found = open_cutouts(place, bands=bands)
    except InputError as error:
        return DataSet(e, None, None, [str(error)])
    if "id" not in found.column_names:
        same = len(found) == len(e.values)
        notes = [] if same else [f"{place}: {len(found)} cutouts for {len(e.values)} embeddings"]
        return DataSet(e, found if same else None, None, notes)
    ids = found.column("id").astype(str)
    if len(ids) == len(e.id) and (ids == e.id.astype(str)).all():
        return DataSet(e, found, None)
    place_of = {name: row for row, name in enumerate(ids)}
    rows = np.array([place_of.get(str(name), -1) for name in e.id], dtype=np.int64)
    missing = int((rows < 0).sum())
    notes = [f"{place}: {missing} of {len(rows)} objects have no cutout there"] if missing else []
    return DataSet(e, found, rows, notes)
