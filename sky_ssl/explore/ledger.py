"""The database behind the label ledger: its tables, and transactions that lose and double nothing.

In: a file (SQLite) or the URL of a database server. Out: connections to read with, and write
transactions, one at a time over all processes, so that events get their numbers in the order in
which they become visible.
"""

import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import exc

from sky_ssl.errors import InputError
from sky_ssl.explore import sqlitefile

SCHEMA = 1
_Result = TypeVar("_Result")
_number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_tables = sa.MetaData()

LEDGER = sa.Table(
    "label_ledger",
    _tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),  # one row, 1
    sa.Column("schema_version", sa.Integer, nullable=False),
    sa.Column("made", sa.String(40), nullable=False),
)
VOICES = sa.Table(
    "label_voices",  # somebody speaking of one data set
    _tables,
    sa.Column("voice", _number, primary_key=True, autoincrement=False),
    sa.Column("labeller", sa.String(200), nullable=False),
    sa.Column("dataset", sa.String(200), nullable=False),  # fingerprint, "" if unknown
    sa.UniqueConstraint("labeller", "dataset"),
)
ACTIONS = sa.Table(
    "label_actions",
    _tables,
    sa.Column("action", _number, primary_key=True, autoincrement=False),
    sa.Column("uid", sa.String(40), nullable=False, unique=True),
    sa.Column("time", sa.String(40), nullable=False),  # UTC, ISO 8601
    sa.Column("voice", sa.ForeignKey("label_voices.voice"), nullable=False, index=True),
    sa.Column("source", sa.String(20), nullable=False),
    sa.Column("selection", sa.String(1000), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),  # sha256
)
EVENTS = sa.Table(
    "label_events",
    _tables,
    sa.Column("event", _number, primary_key=True, autoincrement=False),
    sa.Column("action", sa.ForeignKey("label_actions.action"), nullable=False, index=True),
    sa.Column("voice", _number, nullable=False),  # that of the action
    sa.Column("kind", sa.String(8), nullable=False),  # see events.KINDS
    sa.Column("object_id", sa.String(500), nullable=False),
    sa.Column("ra", sa.Double),  # degrees ICRS
    sa.Column("dec", sa.Double),
    sa.Column("task", sa.String(200), nullable=False),
    sa.Column("label", sa.String(1000)),
    sa.Column("note", sa.Text),
    sa.Column("undoes", _number),  # the event that an undo or redo takes back
    sa.Column("target", _number, index=True),  # the event that it switches off or on
    # what the current labels are read from, without looking at the rows
    sa.Index("label_events_current", "object_id", "task", "voice", "event", "kind"),
)


