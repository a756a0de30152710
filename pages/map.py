"""The map: look, click, lasso, label."""

from typing import Any

import numpy as np
import streamlit as st

from app import cache, frame, objects, panels, probeview, state
from app.components.map_view import MapContent, Mark, draw_map
from app.routes import SHELF
from sky_ssl.explore.mapview import combine, mask_bytes
from sky_ssl.figures.colours import Colouring, colour_classes, colour_numbers

_OPEN, _WITH_GALLERY = 700, 470  # pixels of the map, alone and above the gallery

path, data = frame.need_data()
files = frame.maps(data)
if not files:
    file = state.workspace().maps / path.name
    st.info("No map of these embeddings yet. This makes one:", icon=":material/map:")
    st.code(f"sky-ssl map --embeddings {path} --method umap --out {file}", language="sh")
    st.stop()


def colouring(name: str) -> Colouring:
    """Colour the objects by label, by what the probe says, or by a column."""
    if name == "probability":
        found = probeview.colouring(path, data)
        if found is not None:
            return found
        st.caption(probeview.none_yet(path, data))
    predicted = state.now().predicted
    if predicted is not None and name == f"predicted {predicted[1]}":
        return colour_numbers(predicted[2])
    if name in ("label", "probability"):
        return colour_classes(panels.labels_by_row(data), panels.task().colours)
    return cache.column_colours(path, name)


def clicked(event: dict[str, Any]) -> None:
    """Look at the object that was clicked."""
    row = int(event["row"])
    if 0 <= row < len(data):
        state.look_at(str(data.embeddings.id[row]))


@st.fragment
def instrument() -> None:
    """Map, inspector and gallery; a click or a lasso reruns this much and no more."""
    now = state.now()
    bar = st.columns([2, 2, 2, 2, 3], vertical_alignment="center")
    names = [file.stem for file in files]
    chosen = bar[0].selectbox("Map", names, label_visibility="collapsed", key="map choice")
    file = files[names.index(chosen)]
    options = ["label", "probability", *data.column_names]
    if now.predicted is not None and now.predicted[0] == path.name:
        options.append(f"predicted {now.predicted[1]}")
    first = options.index(now.colour) if now.colour in options else 2 * (len(options) > 2)
    by = bar[1].selectbox("Colour by", options, first, label_visibility="collapsed", key="colour")
    tasks = panels.load_tasks(state.workspace().tasks)
    known = [t.name for t in tasks]
    task = bar[2].selectbox(
        "Task", known, known.index(panels.task().name), label_visibility="collapsed",
        key="task choice",
    )  # fmt: skip
    state.change(map=file.name, colour=by, task=task, data=path.name)
    grid = cache.frame(file)

    def drawn(event: dict[str, Any]) -> None:
        before = None
        if state.now().chosen is not None:
            before = np.zeros(len(data), dtype=bool)
            before[state.now().chosen.rows] = True
        mask = combine(before, grid.inside(event["polygon"]), str(event["mode"]))
        rows = np.flatnonzero(mask)
        state.choose(state.Chosen(rows, "lasso", "lasso") if len(rows) else None)

    selection = state.now().chosen
    mask = None
    if selection is not None:
        chosen_mask = np.zeros(len(data), dtype=bool)
        chosen_mask[selection.rows] = True
        mask = SHELF.put(mask_bytes(chosen_mask))
    if selection is not None:
        bar[3].markdown(f"**{len(selection.rows):,}** chosen by {selection.name}")
        with bar[4]:
            probeview.sort_toggle("map sort")
    colours = colouring(by)
    row = data.row_of.get(now.object)
    marks = [
        Mark([data.row_of[i] for i in now.like if i in data.row_of], "#ffffff"),
        Mark([data.row_of[i] for i in now.unlike if i in data.row_of], "#d55e00"),
    ]
    if row is not None:
        marks.append(Mark([row], "#f0e442", strong=True))
    height = _OPEN if selection is None else _WITH_GALLERY
    left, right = st.columns([7, 3])
    with left:
        draw_map(
            MapContent(
                points=SHELF.put(grid.to_bytes()),
                codes=SHELF.put(colours.codes.tobytes()),
                mask=mask,
                palette=colours.palette,
                about=objects.address(path),
                marks=marks,
                fly=(row, now.fly) if row is not None and now.fly else None,
            ),
            key="map",
            on_click=clicked,
            on_lasso=drawn,
            height=height,
        )
    with right, st.container(height=height, border=False):
        panels.inspector(path, data)
    wanted = by == "probability" or state.now().probing.sort
    probability = probeview.probability(path, data) if wanted else None
    panels.gallery(path, data, key="map gallery", height=240, probability=probability)


instrument()
