"""Commands that run by themselves, started from the dashboard and outliving it.

In: a command as one would type it. Out: a folder of the workspace, jobs/ID, with what was started
(`job.json`), what it printed (`log.txt`), how far it is (`progress.json`) and how it ended
(`end.json`). A job runs as long as its file `lock` is held, so a process number that was given to
somebody else does no harm.

    python -m sky_ssl.jobs FOLDER      (what a job's own process runs)
"""

import contextlib
import fcntl
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.progress import ENVIRONMENT

_GRACE = 20.0  # seconds between asking a job to stop and stopping it


@dataclass(frozen=True)
class Job:
    """A command that was started."""

    folder: Path
    title: str
    command: tuple[str, ...]
    started: float  # seconds since 1970

    @property
    def shown(self) -> str:
        """The command, to paste into a shell."""
        return shlex.join(self.command)


@dataclass(frozen=True)
class JobState:
    """How a job stands."""

    status: str  # "running", "done", "failed" or "stopped"
    stage: str  # what it is at, in its own words; empty if it does not say
    fraction: float | None  # of the stage
    seconds_left: float | None  # of the stage
    seconds: float  # since the start, or in all
    last_lines: tuple[str, ...]  # of what it printed


def start_job(folder: Path, title: str, command: Sequence[str]) -> Job:
    """Start a command that goes on when this process ends.

    Args:
        folder: of all jobs.
        title: what it does, in a few words.
        command: program and arguments.
    """
    now = time.time()
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    for number in range(1000):
        place = folder / f"{stamp}-{number:03d}"
        with contextlib.suppress(FileExistsError):
            place.mkdir(parents=True)
            break
    record = {"title": title, "command": list(command), "started": now}
    _write(place / "job.json", record)
    environment = {**os.environ, ENVIRONMENT: str(place / "progress.json")}
    # returns when the job's own process has the lock, and leaves it to itself
    subprocess.run(
        [sys.executable, "-m", "sky_ssl.jobs", str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment,
        check=True,
    )
    return Job(place, title, tuple(command), now)


def list_jobs(folder: Path) -> list[Job]:
    """List jobs, the newest first; folders that are no jobs are passed over."""
    found = []
    for place in sorted(folder.glob("*/job.json"), reverse=True):
        with contextlib.suppress(InputError):
            found.append(read_job(place.parent))
    return found


def read_job(place: Path) -> Job:
    """Read what was started.

    Raises:
        InputError: there is no job in this folder.
    """
    record = _read(place / "job.json")
    try:
        command = tuple(str(word) for word in record["command"])
        return Job(place, str(record["title"]), command, float(record["started"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{place}: no job here ({error})") from error


def state_of(job: Job) -> JobState:
    """Say how a job stands."""
    running = _is_held(job.folder / "lock")
    end, said = _read(job.folder / "end.json"), _read(job.folder / "progress.json")
    if running:
        status = "running"
    elif (job.folder / "stop").exists():
        status = "stopped"
    else:
        # no end: the machine went down, or the process was killed
        status = "done" if end.get("status") == 0 else "failed"
    total, done = float(said.get("total", 0)), float(said.get("done", 0))
    fraction = min(1.0, done / total) if total else None
    left = _seconds_left(said) if running else None
    last = float(end.get("time", time.time() if running else said.get("time", job.started)))
    lines = _tail(job.folder / "log.txt")
    stage = str(said.get("label", ""))
    return JobState(status, stage, fraction, left, last - job.started, lines)


def _seconds_left(said: dict[str, Any]) -> float | None:
    """Estimate from the pace since the first report; None where there is only that one."""
    try:
        since = float(said["done"]) - float(said["first_done"])
        spent = float(said["time"]) - float(said["first_time"])
        return spent * (float(said["total"]) - float(said["done"])) / since if since > 0 else None
    except (KeyError, TypeError, ValueError):
        return None


def stop_job(job: Job, grace: float = _GRACE) -> None:
    """Ask a job to stop (SIGTERM), and make it stop after a while; what it has written stays."""
    (job.folder / "stop").touch()
    until = time.monotonic() + grace
    while not (record := _read(job.folder / "process.json")) and time.monotonic() < until:
        if not _is_held(job.folder / "lock"):
            return
        time.sleep(0.02)  # it is only just starting
    number = int(record.get("group", 0))
    if number <= 1 or not _is_held(job.folder / "lock"):
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(number, signal.SIGTERM)
    until = time.monotonic() + grace
    while _is_held(job.folder / "lock") and time.monotonic() < until:
        time.sleep(0.1)
    if _is_held(job.folder / "lock"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(number, signal.SIGKILL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job of a folder, holding its lock."""
    place = Path((arguments or sys.argv[1:])[0])
    job = read_job(place)
    with (place / "lock").open("a") as lock, (place / "log.txt").open("ab") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.fork():  # the lock goes on in the child, which nobody waits for
            os._exit(0)
        # the command gets a group of its own, so that stopping reaches what it starts but not this
        try:
            process = subprocess.Popen(
                job.command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            log.write(f"{job.command[0]}: {error.strerror}\n".encode())
            _write(place / "end.json", {"status": 127, "time": time.time()})
            return 0
        _write(place / "process.json", {"group": process.pid})
        status = process.wait()
        _write(place / "end.json", {"status": status, "time": time.time()})
    return 0


def _is_held(lock: Path) -> bool:
    """Say whether some process holds a lock file."""
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _write(path: Path, record: dict[str, Any]) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(record), encoding="utf-8")
    temporary.replace(path)


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object; empty if it is not there or is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _tail(path: Path, lines: int = 12, most: int = 20_000) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - most))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    # a progress bar draws over its own line
    every = [line.rstrip("\r").split("\r")[-1] for line in text.rstrip("\n").split("\n")]
    return tuple(line for line in every if line)[-lines:]


if __name__ == "__main__":
    sys.exit(main())
