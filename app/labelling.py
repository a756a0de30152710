"""What to label next, and who labelled what when."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import cache, ledgerview, marks, panels, probeview, state
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.audit import draw_audit
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labelmatch import DataSet as Objects
from sky_ssl.explore.labels import Origin
from sky_ssl.explore.liveprobe import QUEUES, Live, next_rows

_SAID = "labelling said"  # what the last action did or could not do: a callback must not draw
_WHAT = {
    "uncertainty": "most uncertain",
    "margin": "closest two labels",
    "diversity": "diverse",
    "top": "likeliest",
}


def queues(path: Path, data: DataSet, probe: Live) -> None:
    """Offer what to label next; it becomes the selection that galleries and the map show."""
    columns = st.columns([3.4, 1.1, 1.4, 1.7, 1.5], vertical_alignment="bottom")
    now, known = state.now().probing, probeview.strategies(probe)
    strategy = columns[0].segmented_control(
        "Label these next",
        known,
        default=now.queue if now.queue in known else known[0],
        required=True,
        key="queue",
        format_func=lambda name: _WHAT[name],
        help="; ".join(f"{_WHAT[name]}: {QUEUES[name]}" for name in known),
    )
    count = columns[1].number_input("How many", 1, 600, now.count, 10, key="queue count")
    probeview.keep(queue=strategy, count=int(count))
    columns[2].button(
        "Fetch", type="primary", on_click=fetch, args=(path, data), key="fetch",
        use_container_width=True, icon=":material/playlist_add:",
    )  # fmt: skip
    left = waiting(data)
    columns[3].button(
        f"Audit ({len(left)} left)" if left else "Audit sample",
        on_click=audit,
        args=(data,),
        key="audit",
        use_container_width=True,
        icon=":material/casino:",
        help="Objects drawn at random and remembered in the ledger, to be labelled blind: they "
        "alone tell how frequent something is, and how pure a selection",
    )
    with columns[4]:
        probeview.sort_toggle("probe sort")
    chosen = state.now().chosen
    words = f"**{len(chosen.rows):,}** in the gallery: {chosen.name}" if chosen else ""
    if chosen is not None and len(chosen.rows) > panels.MOST_SHOWN:
        words += f"; the first {panels.MOST_SHOWN} are shown"
    if chosen is not None and chosen.source == "audit":
        words += "; without probabilities and in random order, so that you label blind"
    if words:
        st.caption(words)
    said, failed = st.session_state.pop(_SAID, ("", False))
    if failed:
        st.error(plain(said), icon=":material/error:")
    elif said:
        st.toast(said)


def fetch(path: Path, data: DataSet) -> None:
    """Choose what to label next."""
    now, probe = state.now().probing, probeview.live(path, data)
    known = probeview.strategies(probe)
    strategy = now.queue if now.queue in known else known[0]
    rows = next_rows(strategy, now.count, probe, seed=len(probe.rows))
    state.choose(state.Chosen(rows, "review", f"{_WHAT[strategy]}, without a label"))


def waiting(data: DataSet) -> list[int]:
    """Give the rows of the audit samples that have no label yet."""
    sample = cache.audit(panels.ledger_place(), panels.task().name, data.fingerprint)
    return [data.row_of[i] for i in sample["id"][sample["label"] == ""] if i in data.row_of]


def audit(data: DataSet) -> None:
    """Go on with the audit sample, or draw one."""
    rows = waiting(data)
    if not rows:
        e = data.embeddings
        origin = Origin(state.now().labeller, "audit", data.fingerprint, model=data.model)
        try:
            draw_audit(
                panels.ledger(),
                Objects(data.fingerprint, e.id, e.ra, e.dec),
                min(state.now().probing.count, len(data)),
                task=panels.task().name,
                origin=origin,
            )
        except InputError as error:
            st.session_state[_SAID] = (str(error), True)
            return
        rows = waiting(data)
    state.choose(state.Chosen(np.array(rows, dtype=np.int64), "audit", "audit sample"))


def history(data: DataSet, most: int = 50) -> None:
    """Offer undo and redo, and who labelled what when, the newest first."""
    columns = st.columns([1, 1, 2.2, 5], vertical_alignment="center")
    columns[0].button("Undo", on_click=marks.undo, key="undo", icon=":material/undo:",
                      use_container_width=True)  # fmt: skip
    columns[1].button("Redo", on_click=marks.redo, key="redo", icon=":material/redo:",
                      use_container_width=True)  # fmt: skip
    # only when it is wanted: after a lasso of a million it takes a moment
    if not columns[2].toggle("Who labelled what when", key="history shown"):
        return
    columns[3].caption("All of it, and taking back what was done earlier: page Labels.")
    found = cache.actions(panels.ledger_place(), marks.task().name, limit=most)
    if not len(found):
        st.caption("Nothing yet. Labels, undo and audit samples all leave an entry here.")
        return
    st.dataframe(ledgerview.readable(found), hide_index=True, height=280)
