"""A wider view of an object, read from the tile that its cutout was cut from.

In: cutouts whose file says where its tiles lie, and a row. Out: a window of several times the
cutout around the same position; nothing where the file does not say, or the tile is gone.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.cutoutset import CutoutSet, Part
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.sky.survey import Survey, parse_survey

if TYPE_CHECKING:
    from sky_ssl.sky.tiles import TileFiles

TIMES = 4  # fields of a cutout across the view
_MOST = 256  # pixels a side: what is larger is binned
_NEEDED = ("tile", "x", "y")


@dataclass(frozen=True)
class TileSource:
    """Where the tiles of a cutout file lie, and how they are read."""

    survey: Survey
    folders: tuple[Path, ...]
    reproject: bool
    binning: int  # native pixels a side of one pixel of a cutout


@dataclass(frozen=True)
class Wider:
    """A wider view."""

    image: npt.NDArray[np.float32]  # (C, S, S) at the zero points of the cutouts, NaN = no data
    tile: str
    pixel_scale: float  # arcsec
    noise: float  # sky noise of its pixels, in that of the cutouts' pixels
    problems: tuple[str, ...] = ()


def part_of(cutouts: CutoutSet, row: int) -> tuple[Part, int]:
    """Give the file that a row of a set is in, and its row there."""
    ends = np.cumsum([len(part) for part in cutouts.parts])
    place = int(np.searchsorted(ends, row, side="right"))
    return cutouts.parts[place], row - int(ends[place]) + len(cutouts.parts[place])


def _cell(path: Path, column: str, row: int) -> Any:
    """Read one value of a column: of millions of rows the column as a whole takes a second."""
    data = open_hdf5(path)[column]
    is_text = h5py.check_string_dtype(data.dtype) is not None
    return data.asstr()[row] if is_text else data[row]


def tile_source(path: Path) -> TileSource | None:
    """Read from a cutout file where its tiles lie; None where it does not say.

    Raises:
        InputError: what it says does not hold.
    """
    try:
        attributes = open_hdf5(path).attrs
    except InputError:
        return None  # a folder of pictures
    if "tile_folders" not in attributes or "survey_definition" not in attributes:
        return None
    try:
        folders = [Path(str(f)) for f in json.loads(attributes["tile_folders"])]
        table = json.loads(attributes["survey_definition"])
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: where its tiles lie cannot be read ({error})") from error
    return TileSource(
        parse_survey(table, str(path)),
        tuple(folders),
        bool(attributes.get("reproject", False)),
        int(attributes.get("binning", 1)),
    )


def tiles_there(source: TileSource) -> "dict[str, TileFiles]":
    """Find the tiles that are still there, by name; none where no folder is within reach."""
    from sky_ssl.sky.tiles import find_tiles

    folders = [folder for folder in source.folders if folder.is_dir()]
    if not folders:
        return {}
    try:
        tiles, _ = find_tiles(folders, source.survey)
    except InputError:
        return {}  # the folders are there, and their tiles are gone
    return {tile.name: tile for tile in tiles}


def read_wider(
    cutouts: CutoutSet,
    row: int,
    source: TileSource,
    tiles: "Mapping[str, TileFiles]",
    *,
    times: int = TIMES,
) -> Wider | None:
    """Read a window around an object that is several times as wide as its cutout.

    Args:
        cutouts: the set; its columns tile, x and y say where the object is.
        row: of the set.
        source: of the file that the row is in.
        tiles: as `tiles_there` gives them.
        times: fields of a cutout across the window.

    Returns:
        The view, binned where it would have more than 256 pixels a side; None where the tile or
        the place on it is not known.

    Raises:
        InputError: the tile cannot be read.
    """
    from sky_ssl.sky.cutting import cut_tile
    from sky_ssl.sky.tiles import open_tile

    part, offset = part_of(cutouts, row)
    if not set(_NEEDED) <= set(part.columns):
        return None
    name, x, y = (_cell(part.path, column, offset) for column in _NEEDED)
    bands, survey = cutouts.info.bands, source.survey
    known = str(name) in tiles and np.isfinite([float(x), float(y)]).all()
    if not known or not set(bands) <= set(survey.band_names):
        return None
    more = max(1, -(-cutouts.shape[1] * times // _MOST))  # cutout pixels in one of the view
    size = cutouts.shape[1] * times // more
    with open_tile(tiles[str(name)], survey, reproject=source.reproject) as tile:
        whole = cut_tile(tile, [x], [y], size=size, binning=source.binning * more)[0]
        problems = tuple(tile.problems)
    image = whole[[survey.band_names.index(band) for band in bands]]
    shift = np.asarray(cutouts.info.zero_point, dtype=np.float64) - survey.zero_point
    factor = 10 ** (0.4 * np.where(np.isfinite(shift), shift, 0.0))
    scale = survey.pixel_scale * source.binning * more
    bright = (image * factor[:, None, None]).astype(np.float32)
    return Wider(bright, str(name), scale, float(more), problems)
