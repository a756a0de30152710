"""How a ledger in an SQLite file is kept safe: what the file is, its journal, its checkpoints.

In: a path, or connections of the driver. Out: settings that lose no acknowledged write, and one
line where the file system does not bear the better of them.
"""

import os
import sqlite3
import time
from pathlib import Path

from sky_ssl.errors import InputError

MAGIC = b"SQLite format 3\0"
BUSY_SECONDS = 30.0
# writes wait while the write-ahead log is copied back, so not at every one of them
_CHECKPOINT_BYTES = 4 << 20
_NETWORK = {
    *("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "afs"),
    *("ceph", "glusterfs", "pvfs2", "orangefs", "9p", "panfs", "wekafs", "daos"),
}


def file_system(path: Path, mounts: str | None = None) -> str:
    """Name the type of the file system that a path lies on, "" if it is unknown.

    Args:
        path: it need not exist.
        mounts: the text of /proc/mounts; read when not given.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
    place = Path(os.path.realpath(path))
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        folder = Path(fields[1].encode().decode("unicode_escape"))  # a blank is written \040
        depth = len(folder.parts)
        # of two mounts on one folder the later one is seen
        if depth >= best and (place == folder or folder in place.parents):
            best, kind = depth, fields[2]
    return kind


def on_network(path: Path, mounts: str | None = None) -> str:
    """Name the network file system of a path, "" if it is a local one.

    The write-ahead log needs memory shared by all processes, which no network file system has.
    """
    kind = file_system(path, mounts)
    return kind if kind in _NETWORK or kind.startswith("fuse.") else ""


def ask(path: Path, query: str) -> list[tuple]:
    """Ask an SQLite file something without writing to it; nothing for a new or empty file.

    Raises:
        InputError: if it is no SQLite file or is damaged.
    """
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a label ledger")
    if not path.exists() or path.stat().st_size == 0:
        return []
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise InputError(f"{path}: not a label ledger (no SQLite file); it was left as it is")
    # after a crash a file opens only for writing, which puts it in order
    for mode in ("ro", "rw"):
        try:
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS)
            try:
                return connection.execute(query).fetchall()
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            reason = str(error)
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path}: a damaged SQLite file ({error})") from None
    raise InputError(f"{path}: cannot be opened as a label ledger ({reason})")


def prepare(connection: sqlite3.Connection, *, wal: bool) -> None:
    """Set a new connection up: wait for others, and have every commit on the disk.

    The log is copied back by `checkpoint` only: SQLite's own way may run beside a writer, which
    before 3.51.3 could, very rarely, lose a commit (https://sqlite.org/wal.html#walresetbug).

    Args:
        connection: of the driver.
        wal: keep a write-ahead log; else a rollback journal.
    """
    connection.isolation_level = None  # transactions begin where we say
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
    wanted = "wal" if wal else "delete"
    deadline = time.monotonic() + BUSY_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] != wanted:
        # the change needs the file alone for a moment, and does not wait for it by itself
        try:
            cursor.execute(f"PRAGMA journal_mode = {wanted}")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorname.startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    cursor.execute(f"PRAGMA synchronous = {'FULL' if wal else 'EXTRA'}")
    cursor.execute("PRAGMA wal_autocheckpoint = 0")
    # 64 MiB: a lasso of thousands is written all over the index
    cursor.execute("PRAGMA cache_size = -65536")
    cursor.close()


def log_is_long(path: Path) -> bool:
    """Say whether the write-ahead log ought to be copied back into the file."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > _CHECKPOINT_BYTES
    except OSError:
        return False


def checkpoint(connection: sqlite3.Connection) -> bool:
    """Copy the write-ahead log back, with all writers waiting; say whether all of it was."""
    cursor = connection.cursor()
    try:
        cursor.execute("PRAGMA busy_timeout = 1000")
        return bool(cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0)
    except sqlite3.OperationalError:
        return False  # a reader is at work: the log grows until the next time
    finally:
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        cursor.close()
