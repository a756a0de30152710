"""Jobs on the page: how far they are, what they printed, and a way to stop them."""

import threading

import streamlit as st

from app import state
from sky_ssl.jobs import Job, list_jobs, state_of, stop_job

_EVERY = 1.0  # seconds between two looks
_GRACE = 60.0  # seconds that a job has to write what it must


def jobs(title: str = "") -> list[Job]:
    """List the jobs of the workspace, the newest first; only those of a title, if given."""
    return [j for j in list_jobs(state.workspace().jobs) if not title or j.title == title]


def running(title: str = "") -> Job | None:
    """Give the newest job that runs."""
    return next((job for job in jobs(title) if state_of(job).status == "running"), None)


def stop(job: Job) -> None:
    """Ask a job to stop; it is waited for beside the page."""
    threading.Thread(target=stop_job, args=(job, _GRACE), daemon=True).start()


def is_stopping(job: Job) -> bool:
    """Say whether a job was asked to stop."""
    return (job.folder / "stop").exists()


@st.fragment(run_every=_EVERY)
def show_job(job: Job) -> None:
    """Show a job that runs; the whole page runs again when it ends."""
    now = state_of(job)
    if now.status != "running":
        st.rerun()
    done = 0.0 if now.fraction is None else now.fraction
    left = "" if now.seconds_left is None else f", {duration(now.seconds_left)} to go"
    st.progress(done, f"{job.title}: {now.stage or 'starting'} {done:.0%}{left}")
    st.code(job.shown, language="sh", wrap_lines=True)
    if now.last_lines:
        st.caption(now.last_lines[-1])
    st.button(
        "Stopping" if is_stopping(job) else "Stop",
        key=f"stop {job.folder.name}",
        on_click=stop,
        args=(job,),
        disabled=is_stopping(job),
    )


def show_last(title: str) -> None:
    """Say how the last job of a title ended, if not well."""
    last = next(iter(jobs(title)), None)
    if last is None:
        return
    ended = state_of(last)
    if ended.status == "failed":
        st.error(f"{title} ended badly after {duration(ended.seconds)}; it printed:")
        st.code("\n".join(ended.last_lines) or "nothing", language=None)
    elif ended.status == "stopped":
        st.info(f"{title} was stopped; started again, it goes on where it was.")


def duration(seconds: float) -> str:
    """Write a duration: 45 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
