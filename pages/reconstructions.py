"""Masked reconstructions: what the model makes of what it is not shown."""

import streamlit as st

from app import cache, darkroom, state
from app.darkroom import COLOUR
from app.words import plain
from sky_ssl.errors import InputError

_SEED = "darkroom seed"
_CHI2 = """
χ² is the mean squared difference between reconstruction and image over the hidden pixels with
data, in units of the sky noise. A model that knew the object exactly would reach 1, since the noise
of the hidden pixels cannot be known; the shot noise of bright sources is not counted and adds to
it. *Blank sky* is what an empty reconstruction would score.
"""


@st.fragment
def instrument() -> None:
    """Controls and pictures; a change reruns this much and no more."""
    room = state.now().darkroom
    first = st.columns([2.2, 1.8, 1.4, 1.3, 1.3, 1.9], vertical_alignment="bottom")
    names = [run.name for run in runs]
    run = darkroom.run_of(room, runs)
    chosen = first[0].selectbox("Model", names, names.index(run.name), key="darkroom run")
    options = darkroom.choices()
    at = options.index(room.objects) if room.objects in options else 0
    kind = first[1].selectbox("Objects", options, at, key="darkroom objects")
    count = first[2].number_input("How many", 1, darkroom.MOST, room.count, key="darkroom count")
    st.session_state.setdefault(_SEED, room.seed)
    seed = first[3].number_input("Seed", 0, 2**31 - 2, key=_SEED)
    first[4].button(
        "Next seed",
        on_click=_again,
        use_container_width=True,
        help="Other masks, and other objects where they are random",
    )
    run = runs[names.index(chosen)]
    bands = cache.network(run)[1].info.bands

    second = st.columns([2.2, 1.8, 1.4, 1.3, 1.6, 1.9, 1.2], vertical_alignment="bottom")
    ratio = second[0].slider(
        "Hidden patches", 0, 95, round(100 * room.ratio), 5, format="%d %%", key="darkroom ratio"
    )
    masks = ["per band", "shared"]
    shared = second[1].selectbox("Masks", masks, int(room.shared), key="darkroom shared")
    whole = ["none", *bands]
    hide = second[2].selectbox(
        "Whole band hidden",
        whole,
        whole.index(room.hide) if room.hide in bands else 0,
        key="darkroom hide",
    )
    draws = second[3].number_input(
        "Draws",
        1,
        32,
        room.draws,
        key="darkroom draws",
        help="Masks of each object; with two or more, their spread is shown",
    )
    views = [COLOUR, *bands]
    view = second[4].selectbox(
        "Show", views, views.index(room.show) if room.show in views else 0, key="darkroom show"
    )
    light = second[5].slider("Brightness", 0.25, 8.0, room.brightness, 0.25, key="darkroom light")
    tint = second[6].toggle("Tint", room.tint, key="darkroom tint", help="Tint the hidden part")
    draw = 1
    if draws > 1:
        draw = first[5].slider("Draw shown", 1, draws, min(room.draw, draws), key="darkroom draw")
    darkroom.keep(
        run=chosen,
        objects=kind,
        count=count,
        seed=seed,
        ratio=ratio / 100,
        shared=shared == "shared",
        hide="" if hide == "none" else hide,
        draws=draws,
        draw=draw,
        show=view,
        brightness=light,
        tint=tint,
    )
    room = state.now().darkroom
    objects = darkroom.objects_of(room)
    if objects is None or not objects.rows:
        st.info("None of these objects has a cutout here: choose random ones, or other objects.")
        return
    try:
        found = darkroom.fill(room, run, objects)
    except InputError as error:  # a fragment runs without the frame around it
        st.error(plain(str(error)))
        return
    if objects.note:
        st.caption(objects.note)
    if not darkroom.hidden_share(found):
        st.info("Nothing is hidden: raise the share, or hide a whole band.")
    darkroom.show(room, found, objects)
    darkroom.scales(found)
    with st.expander("By band, and what χ² means"):
        st.dataframe(darkroom.table(found), hide_index=True)
        st.markdown(_CHI2)


def _again() -> None:
    st.session_state[_SEED] = state.now().darkroom.seed + 1


runs = darkroom.runs()
if not runs:
    st.info(
        "No trained model in this workspace yet: start one on the page Training, or build the "
        "demo on Home.",
        icon=":material/info:",
    )
    st.page_link("../pages/training.py", label="Training")
elif not darkroom.has_cutouts():
    st.info("No cutouts in this workspace yet: cut some on the page Data.", icon=":material/info:")
    st.page_link("../pages/data.py", label="Data")
else:
    instrument()
