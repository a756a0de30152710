"""What a session remembers: plain keys that outlive pages, and the address that carries them.

Pages read and change state through these functions alone. What must survive a restart is in the
workspace; what a colleague should see is in the address: data set, map, object, task, selection.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.components.who_view import remembered
from sky_ssl.explore.labels import default_labeller
from sky_ssl.workspace import Workspace, open_workspace

_KEY = "sky"
_IN_ADDRESS = ("data", "map", "beside", "object", "task", "selection", "colour")


@dataclass(frozen=True)
class Chosen:
    """Objects that were chosen, by row, and from what."""

    rows: npt.NDArray[np.int64]  # in the order they are to be looked at
    source: str  # lasso, click, search, review or audit: as the ledger names it
    name: str  # in words
    scores: npt.NDArray[np.floating] | None = None  # (n,) of the rows
    saved: str = ""  # name of the drawing in the workspace, for the address


@dataclass(frozen=True)
class Listing:
    """How a candidate list is to be made; texts are as the user typed them."""

    rule: str = ""  # name of its file, without folder
    prevalence: str = ""  # a share, or HITS/OF of an audit; empty = that of the rule
    threshold: float | None = None  # None = the rule's
    top: int | None = 200
    known: str = "drop"
    task: str = ""  # whose labels make an object known
    merge: float = 1.0  # arcsec
    radius: float = 10.0  # arcsec, of the catalogues
    catalogues: tuple[tuple[str, Any, str], ...] = ()  # name, table and hash of each uploaded


@dataclass(frozen=True)
class Darkroom:
    """What is hidden from which model, of which objects, and how it is shown."""

    run: str = ""  # name of the run; empty = the newest
    cutouts: str = ""  # name of a cutout file, where no data set is open
    objects: str = "random"  # or "inspected", "chosen"
    count: int = 6
    seed: int = 0
    ratio: float = 0.6
    shared: bool = False
    hide: str = ""  # a band that is hidden as a whole
    draws: int = 1
    draw: int = 1  # the one that is shown, from 1
    show: str = "colour"  # or a band
    brightness: float = 1.0
    tint: bool = True


@dataclass(frozen=True)
class Probing:
    """What the probe looks for, and how its answers are used."""

    task: str = ""  # that the next three are about; for another one they are the defaults
    positive: str = ""  # label; empty = the first of the task
    left_out: tuple[str, ...] | None = None  # labels of neither side; None = those named unsure
    share: str = ""  # of positives in this sky, as typed; empty = from an audit, else the labels
    threshold: float | None = None  # least probability; None = that of the best F1
    sort: bool = False  # galleries by probability
    queue: str = "uncertainty"
    count: int = 60  # objects of a queue


@dataclass(frozen=True)
class Gallery:
    """How the chosen objects are laid out."""

    sort: str = ""  # name of a column or score; empty = in the order they were chosen in
    falling: bool = True  # the largest first
    show: str = ""  # a label, or one of `explore.arrange`; empty = all


@dataclass(frozen=True)
class State:
    """All of it."""

    data: str = ""  # name of the embeddings file, without folder
    map: str = ""  # name of the map file
    beside: str = ""  # name of another that is shown beside it
    object: str = ""  # id of the object looked at
    task: str = ""
    selection: str = ""  # name of a saved drawing
    colour: str = ""  # what the map is coloured by
    like: tuple[str, ...] = ()  # ids of exemplars
    unlike: tuple[str, ...] = ()
    pictures: tuple[Any, ...] = ()  # images to search by, of `app.searching`
    top: int = 25  # how many a search finds
    expand: bool = False  # search again with the best that were found
    listing: Listing = Listing()
    darkroom: Darkroom = Darkroom()
    probing: Probing = Probing()
    regress: str = ""  # name of the column that is predicted
    predicted: tuple[str, str, Any] | None = None  # data set, column, and a number per object
    runs: tuple[str, ...] = ()  # names of the training runs that are compared
    chosen: Chosen | None = None
    gallery: Gallery = Gallery()
    stretch: tuple[float, float] = (1.0, 8.0)  # brightness and softening of all thumbnails
    view: str = ""  # what the inspector shows below the picture
    fly: int = 0  # counts up when the map is to fly to the object
    labeller: str = field(default_factory=default_labeller)


def now() -> State:
    """Give the state of this session; a new one starts from the address."""
    if _KEY not in st.session_state:
        given = {name: str(st.query_params.get(name, "")) for name in _IN_ADDRESS}
        st.session_state[_KEY] = State(**given, labeller=remembered() or default_labeller())
    state: State = st.session_state[_KEY]
    return state


def change(**values: Any) -> State:
    """Change some of the state."""
    st.session_state[_KEY] = replace(now(), **values)
    return now()


def to_address() -> None:
    """Write what a colleague should see into the address of the page."""
    state = now()
    wanted = {name: getattr(state, name) for name in _IN_ADDRESS if getattr(state, name)}
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


def look_at(object_id: str, *, fly: bool = False) -> None:
    """Show an object in the inspector, and fly there on the map."""
    change(object=object_id, fly=now().fly + fly)


def choose(chosen: Chosen | None) -> None:
    """Choose objects."""
    change(chosen=chosen, selection="" if chosen is None else chosen.saved)


def mark(object_id: str, how: str) -> None:
    """Make an object an exemplar ("like"), a counter-example ("unlike"), or neither ("")."""
    state = now()
    like = tuple(i for i in state.like if i != object_id)
    unlike = tuple(i for i in state.unlike if i != object_id)
    change(
        like=(*like, object_id) if how == "like" else like,
        unlike=(*unlike, object_id) if how == "unlike" else unlike,
    )


def workspace(arguments: Sequence[str] | None = None) -> Workspace:
    """Give the workspace: chosen on Home, else on the command line, else the environment's."""
    chosen = st.session_state.get("workspace")
    if chosen:
        return open_workspace(chosen)
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--workspace", type=Path)
    known, _ = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    return open_workspace(known.workspace)
