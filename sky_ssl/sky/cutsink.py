"""Write what was cut, with the columns that cutting makes and those of the catalogue.

In: pieces of cut windows, and the catalogue whose rows they are. Out: a cutout file; its columns
have one type each and names that HDF5 takes.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.sky.catalogue import pixel_names, plain_columns
from sky_ssl.sky.coords import iau_name
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutwindows import Piece
from sky_ssl.sky.noise import sky_sigma, usable_sigma

Floats = npt.NDArray[np.float64]

_OURS = ("cutouts", "id", "ra", "dec", "tile", "x", "y", "n_bands", "coverage")


def catalogue_columns(catalogue: pd.DataFrame) -> dict[str, npt.NDArray]:
    """Give the columns of a catalogue but `id`, `ra` and `dec`.

    Names that cutting uses itself get `_catalogue` added, slashes (groups in HDF5) become `_`.
    """
    result: dict[str, npt.NDArray] = {}
    for name, values in plain_columns(catalogue.drop(columns=["id", "ra", "dec"])).items():
        plain = name.replace("/", "_").strip(". ") or "column"
        plain = f"{plain}_catalogue" if plain in _OURS else plain
        new, number = plain, 2
        while new in result:
            new, number = f"{plain}_{number}", number + 1
        result[new] = values
    return result


def made_ids(
    prefix: str, tile: str, ra: Floats, dec: Floats, x: Floats, y: Floats, taken: set[str]
) -> npt.NDArray:
    """Name windows (N,) by position, or by tile and pixel where there is no position.

    Args:
        taken: names given so far; these are added, and a repeat gets a number.
    """
    names = iau_name(prefix, ra, dec).astype(object)
    unknown = names == ""
    if unknown.any():
        tiles = pd.Series([tile] * int(unknown.sum()))
        names[unknown] = pixel_names(tiles, pd.Series(x[unknown]), pd.Series(y[unknown]))
    for i, name in enumerate(names):
        new, number = str(name), 2
        while new in taken:
            new, number = f"{name} #{number}", number + 1
        taken.add(new)
        names[i] = new
    return names


class Sink:
    """Writes pieces to a cutout file, which is begun with the first of them.

    Args:
        path: the file.
        info: what the pixels are.
        dtype: of the file; float16 is stored in units of the noise of the first piece.
        attributes: more attributes of the file.
        prefix: of made ids.
        catalogue: whose columns are written too, or None.
    """

    def __init__(
        self,
        path: Path,
        info: CutoutInfo,
        *,
        dtype: str,
        attributes: Mapping[str, str | int | float],
        prefix: str,
        catalogue: pd.DataFrame | None,
    ) -> None:
        self._path, self._info, self._dtype = path, info, dtype
        self._attributes, self._prefix, self._catalogue = attributes, prefix, catalogue
        self._columns = {} if catalogue is None else catalogue_columns(catalogue)
        self._taken: set[str] = set()
        self._writer: CutoutWriter | None = None
        self._radii: list[npt.NDArray] = []

    def write(self, piece: Piece, stack: ExitStack) -> None:
        """Write a piece; the file is closed by the stack."""
        if self._writer is None:
            info = self._info
            if self._dtype == "float16":
                scale = usable_sigma(sky_sigma(piece.images))
                info = replace(info, scale=tuple(float(s) for s in scale))
            writer = CutoutWriter(self._path, info, dtype=self._dtype, attributes=self._attributes)
            self._writer = stack.enter_context(writer)
        rest = {name: values[piece.row] for name, values in self._columns.items()}
        self._writer.append(piece.images, {**self._own(piece), **rest})
        if "half_light_radius" in rest:
            self._radii.append(rest["half_light_radius"])

    def _own(self, piece: Piece) -> dict[str, npt.NDArray]:
        """Make the columns that every cutout file has."""
        ra, dec = piece.ra, piece.dec
        if self._catalogue is None:
            place = (ra, dec, piece.x, piece.y)
            ids = made_ids(self._prefix, piece.tile, *place, self._taken)
        else:
            rows = self._catalogue.iloc[piece.row]
            ids = rows["id"].astype(str).to_numpy(dtype=object)
            ra, dec = (rows[c].to_numpy(np.float64, na_value=np.nan) for c in ("ra", "dec"))
        valid = np.isfinite(piece.images)
        return {
            "id": ids,
            "ra": ra,
            "dec": dec,
            "tile": np.full(len(piece.x), piece.tile, dtype=object),
            "x": piece.x,
            "y": piece.y,
            "n_bands": valid.any(axis=(2, 3)).sum(axis=1).astype(np.int16),
            "coverage": valid.mean(axis=(1, 2, 3)).astype(np.float32),
        }

    def too_large(self, fov: float) -> tuple[int, int, float]:
        """Count objects whose half-light radius [arcsec] exceeds a quarter of the field.

        Returns:
            How many do, how many have a radius, and the largest.
        """
        radius = np.concatenate(self._radii) if self._radii else np.zeros(0)
        if radius.dtype.kind not in "iuf":
            return 0, 0, 0.0
        radius = radius[np.isfinite(radius)]
        return int((radius > fov / 4).sum()), radius.size, float(radius.max(initial=0.0))
