"""The map: look, click, lasso, label."""

import streamlit as st

from app import (
    cache,
    drawnrule,
    frame,
    jobsboard,
    mapcluster,
    mapcolours,
    mapstage,
    maptools,
    panels,
    probeview,
    state,
)
from app.words import plain
from sky_ssl.explore.starting import free_name, map_command
from sky_ssl.explore.tasks import load_tasks

_ALONE, _WITH_GALLERY = "calc(100vh - 198px)", "calc(100vh - 540px)"  # height of the maps
_GALLERY = 240  # pixels
_HIDDEN = "collapsed"

path, data = frame.need_data()
cache.warm(path)
with st.container():  # a place of its own, so that the map stays when a job comes or goes
    jobsboard.board()
files = frame.maps(data)
if not files:
    st.info("There is no map of these embeddings yet.", icon=":material/map:")
    command = map_command(state.workspace(), path, free_name((), path.stem))
    offer = mapcolours.Offer(
        "UMAP, seed 0; other methods on the page Data", "Make the map", f"map {path.stem}", command
    )
    mapcolours.make(offer)
    st.stop()


@st.fragment
def instrument() -> None:
    """Maps, inspector and gallery; a click or a lasso reruns this much and no more."""
    mapcolours.renew()
    now = state.now()
    bar = st.columns([2, 2, 2, 1.6, 2.2, 1.1, 1.1], vertical_alignment="center")
    names = {file.name: maptools.map_name(file) for file in files}
    name = bar[0].selectbox(
        "Map", list(names), _place(list(names), now.map), names.__getitem__, key="map choice",
        label_visibility=_HIDDEN,
    )  # fmt: skip
    none = "no second map"
    others = {"": none, **{key: f"beside {text}" for key, text in names.items() if key != name}}
    beside = bar[1].selectbox(
        "Beside", list(others), _place(list(others), now.beside), others.__getitem__,
        key=f"beside {name} {len(others)} {now.beside}", label_visibility=_HIDDEN,
    )  # fmt: skip
    kinds = mapcolours.options(path, data)
    by = bar[2].selectbox(
        "Colour by", list(kinds), _place(list(kinds), mapcolours.first_choice(path, data)),
        kinds.__getitem__, key="colour", label_visibility=_HIDDEN,
    )  # fmt: skip
    tasks = [t.name for t in load_tasks(state.workspace().tasks)]
    task = bar[3].selectbox(
        "Task", tasks, tasks.index(panels.task().name), key="task choice",
        label_visibility=_HIDDEN, help="Whose labels are given and shown",
    )  # fmt: skip
    with bar[4]:
        maptools.go_to(data)
    with bar[5].popover("Odd", use_container_width=True, help="Objects unlike all others"):
        maptools.odd_first(path, data)
    with bar[6].popover("Maps", use_container_width=True, help="Other maps of these objects"):
        maptools.other_maps(path, data, files)
    state.change(map=name, beside=beside, colour=by, task=task, data=path.name)
    file = {f.name: f for f in files}[name]
    colours = mapcolours.colouring(by, path, data, file)
    with st.container():  # a place of its own, so that the map stays when something is said
        maptools.said()
        if colours is None:
            mapcolours.offer(by, path, data, file)
    known = by if colours is not None else "label"
    stage = mapstage.Stage(path, data, colours or mapcolours.labelled(path), kinds[known])
    chosen = state.now().chosen
    height = _ALONE if chosen is None else _WITH_GALLERY
    frame.set_height("side", height)
    shown = [name, beside] if beside else [name]
    places = st.columns([7, 3] if len(shown) == 1 else [3.8, 3.8, 2.4])
    for place, one in zip(places, shown, strict=False):
        with place:
            mapstage.show(
                stage, file.with_name(one), f"map{' 2' * (one != name)}", height,
                legend=one == name,
            )  # fmt: skip
    with places[-1], st.container(key="side"):
        if by == "cluster" and colours is not None:
            one, other = st.tabs(["Object", "Cluster"], key="side tabs")
            with other:
                mapcluster.card(path, data, file)
            with one:
                panels.inspector(path, data)
        else:
            panels.inspector(path, data)
    if chosen is not None:
        drawer(by)
    state.to_address()


def drawer(by: str) -> None:
    """Show what is chosen."""
    chosen = state.now().chosen
    assert chosen is not None  # or there is no drawer
    left, middle, right = st.columns([10.8, 1.2, 1.2], vertical_alignment="center")
    left.markdown(f"**{len(chosen.rows):,}** chosen by {plain(chosen.name)}")
    with middle:
        drawnrule.keep(data)
    right.button("Drop", on_click=state.choose, args=(None,), help="Choose nothing; Esc",
                 use_container_width=True)  # fmt: skip
    wanted = by == "probability" or state.now().probing.sort
    probability = probeview.probability(path, data) if wanted else None
    panels.gallery(path, data, key="map gallery", height=_GALLERY, probability=probability)


def _place(there: list[str], wanted: str) -> int:
    return there.index(wanted) if wanted in there else 0


instrument()
