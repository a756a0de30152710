"""The ledger action by action, and actions taken back."""

import numpy as np
import pytest

from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.ledgersummary import disagreeing, label_counts

ADA, BOB = Origin("ada", "lasso", "d"), Origin("bob", "click", "d")


@pytest.fixture
def ledger(ledger: Ledger) -> Ledger:
    """A lasso of three by ada, two different labels at once by bob, a remark of another task."""
    ledger.label(["x", "y", "z"], "dwarf", task="dwarf", origin=ADA)
    ledger.label(["x", "y"], ["other", None], task="dwarf", origin=BOB)
    ledger.note(["x"], "ring around it", task="lens", origin=BOB)
    return ledger


def test_a_lasso_is_one_row(ledger: Ledger) -> None:
    """The newest first; an action with two labels has a row for each."""
    found = ledger.actions()
    columns = ["kind", "label", "objects", "labeller", "task", "source", "example"]
    assert found[columns].values.tolist() == [
        ["note", "", 1, "bob", "lens", "click", "x"],
        ["clear", "", 1, "bob", "dwarf", "click", "y"],
        ["label", "other", 1, "bob", "dwarf", "click", "x"],
        ["label", "dwarf", 3, "ada", "dwarf", "lasso", "x"],
    ]
    assert found["in_force"].tolist() == [1, 1, 1, 3]


def test_actions_are_chosen_by_task_person_and_kind(ledger: Ledger) -> None:
    """Filters go together, and the limit counts actions."""
    assert ledger.actions(task="dwarf")["kind"].tolist() == ["clear", "label", "label"]
    assert ledger.actions(labeller="ada")["objects"].tolist() == [3]
    assert ledger.actions(kinds=["label"])["label"].tolist() == ["other", "dwarf"]
    assert ledger.actions(limit=1)["kind"].tolist() == ["note"]
    assert not len(ledger.actions(task="dwarf", labeller="nobody"))


def test_an_old_action_of_another_is_taken_back_and_restored(ledger: Ledger) -> None:
    """The undo is an action itself; undoing it restores all three labels."""
    first = int(ledger.actions(labeller="ada")["action"].iloc[0])
    assert len(ledger.undo_actions([first], origin=BOB).events) == 3
    assert ledger.current(task="dwarf", labeller="ada")["object_id"].tolist() == []
    assert ledger.actions(labeller="ada")["in_force"].tolist() == [0]
    assert not len(ledger.undo_actions([first], origin=BOB).events)
    undo = int(ledger.actions(kinds=["undo"])["action"].iloc[0])
    ledger.undo_actions([undo], origin=ADA)
    assert ledger.current(labeller="ada")["object_id"].tolist() == ["x", "y", "z"]


def test_an_audit_cannot_be_taken_back(ledger: Ledger) -> None:
    """What was drawn at random stays drawn."""
    ledger.remember_audit(["x"], task="dwarf", origin=ADA)
    audit = int(ledger.actions(kinds=["audit"])["action"].iloc[0])
    assert ledger.undo_actions([audit], origin=ADA).action == 0
    assert len(ledger.audit_sample(task="dwarf")) == 1


def test_labels_are_counted_by_person(ledger: Ledger) -> None:
    """Majorities beside what each said; objects of two minds are found by row."""
    current = ledger.current(task="dwarf")
    table = label_counts(current, np.array(["", "dwarf", "dwarf"], dtype=object), ["dwarf", "new"])
    assert table.values.tolist() == [["dwarf", 2, 3, 0], ["new", 0, 0, 0], ["other", 0, 0, 1]]
    assert table.columns.tolist() == ["label", "objects", "ada", "bob"]
    assert disagreeing(current, {"x": 7, "y": 8}).tolist() == [7]
