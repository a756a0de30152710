"""What a workspace holds, on the page: a table, what is wrong, a closer look at one thing."""

from pathlib import Path

import pandas as pd
import streamlit as st

from app import cache, jobsboard, runsview, state
from app.words import plain
from sky_ssl.explore.holding import Holding
from sky_ssl.explore.holdings import find_stale, list_places, remove, unfinished
from sky_ssl.explore.starting import written_by
from sky_ssl.workspace import MODELS

_TABLE = "holdings"
_ASKED = "asked to delete"
_THUMBNAILS = 60


def holdings() -> list[Holding]:
    """Read all that the workspace holds; models that come with the product count as runs."""
    places = list_places(state.workspace())
    with st.spinner("Looking through the workspace", show_time=True):
        own = [cache.holding(kind, path) for kind, path in places]
        shipped = [
            cache.holding("run", path) for path in sorted(MODELS.glob("[!.]*")) if path.is_dir()
        ]
    return find_stale([*own, *shipped])[: len(own)]


def overview(found: list[Holding]) -> None:
    """Show it as a table, with what is broken or out of date in words above."""
    total = sum(h.bytes for h in found)
    counts = {word: sum(h.state == word for h in found) for word in ("broken", "out of date")}
    wrong = [f"**{n}** {word}" for word, n in counts.items() if n]
    st.markdown(" &nbsp; ".join([f"**{len(found)}** files and runs, {size(total)}", *wrong]))
    for h in found:
        if h.broken:
            st.error(plain(h.broken), icon=":material/error:")
    for h in found:
        for reason in h.stale:
            st.warning(f"{h.kind} {plain(h.name)}: {plain(reason)}; {_MEND[h.kind]}")
    table = pd.DataFrame(
        {
            "what": [h.kind for h in found],
            "name": [h.name for h in found],
            "state": [h.state for h in found],
            "rows": ["" if h.rows is None else f"{h.rows:,}" for h in found],
            "size": [size(h.bytes) for h in found],
            "changed": [jobsboard.moment(h.changed) for h in found],
            "content": [h.content for h in found],
        }
    )
    st.dataframe(
        table,
        hide_index=True,
        key=_TABLE,
        on_select="rerun",
        selection_mode="single-row",
        selection_default={"selection": {"rows": [0]}},
        height=min(420, 38 + 35 * len(found)),
        column_config={
            "what": st.column_config.TextColumn(width=90),
            "state": st.column_config.TextColumn(width=90),
            "rows": st.column_config.TextColumn(width=80, alignment="right"),
            "size": st.column_config.TextColumn(width=80, alignment="right"),
            "changed": st.column_config.TextColumn(width=130),
        },
    )
    _leftovers()


def picked(found: list[Holding]) -> Holding | None:
    """Give what is chosen in the table."""
    rows = st.session_state.get(_TABLE, {}).get("selection", {}).get("rows", [])
    return found[rows[0]] if rows and rows[0] < len(found) else None


def closer(h: Holding | None) -> None:
    """Look closer at one thing: thumbnails of cutouts, ways on, and a way to delete it."""
    if h is None:
        st.caption("Choose a row to look closer: thumbnails of cutouts, ways on, deleting.")
        return
    st.text(f"{h.kind} {h.name}")
    if h.kind == "cutouts" and not h.broken:
        _thumbnails(h)
    if h.kind == "embeddings" and not h.broken:
        st.button(
            "Open on map, search and probe",
            on_click=state.change,
            kwargs={"data": h.name, "map": "", "object": "", "chosen": None},
        )
    if h.kind == "run":
        runsview.weights([cache.run(h.path)])
        st.page_link("../pages/training.py", label="Curves, settings and pictures: Training")
    if h.kind == "export" and h.path.suffix == ".png" and not h.broken:
        st.image(str(h.path))
    if h.kind != "labels":
        _deleting(h.path, h.bytes)


_MEND = {
    "embeddings": "embed the cutouts anew, on the tab Embed",
    "map": "make the map anew, on the tab Map",
    "selection": "it applies to embeddings of its own model only",
}


def _thumbnails(h: Holding) -> None:
    rows = h.rows or 0
    if not rows:
        st.info("This file holds no cutouts.")
        return
    start = 0
    if rows > _THUMBNAILS:
        start = st.slider("From row", 0, rows - _THUMBNAILS, 0, _THUMBNAILS, key=f"from {h.name}")
    picture, words = cache.thumbnails(h.path, start, _THUMBNAILS)
    st.image(picture, width=picture.shape[1])
    st.caption(words)


def _leftovers() -> None:
    for path, bytes_ in unfinished(state.workspace()):
        st.info(
            f"`{path.name.strip('.')}`: {size(bytes_)} of an unfinished command. "
            "The same command, started again, makes use of it or clears it."
        )
        _deleting(path, bytes_)


def _deleting(path: Path, bytes_: int) -> None:
    """Delete, after asking once."""
    asked = st.session_state.get(_ASKED) == str(path)
    if not asked:
        st.button(
            "Delete",
            key=f"delete {path.name}",
            icon=":material/delete:",
            on_click=_ask,
            args=(path,),
        )
        return
    st.warning("Delete this for good? It cannot be undone.")
    st.text(f"{path.name}, {size(bytes_)}")
    left, right, _ = st.columns([1.2, 1, 5])
    left.button(
        "Delete for good", key="delete for good", type="primary", on_click=_delete, args=(path,)
    )
    right.button("Keep it", key="keep", on_click=_ask, args=(None,))


def _ask(path: Path | None) -> None:
    st.session_state[_ASKED] = None if path is None else str(path)


def _delete(path: Path) -> None:
    _ask(None)
    busy = [place for job in jobsboard.running() if (place := written_by(job.command))]
    remove(state.workspace(), path, busy)
    st.session_state.pop(_TABLE, None)


def size(bytes_: int) -> str:
    """Write a size: 12 kB, 3.4 MB, 1.2 GB."""
    value = float(bytes_)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"
