"""Databases for the ledger: SQLite files, and a PostgreSQL server where it is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sky_ssl.explore.labels import Ledger


def _program(name: str) -> str | None:
    """Find a program of PostgreSQL: of the newest version where there are several."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(places[-1]) if places else None)


def _as_other_user(folder: Path) -> list[str]:
    """Give the words before a command so that it runs as a user that owns the folder.

    PostgreSQL does not run as root.
    """
    if os.getuid() != 0:
        return []
    names = [user.pw_name for user in pwd.getpwall()]
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    if shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and setpriv is not installed")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a server in a folder of its own, reached by a socket in it; give the URL."""
    initdb, server = _program("initdb"), _program("postgres")
    if initdb is None or server is None:
        pytest.skip("PostgreSQL is not installed here (no initdb, no postgres)")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # short: sockets have short paths
    try:
        user = _as_other_user(folder)
        make = [*user, initdb, "-D", str(folder / "data"), "-U", "sky", "-A", "trust"]
        made = subprocess.run(
            [*make, "-E", "UTF8", "--locale=C", "--no-sync"], capture_output=True, cwd="/"
        )
        assert made.returncode == 0, made.stderr.decode()
        start = [*user, server, "-D", str(folder / "data"), "-k", str(folder), "-F"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*start, "-c", "listen_addresses="], stdout=log, stderr=log, cwd="/"
            )
        try:
            url = f"postgresql+psycopg://sky@/postgres?host={folder}"
            _wait(url, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", "")).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise AssertionError(log.read_text()) from None
            time.sleep(0.1)
        else:
            return


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the place of a new ledger, in a file and on a server."""
    if request.param == "sqlite":
        return str(tmp_path / "labels.db")
    import psycopg

    url = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def ledger(place: str) -> Iterator[Ledger]:
    """Open a new ledger, in a file and on a server."""
    opened = Ledger(place)
    yield opened
    opened.close()
