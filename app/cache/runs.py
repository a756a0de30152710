"""Training runs, their weights and configurations, and what files of the workspace are."""

from pathlib import Path
from typing import Any

import streamlit as st

from app.cache.stamps import Stamp, stamp


def run(path: Path) -> Any:
    """Read how a training run stands."""
    return _run(path, stamp(path / "metrics.jsonl"), stamp(path / "config.toml"))


@st.cache_resource(max_entries=64, show_spinner=False)
def _run(path: Path, logged: Stamp, told: Stamp) -> Any:
    from sky_ssl.training.runs import read_run

    return read_run(path)


def toml(path: Path) -> str:
    """Give the configuration of a run as text."""
    import tomli_w

    return tomli_w.dumps(run(path).table)


def weights(path: Path) -> Any:
    """List the checkpoints of a run, and what is wrong with others."""
    from sky_ssl.training.runs import content_key

    return _weights(path, content_key(path))


@st.cache_resource(max_entries=64, show_spinner="Hashing checkpoints")
def _weights(path: Path, content: str) -> Any:
    from sky_ssl.training.runs import list_weights

    return list_weights(path)


def config(path: Path) -> dict[str, Any]:
    """Read a training configuration, every setting of it."""
    return _config(path, stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _config(path: Path, changed: Stamp) -> dict[str, Any]:
    from sky_ssl.training.config import config_table, load_config

    return config_table(load_config(path))


def holding(kind: str, path: Path) -> Any:
    """Read what a file or run of the workspace is; again when it changed."""
    from sky_ssl.explore.holding import stamp_of
    from sky_ssl.training.runs import content_key

    # the log of a run grows all the time, its weights do not
    key = content_key(path) + str(stamp(path / "config.toml")) if kind == "run" else ""
    return _holding(kind, path, key or str(stamp_of(path)))


@st.cache_resource(max_entries=512, show_spinner=False)
def _holding(kind: str, path: Path, key: str) -> Any:
    from sky_ssl.explore.holding import read_holding

    return read_holding(kind, path)
