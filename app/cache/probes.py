"""Probes fitted to labels, what they say of every object, and work beside the pages."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.cache.stamps import Stamp, stamp
from app.cache.survey import data
from sky_ssl.figures.colours import Colouring, colour_numbers


def live(path: Path, rows: npt.NDArray[np.int64], labels: npt.NDArray, question: Any) -> Any:
    """Fit a probe to labels, and score every object; anew when a label that it uses changed."""
    content = hashlib.sha256(rows.tobytes() + "\n".join(map(str, labels)).encode()).hexdigest()
    return _live(path, stamp(path), content, question, rows, labels)


@st.cache_resource(max_entries=8, show_spinner=False)
def _live(
    path: Path,
    changed: Stamp,
    content: str,
    question: Any,
    _rows: npt.NDArray[np.int64],
    _labels: npt.NDArray,
) -> Any:
    from sky_ssl.explore.liveprobe import ask

    return ask(data(path).embeddings, _rows, _labels, question)


def probability(probe: Any, prevalence: Any) -> npt.NDArray[np.float32]:
    """Give the probability of every object by a probe, in a sky with a prevalence."""
    return _probability(probe.key, prevalence, probe)


@st.cache_resource(max_entries=4, show_spinner=False)
def _probability(key: str, prevalence: Any, _probe: Any) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = _probe.probability(prevalence)
    found.flags.writeable = False
    return found


def probability_colours(probe: Any, prevalence: Any) -> Colouring:
    """Colour the objects of a data set by probability."""
    return _probability_colours(probe.key, prevalence, probe)


@st.cache_resource(max_entries=4, show_spinner=False)
def _probability_colours(key: str, prevalence: Any, _probe: Any) -> Colouring:
    found = probability(_probe, prevalence)
    most = float(np.nanmax(found)) if np.isfinite(found).any() else 1.0
    return colour_numbers(found, 0.0, max(most, 1e-6))


def warm(path: Path) -> None:
    """Make ready beside the pages what the first probe of some embeddings needs."""
    _warm(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _warm(path: Path, changed: Stamp) -> None:
    import threading

    from sky_ssl.explore.liveprobe import warm_up

    threading.Thread(target=warm_up, args=(data(path).embeddings,), daemon=True).start()


def later(kind: str, key: str, work: Any) -> Any:
    """Start work beside the pages, or find it; the newest of a kind stops the older."""
    found = _later(kind, key, work)
    if found.is_stopped:
        _later.clear(kind, key, work)
        found = _later(kind, key, work)
    return found


@st.cache_resource(max_entries=16, show_spinner=False)
def _later(kind: str, key: str, _work: Any) -> Any:
    from app.later import Later

    return Later(kind, _work)
