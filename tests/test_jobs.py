"""Jobs: started, looked at, stopped, and found again by another process."""

import json
import sys
import time
from pathlib import Path

import pytest

from sky_ssl.errors import InputError
from sky_ssl.jobs import Job, JobState, list_jobs, read_job, start_job, state_of, stop_job


def ended(job: Job) -> JobState:
    for _ in range(600):
        state = state_of(job)
        if state.status != "running":
            return state
        time.sleep(0.05)
    raise AssertionError("the job does not end")


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_job_ends_well_or_badly(tmp_path: Path) -> None:
    """Status, what it printed, and how long it took."""
    good = start_job(tmp_path, "print", python("print('hello\\rover'); print('last')"))
    bad = start_job(tmp_path, "fail", python("import sys; sys.exit('no such thing')"))
    assert ended(good).status == "done"
    assert state_of(good).last_lines == ("over", "last")
    missing = start_job(tmp_path, "missing", ["no-such-program"])
    assert "no-such-program" in ended(missing).last_lines[-1]
    assert ended(bad).status == "failed"
    assert "no such thing" in state_of(bad).last_lines[-1]
    assert {job.title for job in list_jobs(tmp_path)} == {"print", "fail", "missing"}
    assert read_job(good.folder) == good


def test_progress_is_what_the_command_says(tmp_path: Path) -> None:
    """The callback of `terminal` reaches the job through the environment."""
    code = "import time\nfrom sky_ssl.progress import terminal\nsay = terminal('map')\n"
    code += "say(20, 120)\ntime.sleep(0.5)\nsay(30, 120)\ntime.sleep(60)\n"
    job = start_job(tmp_path, "map", python(code))
    for _ in range(400):
        state = state_of(job)
        if state.fraction == 0.25:
            break
        time.sleep(0.05)
    assert (state.status, state.stage, state.fraction) == ("running", "map", 0.25)
    # begun at 20: 10 of the 90 that are left take half a second, or a little more where it is slow
    assert state.seconds_left is not None
    assert state.seconds_left >= 4.5
    stop_job(job)
    assert state_of(job).status == "stopped"


def test_stopping_reaches_what_the_command_started(tmp_path: Path) -> None:
    """A child that would go on is gone; one that takes no notice is made to."""
    child = tmp_path / "alive"
    inner = (
        f"import time, pathlib\nwhile True: pathlib.Path({str(child)!r}).touch(); time.sleep(.02)"
    )
    outer = (
        "import signal, subprocess, sys\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"subprocess.run([sys.executable, '-c', {inner!r}])"
    )
    job = start_job(tmp_path / "jobs", "two", python(outer))
    while not child.exists():
        time.sleep(0.02)
    stop_job(job, grace=0.3)
    assert ended(job).status == "stopped"
    time.sleep(0.1)
    before = child.stat().st_mtime_ns
    time.sleep(0.2)
    assert child.stat().st_mtime_ns == before


def test_what_is_no_job_is_passed_over(tmp_path: Path) -> None:
    """Broken records are not listed; a job that was cut off has failed."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "job.json").write_text("{")
    (tmp_path / "b").mkdir()
    record = {"title": "old", "command": ["x", "y z"], "started": 1.0}
    (tmp_path / "b" / "job.json").write_text(json.dumps(record))
    (job,) = list_jobs(tmp_path)
    assert job.shown == "x 'y z'"
    assert state_of(job).status == "failed"
    with pytest.raises(InputError, match="no job here"):
        read_job(tmp_path / "a")
