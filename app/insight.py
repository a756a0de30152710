"""What is asked of the object in the inspector: values, its like, reasons, labels, hidden parts.

Each view is made when it is looked at, and no sooner.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from app import cache, cards, darkview, marks, objects, state
from app.words import percent, plain
from sky_ssl.errors import InputError
from sky_ssl.explore.candidatecolumns import about, as_dms, as_hms
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Origin
from sky_ssl.explore.reasons import nearest_labelled

_ALIKE = 24  # neighbours shown
_REASONS = 8  # labelled ones
_VALUES, _LIKE, _WHY, _LABELS, _HIDDEN, _WIDER = (
    "Values", "Alike", "Why", "Labels", "Hidden", "Wider",
)  # fmt: skip
_MOST_EVENTS = 500
_SHOWN = "inspector view"


def views(path: Path, data: DataSet, row: int) -> None:
    """Offer the views of an object, and show the one that is chosen."""
    names = {_VALUES: values, _LIKE: alike, _WHY: why, _LABELS: labels}
    if data.cutouts is not None:
        names[_HIDDEN] = darkview.hidden
        if darkview.has_wider(data, row):
            names[_WIDER] = darkview.wider
    wanted = st.session_state.get(_SHOWN) or state.now().view
    st.session_state[_SHOWN] = wanted if wanted in names else _VALUES
    chosen = st.segmented_control(
        "Show", list(names), key=_SHOWN, required=True, label_visibility="collapsed"
    )
    chosen = chosen or _VALUES
    state.change(view=chosen)
    names[chosen](path, data, row)


def values(path: Path, data: DataSet, row: int) -> None:
    """Show the position, all columns with units, and where the object is from."""
    e = data.embeddings
    ra, dec = float(e.ra[row]), float(e.dec[row])
    if np.isfinite(ra) and np.isfinite(dec):
        sexagesimal = f"{as_hms(e.ra[[row]])[0]} {as_dms(e.dec[[row]])[0]}"
        st.code(f"{ra:.6f} {dec:+.6f}\n{sexagesimal}", language=None)
    if data.is_mock:
        st.caption("A simulated object: at its place in the real sky there is something else.")
    found = [
        (name.replace("_", " "), objects.number(cache.column(path, name)[row]), _unit(name))
        for name in data.column_names
    ]
    tile = str(e.tile[row])
    origin = [("tile", tile, ""), ("row", f"{row:,} of {e.path.name}", "")]
    origin += [("model", data.model[:12], "")] if data.model else []
    rows = found + [part for part in origin if part[1]]
    frame = pd.DataFrame(rows, columns=["column", "value", "unit"])
    st.dataframe(frame, hide_index=True, height="content")


def _unit(name: str) -> str:
    known = about(name)
    return f"{known.unit} AB" if known.unit == "mag" else known.unit


def alike(path: Path, data: DataSet, row: int) -> None:
    """Show the objects most like it in embedding space; a click goes on to one of them."""
    from app import searching

    name = str(data.embeddings.id[row])
    try:
        with st.spinner("Searching", show_time=True):
            found = cache.searched(path, searching.Query((name,), (), (), _ALIKE)).results
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return
    cards.strip(path, data, found.rows, found.scores, key="alike", height=330,
                empty="Nothing else is here to compare with.")  # fmt: skip
    left, right = st.columns([1.1, 2], vertical_alignment="center")
    chosen = state.Chosen(found.rows, "search", f"likeness to {plain(name)}", found.scores)
    left.button("To the gallery", on_click=state.choose, args=(chosen,), key="alike choose",
                help="They become the selection of map and galleries",
                use_container_width=True)  # fmt: skip
    right.caption("Click: go there. 1 to 9: label. + and −: exemplar, counter-example.")


def why(path: Path, data: DataSet, row: int) -> None:
    """Show what the probe says of an object, and the labelled objects that speak for it."""
    from app import probeview

    chosen = state.now().chosen
    if chosen is not None and chosen.source == "audit" and row in chosen.rows:
        st.caption("Of an audit sample nothing is said here, so that you label it blind.")
        return
    probe = probeview.live(path, data)
    if probe.scores is None:
        st.caption(probeview.none_yet(path, data))
    else:
        prevalence, _, words = probeview.share(data, probe)
        p = cache.probability(probe, prevalence)
        # by score: the likeliest may all have one probability, where the labels tell no more
        place = int(np.count_nonzero(probe.scores > probe.scores[row])) + 1
        st.markdown(
            f"{plain(probe.question.positive)} **{percent(float(p[row]))}** "
            f":gray[place {place:,} of {len(p):,}; share in the sky "
            f"{percent(prevalence.value)}, {words}]"
        )
    rows, said = probeview.labelled(data)
    if row in rows:
        own = said[np.flatnonzero(rows == row)[0]]
        st.caption(f"It is labelled {plain(str(own))} itself, and the probe has learnt from that.")
    found = nearest_labelled(data.embeddings, row, rows, said, _REASONS)
    st.caption(f"{plain(found.words())}.")
    if len(found):
        cards.strip(path, data, found.rows, found.scores, key="reasons", height=260)


def labels(path: Path, data: DataSet, row: int) -> None:
    """Show who labelled or remarked what of an object when, and take a remark."""
    name = str(data.embeddings.id[row])
    found = marks.ledger().history(objects=[name], limit=_MOST_EVENTS)
    found = found[found["dataset"].isin([data.fingerprint, ""])].iloc[::-1]
    if len(found):
        names = {"time": "time (UTC)", "labeller": "who", "kind": "what", "label": "label",
                 "task": "task", "source": "from", "note": "remark"}  # fmt: skip
        shown = found[list(names)].rename(columns=names)
        shown["time (UTC)"] = shown["time (UTC)"].str.slice(0, 19).str.replace("T", " ")
        st.dataframe(shown, hide_index=True, height="content")
    else:
        st.caption("Nobody has labelled or remarked on it yet.")
    st.text_input("Remark", key=f"remark {name}", on_change=_remark, args=(data, row),
                  placeholder="a remark for yourself and others, kept in the ledger")  # fmt: skip


def _remark(data: DataSet, row: int) -> None:
    e = data.embeddings
    key = f"remark {e.id[row]}"
    text = str(st.session_state[key]).strip()
    if text:
        origin = Origin(state.now().labeller, "click", data.fingerprint, model=data.model)
        marks.ledger().note([str(e.id[row])], text, task=marks.task().name, origin=origin,
                            ra=e.ra[[row]], dec=e.dec[[row]])  # fmt: skip
        st.session_state[key] = ""
