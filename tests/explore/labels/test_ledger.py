"""The database of the ledger: what is refused, what survives kills, where the journal differs."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy.exc

from sky_ssl.errors import InputError
from sky_ssl.explore import sqlitefile
from sky_ssl.explore.labels import Ledger, Origin

MOUNTS = """\
/dev/vda / ext4 rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
nas:/home /home nfs4 rw 0 0
/dev/sdb /home/local ext4 rw 0 0
//nas/my\\040data /data cifs rw 0 0
sshfs#x: /far\\040away fuse.sshfs rw 0 0
gpfs0 /gpfs gpfs rw 0 0
scratch /lustre lustre rw 0 0
over /over nfs rw 0 0
later /over xfs rw 0 0
broken
"""


def test_killed_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    """Eight processes, sixty kills: all that was acknowledged is there, once, and whole."""
    place, notes = tmp_path / "labels.db", tmp_path / "acknowledged"
    notes.mkdir()
    script = Path(__file__).with_name("killed_writers.py")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, str(script), str(place), str(notes), "60", "1"],
        capture_output=True, text=True, timeout=120, check=True, env=environment,
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert result["unasked"] == 0, done.stderr
    assert len(result["lines"]) > 60
    ledger = Ledger(place)
    history = ledger.history()
    labels = history[history["kind"] == "label"]
    assert not labels["object_id"].duplicated().any()
    assert history["event"].tolist() == list(range(1, len(history) + 1))
    by_number = dict(zip(history["event"], history["object_id"], strict=True))
    for uid, events in map(json.loads, result["lines"]):
        if uid:
            expected = [f"{uid}-{i}" for i in range(len(events))]
            assert [by_number[event] for event in events] == expected
        else:
            assert all(event in by_number for event in events)
    # batches are there whole or not at all
    assert set(labels.groupby("action").size()) <= {1, 20}
    ledger.close()
    with sqlite3.connect(place) as c:
        assert c.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert c.execute("PRAGMA foreign_key_check").fetchall() == []
    c.close()


def test_commits_are_on_the_disk_before_they_are_acknowledged(tmp_path: Path) -> None:
    """Write-ahead log, synced at every commit, copied back by us alone."""
    ledger = Ledger(tmp_path / "labels.db")
    with ledger._database.read() as c:
        values = [
            c.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "wal_autocheckpoint")
        ]
    assert values == ["wal", 2, 0]
    ledger.close()


def test_the_log_does_not_grow_without_end(tmp_path: Path) -> None:
    """It is copied back into the file when it is long, also while others have the file open."""
    ledger, other = Ledger(tmp_path / "labels.db"), Ledger(tmp_path / "labels.db")
    for batch in range(6):
        ledger.label([f"{batch} {i:0200d}" for i in range(4000)], "x", task="t")
        other.last_event()
    assert (tmp_path / "labels.db-wal").stat().st_size < 8 << 20
    assert (tmp_path / "labels.db").stat().st_size > 6 << 20
    assert other.last_event() == 24_000
    ledger.close()
    other.close()
    assert not (tmp_path / "labels.db-wal").exists()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/labels.db", ""),
        ("/home/ann/labels.db", "nfs4"),
        ("/home/local/labels.db", ""),
        ("/homely/labels.db", ""),
        ("/data/x/labels.db", "cifs"),
        ("/far away/labels.db", "fuse.sshfs"),
        ("/gpfs/labels.db", "gpfs"),
        ("/lustre/new/folder/labels.db", "lustre"),
        ("/over/labels.db", ""),
    ],
)
def test_network_file_systems_are_known_by_their_mount(path: str, kind: str) -> None:
    """The longest mount point that holds the path counts, of two on one folder the later."""
    assert sqlitefile.on_network(Path(path), MOUNTS) == kind


def test_on_a_network_file_system_there_is_one_warning_and_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback journal instead, and a ledger that had a log is changed over."""
    Ledger(tmp_path / "labels.db").close()
    monkeypatch.setattr(sqlitefile, "file_system", lambda path, mounts=None: "nfs4")
    ledger = Ledger(tmp_path / "labels.db")
    assert len(ledger.notes) == 1
    assert "network file system (nfs4)" in ledger.notes[0]
    ledger.label(["a"], "x", task="t")
    with ledger._database.read() as c:
        assert c.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"
        assert c.exec_driver_sql("PRAGMA synchronous").scalar() == 3
    ledger.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["labels.db"]


def foreign(path: Path, *statements: str) -> bytes:
    c = sqlite3.connect(path)
    for statement in statements:
        c.execute(statement)
    c.commit()
    c.close()
    return path.read_bytes()


