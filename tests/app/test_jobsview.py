"""Jobs on the page: a press on Stop answers at once."""

import sys
import time
from pathlib import Path

from app import jobsview
from sky_ssl.jobs import start_job, state_of

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('ready', flush=True); time.sleep(2)"
)


def test_stop_does_not_wait_for_the_job(tmp_path: Path) -> None:
    """While the job goes on with what it must write, the page is free and says so."""
    job = start_job(tmp_path, "slow", [sys.executable, "-c", STUBBORN])
    until = time.monotonic() + 20
    while "ready" not in state_of(job).last_lines and time.monotonic() < until:
        time.sleep(0.05)
    jobsview.stop(job)
    assert state_of(job).status == "running"
    while not jobsview.is_stopping(job) and time.monotonic() < until:
        time.sleep(0.05)
    assert jobsview.is_stopping(job)
    while state_of(job).status == "running" and time.monotonic() < until:
        time.sleep(0.05)
    assert state_of(job).status == "stopped"
