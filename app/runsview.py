"""Training runs on the page: how they stand, their curves, what is in them, starting one."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app import cache, jobsboard, jobsview, state
from app.jobsview import duration
from app.words import plain
from sky_ssl.explore.runplan import resume_command
from sky_ssl.explore.starting import shown, written_by
from sky_ssl.figures.colours import class_colours
from sky_ssl.figures.losses import Curve, draw_curves, smooth
from sky_ssl.jobs import Job, state_of
from sky_ssl.training.runs import Run, compare, list_figures, list_runs, probe_names

_FRESH = 120.0  # seconds after which a run that writes nothing does not run
_SMOOTH = 25  # logged steps
_SHOWN = "runs shown"


@dataclass(frozen=True)
class Standing:
    """How a run stands, and the job that works on it."""

    run: Run
    job: Job | None
    status: str  # "starting", "runs", "runs elsewhere", "stopping", "finished", "stopped", "failed"

    @property
    def is_live(self) -> bool:
        """Say whether somebody works on it."""
        return self.status in ("starting", "runs", "runs elsewhere", "stopping")


def runs() -> list[Path]:
    """List the runs of the workspace, the newest first; those that are only just started too."""
    folder = state.workspace().runs
    started = [written_by(job.command) for job in jobsboard.running()]
    begun = [path for path in started if path is not None and path.parent == folder]
    found = list_runs(folder)
    return [*(path for path in begun if path not in found), *found]


def choose(known: list[Path], place: DeltaGenerator) -> list[Path]:
    """Let a user choose runs; at first all that run, else the newest."""
    names = [path.name for path in known]
    if _SHOWN not in st.session_state:
        live = [path.name for path in known if standing(path).is_live]
        st.session_state[_SHOWN] = [*state.now().runs, *live[:4]] or names[:1]
    kept = dict.fromkeys(n for n in st.session_state[_SHOWN] if n in names)
    st.session_state[_SHOWN] = list(kept)
    chosen = place.multiselect("Runs", names, key=_SHOWN)
    state.change(runs=tuple(chosen))
    return [path for path in known if path.name in chosen]


def standing(path: Path) -> Standing:
    """Say how a run stands."""
    run = cache.run(path)
    job = next((j for j in jobsview.jobs() if written_by(j.command) == path), None)
    if job is not None and (said := state_of(job)).status == "running":
        working = "runs" if run.done else "starting"
        return Standing(run, job, "stopping" if jobsboard.is_stopping(job) else working)
    if run.steps and run.done >= run.steps:
        return Standing(run, job, "finished")
    if job is not None:
        return Standing(run, job, "failed" if said.status == "failed" else "stopped")
    fresh = time.time() - run.latest("time") < _FRESH
    return Standing(run, None, "runs elsewhere" if fresh else "stopped")


def colours() -> dict[str, str]:
    """Give each run of the workspace a colour of its own."""
    return class_colours(sorted(path.name for path in runs()))


def stand(s: Standing) -> None:
    """Show a run in a line: how far it is, its figures, and buttons to stop it or go on."""
    run = s.run
    left, middle, right = st.columns([4.2, 4.3, 1.5], vertical_alignment="center")
    done = min(1.0, run.done / run.steps) if run.steps else 0.0
    to_go = run.seconds_left()
    rest = f", {duration(to_go)} to go" if s.is_live and np.isfinite(to_go) else ""
    steps = f", step {run.done:,} of {run.steps:,}" if run.steps else ""
    left.progress(done, f"{plain(run.name)}: {s.status}{steps}{rest}")
    figures = {
        "loss": f"{run.latest('loss'):.4f}",
        "validation": f"{run.latest('validation_loss'):.4f}",
        "images/s": f"{run.latest('images_per_second'):.0f}",
    }
    known = [f"{name} **{v}**" for name, v in figures.items() if v != "nan"]
    middle.markdown(" &nbsp; ".join(known) or "no line of its log yet")
    if s.job is not None and s.is_live:
        right.button(
            "Stopping" if s.status == "stopping" else "Stop",
            key=f"stop run {run.name}",
            on_click=jobsboard.stop,
            args=(s.job,),
            disabled=s.status == "stopping",
            use_container_width=True,
            help="Writes a checkpoint and leaves; Resume goes on from there",
        )
    elif not s.is_live and run.table and not run.problem and s.status != "finished":
        right.button(
            "Resume",
            key=f"resume {run.name}",
            on_click=resume,
            args=(run,),
            use_container_width=True,
        )
    elif s.status == "finished" and not run.problem:
        with right.popover("More steps", use_container_width=True):
            steps = st.number_input(
                "Go on to step", run.steps + 1, None, 2 * run.steps, key=f"more {run.name}"
            )
            st.caption("The learning rate follows the cosine of the new length.")
            st.button("Go on", key=f"go on {run.name}", on_click=resume, args=(run, int(steps)))
    if run.problem and not s.is_live:
        st.error(plain(run.problem))
    if s.status == "failed" and s.job is not None:
        lines = state_of(s.job).last_lines
        st.error(f"{plain(run.name)} ended badly; it printed:")
        st.code("\n".join(lines[-6:]) or "nothing", language=None)


def resume(run: Run, steps: int = 0) -> None:
    """Go on with a run."""
    start(run.path, resume_command(run.path, run.table, steps))


def start(path: Path, command: Sequence[str]) -> None:
    """Start a run, or go on with it, and show it among the others."""
    jobsboard.start(f"train {path.name}", command)
    known = [name for name in st.session_state.get(_SHOWN, []) if name != path.name]
    st.session_state[_SHOWN] = [*known, path.name]
    st.session_state.pop("plan name", None)


def charts(chosen: list[Run], *, log: bool) -> None:
    """Draw the curves of some runs, of one colour each."""
    if not any(len(run.metrics) for run in chosen):
        st.info("No step is logged yet: the curves begin with the first line of the log.")
        return
    palette = colours()
    left, right = st.columns(2)
    figure = draw_curves(_losses(chosen, palette), "loss", log=log, height=330, legend=True)
    left.plotly_chart(figure, key="losses")
    left.caption("Line: training loss, smoothed. Dots: validation loss, same images and masks.")
    probes = probe_names(chosen)
    if probes:
        names = [_probe_words(name) for name in probes]
        place = right.selectbox(
            "Probe",
            range(len(probes)),
            format_func=names.__getitem__,
            key="probe shown",
            label_visibility="collapsed",
        )
        curves = _curves(chosen, palette, probes[place], marked=True)
        right.plotly_chart(draw_curves(curves, names[place], height=276, least=0.1), key="probes")
        right.caption("A linear probe on sky that is kept from training, at each validation.")
    else:
        right.info(
            "No probe while training: the data has no column `class` or `zspec`, or no validation "
            "was made yet. Set `log.probe_columns` to others."
        )
    left, right = st.columns(2)
    rates = _curves(chosen, palette, "lr")
    left.plotly_chart(draw_curves(rates, "learning rate", log=log, height=220), key="rates")
    speed = _curves(chosen, palette, "images_per_second")
    right.plotly_chart(
        draw_curves(speed, "images per second", height=220, digits=".0f"), key="speed"
    )


def _losses(chosen: list[Run], palette: dict[str, str]) -> list[Curve]:
    curves = []
    for run in chosen:
        colour = palette.get(run.name, "#9ca3af")
        step, value = _column(run, "loss")
        if len(step) > _SMOOTH:
            curves.append(Curve(run.name, step, value, colour, faint=True))
        curves.append(Curve(run.name, step, smooth(value, min(_SMOOTH, len(step) // 8)), colour))
        step, value = _column(run, "validation_loss")
        if len(step):
            curves.append(Curve(f"{run.name}, validation", step, value, colour, marked=True))
    return curves


def _curves(
    chosen: list[Run], palette: dict[str, str], column: str, *, marked: bool = False
) -> list[Curve]:
    return [
        Curve(run.name, *_column(run, column), palette.get(run.name, "#9ca3af"), marked=marked)
        for run in chosen
    ]


def _column(run: Run, name: str) -> tuple[np.ndarray, np.ndarray]:
    if name not in run.metrics:
        return np.zeros(0), np.zeros(0)
    known = run.metrics[["step", name]].dropna()
    return known["step"].to_numpy(float), known[name].to_numpy(float)


def _probe_words(name: str) -> str:
    words = name.removeprefix("probe_")
    for end, say in (("_balanced_accuracy", "balanced accuracy"), ("_r2", "R²")):
        if words.endswith(end):
            return f"{words.removesuffix(end)}, {say}"
    return words


def figures(chosen: list[Run]) -> None:
    """Show the reconstructions that runs drew while they trained, at a step."""
    drawn = {run.name: list_figures(run.path) for run in chosen}
    steps = sorted({step for found in drawn.values() for step in found})
    if not steps:
        st.info("No figure yet: one is drawn at each validation (`log.validate_every`).")
        return
    step = steps[-1]
    if len(steps) > 1:
        step = st.select_slider("Step", steps, steps[-1], key="figure step")
    columns = st.columns(max(2, len(chosen)))
    for column, (name, found) in zip(columns, drawn.items(), strict=False):
        before = [s for s in found if s <= step]
        if before:
            column.image(str(found[before[-1]]))
            with column:
                st.text(f"{name}, step {before[-1]:,}")


def configurations(chosen: list[Run]) -> None:
    """Show what runs were told, and where they differ."""
    if len(chosen) > 1:
        table = compare(chosen)
        if len(table):
            st.markdown("**Where they differ**")
            st.dataframe(table, hide_index=True)
        else:
            st.caption("These runs have the same settings.")
    for run in chosen:
        with st.expander(f"Settings of {plain(run.name)}", expanded=len(chosen) == 1):
            st.code(cache.toml(run.path), language="toml", height=380)
            if run.table:
                command = resume_command(run.path, run.table)
                st.caption("To go on with it from a terminal, or on 4 GPUs of a cluster node:")
                st.code(f"{shown(command)}\n{shown(command, 4)}", language="sh", wrap_lines=True)


def weights(chosen: list[Run]) -> None:
    """List the checkpoints of runs, with their hashes."""
    rows = []
    for run in chosen:
        found, problems = cache.weights(run.path)
        for problem in problems:
            st.error(plain(problem))
        rows += [
            {
                "run": run.name,
                "step": w.step,
                "used": "best" if w.is_best else "",
                "validation loss": f"{w.metrics['validation_loss']:.4f}"
                if "validation_loss" in w.metrics
                else "",
                "size": f"{w.bytes / 1e6:.1f} MB",
                "written": jobsboard.moment(w.changed),
                "sha256 of the weights": w.sha256,
            }
            for w in found
        ]
    if rows:
        st.dataframe(pd.DataFrame(rows), hide_index=True)
        st.caption("Embeddings keep the hash of the weights that made them: those marked best.")
    else:
        st.info("No checkpoint yet: one is written every few minutes, and when a run is stopped.")
