"""Open data sets and cutouts, their columns, and sheets of thumbnails."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app.cache.stamps import Stamp, stamp
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.figures.colours import Colouring, colour_classes, colour_numbers, is_number


def data(path: Path) -> DataSet:
    """Open embeddings with their cutouts."""
    return _data(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _data(path: Path, changed: Stamp) -> DataSet:
    return open_dataset(path)


def column(path: Path, name: str) -> npt.NDArray:
    """Read a column of a data set."""
    return _column(path, name, stamp(path))


@st.cache_resource(max_entries=64, show_spinner=False)
def _column(path: Path, name: str, changed: Stamp) -> npt.NDArray:
    values = data(path).column(name)
    values.flags.writeable = False
    return values


def column_colours(path: Path, name: str) -> Colouring:
    """Colour the objects of a data set by a column."""
    return _column_colours(path, name, stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _column_colours(path: Path, name: str, changed: Stamp) -> Colouring:
    values = column(path, name)
    return colour_numbers(values) if is_number(values) else colour_classes(values)


def cutouts(path: Path, bands: tuple[str, ...] = ()) -> Any:
    """Open a cutout file or folder; with some bands, in their order."""
    return _cutouts(path, bands, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cutouts(path: Path, bands: tuple[str, ...], changed: Stamp) -> Any:
    from sky_ssl.explore.objects import cutouts_of
    from sky_ssl.sky.cutoutset import open_cutouts

    return open_cutouts(path, bands=bands) if bands else cutouts_of(path)


def cutout_ids(path: Path) -> Any:
    """Give the names of the objects of a cutout file; row numbers where it has none."""
    return _cutout_ids(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cutout_ids(path: Path, changed: Stamp) -> Any:
    found = cutouts(path)
    if "id" not in found.column_names:
        return [f"row {row}" for row in range(len(found))]
    return found.column("id").astype(str)


def thumbnails(path: Path, start: int, count: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Draw some cutouts of a file, and say what is shown."""
    return _thumbnails(path, start, count, stamp(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _thumbnails(
    path: Path, start: int, count: int, changed: Stamp
) -> tuple[npt.NDArray[np.uint8], str]:
    from sky_ssl.figures.contact import rgb_bands
    from sky_ssl.figures.sheet import draw_thumbnails
    from sky_ssl.sky.noise import usable_sigma

    found = cutouts(path)
    stop = min(start + count, len(found))
    info, bands = found.info, rgb_bands(found.info.bands)
    sigma = usable_sigma(info.sky_sigma or [np.nan] * len(info.bands))
    picture = draw_thumbnails(found.read(slice(start, stop)), sigma, bands)
    shown = " ".join(info.bands[b] for b in bands)
    words = f"rows {start:,} to {stop - 1:,} of {len(found):,}; {shown} as red, green, blue"
    return picture, words


@st.cache_resource(max_entries=16, ttl=120, show_spinner="Looking through the folder")
def tiles(path: Path, survey: str) -> tuple[pd.DataFrame, list[str]]:
    """List the tiles below a folder with the bands that each has, and what was passed over."""
    from sky_ssl.sky.survey import load_survey
    from sky_ssl.sky.tilefiles import find_tiles

    found, notes = find_tiles([path], load_survey(survey))
    rows = {"tile": [t.name for t in found], "bands": [" ".join(t.files) for t in found]}
    return pd.DataFrame(rows), notes


def tiles_behind(path: Path) -> tuple[Any, dict[str, Any]]:
    """Say where the tiles of a cutout file lie, and which of them are there, by name."""
    return _tiles_behind(path, stamp(path))


@st.cache_resource(max_entries=8, ttl=600, show_spinner="Looking for the tiles")
def _tiles_behind(path: Path, changed: Stamp) -> tuple[Any, dict[str, Any]]:
    from sky_ssl.explore.wider import tile_source, tiles_there

    source = tile_source(path)
    return source, {} if source is None else tiles_there(source)


def wider(path: Path, row: int) -> Any:
    """Read what lies around an object of a data set, by the row of its cutout."""
    return _wider(path, row, stamp(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _wider(path: Path, row: int, changed: Stamp) -> Any:
    from sky_ssl.explore.wider import part_of, read_wider

    found = data(path).cutouts
    if found is None:
        return None
    source, tiles = tiles_behind(part_of(found, row)[0].path)
    return None if source is None else read_wider(found, row, source, tiles)
