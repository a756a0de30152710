"""The jobs of a workspace on the page: all that run, live; how those ended that are over."""

import time
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import jobsview, state
from app.jobsview import duration, is_stopping, stop
from app.words import plain
from sky_ssl.explore.starting import shown
from sky_ssl.jobs import Job, JobState, start_job, state_of

_EVERY = 1.0  # seconds between two looks
_RUNNING, _OVER = "jobs seen running", "jobs seen ending"
_SAID = "what a button did"


def start(title: str, command: Sequence[str]) -> Job:
    """Start a command as a job of the workspace; the next `notice` says so."""
    st.session_state[_SAID] = f"started: {title}"
    return start_job(state.workspace().jobs, title, command)


def notice() -> None:
    """Say what a button did: a callback must not draw."""
    if said := st.session_state.pop(_SAID, ""):
        st.toast(plain(said))


def running() -> list[Job]:
    """List the jobs that run, the newest first."""
    return [job for job in jobsview.jobs() if state_of(job).status == "running"]


def board() -> None:
    """Show the jobs that run, if any, and how those ended that ran when this session looked."""
    notice()
    now = _look()
    for job in [job for job in jobsview.jobs() if job.folder.name in _ended()]:
        _tell(job)
    if now:
        _board()


@st.fragment(run_every=_EVERY)
def _board() -> None:
    """Show them live; the whole page runs again when one ends."""
    before = len(_ended())
    now = _look()
    if len(_ended()) > before or not now:
        st.rerun()
    for job in now:
        row(job)


def _look() -> list[Job]:
    """List the jobs that run, and keep which ended since the last look."""
    now = running()
    names = {job.folder.name for job in now}
    _ended().update(st.session_state.get(_RUNNING, set()) - names)
    st.session_state[_RUNNING] = names
    return now


def _ended() -> set[str]:
    """Give the jobs that ended while this session looked on, by folder, until dismissed."""
    found: set[str] = st.session_state.setdefault(_OVER, set())
    return found


def _tell(job: Job) -> None:
    """Say how a job ended."""
    said = state_of(job)
    if said.status == "running":
        return
    left, right = st.columns([8, 1], vertical_alignment="center")
    words = f"{plain(job.title)} {_HOW[said.status]} after {duration(said.seconds)}"
    {"done": left.success, "failed": left.error, "stopped": left.info}[said.status](words)
    if said.status == "failed":
        left.code("\n".join(said.last_lines) or "it printed nothing", language=None)
    right.button(
        "Dismiss",
        key=f"dismiss {job.folder.name}",
        on_click=_ended().discard,
        args=(job.folder.name,),
        use_container_width=True,
    )


def row(job: Job) -> None:
    """Show a job that runs: how far it is, what it said last, the command, a way to stop it."""
    said = state_of(job)
    left, right = st.columns([8, 1], vertical_alignment="center")
    done = 0.0 if said.fraction is None else said.fraction
    left.progress(done, headline(job, said))
    right.button(
        "Stopping" if is_stopping(job) else "Stop",
        key=f"stop {job.folder.name}",
        on_click=stop,
        args=(job,),
        disabled=is_stopping(job),
        use_container_width=True,
    )
    with left.expander("Command and output"):
        st.code(shown(job.command), language="sh", wrap_lines=True)
        if said.last_lines:
            st.code("\n".join(said.last_lines), language=None)


def headline(job: Job, said: JobState) -> str:
    """Say in a line how far a job is."""
    if is_stopping(job):
        return f"{plain(job.title)}: stopping"
    if said.fraction is None:
        return f"{plain(job.title)}: starting, {duration(said.seconds)}"
    to_go = "" if said.seconds_left is None else f", {duration(said.seconds_left)} to go"
    return f"{plain(job.title)}: {said.fraction:.0%} of {said.stage or 'the work'}{to_go}"


def history() -> None:
    """Show the jobs that are over, and the output of the one that is chosen."""
    over = [(job, said) for job in jobsview.jobs() if (said := state_of(job)).status != "running"]
    if not over:
        st.caption("No finished jobs yet.")
        return
    table = pd.DataFrame(
        {
            "job": [job.title for job, _ in over],
            "ended": [_ENDED[said.status] for _, said in over],
            "started": [moment(job.started) for job, _ in over],
            "took": [duration(said.seconds) for _, said in over],
            "last line": [(said.last_lines or ("",))[-1] for _, said in over],
        }
    )
    st.dataframe(table, hide_index=True, height=min(300, 38 + 35 * len(over)))
    of = {job.folder.name: (job, said) for job, said in over}
    words = {name: f"{job.title}, {moment(job.started)}" for name, (job, _) in of.items()}
    chosen = st.selectbox("Output of", list(of), format_func=words.__getitem__, key="log shown")
    job, said = of[chosen]
    st.code(shown(job.command), language="sh", wrap_lines=True)
    st.code("\n".join(said.last_lines) or "it printed nothing", language=None)
    st.caption(f"All of it: jobs/{job.folder.name}/log.txt in the workspace")


_HOW = {"done": "ended well", "failed": "ended badly", "stopped": "was stopped"}
_ENDED = {"done": "well", "failed": "badly", "stopped": "was stopped"}


def moment(seconds: float) -> str:
    """Write a time as one reads it here: date, hour and minute."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