def test_a_file_that_is_no_ledger_is_left_as_it_was(tmp_path: Path) -> None:
    """Text, another program's database, a damaged one, a folder: one line, nothing touched."""
    path = tmp_path / "file"
    contents = [
        (b"id,label\na,dwarf\n" * 100, "not a label ledger \\(no SQLite file\\)"),
        (foreign(path, "CREATE TABLE moz_places (url)"), "its tables: moz_places"),
        (b"SQLite format 3\0" + b"x" * 5000, "damaged|cannot be opened"),
    ]
    for content, message in contents:
        path.write_bytes(content)
        with pytest.raises(InputError, match=message) as caught:
            Ledger(path)
        assert "\n" not in str(caught.value)
        assert path.read_bytes() == content
        assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(InputError, match="a folder, not a label ledger"):
        Ledger(tmp_path)


def test_a_ledger_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """It is named with both versions, and its journal is not changed either."""
    path = tmp_path / "labels.db"
    Ledger(path).close()
    before = foreign(
        path, "PRAGMA journal_mode = delete", "UPDATE label_ledger SET schema_version = 2"
    )
    with pytest.raises(InputError, match="of schema 2; this version of sky_ssl knows 1"):
        Ledger(path)
    assert path.read_bytes() == before


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    """What is left of a program that was killed while it made one."""
    (tmp_path / "labels.db").touch()
    ledger = Ledger(tmp_path / "labels.db")
    assert ledger.last_event() == 0
    ledger.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://ann:secret@localhost:1/x", "cannot be read .*refused"),
        ("nosuch://ann:secret@host/x", "plugin"),
        ("postgresql+psycopg://ann:secret@host:port/x", "write postgresql"),
        ("sqlite://", "needs a file or a server"),
    ],
)
def test_a_server_that_is_not_there_is_said_without_the_password(url: str, message: str) -> None:
    """One line that names the place."""
    with pytest.raises(InputError, match=message) as caught:
        Ledger(url, wait_seconds=0.1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_ledger_that_stays_locked_is_said_so(tmp_path: Path) -> None:
    """Another program that holds the file for too long; afterwards the write goes through."""
    ledger = Ledger(tmp_path / "labels.db", wait_seconds=0.2)
    with ledger._database.read() as c:
        c.exec_driver_sql("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(tmp_path / "labels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(InputError, match="database is locked"):
        ledger.label(["a"], "x", task="t")
    other.execute("ROLLBACK")
    other.close()
    assert ledger.label(["a"], "x", task="t").events.tolist() == [1]
    ledger.close()


def test_a_write_waits_for_a_lock_that_is_let_go(tmp_path: Path) -> None:
    """Busy is tried again, with no trace in the ledger."""
    ledger = Ledger(tmp_path / "labels.db")
    with ledger._database.read() as c:
        c.exec_driver_sql("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "labels.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    timer.start()
    started = time.monotonic()
    ledger.label(["a"], "x", task="t")
    assert time.monotonic() - started > 0.2
    timer.join()
    other.close()
    assert ledger.last_event() == 1
    ledger.close()


def test_a_fork_writes_with_connections_of_its_own(tmp_path: Path) -> None:
    """A ledger opened before a fork is used on both sides of it."""
    ledger = Ledger(tmp_path / "labels.db")
    ledger.label(["before"], "x", task="t")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            ledger.label([f"child {i}" for i in range(5)], "x", task="t", origin=Origin("child"))
            status = 0
        finally:
            os._exit(status)
    ledger.label(["parent"], "x", task="t")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert ledger.last_event() == 7
    ledger.close()


def test_a_lost_server_connection_is_replaced(postgres: str) -> None:
    """The server ends all sessions, as at a restart; the next write makes a new one."""
    import psycopg

    ledger = Ledger(postgres)
    ledger.label(["a"], "x", task="t")
    with psycopg.connect(postgres.replace("+psycopg", ""), autocommit=True) as c:
        c.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = 'postgres' AND pid <> pg_backend_pid()"
        )
    before = ledger.last_event()
    assert ledger.label(["b"], "x", task="t").events.tolist() == [before + 1]
    ledger.close()


def test_a_commit_whose_answer_was_lost_is_not_done_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed, then an error: the repeat finds the action and gives its events."""
    ledger = Ledger(tmp_path / "labels.db")
    lost = sqlalchemy.exc.OperationalError("COMMIT", {}, Exception("connection lost"))
    failures = [lost, lost, lost]
    monkeypatch.setattr(
        ledger._database, "_checkpoint", lambda: failures and _raise(failures.pop())
    )
    assert ledger.label(["a", "b"], "x", task="t").events.tolist() == [1, 2]
    failures.extend([lost])
    assert ledger.undo().events.tolist() == [3, 4]
    assert ledger.last_event() == 4
    ledger.close()


def _raise(error: Exception) -> None:
    raise error
