"""The label ledger: labels, undo and redo, many people at once; on SQLite and on PostgreSQL."""

import threading

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.labels import Ledger, Origin, default_labeller

ANN, BOB = Origin("ann"), Origin("bob")


def said(ledger: Ledger, labeller: str | None = None, task: str = "t") -> dict[str, str]:
    table = ledger.current(task=task, labeller=labeller)
    return dict(zip(table["object_id"], table["label"], strict=True))


def test_an_event_keeps_all_that_is_known(ledger: Ledger) -> None:
    """Who, when, what, where and from what come back as they were given."""
    origin = Origin("ann", "lasso", "data" * 10, "island of dwarfs", "ab" * 32)
    written = ledger.label(
        ["a", "b"], ["dwarf", "cirrus"], task="t", origin=origin, ra=[188.73625, np.nan],
        dec=[-0.5033333333333333, np.nan], notes=["", "faint"],
    )  # fmt: skip
    row = ledger.history().iloc[0]
    assert row["event"] == written.events[0] == 1
    assert row["ra"] == 188.73625
    assert row["dec"] == -0.5033333333333333
    assert (row["labeller"], row["source"], row["dataset"]) == ("ann", "lasso", "data" * 10)
    assert (row["selection"], row["model"]) == ("island of dwarfs", "ab" * 32)
    assert row["time"].startswith("20")
    assert row["time"].endswith("+00:00")
    second = ledger.history().iloc[1]
    assert np.isnan(second["ra"])
    assert (second["label"], second["note"]) == ("cirrus", "faint")


def test_the_latest_label_of_each_labeller_and_task_counts(ledger: Ledger) -> None:
    """Others' labels and other tasks stay; clearing is an event."""
    ledger.label(["a", "b", "c"], "dwarf", task="t", origin=ANN)
    ledger.label(["a"], "spiral", task="t", origin=ANN)
    ledger.label(["a"], "dwarf", task="t", origin=BOB)
    ledger.label(["a"], "yes", task="tidal tail", origin=ANN)
    ledger.clear(["b"], task="t", origin=ANN)
    assert said(ledger, "ann") == {"a": "spiral", "c": "dwarf"}
    assert said(ledger, "bob") == {"a": "dwarf"}
    assert said(ledger, "ann", "tidal tail") == {"a": "yes"}
    assert len(ledger.history()) == 7
    table = ledger.current(task="t", labeller="ann", objects=["a"])
    assert table["n_events"].tolist() == [2]
    assert ledger.tasks() == ["t", "tidal tail"]
    assert ledger.labellers() == ["ann", "bob"]


def test_data_sets_are_kept_apart(ledger: Ledger) -> None:
    """The same id in two data sets bears two labels."""
    ledger.label(["1"], "dwarf", task="t", origin=Origin("ann", dataset="x"))
    ledger.label(["1"], "star", task="t", origin=Origin("ann", dataset="y"))
    assert ledger.current(dataset="x")["label"].tolist() == ["dwarf"]
    assert ledger.current(dataset="y")["label"].tolist() == ["star"]
    assert len(ledger.current()) == 2


def test_undo_and_redo_go_back_and_forth_by_whole_actions(ledger: Ledger) -> None:
    """Three actions are taken back one by one, and restored in the right order."""
    ledger.label(["a", "b"], "dwarf", task="t", origin=ANN)
    ledger.label(["a"], "spiral", task="t", origin=ANN)
    ledger.clear(["b"], task="t", origin=ANN)
    states = [said(ledger)]
    for _ in range(3):
        ledger.undo(origin=ANN)
        states.append(said(ledger))
    assert states == [
        {"a": "spiral"},
        {"a": "spiral", "b": "dwarf"},
        {"a": "dwarf", "b": "dwarf"},
        {},
    ]
    assert not len(ledger.undo(origin=ANN).events)
    for state in reversed(states[:-1]):
        ledger.redo(origin=ANN)
        assert said(ledger) == state
    assert not len(ledger.redo(origin=ANN).events)


def test_a_new_label_ends_what_can_be_redone(ledger: Ledger) -> None:
    """As in any editor: after undo and something new, redo does nothing."""
    ledger.label(["a"], "dwarf", task="t", origin=ANN)
    ledger.undo(origin=ANN)
    ledger.label(["a"], "spiral", task="t", origin=ANN)
    assert ledger.redo(origin=ANN).action == 0
    ledger.undo(origin=ANN)
    ledger.redo(origin=ANN)
    assert said(ledger) == {"a": "spiral"}
    assert ledger.redo(origin=ANN).action == 0


