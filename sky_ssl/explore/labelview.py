"""What the events of a ledger come to: the current labels, the history, what changed.

In: a connection that reads. Out: pandas tables, one row per event, or per object, task and
labeller; and the labels that several people agree on.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import sqlalchemy as sa

from sky_ssl.explore.events import switched_off
from sky_ssl.explore.ledger import ACTIONS, EVENTS, VOICES

_OF_EVENT = ("event", "action", "voice", "object_id", "ra", "dec", "task", "label", "note")
_OF_HISTORY = (*_OF_EVENT, "kind", "undoes", "target")
_OF_ACTION = ("labeller", "source", "dataset", "selection", "model", "time")
# as many ids as every database takes as parameters of one query
_MANY = 500


def history(
    c: sa.Connection,
    *,
    since: int = 0,
    task: str | None = None,
    dataset: str | None = None,
    objects: Sequence[str] | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Give events in order, each with who wrote it, when and from what.

    Args:
        c: a connection.
        since: only events after this number.
        task, dataset: only of these; None for all.
        objects: only of these ids.
        limit: at most so many.

    Returns:
        Columns event, kind (see `events.KINDS`), object_id, ra, dec, task, label, note, undoes
        (the event that an undo or redo takes back, else 0), target (the label that it switches off
        or on), action, labeller, source, dataset, selection, model, time.
    """
    query = _chosen(sa.select(*_columns(_OF_HISTORY)), task, dataset, None, objects)
    query = query.where(EVENTS.c.event > since).order_by(EVENTS.c.event).limit(limit)
    return _only(_frame(c, query, _OF_HISTORY), objects)


