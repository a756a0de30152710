"""What stands in the bar above the map: where to go, what else to look at, what to do with many."""

import tempfile
from pathlib import Path

import numpy as np
import streamlit as st

from app import jobsboard, mapcolours, state
from app.cache import maps as kept
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.finding import find_objects
from sky_ssl.explore.ownmap import place_own
from sky_ssl.explore.starting import free_name, map_command, shown, written_by

MOST_ODD = 500
"""Objects of a list of odd ones; so many can be looked at."""
METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA", "own": "own positions"}
_GO, _NOT_FOUND = "go to", "go to failed"
_OWN_SAID = "own map said"


def map_name(file: Path) -> str:
    """Call a map by its file and how it was made."""
    method = METHODS.get(str(kept.sky_map(file).attributes.get("method", "own")), "map")
    return method if file.stem.lower() == method.lower() else f"{file.stem} · {method}"


def go_to(data: DataSet) -> None:
    """Ask for an object by id or place, and fly there."""
    st.text_input(
        "Go to",
        key=_GO,
        placeholder="Go to an id, or RA Dec",
        label_visibility="collapsed",
        on_change=_go,
        args=(data,),
        help="An id, or a position such as 12:34:56.7 -00:30:12 or 188.736 -0.503; key /",
    )


def said() -> None:
    """Say what could not be found."""
    if text := st.session_state.pop(_NOT_FOUND, ""):
        st.warning(plain(text), icon=":material/search_off:")


def _go(data: DataSet) -> None:
    text = str(st.session_state[_GO]).strip()
    if not text:
        return
    try:
        found = find_objects(data.embeddings, text)
    except InputError as error:
        st.session_state[_NOT_FOUND] = str(error)
        return
    state.look_at(str(data.embeddings.id[found.rows[0]]), fly=True)
    if len(found.rows) > 1:
        state.choose(state.Chosen(found.rows, "search", "id"))
    st.session_state[_GO] = ""


def other_maps(path: Path, data: DataSet, files: list[Path]) -> None:
    """Offer maps that are not there yet: by another method, or positions of one's own."""
    made = {str(kept.sky_map(file).attributes.get("method", "")) for file in files}
    taken = [file.stem for file in files]
    for method in ("umap", "tsne", "pca"):
        if method not in made:
            name = free_name(taken, f"{path.stem}-{method}")
            command = map_command(state.workspace(), path, name, method=method)
            busy = written_by(command) in [written_by(j.command) for j in jobsboard.running()]
            st.button(
                f"{METHODS[method]} is being made" if busy else f"Make the {METHODS[method]} map",
                key=f"make map {method}",
                disabled=busy,
                help=f"Runs `{shown(command)}`",
                on_click=mapcolours.start,
                args=(f"map {name}", command),
                use_container_width=True,
            )
    st.file_uploader(
        "Positions of your own",
        key="own map",
        type=["csv", "ecsv", "fits", "vot", "xml", "parquet"],
        on_change=_take_own,
        args=(path, data),
        help="A table with ids and two columns, such as x and y or umap_1 and umap_2",
    )
    if text := st.session_state.get(_OWN_SAID, ""):
        st.caption(plain(text))
    st.page_link("../pages/data.py", label="Seeds, neighbours, perplexity: Data, tab Map")


def _take_own(path: Path, data: DataSet) -> None:
    """Make a map of an uploaded table; it is chosen to be shown beside the other."""
    upload = st.session_state["own map"]
    if upload is None:
        return
    place = state.workspace().maps
    name = free_name([file.stem for file in place.glob("*.h5")], f"{path.stem}-own")
    try:
        with tempfile.TemporaryDirectory() as folder:
            table = Path(folder) / f"table{Path(upload.name).suffix.lower()}"
            table.write_bytes(upload.getvalue())
            made = place_own(table, data.embeddings, place / f"{name}.h5")
    except InputError as error:
        st.session_state[_OWN_SAID] = str(error).replace(f"{folder}/{table.name}", upload.name)
        return
    st.session_state[_OWN_SAID] = "; ".join(
        [f"{upload.name}: {made['placed']:,} of {made['rows']:,} objects placed", *made["notes"]]
    )
    state.change(beside=f"{name}.h5")
    mapcolours.renew_next()


def odd_first(path: Path, data: DataSet) -> None:
    """Offer the oddest objects as a gallery."""
    marked = mapcolours.artefacts(path)
    if kept.measures(path) is None:
        mapcolours.make(mapcolours.odd_offer(path), narrow=True)
        return
    weighed = f"; {len(marked):,} labelled artefacts weighed down" if marked else ""
    st.button(
        f"The {min(MOST_ODD, len(data)):,} oddest objects",
        key="odd first",
        on_click=_choose_odd,
        args=(path,),
        help=f"Into the gallery, the oddest first{weighed}",
        use_container_width=True,
    )
    st.caption(
        "By isolation forest and the distance to the 10th neighbour in embedding space. Label "
        f"an object as artefact, and what is like it loses rank{weighed}."
    )


def _choose_odd(path: Path) -> None:
    scores = kept.oddness(path, mapcolours.artefacts(path))
    assert scores is not None  # or there would be no button
    known = np.flatnonzero(np.isfinite(scores))
    rows = known[np.argsort(-scores[known], kind="stable")][:MOST_ODD]
    state.choose(state.Chosen(rows, "review", "oddness", scores[rows]))