def test_undo_takes_back_ones_own_alone(ledger: Ledger) -> None:
    """The last action of one labeller, whatever others did since."""
    ledger.label(["a"], "dwarf", task="t", origin=ANN)
    ledger.label(["a"], "spiral", task="t", origin=BOB)
    ledger.undo(origin=ANN)
    assert said(ledger, "ann") == {}
    assert said(ledger, "bob") == {"a": "spiral"}


def test_given_events_are_undone_whoever_wrote_them(ledger: Ledger) -> None:
    """A reviewer takes two of many back; undoing the undo restores them; twice is once."""
    written = ledger.label(list("abcd"), "dwarf", task="t", origin=ANN)
    undone = ledger.undo(written.events[:2].tolist(), origin=Origin("carl", "review"))
    assert said(ledger) == {"c": "dwarf", "d": "dwarf"}
    assert ledger.current(objects=["a", "c"])["object_id"].tolist() == ["c"]
    assert not len(ledger.undo(written.events[:2].tolist(), origin=BOB).events)
    ledger.undo(undone.events.tolist(), origin=BOB)
    assert set(said(ledger)) == set("abcd")
    history = ledger.history()
    assert history["kind"].tolist() == ["label"] * 4 + ["undo"] * 2 + ["redo"] * 2
    assert history["target"].tolist()[4:] == [1, 2, 1, 2]
    assert history["undoes"].tolist()[4:] == [1, 2, 5, 6]
    with pytest.raises(InputError, match="event 999: there is none"):
        ledger.undo([1, 999])


def test_a_large_batch_is_undone_as_a_whole(ledger: Ledger) -> None:
    """More objects than a query takes as parameters, labelled, undone and restored at once."""
    ids = [f"o{i}" for i in range(1203)]
    ledger.label(ids, "dwarf", task="t", origin=ANN)
    assert len(ledger.undo(origin=ANN).events) == 1203
    assert said(ledger) == {}
    assert len(ledger.redo(origin=ANN).events) == 1203
    assert len(ledger.current(objects=ids[:1000])) == 1000


def test_changes_since_an_event(ledger: Ledger) -> None:
    """A page that polls gets what came after the last event it saw, undo included."""
    assert ledger.last_event() == 0
    ledger.label(["a", "b"], "dwarf", task="t", origin=ANN)
    seen = ledger.last_event()
    assert not len(ledger.history(since=seen))
    ledger.undo(origin=ANN)
    news = ledger.history(since=seen)
    assert news["kind"].tolist() == ["undo", "undo"]
    assert news["object_id"].tolist() == ["a", "b"]
    assert ledger.history(since=seen, limit=1)["event"].tolist() == [3]


def test_the_same_write_twice_is_one(ledger: Ledger) -> None:
    """A write that is repeated, as its answer was lost, adds nothing and gives the same events."""
    first = ledger.label(["a", "b"], "dwarf", task="t", uid="one")
    again = ledger.label(["a", "b"], "dwarf", task="t", uid="one")
    assert first.action == again.action
    assert first.events.tolist() == again.events.tolist()
    assert ledger.last_event() == 2


def test_notes_stand_beside_labels(ledger: Ledger) -> None:
    """A remark changes no label, and can be undone."""
    ledger.label(["a"], "dwarf", task="t", origin=ANN, notes="nucleated")
    ledger.note(["a"], "in NED\nsee paper", origin=BOB)
    assert ledger.all_notes(["a"])["note"].tolist() == ["nucleated", "in NED\nsee paper"]
    assert said(ledger) == {"a": "dwarf"}
    ledger.undo(origin=BOB)
    assert ledger.all_notes()["note"].tolist() == ["nucleated"]
    assert ledger.tasks() == ["t"]


def test_consensus_is_the_majority_and_ties_are_named(ledger: Ledger) -> None:
    """Two of three win; one against one is no label."""
    for name, labels in (("ann", "xxy"), ("bob", "xyy"), ("carl", "yx")):
        origin = Origin(name)
        ledger.label(
            list("abc")[: len(labels)],
            list(labels),
            task="t",
            origin=origin,
            ra=[1.0] * len(labels),
        )
    ledger.label(["d"], "x", task="t", origin=ANN)
    ledger.label(["d"], "y", task="t", origin=BOB, ra=[7.0], dec=[8.0])
    table = ledger.consensus(task="t")
    assert table["object_id"].tolist() == list("abcd")
    assert table["label"].tolist() == ["x", "x", "y", ""]
    assert table["tied"].tolist() == ["", "", "", "x|y"]
    assert table["votes"].tolist() == [2, 2, 2, 1]
    assert table["labellers"].tolist() == [3, 3, 2, 2]
    assert table["ra"].tolist() == [1, 1, 1, 7]
    assert not len(ledger.consensus(task="other"))


