"""The bar above a gallery: its order, which labels are shown, and how many at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app import cache, marks, state
from app.words import plain
from sky_ssl.explore.arrange import BARE, TIED, ordered, passing
from sky_ssl.explore.dataset import DataSet

MOST_SHOWN = 600
_FROZEN = "gallery shown"  # what the filter left when it was chosen, so that nothing jumps away
_AS_CHOSEN, _PROBABILITY, _SCORE = "as chosen", "probability", "score"
_TOGGLES = ("map sort", "probe sort")


def keep(**values: Any) -> None:
    """Change how the chosen objects are laid out."""
    state.change(gallery=replace(state.now().gallery, **values))


def sorts(data: DataSet, chosen: state.Chosen) -> list[str]:
    """List what a selection can be sorted by; an audit is looked at as it was drawn."""
    if chosen.source == "audit":
        return [_AS_CHOSEN]
    names = [_AS_CHOSEN, _PROBABILITY]
    names += [_SCORE] if chosen.scores is not None else []
    return [*names, *data.column_names]


def sorted_by(data: DataSet, chosen: state.Chosen) -> str:
    """Say what a selection is sorted by."""
    now = state.now()
    wanted = _PROBABILITY if now.probing.sort else now.gallery.sort
    return wanted if wanted in sorts(data, chosen) else _AS_CHOSEN


def arranged(
    path: Path, data: DataSet, chosen: state.Chosen, probability: npt.NDArray | None
) -> npt.NDArray[np.int64]:
    """Give the places of a selection that are shown, in order.

    What was labelled since the filter was chosen stays, so that nothing moves under the cursor.
    """
    show, task = state.now().gallery.show, marks.task().name
    key = (hash(chosen.rows.tobytes()), show, task)
    frozen = st.session_state.get(_FROZEN)
    if frozen is None or frozen[0] != key:
        labels, ties = marks.labels_by_row(data)[chosen.rows], marks.ties_by_row(data)
        frozen = (key, passing(labels, show, ties, chosen.rows))
        st.session_state[_FROZEN] = frozen
    places: npt.NDArray[np.int64] = frozen[1]
    values = _values(path, data, chosen, probability)
    return (
        places if values is None else places[ordered(values[places], state.now().gallery.falling)]
    )


def _values(
    path: Path, data: DataSet, chosen: state.Chosen, probability: npt.NDArray | None
) -> npt.NDArray | None:
    by = sorted_by(data, chosen)
    if by == _AS_CHOSEN:
        return None
    if by == _SCORE:
        return np.asarray(chosen.scores)
    if by == _PROBABILITY:
        return None if probability is None else np.asarray(probability)[chosen.rows]
    return cache.column(path, by)[chosen.rows]


def bar(data: DataSet, chosen: state.Chosen, places: npt.NDArray[np.int64], key: str) -> int:
    """Draw the bar; give the number of the page that is shown.

    Args:
        data: the data set.
        chosen: the selection.
        places: of it that the filter leaves.
        key: of the gallery.
    """
    left, way, right, pages, words = st.columns(
        [2.3, 0.6, 2.3, 2.2, 4], vertical_alignment="center"
    )
    options, labels = sorts(data, chosen), [label.name for label in marks.task().labels]
    st.session_state[f"{key} sort"] = sorted_by(data, chosen)
    left.selectbox(
        "Sort by", options, key=f"{key} sort", label_visibility="collapsed", on_change=_sort,
        args=(f"{key} sort",), format_func=lambda name: f"sort: {name.replace('_', ' ')}",
    )  # fmt: skip
    falling = state.now().gallery.falling
    way.button(
        "", icon=":material/arrow_downward:" if falling else ":material/arrow_upward:",
        key=f"{key} way", on_click=keep, kwargs={"falling": not falling},
        help="Largest first" if falling else "Smallest first", use_container_width=True,
    )  # fmt: skip
    shows, show = ["", BARE, *labels, TIED], state.now().gallery.show
    st.session_state[f"{key} show"] = show if show in shows else ""
    right.selectbox(
        "Show", shows, key=f"{key} show", label_visibility="collapsed", on_change=_show,
        args=(f"{key} show",), format_func=lambda name: f"show: {name or 'all'}",
    )  # fmt: skip
    count = max(1, -(-len(places) // MOST_SHOWN))
    page = 1
    if count > 1:
        page = pages.number_input(
            "Page", 1, count, 1, key=f"{key} page {hash(chosen.rows.tobytes())} {show}",
            label_visibility="collapsed", help=f"{MOST_SHOWN} at a time, {count} pages",
        )  # fmt: skip
    said = f"{len(places):,} of {len(chosen.rows):,}" if show else f"{len(chosen.rows):,}"
    if count > 1:
        said += f", page {page} of {count}"
    words.caption(f"{said} · labelling {plain(marks.task().name)} as "
                  f"**{plain(state.now().labeller)}**")  # fmt: skip
    return int(page)


def _sort(key: str) -> None:
    by = str(st.session_state[key])
    keep(sort="" if by in (_AS_CHOSEN, _PROBABILITY) else by)
    state.change(probing=replace(state.now().probing, sort=by == _PROBABILITY))
    for toggle in _TOGGLES:  # those that pages show of the same
        if toggle in st.session_state:
            st.session_state[toggle] = by == _PROBABILITY


def _show(key: str) -> None:
    st.session_state.pop(_FROZEN, None)
    keep(show=str(st.session_state[key]))
