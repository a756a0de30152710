"""The label ledger: who said what of which object, when, from what; nothing is ever overwritten.

In: labels, notes, undo and redo of one or many objects at once, by any number of people at the
same time. Out: numbers of events; the labels in force; all of the history. An object bears one
label per task and labeller, and as many tasks as are wanted.
"""

import getpass
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd
import sqlalchemy as sa

from sky_ssl.explore import events, labelactions, labelview
from sky_ssl.explore.agreement import Prevalence, agreement, estimate_prevalence
from sky_ssl.explore.events import Origin, Written
from sky_ssl.explore.ledger import EVENTS, VOICES, LedgerDatabase, new_uid

__all__ = ["Ledger", "Origin", "Prevalence", "Written", "default_labeller", "estimate_prevalence"]

LABELLER = "SKY_SSL_LABELLER"


def default_labeller() -> str:
    """Name who is labelling: the environment's SKY_SSL_LABELLER, else the login name."""
    try:
        return os.environ.get(LABELLER) or getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return f"user {os.getuid()}"


class Ledger:
    """A label ledger, opened; made if it is not there. May be shared by threads and forks.

    Args:
        place: a file, or the URL of a database server, postgresql+psycopg://user@host/database.
        wait_seconds: how long a write waits for other writers, or for a server that went away.

    Attributes:
        name: what to call it, without a password.
        notes: warnings, one line each.

    Raises:
        InputError: if it is no ledger, or a newer one (it is left as it was), or cannot be opened.
    """

    def __init__(self, place: str | Path, *, wait_seconds: float = 60.0) -> None:
        self._database = LedgerDatabase(place, wait_seconds=wait_seconds)
        self.name = self._database.name
        self.notes = self._database.notes

    def label(
        self,
        objects: Sequence[str],
        labels: str | Sequence[str | None] | None,
        *,
        task: str,
        origin: Origin | None = None,
        ra: npt.ArrayLike | None = None,
        dec: npt.ArrayLike | None = None,
        notes: str | Sequence[str] = "",
        uid: str | None = None,
    ) -> Written:
        """Label objects, all of them in one transaction: on the disk when this returns.

        Args:
            objects: (n,) ids.
            labels: one for all, or (n,); None clears the label of this labeller.
            task: what is asked, such as "dwarf".
            origin: who, and from what; by default the current user, by click.
            ra, dec: (n,) degrees, NaN if unknown; by them labels are carried to other data.
            notes: one for all, or (n,); "" for none.
            uid: a name for this action: the same name written twice is written once.

        Raises:
            InputError: text that cannot be kept, or a ledger that cannot be written to.
        """
        n = len(objects)
        answers = [labels] * n if labels is None or isinstance(labels, str) else list(labels)
        remarks = [notes] * n if isinstance(notes, str) else list(notes)
        names = [str(name) for name in objects]
        rows = events.rows_of(
            "label", names, task=task, labels=answers, notes=remarks, ra=ra, dec=dec
        )
        return self._append(rows, origin, uid)

    def clear(self, objects: Sequence[str], *, task: str, origin: Origin | None = None) -> Written:
        """Take the labels of this labeller off objects; an event like any other."""
        return self.label(objects, None, task=task, origin=origin)

    def note(
        self,
        objects: Sequence[str],
        text: str,
        *,
        task: str = "note",
        origin: Origin | None = None,
        ra: npt.ArrayLike | None = None,
        dec: npt.ArrayLike | None = None,
    ) -> Written:
        """Add a remark to objects, whatever their labels."""
        names = [str(name) for name in objects]
        remarks = [text] * len(names)
        rows = events.rows_of("note", names, task=task, notes=remarks, ra=ra, dec=dec)
        return self._append(rows, origin, None)

    def remember_audit(
        self,
        objects: Sequence[str],
        *,
        task: str,
        origin: Origin,
        ra: npt.ArrayLike | None = None,
        dec: npt.ArrayLike | None = None,
    ) -> Written:
        """Remember that objects were drawn at random to be labelled; see `audit.draw_audit`."""
        names = [str(name) for name in objects]
        rows = events.rows_of("audit", names, task=task, ra=ra, dec=dec)
        return self._append(rows, origin, None)

    def _append(
        self, rows: list[dict[str, Any]], origin: Origin | None, uid: str | None
    ) -> Written:
        who, name = origin or Origin(default_labeller()), uid or new_uid()
        return self._database.write(lambda c: events.append(c, name, who, rows))

    def undo(
        self, numbers: Sequence[int] | None = None, *, origin: Origin | None = None
    ) -> Written:
        """Undo the last action of this labeller that is in force, or given events.

        An action is undone as a whole, a lasso of thousands as well. Undoing an undo is a redo.

        Returns:
            The events that do so; none if there was nothing to undo.

        Raises:
            InputError: a number that no event has.
        """
        return self._switch(numbers, origin, events.last_to_undo)

    def redo(self, *, origin: Origin | None = None) -> Written:
        """Restore what this labeller undid last, unless they went on labelling since."""
        return self._switch(None, origin, events.last_to_redo)

    def _switch(self, numbers: Sequence[int] | None, origin: Origin | None, find: Any) -> Written:
        who, name = origin or Origin(default_labeller()), new_uid()

        def work(c: sa.Connection) -> Written:
            chosen = find(c, who.labeller) if numbers is None else numbers
            return events.undo(c, name, who, chosen)

        return self._database.write(work)

    def current(
        self,
        *,
        task: str | None = None,
        dataset: str | None = None,
        labeller: str | None = None,
        objects: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Give the labels in force, see `labelview.current`."""
        with self._database.read() as c:
            return labelview.current(
                c, task=task, dataset=dataset, labeller=labeller, objects=objects
            )

    def consensus(self, *, task: str | None = None, dataset: str | None = None) -> pd.DataFrame:
        """Give one label per object and task, that of the majority, see `labelview.consensus`."""
        return labelview.consensus(self.current(task=task, dataset=dataset))

    def agreement(self, *, task: str | None = None) -> dict[str, Any]:
        """Compare the labellers of each task, see `agreement.agreement`."""
        return agreement(self.current(task=task))

    def history(
        self,
        *,
        since: int = 0,
        task: str | None = None,
        dataset: str | None = None,
        objects: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> pd.DataFrame:
        """Give events in order, those after number `since`, see `labelview.history`."""
        with self._database.read() as c:
            return labelview.history(
                c, since=since, task=task, dataset=dataset, objects=objects, limit=limit
            )

    def actions(
        self,
        *,
        task: str | None = None,
        labeller: str | None = None,
        kinds: Sequence[str] = (),
        limit: int = 200,
    ) -> pd.DataFrame:
        """Give the newest actions, a row for a whole lasso, see `labelactions.list_actions`."""
        with self._database.read() as c:
            return labelactions.list_actions(
                c, task=task, labeller=labeller, kinds=kinds, limit=limit
            )

    def undo_actions(self, actions: Sequence[int], *, origin: Origin | None = None) -> Written:
        """Undo actions by number, whoever did them; undoing an undo is a redo.

        Returns:
            The events that do so; none if all of it was undone already.
        """
        with self._database.read() as c:
            numbers = labelactions.events_of(c, actions)
        return self.undo(numbers, origin=origin) if numbers else events.NOTHING

    def last_event(self) -> int:
        """Give the number of the newest event: what to compare with to see whether any came."""
        with self._database.read() as c:
            return events.last_event(c)

    def all_notes(self, objects: Sequence[str] | None = None) -> pd.DataFrame:
        """Give the remarks in force."""
        with self._database.read() as c:
            return labelview.notes(c, objects)

    def audit_sample(self, *, task: str | None = None, dataset: str | None = None) -> pd.DataFrame:
        """Give the objects drawn at random so far, in the order drawn."""
        with self._database.read() as c:
            return labelview.audit_sample(c, task=task, dataset=dataset)

    def tasks(self) -> list[str]:
        """List the tasks of labels and samples, by name."""
        asked = EVENTS.c.kind.in_(("label", "clear", "audit"))
        query = sa.select(EVENTS.c.task).where(asked).distinct()
        with self._database.read() as c:
            return sorted(c.execute(query).scalars())

    def labellers(self) -> list[str]:
        """List all who wrote something, by name."""
        with self._database.read() as c:
            return sorted(c.execute(sa.select(VOICES.c.labeller).distinct()).scalars())

    def close(self) -> None:
        """Close all connections."""
        self._database.close()
