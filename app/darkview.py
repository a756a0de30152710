"""Behind the object in the inspector: parts hidden from the model, and the tile around it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit as st

from app import cache, darkroom, objects, state
from app.components.closeup_view import Closeup, draw_closeup
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.wider import part_of
from sky_ssl.figures import masked
from sky_ssl.figures.contact import rgb_bands
from sky_ssl.figures.rgb import sky_stretch

_WIDTH = 192  # pixels of each of four pictures, at most
_TITLES = ("image", "what the model sees", "reconstruction", "residual")


def hidden(path: Path, data: DataSet, row: int) -> None:
    """Show what a model makes of an object of which it is shown a part."""
    assert data.cutouts is not None
    runs = darkroom.runs()
    if not runs:
        st.caption(
            "No trained model here, so nothing can be reconstructed: train one on the page "
            "Training, or put its run into the folder runs of the workspace."
        )
        return
    room = replace(state.now().darkroom, draws=1, draw=1)
    run = darkroom.run_of(room, runs, data.model)
    there = darkroom.in_cutouts(data, [row])
    if not there.rows:
        st.caption("This object has no cutout here.")
        return
    try:
        with st.spinner("Reconstructing", show_time=True):
            found = darkroom.fill(room, run, there)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    pictures = darkroom.pictures(room, found, 0)
    for start in (0, 2):
        for column, place in zip(st.columns(2), (start, start + 1), strict=True):
            column.image(masked.enlarge(pictures[place], _WIDTH), width="stretch",
                         caption=_TITLES[place])  # fmt: skip
    st.caption(darkroom.verdict(found, 0))
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.button("Hide others", key="hide others", on_click=darkroom.keep,
                kwargs={"seed": room.seed + 1}, help="Hide other parts of it",
                use_container_width=True)  # fmt: skip
    right.caption(f"{room.ratio:.0%} of the patches hidden; model {plain(run.name)}. "
                  "More on the page Reconstructions.")  # fmt: skip


def has_wider(data: DataSet, row: int) -> bool:
    """Say whether the tile of an object is at hand."""
    place = _row_of_cutout(data, row)
    if data.cutouts is None or place < 0:
        return False
    _, tiles = cache.tiles_behind(part_of(data.cutouts, place)[0].path)
    return str(data.embeddings.tile[row]) in tiles


def wider(path: Path, data: DataSet, row: int) -> None:
    """Show what lies around an object on its tile."""
    assert data.cutouts is not None
    try:
        with st.spinner("Reading the tile", show_time=True):
            found = cache.wider(path, _row_of_cutout(data, row))
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    if found is None:
        st.caption("Where on its tile the object is, is not known.")
        return
    bands = rgb_bands(data.cutouts.info.bands)
    sigma = [found.noise * s for s in objects.sigma_of(data)]
    width = found.pixel_scale * found.image.shape[2]
    shown = Closeup(
        str(data.embeddings.id[row]),
        found.image,
        data.cutouts.info.bands,
        bands,
        sigma,
        sky_stretch(np.asarray(sigma)[list(bands)]),
        found.pixel_scale,
        f"{width:.0f} arcsec of tile {found.tile}",
    )
    draw_closeup(shown, key="wider")
    for problem in found.problems:
        st.caption(plain(problem))


def _row_of_cutout(data: DataSet, row: int) -> int:
    return row if data.rows is None else int(data.rows[row])
