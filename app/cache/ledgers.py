"""The label ledger, and views of it that are renewed when events came."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app.cache.stamps import Stamp, stamp
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Ledger


@st.cache_resource(show_spinner=False)
def ledger(place: str) -> Ledger:
    """Open the label ledger."""
    return Ledger(place)


def labels(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give one label per object of a task, that of the majority; renewed when events came."""
    return _labels(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=32, show_spinner=False)
def _labels(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    found = ledger(place).consensus(task=task)
    return found[found["dataset"].isin([fingerprint, ""])]


def label_column(found: pd.DataFrame, row_of: dict[str, int], n: int) -> npt.NDArray:
    """Give labels by row (n,), empty where there is none."""
    result = np.full(n, "", dtype=object)
    rows = [row_of.get(str(name), -1) for name in found["object_id"]]
    for row, label in zip(rows, found["label"], strict=True):
        if row >= 0:
            result[row] = label
    return result


def labels_by_row(place: str, task: str, data: DataSet) -> tuple[npt.NDArray, dict[int, str]]:
    """Give labels by row (N,), empty where there is none, and what is said "a|b" in a tie."""
    path = data.embeddings.path  # rows are its own, though others are of the same objects
    return _by_row(place, task, path, stamp(path), ledger(place).last_event(), data)


@st.cache_resource(max_entries=16, show_spinner=False)
def _by_row(
    place: str, task: str, path: Path, changed: Stamp, newest: int, _data: DataSet
) -> tuple[npt.NDArray, dict[int, str]]:
    found = _labels(place, task, _data.fingerprint, newest)
    result = label_column(found, _data.row_of, len(_data))
    result.flags.writeable = False
    tied = found[found["tied"] != ""]
    rows = [_data.row_of.get(str(name), -1) for name in tied["object_id"]]
    ties = {row: str(text) for row, text in zip(rows, tied["tied"], strict=True) if row >= 0}
    return result, ties


def known(place: str, task: str) -> pd.DataFrame:
    """Give the labels of a task as a table of objects that are known."""
    return _known(place, task, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _known(place: str, task: str, newest: int) -> pd.DataFrame:
    from sky_ssl.explore.candidatelist import known_table

    return known_table(ledger(place), task)


def current(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give the labels of each labeller in force of a task, with where they are from."""
    return _current(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _current(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    return ledger(place).current(task=task, dataset=fingerprint)


def audit(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give the objects of the audit samples of a task, with their labels."""
    return _audit(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _audit(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    from sky_ssl.explore.audit import audit_labels

    return audit_labels(ledger(place), task=task, dataset=fingerprint)


def actions(
    place: str,
    task: str | None = None,
    labeller: str | None = None,
    kinds: tuple[str, ...] = (),
    limit: int = 200,
) -> pd.DataFrame:
    """Give the newest actions, see `Ledger.actions`; renewed when events came."""
    return _actions(place, task, labeller, kinds, limit, ledger(place).last_event())


@st.cache_resource(max_entries=16, show_spinner="Reading the history")
def _actions(
    place: str,
    task: str | None,
    labeller: str | None,
    kinds: tuple[str, ...],
    limit: int,
    newest: int,
) -> pd.DataFrame:
    return ledger(place).actions(task=task, labeller=labeller, kinds=kinds, limit=limit)
