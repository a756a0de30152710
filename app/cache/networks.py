"""Networks of training runs, and what they fill in."""

from pathlib import Path
from typing import Any

import streamlit as st

from app.cache.stamps import Stamp, stamp
from app.cache.survey import cutouts


def network(run: Path) -> tuple[Any, Any]:
    """Load the network of a run with what its checkpoint says, the best one it has."""
    from sky_ssl.training.runs import content_key

    return _network(run, content_key(run))


@st.cache_resource(max_entries=3, show_spinner="Loading the model")
def _network(run: Path, content: str) -> tuple[Any, Any]:
    from sky_ssl.training.checkpoint import load_model

    return load_model(run)


def filled(run: Path, path: Path, rows: tuple[int, ...], hiding: Any) -> Any:
    """Let the model of a run fill what is hidden of some cutouts."""
    from sky_ssl.training.runs import content_key

    return _filled(run, content_key(run), path, stamp(path), rows, hiding)


@st.cache_resource(max_entries=16, show_spinner=False)
def _filled(
    run: Path, content: str, path: Path, changed: Stamp, rows: tuple[int, ...], hiding: Any
) -> Any:
    from sky_ssl.explore.hiding import fill_objects

    model, state = network(run)
    return fill_objects(model, state.info, cutouts(path, state.info.bands), rows, hiding)


@st.cache_resource(max_entries=8, ttl=60, show_spinner=False)
def made_with(runs: tuple[Path, ...], model: str) -> Path | None:
    """Find the run whose weights made embeddings, by their hash; None if it is none of these."""
    from sky_ssl.explore.modelrun import is_model

    return next((run for run in runs if is_model(run, model)), None)
