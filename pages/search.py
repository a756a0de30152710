"""Search: objects like some exemplars and unlike others."""

import shlex

import numpy as np
import streamlit as st

from app import cache, frame, panels, searching, state, words
from app.components.exemplars_view import draw_exemplars
from sky_ssl.errors import InputError
from sky_ssl.explore.expanding import COUNT
from sky_ssl.explore.finding import find_objects
from sky_ssl.explore.rulefolder import new_rule_path
from sky_ssl.explore.uploads import IMAGES

_HEIGHT = 470  # pixels of the results
_HOW = {"exemplar": "like", "counter-example": "unlike"}
_FAILED, _DONE = "search failed", "search done"  # what the last action could not do, and did

path, data = frame.need_data()


def add_text() -> None:
    """Add what was typed: ids, or the object at a position."""
    text, how = str(st.session_state["add"]).strip(), str(st.session_state["add as"])
    if not text:
        return
    try:
        found = find_objects(data.embeddings, text)
    except InputError as error:
        st.session_state[_FAILED] = str(error)
        return
    searching.mark_rows(data, found.rows, _HOW[how])
    st.session_state["add"] = ""
    st.session_state[_DONE] = (
        f"{found.words(data.embeddings)}: now {how}{'s' * (len(found.rows) > 1)}"
    )


def add_label(name: str) -> None:
    """Make all objects with a label exemplars."""
    rows = np.flatnonzero(panels.labels_by_row(data) == name)
    searching.mark_rows(data, rows, "like")


def clear() -> None:
    """Take all exemplars out."""
    state.change(like=(), unlike=(), pictures=())
    state.choose(None)


def expand() -> None:
    """Expand the search, or do not."""
    state.change(expand=bool(st.session_state["expand"]))


def image() -> None:
    """Offer to search by an image."""
    with st.popover("By an image", icon=":material/image_search:", use_container_width=True):
        st.caption(
            "A FITS cutout or larger image in the bands of the model (a cube, or one HDU per "
            "band); PNG or JPEG where the model was trained on such. It is embedded here."
        )
        at = st.text_input("Position in a larger image (empty: its centre)", key="image at")
        insist = st.checkbox("Take it at another pixel scale as it is", key="image scale")
        count = st.session_state.setdefault("images", 0)
        file = st.file_uploader("Image", IMAGES, key=f"image {count}")
        if file is None:
            return
        try:
            with st.spinner("Embedding the image"):
                made = searching.add_picture(path, data, file.name, file.getvalue(), at, insist)
        except InputError as error:
            st.error(words.plain(str(error)), icon=":material/error:")
            return
    st.session_state[_DONE] = f"{made.name}: embedded with {made.run}"
    st.session_state["images"] = count + 1
    st.rerun(scope="fragment")


def labelled() -> None:
    """Offer the labelled objects as exemplars."""
    names = [label.name for label in panels.task().labels]
    found, task = panels.labels_by_row(data), words.plain(panels.task().name)
    with st.popover("By labels", icon=":material/label:", use_container_width=True):
        st.caption(f"All objects with a label of the task {task} as exemplars.")
        for name in names:
            n = int((found == name).sum())
            st.button(f"{words.plain(name)} ({n:,})", key=f"by {name}", on_click=add_label,
                      args=(name,), disabled=not 0 < n <= 500,
                      use_container_width=True)  # fmt: skip


def save(query: searching.Query, least: float) -> None:
    """Offer to write the search as a rule."""
    with st.popover("Save as a rule", icon=":material/save:", use_container_width=True):
        st.caption("A rule scores any embeddings of this model; Candidates makes a list of it.")
        name = st.text_input("Name", placeholder="dwarfs like mine", key="rule name")
        cut = st.checkbox(f"Least score {least:.3f}, that of the last result", key="rule cut")
        if st.button("Save", type="primary", disabled=not name.strip(), key="rule save"):
            file = new_rule_path(state.workspace().selections, name)
            searching.save(data, path, query, file, name=name, threshold=least if cut else None)
            st.success(f"saved as `{file.name}`", icon=":material/check:")


def bar() -> None:
    """Show the ways to add exemplars."""
    columns = st.columns([4, 2.6, 1.6, 1.6, 1.4, 1.1], vertical_alignment="bottom")
    columns[0].text_input(
        "Add an object by id, or the nearest to a position",
        key="add",
        on_change=add_text,
        placeholder="id, 12:34:56.7 -00:30:12, 188.736 -0.503, galactic 291.6 62.2",
    )
    columns[1].segmented_control("As", list(_HOW), default="exemplar", required=True, key="add as")
    with columns[2]:
        image()
    with columns[3]:
        labelled()
    top = columns[4].number_input("Results", 1, 600, state.now().top, key="top")
    state.change(top=int(top), data=path.name)
    columns[5].button("Clear", on_click=clear, use_container_width=True, key="clear")


def notes(query: searching.Query) -> None:
    """Say what the last action could not do, and what was assumed of images."""
    done, failed = (st.session_state.pop(key, "") for key in (_DONE, _FAILED))
    if done:
        st.toast(words.plain(done))
    if failed:
        st.error(words.plain(failed), icon=":material/error:")
    for picture in query.pictures:
        said = [f"{picture.name}: embedded with {picture.run}", *picture.exemplars.notes]
        st.caption(words.plain("; ".join(said)))


@st.fragment
def instrument() -> None:
    """Everything on the page; a click reruns this much and no more."""
    bar()
    query = searching.query_of(data)
    left, right = st.columns([7, 3])
    with left:
        draw_exemplars(
            searching.shown(path, data, query),
            key="exemplars",
            on={
                "out": searching.take_out,
                "turn": searching.turn,
                "open": lambda key: state.look_at(key) if key in data.row_of else None,
            },
            empty="No exemplars yet: type an id or a position, take an image, or make an object "
            "of the map or a gallery one (key +, or the button beside its picture).",
        )
        notes(query)
        results(query)
    with right, st.container(height=_HEIGHT + 190, border=False):
        if state.now().object in data.row_of:
            panels.inspector(path, data)
        elif query.like or query.pictures:
            st.caption("Click a result to look at it.")


def results(query: searching.Query) -> None:
    """Show what was found, and the command that finds it."""
    if not (query.like or query.pictures):
        if query.unlike:
            st.info("Counter-examples alone find nothing: add an exemplar.")
        return
    try:
        answer = cache.searched(path, query)
    except InputError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    found = answer.results
    state.choose(state.Chosen(found.rows, "search", "search", found.scores))
    line, more, button = st.columns([4, 1.2, 1.5], vertical_alignment="center")
    line.markdown(
        f"**{len(found)}** objects most like {query.words()}, of {len(data):,} &nbsp; "
        f":gray[{answer.seconds * 1000:.0f} ms]"
    )
    more.toggle(
        "Expand",
        query.expand,
        key="expand",
        on_change=expand,
        help=f"Search again with the {COUNT} best as exemplars too, each by its "
        "score. It finds more where most of them are right, and fewer where they are not, as for "
        "kinds that look in many ways.",
    )
    with button:
        save(query, float(found.scores[-1]) if len(found) else 0.0)
    panels.gallery(path, data, key="search gallery", height=_HEIGHT)
    st.code(shlex.join(searching.command(path, query)), language="sh", wrap_lines=True)


instrument()
