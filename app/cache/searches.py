"""Answers to searches, candidate lists, and the model that pictures are embedded with."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app.cache.stamps import Stamp, stamp
from app.cache.survey import data

if TYPE_CHECKING:
    from app import listing, searching


def searched(path: Path, query: "searching.Query") -> "searching.Answer":
    """Find the objects most like the exemplars of a query."""
    from app.searching import command

    return _searched(path, tuple(command(path, query)), query.key, query, stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _searched(
    path: Path, words: tuple[str, ...], key: str, _query: "searching.Query", changed: Stamp
) -> "searching.Answer":
    from app.searching import answer

    return answer(data(path), words, _query)


def embedder(path: Path, runs: Path) -> tuple[str, Any]:
    """Load the model that embeddings were made with: name of its run, and the embedder."""
    return _embedder(path, runs, stamp(path))


@st.cache_resource(max_entries=2, show_spinner=False)
def _embedder(path: Path, runs: Path, changed: Stamp) -> tuple[str, Any]:
    from app.searching import load_embedder

    return load_embedder(data(path), runs)


def candidates(
    path: Path, file: Path, key: str, choices: Any, known: pd.DataFrame, catalogues: Any
) -> "listing.Made":
    """Make a candidate list by the rule of a file; `key` names all that it depends on."""
    changed = stamp(path), stamp(file)
    return _candidates(path, file, key, choices, known, catalogues, changed)


@st.cache_resource(max_entries=16, show_spinner=False)
def _candidates(
    path: Path,
    file: Path,
    key: str,
    _choices: Any,
    _known: pd.DataFrame,
    _catalogues: Any,
    changed: tuple[Stamp, Stamp],
) -> "listing.Made":
    from app.listing import make_anew

    return make_anew(data(path), file, _choices, _known, _catalogues)