def current(
    c: sa.Connection,
    *,
    task: str | None = None,
    dataset: str | None = None,
    labeller: str | None = None,
    objects: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Give the label in force of each object, task and labeller: the latest that is not undone.

    Returns:
        Columns event, object_id, ra, dec, task, label, note, n_events (how many labels not undone
        lie behind it, itself included), action, labeller, source, dataset, selection, model, time;
        in the order of the events. Cleared labels are not among them.
    """
    same = (EVENTS.c.object_id, EVENTS.c.task, EVENTS.c.voice)
    last = sa.select(sa.func.max(EVENTS.c.event).label("last"), sa.func.count().label("n_events"))
    last = _chosen(last, task, dataset, labeller, objects).where(
        EVENTS.c.kind.in_(("label", "clear")), EVENTS.c.event.not_in(switched_off(_few(objects)))
    )
    newest = last.group_by(*same).subquery()
    query = (
        sa.select(*_columns(_OF_EVENT), newest.c.n_events)
        .join(newest, newest.c.last == EVENTS.c.event)
        .where(EVENTS.c.kind == "label")
    )
    return _only(_frame(c, query, (*_OF_EVENT, "n_events")), objects)


def notes(c: sa.Connection, objects: Sequence[str] | None = None) -> pd.DataFrame:
    """Give all remarks in force, those that came with a label as well, in order."""
    query = _chosen(sa.select(*_columns(_OF_EVENT)), None, None, None, objects).where(
        EVENTS.c.kind.in_(("label", "clear", "note")),
        EVENTS.c.note.is_not(None),
        EVENTS.c.event.not_in(switched_off(_few(objects))),
    )
    return _only(_frame(c, query.order_by(EVENTS.c.event), _OF_EVENT), objects)


def audit_sample(
    c: sa.Connection, *, task: str | None = None, dataset: str | None = None
) -> pd.DataFrame:
    """Give the objects that were drawn at random to be labelled, in the order drawn."""
    query = _chosen(sa.select(*_columns(_OF_EVENT)), task, dataset, None, None)
    query = query.where(EVENTS.c.kind == "audit", EVENTS.c.event.not_in(switched_off()))
    return _frame(c, query.order_by(EVENTS.c.event), _OF_EVENT)


def consensus(labels: pd.DataFrame) -> pd.DataFrame:
    """Join the labels of several labellers: the majority, and ties by name.

    Args:
        labels: as `current` gives them.

    Returns:
        One row per data set, object and task, by task and object: dataset, object_id, task, ra,
        dec, label ("" in a tie), tied ("a|b", else ""), votes (for the label, or each of the
        tied), labellers (how many), time (of the newest label), source (of the
        newest label; of one drawn at random, where any was: then the object was).
    """
    columns = ["dataset", "object_id", "task", "ra", "dec", "label", "tied", "votes", "labellers"]
    columns += ["time", "source"]
    if not len(labels):
        return pd.DataFrame(columns=columns)
    unit = labels.groupby(["task", "object_id", "dataset"], sort=True).ngroup()
    votes = labels["label"].groupby([unit.rename("unit"), labels["label"]]).size()
    counts = votes.rename("votes").reset_index()
    best = counts[counts["votes"] == counts.groupby("unit")["votes"].transform("max")]
    first = best.drop_duplicates("unit").set_index("unit")
    tied = best[best["unit"].duplicated(keep=False)].groupby("unit")["label"].agg("|".join)
    result = labels.assign(unit=unit).drop_duplicates("unit", keep="last").set_index("unit")
    result[["ra", "dec"]] = labels[["ra", "dec"]].groupby(unit).last()
    result["votes"], result["labellers"] = first["votes"], unit.value_counts()
    result["tied"] = tied.reindex(result.index, fill_value="")
    result["label"] = first["label"].where(result["tied"] == "", "")
    drawn = labels["source"].where(labels["source"] == "audit").groupby(unit).first()
    result["source"] = drawn.fillna(result["source"])
    return result.sort_index()[columns].reset_index(drop=True)


def _columns(names: Sequence[str]) -> list[sa.Column]:
    return [EVENTS.c[name] for name in names]


def _chosen(
    query: sa.Select,
    task: str | None,
    dataset: str | None,
    labeller: str | None,
    objects: Sequence[str] | None,
) -> sa.Select:
    """Leave the events of a task, data set, labeller and, if they are few, of objects."""
    voices = sa.select(VOICES.c.voice)
    if dataset is not None:
        voices = voices.where(VOICES.c.dataset == dataset)
    if labeller is not None:
        voices = voices.where(VOICES.c.labeller == labeller)
    if dataset is not None or labeller is not None:
        query = query.where(EVENTS.c.voice.in_(voices))
    if task is not None:
        query = query.where(EVENTS.c.task == task)
    few = _few(objects)
    return query if few is None else query.where(EVENTS.c.object_id.in_(few))


def _few(objects: Sequence[str] | None) -> list[str] | None:
    """Give the objects if they are few enough to name them in a query."""
    few = objects is not None and len(objects) <= _MANY
    return [str(name) for name in objects or ()] if few else None


def _only(frame: pd.DataFrame, objects: Sequence[str] | None) -> pd.DataFrame:
    """Leave the chosen objects, where they were too many for the query."""
    if objects is None or len(objects) <= _MANY:
        return frame
    chosen = frame["object_id"].isin(set(map(str, objects)))
    return frame[chosen].reset_index(drop=True)


def _frame(c: sa.Connection, query: sa.Select, names: Sequence[str]) -> pd.DataFrame:
    """Fetch a table of events and add what is known of their actions.

    Numbers come as numbers, missing text empty; equal texts are one object, or a million labels
    would not fit into memory.
    """
    pieces: dict[str, list[np.ndarray]] = {name: [_array(name, (), {})] for name in names}
    texts: dict[str, str] = {}
    # rows of the driver as they are: for a million of them this is a third of the time
    cursor = c.execute(query).cursor
    while cursor is not None and (rows := cursor.fetchmany(20_000)):
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            pieces[name].append(_array(name, values, texts))
    frame = pd.DataFrame({name: np.concatenate(parts) for name, parts in pieces.items()})
    in_order = frame["event"].is_monotonic_increasing
    return _with_actions(c, frame if in_order else frame.sort_values("event", ignore_index=True))


def _array(name: str, values: Sequence, texts: dict[str, str]) -> np.ndarray:
    if name in ("ra", "dec"):
        return np.array(values, dtype=np.float64)
    if name in ("object_id", "task", "label", "note", "kind"):
        array = np.empty(len(values), dtype=object)
        array[:] = ["" if v is None else texts.setdefault(v, v) for v in values]
        return array
    return np.array([v or 0 for v in values], dtype=np.int64)


def _with_actions(c: sa.Connection, frame: pd.DataFrame) -> pd.DataFrame:
    numbers = np.unique(frame["action"].to_numpy())
    query = sa.select(
        ACTIONS.c.action, *(VOICES.c[n] if n in VOICES.c else ACTIONS.c[n] for n in _OF_ACTION)
    ).join(VOICES, VOICES.c.voice == ACTIONS.c.voice)
    if 0 < len(numbers) <= _MANY:
        query = query.where(ACTIONS.c.action.in_(numbers.tolist()))
    elif len(numbers):
        query = query.where(ACTIONS.c.action.between(int(numbers[0]), int(numbers[-1])))
    rows = c.execute(query.order_by(ACTIONS.c.action)).all() if len(numbers) else []
    place = np.searchsorted([row.action for row in rows], frame["action"].to_numpy())
    for name in _OF_ACTION:
        values = np.empty(len(rows), dtype=object)
        values[:] = [getattr(row, name) for row in rows]
        frame[name] = values[place]
    return frame.drop(columns="voice")