class LedgerDatabase:
    """A ledger, opened; made if it is not there.

    Args:
        place: a file, or a URL such as postgresql+psycopg://user@host/database.
        wait_seconds: how long a write waits for others, or for a server that went away.

    Attributes:
        name: what to call it, without a password.
        notes: warnings, one line each.

    Raises:
        InputError: if it is no ledger, or a newer one, or cannot be opened.
    """

    def __init__(self, place: str | Path, *, wait_seconds: float = 60.0) -> None:
        self.path, url = _locate(place)
        self.name = str(self.path or url.render_as_string(hide_password=True))
        self.notes: list[str] = []
        self._wait = wait_seconds
        self._process = os.getpid()
        self._next_checkpoint = 0.0
        self._wal = True
        if self.path is not None:
            self._check_file(self.path)
        self._engine = self._connected(url)
        self._prepare()

    def _check_file(self, path: Path) -> None:
        rows = sqlitefile.ask(path, "SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = {name for (name,) in rows}
        if LEDGER.name in tables:
            found = sqlitefile.ask(path, f"SELECT schema_version FROM {LEDGER.name}")
            self._check_version(found[0][0] if found else None)
        elif tables:
            some = ", ".join(sorted(tables)[:5])
            raise InputError(
                f"{path}: not a label ledger (its tables: {some}); it was left as it is"
            )
        network = sqlitefile.on_network(path)
        if network:
            self._wal = False
            self.notes.append(
                f"{path}: on a network file system ({network}): written with a rollback journal, "
                "slower; several people at once are safer on a server (postgresql+psycopg://...)"
            )
        path.parent.mkdir(parents=True, exist_ok=True)

    def _connected(self, url: sa.URL) -> sa.Engine:
        if self.path is None:
            try:
                return sa.create_engine(url, pool_pre_ping=True)
            except (exc.ArgumentError, exc.NoSuchModuleError, ImportError) as error:
                raise InputError(f"{self.name}: {_reason(error)}") from None
        engine = sa.create_engine(url, connect_args={"timeout": sqlitefile.BUSY_SECONDS})

        @sa.event.listens_for(engine, "connect")
        def connect(connection: Any, _: Any) -> None:
            sqlitefile.prepare(connection, wal=self._wal)

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            writes = connection.get_execution_options().get("writes")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    @property
    def engine(self) -> sa.Engine:
        """The engine of this process; connections are not carried over a fork."""
        if os.getpid() != self._process:
            self._engine.dispose(close=False)
            self._process = os.getpid()
        return self._engine

    def _prepare(self) -> None:
        with self._plain_errors(), self.engine.connect() as c:
            if sa.inspect(c).has_table(LEDGER.name):
                self._check_version(c.execute(sa.select(LEDGER.c.schema_version)).scalar())
                return
        self.write(self._create)

    def _create(self, c: sa.Connection) -> None:
        if c.dialect.name == "postgresql":  # two that make the tables at once
            c.execute(sa.text("SELECT pg_advisory_xact_lock(7369)"))
        _tables.create_all(c)
        if c.execute(sa.select(LEDGER.c.id)).first() is None:
            c.execute(LEDGER.insert().values(id=1, schema_version=SCHEMA, made=now()))

    def _check_version(self, version: int | None) -> None:
        if version is None or not 1 <= version <= SCHEMA:
            raise InputError(
                f"{self.name}: a label ledger of schema {version}; this version of sky_ssl knows "
                f"{SCHEMA}: bring it up to date; the ledger was left as it is"
            )

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """Give a connection that sees one state of the ledger."""
        with self._plain_errors(), self.engine.connect() as c:
            yield c

    def write(self, work: Callable[[sa.Connection], _Result]) -> _Result:
        """Do work in a transaction, again and again until it is committed.

        Args:
            work: is called with a connection that is alone in writing; as the answer to a commit
                may be lost on the way, it must find out whether it was done before.

        Raises:
            InputError: the database stays locked or away for too long, or refuses.
        """
        deadline = time.monotonic() + self._wait
        attempt = 0
        while True:
            try:
                engine = self.engine.execution_options(writes=True)
                with engine.begin() as c:
                    if self.path is None and work != self._create:
                        c.execute(sa.select(LEDGER.c.id).with_for_update())
                    result = work(c)
                self._checkpoint()
                return result
            except exc.DBAPIError as error:
                if not _passes(error) or time.monotonic() > deadline:
                    raise InputError(f"{self.name}: not written ({_reason(error)})") from None
                time.sleep(random.uniform(0.5, 1.0) * min(0.01 * 2**attempt, 1.0))
                attempt += 1

    def _checkpoint(self) -> None:
        if self.path is None or not self._wal or time.monotonic() < self._next_checkpoint:
            return
        if sqlitefile.log_is_long(self.path):
            raw = self.engine.raw_connection()
            try:
                done = sqlitefile.checkpoint(raw.driver_connection)  # type: ignore[arg-type]
            finally:
                raw.close()
            self._next_checkpoint = 0.0 if done else time.monotonic() + 10.0

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (exc.DBAPIError, ImportError) as error:
            raise InputError(f"{self.name}: cannot be read ({_reason(error)})") from None

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _locate(place: str | Path) -> tuple[Path | None, sa.URL]:
    """Tell files from servers."""
    if isinstance(place, Path) or "://" not in place:
        path = Path(place).absolute()
        return path, sa.URL.create("sqlite", database=str(path))
    try:
        url = sa.make_url(place)
    except (exc.ArgumentError, ValueError):
        scheme = place.split("://")[0]
        raise InputError(
            f"ledger URL {scheme}://...: not understood; write postgresql+psycopg://user@host/name"
        ) from None
    if url.get_backend_name() == "sqlite":
        if not url.database or url.database == ":memory:":
            raise InputError(f"{place}: a ledger needs a file or a server")
        return Path(url.database).absolute(), url
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    return None, url


def _passes(error: exc.DBAPIError) -> bool:
    """Say whether an error of the database may go away by itself."""
    if error.connection_invalidated:
        return True
    if isinstance(error.orig, Exception) and hasattr(error.orig, "sqlite_errorname"):
        return str(error.orig.sqlite_errorname).startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
    state = getattr(error.orig, "sqlstate", None)
    if state:  # serialisation, locks, server going down or coming up, connection
        return str(state)[:2] in ("40", "55", "57", "08") or state == "23505"
    return isinstance(error, exc.OperationalError)


def _reason(error: Exception) -> str:
    said = getattr(error, "orig", None) or error
    return " ".join(str(said).split())[:300] or type(said).__name__


def now() -> str:
    """Give the time, UTC, as text."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_uid() -> str:
    """Make a name for an action that no other has."""
    return uuid.uuid4().hex
