"""The labels page: who labelled what, the history, and taking it back."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.state import State
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def own(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A workspace whose ledger is the test's alone."""
    w = Workspace(tmp_path / "own")
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        shutil.copytree(folder, w.root / folder.name)
    return w


@pytest.fixture
def data(own: Workspace) -> DataSet:
    return open_dataset(own.embeddings / "mock.h5")


def write(own: Workspace, data: DataSet, who: str, rows: list[int], label: str) -> None:
    origin = Origin(who, "lasso", data.fingerprint)
    ids = [str(data.embeddings.id[row]) for row in rows]
    Ledger(own.labels).label(ids, label, task="dwarf", origin=origin)


def test_an_empty_ledger_says_how_to_begin(open_page: Open, words: Words, own: Workspace) -> None:
    """No empty table, but what to press."""
    at = open_page(own.root, "labels")
    assert "No label of this task yet: lasso on the map" in words(at)
    assert "Nothing of this kind has been done yet" in words(at)
    assert not len(at.dataframe)


def test_labels_are_counted_and_looked_at(
    open_page: Open, words: Words, own: Workspace, data: DataSet
) -> None:
    """By majority and by person; a button makes them the selection, disputed ones too."""
    write(own, data, "ada", [3, 4, 5], "dwarf")
    write(own, data, "bob", [5, 6], "other")
    at = open_page(own.root, "labels", sky=State(labeller="ada"))
    counts = at.dataframe[0].value
    assert counts.columns.tolist() == ["label", "objects", "ada", "bob"]
    assert counts.values.tolist() == [["dwarf", 2, 3, 0], ["other", 1, 0, 2], ["unsure", 0, 0, 0]]
    assert any("1 object labelled by several: 0% of pairs" in e.label for e in at.expander)
    at.button(key="show dwarf").click().run()
    assert at.session_state["sky"].chosen.rows.tolist() == [3, 4]
    at.button(key="show disputed").click().run()
    assert at.session_state["sky"].chosen.rows.tolist() == [5]
    assert not at.exception


def test_the_history_has_a_row_for_each_action(
    open_page: Open, own: Workspace, data: DataSet
) -> None:
    """Who, what, how many and whether it is in force; by person and kind."""
    write(own, data, "ada", [3, 4, 5], "dwarf")
    write(own, data, "bob", [6], "other")
    Ledger(own.labels).undo(origin=Origin("bob"))
    at = open_page(own.root, "labels")
    shown = at.dataframe[-1].value
    columns = ["who", "what", "label", "objects", "now"]
    assert shown[columns].values.tolist() == [
        ["bob", "undo", "other", 1, ""],
        ["bob", "label", "other", 1, "undone"],
        ["ada", "label", "dwarf", 3, "in force"],
    ]
    at.selectbox(key="history by").set_value("ada").run()
    assert at.dataframe[-1].value["who"].tolist() == ["ada"]
    assert not at.exception


def test_what_is_chosen_in_the_history_is_taken_back(
    open_page: Open, own: Workspace, data: DataSet
) -> None:
    """An older action, and those of others only when that is meant."""
    write(own, data, "ada", [3, 4, 5], "dwarf")
    write(own, data, "ada", [6], "other")
    at = open_page(own.root, "labels", sky=State(labeller="bob"))
    newest = int(Ledger(own.labels).actions()["action"].iloc[0])
    at.session_state[f"history {newest}"] = {"selection": {"rows": [1], "columns": [], "cells": []}}
    at.run()
    assert at.button(key="undo chosen").label == "Undo 1 action (3 objects)"
    assert at.button(key="undo chosen").disabled
    at.checkbox(key="undo others").check().run()
    at.button(key="undo chosen").click().run()
    assert not at.exception
    left = Ledger(own.labels).current(task="dwarf")
    assert left["object_id"].tolist() == [str(data.embeddings.id[6])]
    assert Ledger(own.labels).actions(kinds=["undo"])["labeller"].tolist() == ["bob"]
    # the rows have moved on: nothing is chosen any more, or a second press would mean another
    assert "undo chosen" not in [b.key for b in at.button]


def test_a_name_is_taken_and_an_empty_one_is_not(open_page: Open, own: Workspace) -> None:
    """Labels are written under it from then on."""
    at = open_page(own.root, "labels", sky=State(labeller="ada"))
    at.text_input(key="labeller name").set_value("  Eve   of Lund ").run()
    assert at.session_state["sky"].labeller == "Eve of Lund"
    at.text_input(key="labeller name").set_value(" ").run()
    assert at.session_state["sky"].labeller == "Eve of Lund"
    assert at.text_input(key="labeller name").value == "Eve of Lund"
    assert not at.exception


def test_labels_of_another_come_in(open_page: Open, own: Workspace, data: DataSet) -> None:
    """What is written while the page is open is counted at the next look, and said."""
    rows = np.array([3, 4, 5])
    from app.state import Chosen

    state = State(labeller="ada", chosen=Chosen(rows, "lasso", "lasso"))
    write(own, data, "ada", [9], "other")
    at = open_page(own.root, "labels", sky=state)
    write(own, data, "bob", [3, 4], "dwarf")
    at.run()
    assert at.dataframe[0].value["bob"].tolist() == [2, 0, 0]
    assert [t.value for t in at.toast] == ["bob: 2 labels"]
    at.run()
    assert not len(at.toast)
