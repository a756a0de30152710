"""Events of the label ledger: what may be written, and how labels are taken back and restored.

In: objects with a label, a note or nothing, by somebody, from somewhere. Out: rows that are only
ever added. An undo is an event that switches another one (its target) off, a redo one that
switches it on again; the latest of these counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from sky_ssl.errors import InputError
from sky_ssl.explore.ledger import ACTIONS, EVENTS, VOICES, now

SOURCES = ("lasso", "click", "search", "import", "review", "audit")
KINDS = ("label", "clear", "note", "audit", "undo", "redo")
SWITCHES = ("undo", "redo")
_LENGTHS = {
    **{"object id": 500, "label": 1000, "note": 10_000, "task": 200, "labeller": 200},
    **{"data set": 200, "selection": 1000, "model": 200},
}
_MAY_BE_EMPTY = ("note", "data set", "selection", "model")


@dataclass(frozen=True)
class Origin:
    """Who wrote events, and from what."""

    labeller: str
    source: str = "click"  # one of SOURCES
    dataset: str = ""  # fingerprint of the data set
    selection: str = ""  # name of the selection rule, or what was drawn
    model: str = ""  # sha256 of the model whose map or scores were seen

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise InputError(f"source {self.source!r}: allowed are {' '.join(SOURCES)}")
        check_text("labeller", [self.labeller])
        check_text("data set", [self.dataset])
        check_text("selection", [self.selection])
        check_text("model", [self.model])


@dataclass(frozen=True)
class Written:
    """What was written."""

    action: int  # 0 if nothing was
    events: npt.NDArray[np.int64]  # (n,) their numbers, in the order of the objects


NOTHING = Written(0, np.empty(0, dtype=np.int64))


def check_text(what: str, values: Sequence[str]) -> None:
    """Refuse text that no database keeps, and text that is no name for anything.

    Raises:
        InputError: the first that is empty, too long, or holds NUL or halves of characters.
    """
    longest = _LENGTHS[what]
    for value in dict.fromkeys(values):
        if not isinstance(value, str):
            raise InputError(f"{what} {value!r}: must be text")
        shown = repr(value if len(value) <= 60 else f"{value[:60]}...")
        if not value.strip() and what not in _MAY_BE_EMPTY:
            raise InputError(f"{what} {shown}: must not be empty")
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            size = -1
        if "\0" in value or size < 0:
            raise InputError(f"{what} {shown}: holds characters that cannot be kept")
        if size > longest:
            raise InputError(f"{what} {shown}: {size} bytes long, at most {longest} are kept")


def rows_of(
    kind: str,
    objects: Sequence[str],
    *,
    task: str,
    labels: Sequence[str | None] | None = None,
    notes: Sequence[str] | None = None,
    ra: npt.ArrayLike | None = None,
    dec: npt.ArrayLike | None = None,
) -> list[dict[str, Any]]:
    """Make the rows of n events, checked.

    Args:
        kind: "label" (an event without one is of kind "clear"), "note" or "audit".
        objects: (n,) ids.
        task: what is asked of the objects, such as "dwarf".
        labels: (n,) answers; None clears.
        notes: (n,) remarks, "" for none.
        ra, dec: (n,) degrees, NaN if unknown.

    Raises:
        InputError: text that cannot be kept, or positions off the sky.
    """
    n = len(objects)
    answers = [None] * n if labels is None else [x if x is None else x.strip() for x in labels]
    remarks = [""] * n if notes is None else list(notes)
    for what, values in (("labels", answers), ("notes", remarks)):
        if len(values) != n:
            raise InputError(f"{len(values)} {what} for {n} objects: one each is needed")
    check_text("object id", objects)
    check_text("task", [task])
    check_text("label", [x for x in answers if x is not None])
    check_text("note", remarks)
    places = [_degrees(name, values, n) for name, values in (("ra", ra), ("dec", dec))]
    return [
        {
            "kind": "clear" if kind == "label" and answer is None else kind,
            **{"object_id": name, "ra": x, "dec": y, "task": task.strip(), "label": answer},
            **{"note": remark or None, "undoes": None, "target": None},
        }
        for name, answer, remark, x, y in zip(objects, answers, remarks, *places, strict=True)
    ]


def _degrees(name: str, values: npt.ArrayLike | None, n: int) -> list[float | None]:
    """Give (n,) numbers for the database, which knows no NaN."""
    array = np.full(n, np.nan) if values is None else np.asarray(values, dtype=np.float64)
    if array.shape != (n,):
        raise InputError(f"{name}: {array.shape} values for {n} objects, one each is needed")
    low, high = (-90, 90) if name == "dec" else (-180, 360)
    off = array[~np.isnan(array) & ~((array >= low) & (array <= high))]
    if off.size:
        raise InputError(f"{name} {off[0]:g}: must be {low} to {high} degrees")
    return [None if np.isnan(x) else float(x) for x in array]


def append(c: sa.Connection, uid: str, origin: Origin, rows: Sequence[dict[str, Any]]) -> Written:
    """Add one action with its events; if an action of this name is there, give that one.

    Args:
        c: a connection that is alone in writing.
        uid: name of the action: what makes a repeated write the same write.
        origin: who and from what.
        rows: see `rows_of`; none of them: nothing is written.
    """
    done = find_action(c, uid)
    if done is not None or not rows:
        return done or NOTHING
    action = (c.execute(sa.select(sa.func.max(ACTIONS.c.action))).scalar() or 0) + 1
    first = last_event(c) + 1
    voice = _voice(c, origin)
    c.execute(
        ACTIONS.insert(),
        {
            **{"action": action, "uid": uid, "time": now(), "voice": voice},
            **{"source": origin.source, "selection": origin.selection, "model": origin.model},
        },
    )
    same = {"action": action, "voice": voice}
    c.execute(EVENTS.insert(), [{**row, **same, "event": first + i} for i, row in enumerate(rows)])
    return Written(action, np.arange(first, first + len(rows), dtype=np.int64))


def _voice(c: sa.Connection, origin: Origin) -> int:
    """Give the number of this labeller on this data set, a new one where they are new."""
    known = sa.select(VOICES.c.voice).where(
        VOICES.c.labeller == origin.labeller, VOICES.c.dataset == origin.dataset
    )
    voice = c.execute(known).scalar()
    if voice is None:
        voice = (c.execute(sa.select(sa.func.max(VOICES.c.voice))).scalar() or 0) + 1
        row = {"voice": voice, "labeller": origin.labeller, "dataset": origin.dataset}
        c.execute(VOICES.insert(), row)
    return int(voice)


def find_action(c: sa.Connection, uid: str) -> Written | None:
    """Give what an action wrote, None if there is none of this name."""
    action = c.execute(sa.select(ACTIONS.c.action).where(ACTIONS.c.uid == uid)).scalar()
    if action is None:
        return None
    query = sa.select(EVENTS.c.event).where(EVENTS.c.action == action).order_by(EVENTS.c.event)
    return Written(int(action), np.array(c.execute(query).scalars().all(), dtype=np.int64))


def last_event(c: sa.Connection) -> int:
    """Give the number of the newest event, 0 if there is none."""
    return int(c.execute(sa.select(sa.func.max(EVENTS.c.event))).scalar() or 0)


def switched_off(objects: Sequence[str] | None = None) -> sa.Select:
    """Select the numbers of all events that are undone, or of those of a few objects."""
    latest = sa.select(sa.func.max(EVENTS.c.event)).where(EVENTS.c.target.is_not(None))
    if objects is not None:
        latest = latest.where(EVENTS.c.object_id.in_(objects))
    latest = latest.group_by(EVENTS.c.target)
    return sa.select(EVENTS.c.target).where(EVENTS.c.event.in_(latest), EVENTS.c.kind == "undo")


def undo(c: sa.Connection, uid: str, origin: Origin, events: Sequence[int]) -> Written:
    """Take events back: labels are switched off, undone ones (the undo given) on again.

    Events that are so already are left out, so that a second click does nothing.

    Raises:
        InputError: a number that no event has.
    """
    done = find_action(c, uid)
    if done is not None:
        return done
    found = _fetch(c, events)
    missing = sorted({int(e) for e in events} - {row.event for row in found})
    if missing:
        raise InputError(f"event {missing[0]}: there is none of this number to undo")
    off = _which_are_off(c, [row.target or row.event for row in found])
    rows = []
    for row in found:
        switch = "redo" if row.kind == "undo" else "undo"
        target = row.target or row.event
        if (target in off) == (switch == "redo"):
            place = {"object_id": row.object_id, "ra": row.ra, "dec": row.dec, "task": row.task}
            state = {"kind": switch, "undoes": row.event, "target": target}
            rows.append({**place, **state, "label": row.label, "note": row.note})
    return append(c, uid, origin, rows)


def _fetch(c: sa.Connection, events: Sequence[int]) -> list[Any]:
    """Read events by number, in pieces that any database takes."""
    numbers = [int(e) for e in events]
    found: list[Any] = []
    for start in range(0, len(numbers), 500):
        chosen = EVENTS.c.event.in_(numbers[start : start + 500])
        found += c.execute(sa.select(EVENTS).where(chosen).order_by(EVENTS.c.event)).all()
    return found


def _which_are_off(c: sa.Connection, events: Sequence[int]) -> set[int]:
    off: set[int] = set()
    for start in range(0, len(events), 500):
        piece = list(events[start : start + 500])
        latest = (
            sa.select(sa.func.max(EVENTS.c.event))
            .where(EVENTS.c.target.in_(piece))
            .group_by(EVENTS.c.target)
        )
        chosen = sa.select(EVENTS.c.target).where(
            EVENTS.c.event.in_(latest), EVENTS.c.kind == "undo"
        )
        off |= set(c.execute(chosen).scalars())
    return off


def last_to_undo(c: sa.Connection, labeller: str) -> list[int]:
    """Give the events of the last action of a labeller that is still in force."""
    return _last(c, labeller, ("label", "clear", "note"), off=False)


def last_to_redo(c: sa.Connection, labeller: str) -> list[int]:
    """Give the undo events of the last action that a labeller took back and did not go on from."""
    events = _last(c, labeller, ("undo",), off=True)
    newer = _last(c, labeller, ("label", "clear", "note"), off=False)
    return [] if events and newer and newer[-1] > events[-1] else events


def _last(c: sa.Connection, labeller: str, kinds: Sequence[str], *, off: bool) -> list[int]:
    """Find the newest action with events of these kinds whose targets are off, or on."""
    target = sa.func.coalesce(EVENTS.c.target, EVENTS.c.event)
    state = target.in_(switched_off()) if off else target.not_in(switched_off())
    mine = (
        sa.select(EVENTS.c.event, EVENTS.c.action)
        .join(VOICES, VOICES.c.voice == EVENTS.c.voice)
        .where(VOICES.c.labeller == labeller, EVENTS.c.kind.in_(kinds), state)
    )
    newest = c.execute(mine.order_by(EVENTS.c.event.desc()).limit(1)).first()
    if newest is None:
        return []
    query = mine.where(EVENTS.c.action == newest.action).order_by(EVENTS.c.event)
    return [int(row.event) for row in c.execute(query)]
