"""What the points of a map are coloured by, and what is to be done where that is not known yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from app import cache, jobsboard, panels, probeview, state
from app.cache import maps as kept
from app.words import plain
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.mapclusters import clusters_table
from sky_ssl.explore.oddview import odd_table
from sky_ssl.explore.starting import anomalies_command, clusters_command, shown, written_by
from sky_ssl.figures.colours import Colouring, colour_numbers

BUILT_IN = {
    "label": "label",
    "probability": "probe probability",
    "cluster": "cluster",
    "density": "density on the map",
    "oddness": "oddness",
}
"""What is not a column, and how it is called."""
_RENEW = "whole page wanted"


@dataclass(frozen=True)
class Offer:
    """Work that has to be done first."""

    words: str
    button: str
    title: str  # of the job
    command: Sequence[str]


def options(path: Path, data: DataSet) -> dict[str, str]:
    """List what there is to colour by, with its name on the page."""
    found = dict(BUILT_IN)
    predicted = state.now().predicted
    if predicted is not None and predicted[0] == path.name:
        found[f"predicted {predicted[1]}"] = f"predicted {predicted[1]}"
    for name in data.column_names:
        found[_column_choice(name)] = name.replace("_", " ")
    return found


def first_choice(path: Path, data: DataSet) -> str:
    """Choose what to colour by: as before, else the class, else the label."""
    now, there = state.now().colour, options(path, data)
    if now in there:
        return now
    return "class" if "class" in there else "label"


def colouring(by: str, path: Path, data: DataSet, file: Path) -> Colouring | None:
    """Colour the objects; None where what it takes is not known yet.

    Args:
        by: one of `options`.
        path, data: the data set.
        file: the map, for what is measured on it.
    """
    predicted = state.now().predicted
    if by == "label":
        return labelled(path)
    if by == "probability":
        return probeview.colouring(path, data)
    if by == "cluster":
        return kept.cluster_colours(file)
    if by == "density":
        return kept.density_colours(file)
    if by == "oddness":
        return kept.odd_colours(path, artefacts(path))
    if predicted is not None and by == f"predicted {predicted[1]}":
        return colour_numbers(predicted[2])
    return cache.column_colours(path, by.removeprefix("column "))


def labelled(path: Path) -> Colouring:
    """Colour the objects by label."""
    task = panels.task()
    colours = tuple(task.colours.items())
    return kept.label_colours(panels.ledger_place(), task.name, path, colours)


def artefacts(path: Path) -> tuple[int, ...]:
    """List the rows that are labelled as artefacts."""
    return kept.artefacts(panels.ledger_place(), path)


def offer(by: str, path: Path, data: DataSet, file: Path) -> None:
    """Say why there are no such colours yet, and offer to make them."""
    if by == "probability":
        st.caption(probeview.none_yet(path, data))
        return
    found = clusters_offer(file) if by == "cluster" else odd_offer(path)
    make(found)


def clusters_offer(file: Path) -> Offer:
    """Offer to find the clusters of a map."""
    return Offer(
        "The clusters of this map are not found yet.",
        "Find them",
        f"clusters of {file.stem}",
        clusters_command(file, clusters_table(file)),
    )


def odd_offer(path: Path) -> Offer:
    """Offer to measure how odd objects are."""
    return Offer(
        "How odd the objects are is not measured yet.",
        "Measure it",
        f"oddness of {path.stem}",
        anomalies_command(path, odd_table(path)),
    )


def make(found: Offer, *, narrow: bool = False) -> None:
    """Draw an offer: a button that starts the job, or that it runs.

    Args:
        found: what to offer.
        narrow: the words stand below the button, in place of beside it.
    """
    out = written_by(found.command)
    if out in [written_by(job.command) for job in jobsboard.running()]:
        st.caption(f"{plain(found.title)}: at work, see above")
        return
    columns = [st.container(), st.container()]
    if not narrow:
        columns = st.columns([1.3, 5], vertical_alignment="center")
    columns[0].button(
        found.button,
        key=f"make {found.title} {narrow}",
        type="primary",
        help=f"Runs `{shown(found.command)}`",
        on_click=start,
        args=(found.title, found.command),
        use_container_width=True,
    )
    columns[1].caption(found.words)


def start(title: str, command: Sequence[str]) -> None:
    """Start a job from a part of the page that is drawn by itself."""
    jobsboard.start(title, command)
    renew_next()


def renew() -> None:
    """Draw the whole page where something began that stands outside of the present part."""
    if st.session_state.pop(_RENEW, False):
        st.rerun(scope="app")


def renew_next() -> None:
    """Have the whole page drawn by the next `renew`."""
    st.session_state[_RENEW] = True


def _column_choice(name: str) -> str:
    return f"column {name}" if name in BUILT_IN else name
