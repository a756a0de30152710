"""The label ledger action by action: one row for a lasso of thousands, and what is in force of it.

In: a connection that reads. Out: a pandas table of the newest actions; the events of some of them.
"""

from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa

from sky_ssl.explore.events import switched_off
from sky_ssl.explore.ledger import ACTIONS, EVENTS, VOICES

COLUMNS = ("action", "time", "labeller", "kind", "label", "objects", "in_force", "task", "source",
           "selection", "example")  # fmt: skip
_OF_ACTION = (ACTIONS.c.action, ACTIONS.c.time, VOICES.c.labeller, ACTIONS.c.source,
              ACTIONS.c.selection)  # fmt: skip


def list_actions(
    c: sa.Connection,
    *,
    task: str | None = None,
    labeller: str | None = None,
    kinds: Sequence[str] = (),
    limit: int = 200,
) -> pd.DataFrame:
    """Give the newest actions, the newest first; one with several labels has a row for each.

    Args:
        c: a connection.
        task: only of this one.
        labeller: only of this one.
        kinds: only of these, see `events.KINDS`; none: all.
        limit: actions at most.

    Returns:
        Columns action, time (UTC, ISO 8601), labeller, kind, label ("" where there is none),
        objects (how many), in_force (how many of its labels, clearings and remarks are not
        undone; as `objects` for what cannot be undone), task, source, selection, example (an id).
    """
    of = [EVENTS.c.task == task] if task is not None else []
    of += [EVENTS.c.kind.in_(list(kinds))] if kinds else []
    # from the newest action back, until there are enough: events of the rest are never looked at
    newest = sa.select(ACTIONS.c.action).join(VOICES, VOICES.c.voice == ACTIONS.c.voice)
    newest = newest.where(
        sa.exists().where(EVENTS.c.action == ACTIONS.c.action, *of),
        *([VOICES.c.labeller == labeller] if labeller is not None else []),
    )
    chosen = c.execute(newest.order_by(ACTIONS.c.action.desc()).limit(limit)).scalars().all()
    off = sa.case((EVENTS.c.event.in_(switched_off()), 1), else_=0)
    parts = (EVENTS.c.action, EVENTS.c.kind, EVENTS.c.label, EVENTS.c.task)
    counted = (
        sa.select(
            *parts,
            sa.func.count().label("objects"),
            sa.func.sum(off).label("off"),
            sa.func.min(EVENTS.c.object_id).label("example"),
        )
        .where(EVENTS.c.action.in_(chosen), *of)
        .group_by(*parts)
        .subquery()
    )
    query = (
        sa.select(*_OF_ACTION, *(counted.c[n] for n in ("kind", "label", "task")),
                  counted.c.objects, counted.c.off, counted.c.example)
        .join(counted, counted.c.action == ACTIONS.c.action)
        .join(VOICES, VOICES.c.voice == ACTIONS.c.voice)
        .order_by(ACTIONS.c.action.desc(), counted.c.objects.desc(),
                  sa.func.coalesce(counted.c.label, ""))
    )  # fmt: skip
    rows = [dict(row) for row in c.execute(query).mappings()]
    for row in rows:
        row["label"] = row["label"] or ""
        row["in_force"] = int(row["objects"]) - int(row.pop("off") or 0)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def events_of(c: sa.Connection, actions: Sequence[int]) -> list[int]:
    """Give the events of actions that can be undone or restored, in order."""
    may = EVENTS.c.kind.in_(("label", "clear", "note", "undo", "redo"))
    found: list[int] = []
    for action in actions:
        query = sa.select(EVENTS.c.event).where(EVENTS.c.action == int(action), may)
        found += [int(event) for event in c.execute(query.order_by(EVENTS.c.event)).scalars()]
    return found
