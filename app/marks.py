"""Labels of the session: the ledger, the task that is worked on, and what is written."""

from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app import cache, state
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.tasks import Task, load_tasks

_SEEN, _ASKED, _SAID = "ledger seen", "ledger asked", "said"
_EVERY = 2.0  # seconds between two looks for the labels of others


def ledger() -> Ledger:
    """Open the label ledger of the workspace."""
    return cache.ledger(ledger_place())


def ledger_place() -> str:
    """Say where the ledger is."""
    folder = state.workspace()
    folder.root.mkdir(parents=True, exist_ok=True)
    return str(folder.labels)


def task() -> Task:
    """Give the task that is being worked on."""
    tasks = load_tasks(state.workspace().tasks)
    chosen = [t for t in tasks if t.name == state.now().task]
    return (chosen or tasks)[0]


def labels_by_row(data: DataSet) -> npt.NDArray[np.object_]:
    """Give the labels of the present task (N,), empty where there is none."""
    return cache.labels_by_row(ledger_place(), task().name, data)[0]


def ties_by_row(data: DataSet) -> dict[int, str]:
    """Give what is said of objects that people label differently, half of them each: "a|b"."""
    return cache.labels_by_row(ledger_place(), task().name, data)[1]


def said_of(data: DataSet, row: int) -> dict[str, str]:
    """Give who says what of an object in the present task, by labeller."""
    name = str(data.embeddings.id[row])
    found = ledger().current(task=task().name, dataset=data.fingerprint, objects=[name])
    return dict(zip(found["labeller"], found["label"], strict=True))


def write_labels(data: DataSet, rows: list[int], label: str | None) -> None:
    """Label objects of the present task; None clears."""
    now, e = state.now(), data.embeddings
    # what lies outside the chosen objects is not from the lasso, search or audit that chose them
    chosen = now.chosen if now.chosen is not None and np.isin(rows, now.chosen.rows).all() else None
    origin = Origin(
        now.labeller,
        source=chosen.source if chosen else "click",
        dataset=data.fingerprint,
        selection=chosen.saved if chosen else "",
        model=data.model,
    )
    ids = [str(name) for name in e.id[rows]]
    ledger().label(ids, label, task=task().name, origin=origin, ra=e.ra[rows], dec=e.dec[rows])


def undo() -> None:
    """Undo the last action of this labeller; what came of it is said by `say`."""
    keep_word(take_back())


def redo() -> None:
    """Restore what this labeller undid last."""
    keep_word(restore())


def take_back() -> str:
    """Undo the last action of this labeller; give words on what came of it."""
    return _words(ledger().undo(origin=Origin(state.now().labeller)), "undone")


def restore() -> str:
    """Restore what this labeller undid last; give words on what came of it."""
    return _words(ledger().redo(origin=Origin(state.now().labeller)), "restored")


def _words(written: Any, what: str) -> str:
    n = len(written.events)
    return f"{n:,} label{'s' * (n != 1)} {what}" if n else f"nothing to be {what}"


def keep_word(text: str) -> None:
    """Keep a word for the next drawing: a callback must draw nothing itself."""
    st.session_state[_SAID] = text


def say() -> None:
    """Say what undo, redo and others did since this page was drawn last."""
    if said := st.session_state.pop(_SAID, ""):
        st.toast(said)
    newest, before = ledger().last_event(), st.session_state.get(_SEEN)
    st.session_state[_SEEN] = newest
    if before is not None and newest > before:
        for line in _of_others(before):
            st.toast(line, icon=":material/group:")


def _of_others(before: int) -> list[str]:
    """Say what others wrote after an event."""
    found = ledger().history(since=before, limit=2000)
    others = found[(found["labeller"] != state.now().labeller) & (found["kind"] == "label")]
    counts = others["labeller"].value_counts()
    return [f"{who}: {n:,} label{'s' * (n != 1)}" for who, n in counts.items()]


@st.fragment(run_every=_EVERY)
def watch() -> None:
    """Look for the labels of others; where there are new ones, the page is drawn again.

    It stands above the pages, at a place that never moves: when it stood below what comes and
    goes, a look that was taken while the page was drawn anew broke the page in the browser.
    """
    newest = ledger().last_event()
    if newest not in (st.session_state.get(_SEEN), st.session_state.get(_ASKED)):
        st.session_state[_ASKED] = newest  # once: not every page says what it has seen
        st.rerun()
