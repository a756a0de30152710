"""Redshift: numbers read off the embeddings, held-out and for every object."""

import streamlit as st

from app import frame, panels, redshiftview, state
from app.later import Later
from app.words import plain
from sky_ssl.errors import InputError

_HEIGHT = 260  # pixels of the gallery
_EVERY = 0.6  # seconds between two looks at what is being fitted

path, data = frame.need_data()


def progress(work: Later) -> None:
    """Show how far the fit is; the page runs again when there is something new, and only then."""
    seen = work.best
    if work.is_done:
        return

    def drawn() -> None:
        if work.is_done or work.best is not seen:
            st.rerun()
        st.progress(work.share, f"fitting: {work.words}")

    st.fragment(drawn, run_every=_EVERY)()


@st.fragment
def instrument() -> None:
    """Everything on the page; a click reruns this much and no more."""
    try:
        chosen = redshiftview.source(path, data)
        if chosen is None:
            return
        name, values, key = chosen
        work = redshiftview.fitting(data, name, values, key)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return

    progress(work)
    if work.best is not None:
        redshiftview.figures(work.best)
        redshiftview.charts(work.best, name)
        redshiftview.predicted(path, work.best, name)
    selection = state.now().chosen
    if selection is None or selection.name != redshiftview.WORST:
        return
    left, right = st.columns([7, 3])
    with left:
        st.caption("The largest |D| of held-out objects: often blends, quasars or artefacts.")
        panels.gallery(path, data, key="redshift gallery", height=_HEIGHT)
    if state.now().object in data.row_of:
        with right, st.container(height=_HEIGHT + 90, border=False):
            panels.inspector(path, data)


instrument()
