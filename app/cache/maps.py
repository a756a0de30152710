"""Open maps of embeddings."""

from pathlib import Path

import streamlit as st

from app.cache.stamps import Stamp, stamp
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapview import MapFrame, frame_map


def frame(path: Path) -> MapFrame:
    """Open a map, on the grid of the screen."""
    return _frame(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _frame(path: Path, changed: Stamp) -> MapFrame:
    return frame_map(open_map(path).xy)
