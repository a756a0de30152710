"""The inspector: the object that was clicked, close up, with all that is known of it."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import insight, marks, objects, state
from app.components.closeup_view import Closeup, draw_closeup
from app.words import code, plain
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.skylinks import SITES, sky_links

_SITE = {"legacy": "Legacy", "aladin": "Aladin", "esasky": "ESASky"}


def inspector(path: Path, data: DataSet) -> None:
    """Show the object that was clicked: pictures, label, place, and what else is asked for."""
    row = data.row_of.get(state.now().object)
    if row is None:
        st.caption("Click a point on the map to look at the object.")
        return
    st.markdown(f"**{code(str(data.embeddings.id[row]))}** &nbsp; :small[{_links(data, row)}]")
    left, right = st.columns([2.8, 1])
    with left:
        if data.cutouts is None:
            st.caption("The cutouts of these embeddings are not here, so there is no picture.")
        else:
            _picture(data, row)
    with right:
        _buttons(data, row)
    insight.views(path, data, row)


def _picture(data: DataSet, row: int) -> None:
    assert data.cutouts is not None
    image = data.images([row])[0]
    if not np.isfinite(image).any():
        st.caption("This object has no cutout here.")
        return
    info = data.cutouts.info
    # the browser turns the stretch itself, from that of the survey on
    bands, stretch = objects.stretch_of(data, 1.0, 8.0)
    shown = " ".join(info.bands[b] for b in bands)
    width = info.pixel_scale * image.shape[2]
    field = f", {width:.1f} arcsec wide" if np.isfinite(width) else ""
    words = f"{shown} as red, green, blue, Lupton asinh{field}"
    closeup = Closeup(str(data.embeddings.id[row]), image, info.bands, bands,
                      objects.sigma_of(data), stretch, info.pixel_scale, words)  # fmt: skip

    def label(name: str, answer: str) -> None:
        at = data.row_of.get(name)
        if at is not None:
            marks.write_labels(data, [at], None if answer == "clear" else answer)

    draw_closeup(
        closeup,
        key="closeup",
        labels=[kind.name for kind in marks.task().labels],
        on_label=label,
        on_all=_to_all,
    )


def _to_all(brightness: float, softening: float) -> None:
    """Draw all thumbnails with a stretch."""
    state.change(stretch=(brightness, softening))


def _buttons(data: DataSet, row: int) -> None:
    """Offer the labels of the task, and to search by the object."""
    present, now, said = marks.task(), marks.labels_by_row(data)[row], marks.said_of(data, row)
    own = said.get(state.now().labeller)
    for key, label in enumerate(present.labels, start=1):
        st.button(
            plain(label.name),
            key=f"label {label.name}",
            type="primary" if label.name == now else "secondary",
            on_click=marks.write_labels,
            # a label of others is agreed to; one's own is taken off
            args=(data, [row], None if label.name == own else label.name),
            use_container_width=True,
            help=f"Key {key}; once more takes your label off",
        )
    others = {who: label for who, label in said.items() if who != state.now().labeller}
    if others:
        st.caption(plain("; ".join(f"{who}: {label}" for who, label in others.items())))
    like, unlike = state.now().like, state.now().unlike
    name = str(data.embeddings.id[row])
    kinds = (
        ("Exemplar", "like", like, "What searches are to find more of"),
        ("Counter", "unlike", unlike, "Counter-example: what searches are to keep away from"),
    )
    for title, how, those, help_ in kinds:
        st.button(
            title,
            type="primary" if name in those else "tertiary",
            on_click=state.mark,
            args=(name, "" if name in those else how),
            use_container_width=True,
            help=help_,
        )


def _links(data: DataSet, row: int) -> str:
    """Write links to pictures of the place of an object; nothing where it is not known."""
    e = data.embeddings
    ra, dec = e.ra[[row]], e.dec[[row]]
    if not (np.isfinite(ra).all() and np.isfinite(dec).all()):
        return ""
    field = data.cutouts.info.pixel_scale * data.cutouts.shape[2] if data.cutouts else np.nan
    links = sky_links(ra, dec, float(field) if np.isfinite(field) else 60.0)
    return " · ".join(f"[{_SITE[site]}]({links[site][0]})" for site in SITES)
