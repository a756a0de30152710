"""Events of a browser: once each, in order, whatever becomes of the run that does them."""

import threading
import time

import pytest

from app.components import onceonly
from app.components.onceonly import do_each, last_done


class Stopped(BaseException):
    """What Streamlit raises in a run that is to end."""


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has sent anything."""
    monkeypatch.setattr(onceonly, "_senders", type(onceonly._senders)())


def numbered(*numbers: int) -> list[dict]:
    return [{"n": n} for n in numbers]


def test_two_runs_at_once_do_each_event_once_and_in_order() -> None:
    """The second comes while the first writes, and holds all that the first does."""
    done: list[int] = []

    def act(event: dict) -> None:
        time.sleep(0.005)
        done.append(event["n"])

    def say(words: str) -> None:
        raise AssertionError(words)

    runs = [
        threading.Thread(target=do_each, args=("a", numbered(*range(1, last + 1)), act, say))
        for last in (6, 9, 12)
    ]
    for run in runs:
        run.start()
        time.sleep(0.012)
    for run in runs:
        run.join()
    assert done == list(range(1, 13))
    assert last_done("a") == 12


def test_what_a_stopped_run_did_not_do_is_done_by_the_next() -> None:
    """Stopped before it was done: not counted. Stopped as its words are said: counted."""
    done: list[int] = []

    def act(event: dict) -> str:
        if event["n"] == 2 and len(done) == 1 and not tries:
            tries.append(2)
            raise Stopped
        done.append(event["n"])
        return f"did {event['n']}"

    def say(words: str) -> None:
        said.append(words)
        if words == "did 3":
            raise Stopped

    tries: list[int] = []
    said: list[str] = []
    with pytest.raises(Stopped):
        do_each("a", numbered(1, 2, 3), act, say)
    assert last_done("a") == 1
    with pytest.raises(Stopped):
        do_each("a", numbered(1, 2, 3, 4), act, say)
    do_each("a", numbered(3, 4), act, say)
    assert done == [1, 2, 3, 4]
    assert said == ["did 1", "did 2", "did 3", "did 4"]


def test_what_fails_is_not_tried_again() -> None:
    """The error is seen once; what comes after it is done."""
    done: list[int] = []

    def act(event: dict) -> None:
        done.append(event["n"])
        if event["n"] == 1:
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        do_each("a", numbered(1, 2), act, print)
    do_each("a", numbered(1, 2), act, print)
    assert done == [1, 2]


def test_senders_do_not_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each counts for itself; the one not heard of longest is forgotten."""
    monkeypatch.setattr(onceonly, "_KEPT", 2)
    for sender in "ab":
        do_each(sender, numbered(1), lambda _: None, print)
    do_each("a", numbered(2), lambda _: None, print)
    do_each("c", numbered(7), lambda _: None, print)
    assert [last_done(sender) for sender in "ac"] == [2, 7]
    assert last_done("b") == 0