def test_agreement_of_an_empty_and_a_small_ledger(ledger: Ledger) -> None:
    """Nothing to compare is said so; two labellers give one pair."""
    assert ledger.agreement() == {}
    ledger.label(list("abcd"), list("xxyy"), task="t", origin=ANN)
    ledger.label(list("abcd"), list("xyyy"), task="t", origin=BOB)
    found = ledger.agreement()["t"]
    assert found["objects"] == 4
    assert found["percent"] == 75.0
    assert found["pairs"][0]["kappa"] == pytest.approx(0.5)


def test_several_at_once_lose_nothing_and_a_poller_sees_all_in_order(
    place: str, ledger: Ledger
) -> None:
    """Numbers become visible in their order: who asks for what is new misses nothing."""
    seen: list[int] = []
    finished = threading.Event()

    def write(name: str) -> None:
        own = Ledger(place)
        for i in range(30):
            own.label([f"{name}{i}", f"{name}{i}b"], "x", task="t", origin=Origin(name))
        own.close()

    def poll() -> None:
        own = Ledger(place)
        while not finished.is_set() or own.last_event() > (seen[-1] if seen else 0):
            seen.extend(own.history(since=seen[-1] if seen else 0)["event"].tolist())
        own.close()

    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    poller = threading.Thread(target=poll)
    for thread in (*writers, poller):
        thread.start()
    for thread in writers:
        thread.join()
    finished.set()
    poller.join()
    assert seen == list(range(1, 241))
    assert len(said(ledger)) == 240


HOSTILE = ["'; DROP TABLE label_events; --", "<script>alert(1)</script>", "%s %(x)s {0} ?", "\\x00"]
HOSTILE += ["ünïcödé 银河 \U0001f30c", "a\tb", "\u202etxt", "NULL", "None", "=1+1"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(ledger: Ledger, text: str) -> None:
    """SQL, HTML and format marks come back as they were."""
    ledger.label([text], text, task=text, origin=Origin(text, selection=text), notes=text)
    row = ledger.current(task=text, labeller=text, objects=[text]).iloc[0]
    assert [row[c] for c in ("object_id", "label", "task", "note", "labeller", "selection")] == (
        [text] * 6
    )
    assert ledger.last_event() == 1


@pytest.mark.parametrize("bad", ["a\0b", "x" * 100_000, "\ud800", "", "  "])
def test_text_that_cannot_be_kept_is_refused_in_one_line(ledger: Ledger, bad: str) -> None:
    """NUL, 100 kB, half a character, nothing: refused before anything is written."""
    for names, label, task in ((["a", bad], "x", "t"), (["a"], bad, "t"), (["a"], "x", bad)):
        with pytest.raises(InputError) as caught:
            ledger.label(names, label, task=task)
        assert len(str(caught.value)) < 200
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="labeller"):
        Origin(bad)
    assert ledger.last_event() == 0


def test_wrong_arguments_are_refused(ledger: Ledger) -> None:
    """Positions off the sky, sources that are none, one label too few."""
    with pytest.raises(InputError, match="dec 91: must be -90 to 90"):
        ledger.label(["a"], "x", task="t", ra=[0], dec=[91])
    with pytest.raises(InputError, match=r"ra: \(2,\) values for 1 objects"):
        ledger.label(["a"], "x", task="t", ra=[0, 1])
    with pytest.raises(InputError, match="2 labels for 1 objects"):
        ledger.label(["a"], ["x", "y"], task="t")
    with pytest.raises(InputError, match="source 'guess': allowed are lasso click"):
        Origin("ann", "guess")
    assert not len(ledger.label([], [], task="t").events)
    assert ledger.last_event() == 0


def test_the_default_labeller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's name comes first, then the login's; a nameless user has a number."""
    monkeypatch.setenv("SKY_SSL_LABELLER", "ann")
    assert default_labeller() == "ann"
    monkeypatch.delenv("SKY_SSL_LABELLER")
    monkeypatch.setattr("getpass.getuser", lambda: "login")
    assert default_labeller() == "login"
    monkeypatch.setattr("getpass.getuser", lambda: {}["uid"])
    assert default_labeller().startswith("user ")
