"""Events of a browser: each done once, and in the order in which they were sent.

In: who sends, and all events that it does not know to be done. Streamlit begins a new run of a
page in a thread of its own while the run before may be in the middle of a callback, and stops that
one at whatever it next asks of the session. So neither what a session keeps, nor how far a callback
came, says what is done: that is counted here, under a lock.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

_KEPT = 1000  # senders: galleries in browsers


@dataclass
class _Sender:
    lock: threading.RLock = field(default_factory=threading.RLock)
    done: int = 0  # number of the last event


_senders: OrderedDict[str, _Sender] = OrderedDict()
_guard = threading.Lock()


def do_each(
    sender: str,
    events: Iterable[Event],
    act: Callable[[Event], str | None],
    say: Callable[[str], None],
) -> None:
    """Do the events that are not done yet.

    Args:
        sender: a text that no other has.
        events: with their numbers "n", rising.
        act: does one; it asks the session first and writes last, and gives words for the user, if
            any. What fails is not tried again; where the page is stopped before it was done, the
            next run does it.
        say: says these words; if the page is stopped there, no more than they are lost.
    """
    known = _known(sender)
    with known.lock:
        for event in events:
            number = int(event["n"])
            if number <= known.done:
                continue
            try:
                words = act(dict(event))
            except Exception:
                known.done = number
                raise
            known.done = number
            if words:
                say(words)


def last_done(sender: str) -> int:
    """Give the number of the last event that is done; 0 for none."""
    return _known(sender).done


def _known(sender: str) -> _Sender:
    with _guard:
        found = _senders.setdefault(sender, _Sender())
        _senders.move_to_end(sender)
        while len(_senders) > _KEPT:
            _senders.popitem(last=False)
        return found
