"""The ledger on a page: labels and labellers, what was done by whom and when; taking it back."""

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import cache, marks, state
from app.components.who_view import is_name, remember
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.events import KINDS
from sky_ssl.explore.labels import Origin
from sky_ssl.explore.ledgersummary import disagreeing, label_counts

_MOST = (100, 1000, 10_000)  # actions shown
_ANYBODY, _ANY_TASK = "anybody", "all tasks"
_NAME = "labeller name"
_TAKES_BACK = ("label", "clear", "note", "undo", "redo")


def who() -> None:
    """Let somebody say by which name they label."""
    st.session_state.setdefault(_NAME, state.now().labeller)
    st.text_input("You label as", key=_NAME, on_change=_named, max_chars=60,
                  help="Kept in the ledger with each of your labels; undo takes back those of "
                  "this name. This browser remembers it.")  # fmt: skip


def _named() -> None:
    name = " ".join(str(st.session_state[_NAME]).split())
    if is_name(name):
        state.change(labeller=name)
    st.session_state[_NAME] = state.now().labeller


def counts(data: DataSet) -> None:
    """Show how many objects have which label, by whom, and let each be looked at."""
    task = marks.task()
    current = cache.current(marks.ledger_place(), task.name, data.fingerprint)
    if not len(current):
        st.info(
            "No label of this task yet: lasso on the map, search, or fetch objects on the page "
            "Probe, then press the key of a label.",
            icon=":material/info:",
        )
        return
    labels = marks.labels_by_row(data)
    table = label_counts(current, labels, [label.name for label in task.labels])
    st.dataframe(table, hide_index=True, height="content", width="content")
    split = disagreeing(current, data.row_of)
    columns = st.columns(max(5, len(table) + 1))
    for column, name in zip(columns, table["label"], strict=False):
        rows = np.flatnonzero(labels == name)
        column.button(f"Show {plain(name)}", key=f"show {name}", on_click=_show, args=(rows, name),
                      disabled=not len(rows), use_container_width=True)  # fmt: skip
    columns[len(table)].button(f"Show disputed ({len(split)})", key="show disputed", on_click=_show,
                       args=(split, "labelled differently by several"), disabled=not len(split),
                       use_container_width=True)  # fmt: skip


def _show(rows: Any, name: str) -> None:
    state.choose(state.Chosen(np.asarray(rows, dtype=np.int64), "review", plain(name)))


def agreement() -> None:
    """Say how far the labellers of the task agree."""
    found = marks.ledger().agreement(task=marks.task().name).get(marks.task().name, {})
    pairs = found.get("pairs", [])
    if not pairs:
        return
    alpha = found["alpha"]
    words = "" if alpha is None else f", Krippendorff's alpha {alpha:.2f}"
    n = found["objects"]
    with st.expander(f"{n:,} object{'s' * (n != 1)} labelled by several: {found['percent']:.0f}% "
                     f"of pairs of labels agree{words}"):  # fmt: skip
        table = pd.DataFrame(pairs).rename(columns={"percent": "agree [%]", "kappa": "Cohen's κ"})
        st.dataframe(table.round(2), hide_index=True, height="content")


def history() -> None:
    """Show the actions of the ledger, the newest first; chosen ones can be taken back."""
    left, middle, right, most, undo, redo = st.columns(
        [1.6, 1.6, 2.4, 1, 0.9, 0.9], vertical_alignment="bottom"
    )
    ledger = marks.ledger()
    tasks = [_ANY_TASK, *ledger.tasks()]
    present = marks.task().name
    task = left.selectbox("Task", tasks, tasks.index(present) if present in tasks else 0,
                          key="history task")  # fmt: skip
    by = middle.selectbox("By", [_ANYBODY, *ledger.labellers()], key="history by")
    kinds = right.multiselect("What", KINDS, key="history kinds", placeholder="everything")
    limit = most.selectbox("At most", _MOST, key="history most")
    undo.button("Undo", on_click=marks.undo, key="undo", icon=":material/undo:",
                help="Your last action (Ctrl-z in a gallery)",
                use_container_width=True)  # fmt: skip
    redo.button("Redo", on_click=marks.redo, key="redo", icon=":material/redo:",
                use_container_width=True)  # fmt: skip
    found = cache.actions(
        marks.ledger_place(),
        None if task == _ANY_TASK else task,
        None if by == _ANYBODY else by,
        tuple(kinds),
        int(limit),
    )
    if not len(found):
        st.caption("Nothing of this kind has been done yet.")
        return
    # with a new action the rows move on, and what was chosen would mean others
    key = f"history {int(found['action'].iloc[0])}"
    event = st.dataframe(
        readable(found), hide_index=True, height=420, column_config=_columns(), key=key,
        on_select="rerun", selection_mode="multi-row",
    )  # fmt: skip
    _take_back(found.iloc[[i for i in event.selection.rows if i < len(found)]])


def _take_back(chosen: pd.DataFrame) -> None:
    """Offer to undo the actions that are chosen in the table."""
    can = chosen[chosen["kind"].isin(_TAKES_BACK)]
    if not len(can):
        st.caption("Choose rows to take them back, of whomever they are. Undoing an undo restores. "
                   "`sky-ssl labels export --all` writes every event.")  # fmt: skip
        return
    numbers = sorted({int(a) for a in can["action"]})
    others = sorted(set(can["labeller"]) - {state.now().labeller})
    n, objects = len(numbers), int(can["objects"].sum())
    left, right = st.columns([1.6, 4], vertical_alignment="center")
    sure = True
    if others:
        sure = right.checkbox(f"Also what {plain(', '.join(others))} did", key="undo others")
    left.button(
        f"Undo {n} action{'s' * (n != 1)} ({objects:,} objects)", type="primary", key="undo chosen",
        on_click=_undo_actions, args=(numbers,), disabled=not sure, use_container_width=True,
    )  # fmt: skip


def _undo_actions(numbers: list[int]) -> None:
    origin = Origin(state.now().labeller)
    try:
        written = marks.ledger().undo_actions(numbers, origin=origin)
    except InputError as error:
        marks.keep_word(plain(str(error)))
        return
    n = len(written.events)
    marks.keep_word(f"{n:,} label{'s' * (n != 1)} switched" if n else "all of it was undone before")


def readable(found: pd.DataFrame) -> pd.DataFrame:
    """Lay actions out for reading: what was done in words, and how much of it is in force."""
    objects, force = found["objects"].astype(int), found["in_force"].astype(int)
    state_ = np.where(force == objects, "in force", np.where(force == 0, "undone", "partly undone"))
    state_ = np.where(found["kind"].isin(("label", "clear", "note")), state_, "")
    one = objects == 1
    return pd.DataFrame(
        {
            "time": found["time"].str.slice(0, 19).str.replace("T", " "),
            "who": found["labeller"],
            "what": found["kind"],
            "label": found["label"],
            "objects": objects,
            "of": found["example"].where(one, found["example"] + " and others"),
            "now": state_,
            "task": found["task"],
            "from": found["source"],
            "selection": found["selection"],
        }
    )


def _columns() -> dict[str, Any]:
    return {
        "time": st.column_config.TextColumn("time (UTC)"),
        "objects": st.column_config.NumberColumn("objects", format="localized"),
    }


def place() -> None:
    """Say where the labels are."""
    st.caption(f"All of it is in {plain(marks.ledger().name)}, and nothing is ever overwritten.")
    remember(state.now().labeller)
