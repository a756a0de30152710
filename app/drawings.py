"""What was drawn on maps, kept in the workspace, so that reload and links bring it back."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app import state
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.drawing import Drawing, load_drawing, save_drawing


def folder() -> Path:
    """Folder of what was drawn."""
    return state.workspace().selections / "drawn"


def keep(
    path: Path,
    data: DataSet,
    rows: npt.NDArray[np.int64],
    *,
    name: str = "lasso",
    stroke: dict[str, Any] | None = None,
) -> None:
    """Choose what was drawn, and keep it.

    Args:
        path, data: the data set.
        rows: what is chosen now; nothing = nothing is chosen any more.
        name: in words.
        stroke: of the map, what was drawn and how it was joined to what was chosen before.
    """
    if not len(rows):
        state.choose(None)
        return
    strokes: tuple[dict[str, Any], ...] = () if stroke is None else (stroke,)
    before = state.now().chosen
    if stroke is not None and stroke["mode"] != "new" and before is not None and before.saved:
        known = load_drawing(folder(), before.saved, _objects(path, data), len(data))
        strokes = (*(known.strokes if known else ()), *strokes)
    drawing = Drawing(rows, "lasso", name, strokes)
    saved = save_drawing(folder(), drawing, _objects(path, data), len(data))
    state.choose(state.Chosen(rows, "lasso", name, saved=saved))


def restore(path: Path, data: DataSet) -> None:
    """Choose again what the address names, once a session and data set."""
    now = state.now()
    if not now.selection or now.chosen is not None:
        return
    try:
        known = load_drawing(folder(), now.selection, _objects(path, data), len(data))
    except InputError as error:
        st.warning(plain(str(error)), icon=":material/warning:")
        known = None
    if known is None:
        st.toast("The selection of this address is not in this workspace, or of other data.")
        state.change(selection="")
        return
    state.choose(state.Chosen(known.rows, known.source, known.name, saved=now.selection))


def _objects(path: Path, data: DataSet) -> str:
    return data.fingerprint or path.name
