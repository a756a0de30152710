"""Sheets of pictures for pages that show a sky in passing."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.cache.stamps import Stamp, stamp
from app.cache.survey import cutouts


def sheet(path: Path, count: int, width: int) -> npt.NDArray[np.uint8]:
    """Draw objects spread evenly over a cutout file, in rows of at most `width` pixels."""
    return _sheet(path, count, width, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _sheet(path: Path, count: int, width: int, changed: Stamp) -> npt.NDArray[np.uint8]:
    from sky_ssl.figures.contact import rgb_bands
    from sky_ssl.figures.sheet import draw_thumbnails
    from sky_ssl.sky.noise import usable_sigma

    found = cutouts(path)
    info, bands = found.info, rgb_bands(found.info.bands)
    sigma = usable_sigma(info.sky_sigma or [np.nan] * len(info.bands))
    rows = np.unique(np.linspace(0, max(len(found) - 1, 0), min(count, len(found))).astype(int))
    return draw_thumbnails(found.read(rows), sigma, bands, width=width)
