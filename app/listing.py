"""A candidate list as the session describes it: rule and choices in, command and list out."""

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app import cache, panels, probeview, searching, state
from app.state import Listing
from app.words import plain
from sky_ssl.explore import review
from sky_ssl.explore.candidatecolumns import about
from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.explore.candidatelist import (
    field_of_view,
    measured_table,
    parse_prevalence,
)
from sky_ssl.explore.candidates import Candidates, ListOptions, find_candidates
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.expectation import count_words, supported
from sky_ssl.explore.knownobjects import labels_of
from sky_ssl.explore.listing import provenance
from sky_ssl.explore.rule import Selection, check_model
from sky_ssl.explore.rulefile import load_selection
from sky_ssl.explore.rulefolder import list_rules, new_rule_path
from sky_ssl.explore.samp import send_table
from sky_ssl.explore.tasks import is_vetting, load_tasks
from sky_ssl.explore.uploads import read_upload


@dataclass(frozen=True)
class Made:
    """A list, made."""

    rule: Selection
    found: Candidates
    about: dict[str, Any]  # provenance
    curve: review.HitsCurve | None  # None where the rule has no calibration
    notes: list[str]


SEARCH = "the present search"
PROBE = "the present probe"


def rules(data: DataSet) -> list[str]:
    """List the rules there are: the saved ones, the newest first, the present probe and search."""
    query = searching.query_of(data)
    found = [file.stem for file in list_rules(state.workspace().selections)]
    if probeview.live(data.embeddings.path, data).scores is not None:
        found.append(PROBE)
    return [*found, SEARCH] if query.like or query.pictures else found


def file_of(path: Path, data: DataSet, name: str) -> Path:
    """Give the file of a rule; those of the present probe and search are written when asked."""
    folder = state.workspace().selections
    if name == PROBE:
        return probeview.rule_file(path, data)
    if name != SEARCH:
        return folder / f"{name}.json"
    query = searching.query_of(data)
    short = query.key[:8]
    file = folder / f".search-{short}.json"
    if not file.exists():
        searching.save(data, path, query, file, name=f"search {short}")
    return file


def tasks() -> list[str]:
    """List the tasks whose labels make an object known."""
    names = [t.name for t in load_tasks(state.workspace().tasks)]
    return [name for name in names if not is_vetting(name)]


def options_of(listing: Listing, fov_arcsec: float) -> ListOptions:
    """Turn the choices of the user into those of the list.

    Raises:
        InputError: one of them is out of range.
    """
    return ListOptions(
        threshold=listing.threshold,
        top=listing.top,
        prevalence=parse_prevalence(listing.prevalence),
        known=listing.known,
        merge_arcsec=listing.merge,
        radius_arcsec=listing.radius,
        fov_arcsec=fov_arcsec,
    )


def command(path: Path, file: Path, listing: Listing) -> list[str]:
    """Write the command that makes the list, word by word."""
    workspace = state.workspace()
    out = workspace.exports / f"{file.stem.lstrip('.')}.vot"
    words = ["sky-ssl", "candidates", "--selection", str(file), "--embeddings", str(path)]
    words += ["--out", str(out)]
    given = (
        ("--prevalence", _share(listing.prevalence)),
        ("--threshold", listing.threshold),
        ("--top", listing.top),
    )
    for option, value in given:
        if value not in (None, ""):
            words += [f"{option}={value}"] if str(value).startswith("-") else [option, str(value)]
    if listing.merge != 1.0:
        words += ["--merge", f"{listing.merge:g}"]
    words += ["--labels", panels.ledger_place(), "--task", listing.task, "--known", listing.known]
    if listing.catalogues:
        words += ["--catalogue", *(name for name, *_ in listing.catalogues)]
        words += ["--radius", f"{listing.radius:g}"]
    return words


def _share(text: str) -> str:
    """Write a prevalence as the command takes it."""
    prevalence = parse_prevalence(text)
    return f"{prevalence.value:.6g}" if prevalence and text.strip().endswith("%") else text.strip()


def make(path: Path, data: DataSet, file: Path, listing: Listing) -> Made:
    """Make the list, or give it where it was made before.

    Raises:
        InputError: a choice out of range, or a rule of another model.
    """
    known = cache.known(panels.ledger_place(), listing.task)
    told = hashlib.sha256(
        pd.util.hash_pandas_object(known[["id", "label"]], index=False).to_numpy()
    )
    choices = options_of(listing, field_of_view(data))
    catalogues = tuple(key for *_, key in listing.catalogues)
    key = repr((choices, listing.task, catalogues, told.hexdigest()))
    return cache.candidates(path, file, key, choices, known, listing.catalogues)


def make_anew(
    data: DataSet,
    file: Path,
    choices: ListOptions,
    known: pd.DataFrame,
    catalogues: Sequence[tuple[str, pd.DataFrame, str]],
) -> Made:
    """Apply a rule as `sky-ssl candidates` does."""
    rule, e = load_selection(file), data.embeddings
    notes = check_model(rule, e)
    radius = max(choices.merge_arcsec, 0.5)
    labels, _ = labels_of(known, e.id, e.ra, e.dec, column="label", radius_arcsec=radius)
    found = find_candidates(
        rule,
        e,
        choices,
        labels=labels,
        catalogues=[(name, table) for name, table, _ in catalogues],
        columns=measured_table(data),
    )
    curve = None
    if found.calibration is not None and len(found.rows):
        scores = found.frame["score"].to_numpy()
        curve = review.hits_curve(supported(scores, rule), found.calibration)
    return Made(rule, found, provenance(rule, file, e, found), curve, [*notes, *found.notes])


def verdicts(data: DataSet, made: Made) -> npt.NDArray[np.object_]:
    """Give the verdicts (n,) on a list, empty where there is none."""
    task = review.vetting_task(made.rule.name)
    said = cache.labels(panels.ledger_place(), task.name, data.fingerprint)
    return cache.label_column(said, data.row_of, len(data))[made.found.rows]


def outlook(made: Made, said: npt.NDArray[np.object_]) -> str:
    """Say how many true ones are expected, and how that compares with what was vetted."""
    if made.curve is None or not len(said):
        return ""
    mean, low, high = made.curve.at(len(said))
    text = f"At a prevalence of {made.found.prevalence:.3g} the {len(said)} candidates hold "
    text = f"{text}{count_words(mean)} true ones (95 % interval {low:.0f} to {high:.0f})."
    accepted = review.accepted_so_far(said)
    if not len(accepted):
        return f"{text} Vet from the top to compare."
    mean, low, high = made.curve.at(len(accepted))
    first = f"Of the first {len(accepted)}, all vetted, {accepted[-1]} were accepted where"
    return f"{text} {first} {count_words(mean)} ({low:.0f} to {high:.0f}) are expected."


def to_map(made: Made) -> None:
    """Choose the list, so that the map and other galleries show it."""
    scores = made.found.frame["score"].to_numpy()
    name = plain(f"rule {made.rule.name}")
    state.choose(state.Chosen(made.found.rows, "review", name, scores))


def to_show(made: Made, said: npt.NDArray[np.object_]) -> pd.DataFrame:
    """Give the list with its verdicts, and probabilities in per cent."""
    frame = made.found.frame.drop(columns=["ra_hms", "dec_dms"])
    frame.insert(0, "verdict", said)
    first = [name for name in ("rank", "id", "verdict", "probability", "score") if name in frame]
    return frame[[*first, *(name for name in frame if name not in first)]]


_DIGITS = {"ra": "%.6f", "dec": "%+.6f", "score": "%.3f", "nearest_separation": "%.2f"}
_SITES = {"legacy": "Legacy Surveys", "aladin": "Aladin Lite", "esasky": "ESASky"}


def column_config(frame: pd.DataFrame) -> dict[str, Any]:
    """Say how the columns of a list are shown: name, unit, digits, what they are."""
    config: dict[str, Any] = {}
    for name in frame:
        unit, _, description = about(name)
        title = name.replace("_", " ") + (f" [{unit}]" if unit else "")
        if name.startswith("link_"):
            site = _SITES[name.removeprefix("link_")]
            config[name] = st.column_config.LinkColumn(site, display_text="open", width="small")
        elif name == "probability":
            config[name] = st.column_config.ProgressColumn(
                name, help=description, format="%.2g", min_value=0.0, max_value=1.0
            )
        elif frame[name].dtype.kind == "f":
            config[name] = st.column_config.NumberColumn(
                title, help=description, format=_DIGITS.get(name, "%.2f")
            )
        else:
            config[name] = st.column_config.Column(title, help=description or None)
    return config


def to_write(
    made: Made, said: npt.NDArray[np.object_], *, accepted_only: bool = False
) -> pd.DataFrame:
    """Give the list as it is written to files, with the verdicts where there are some."""
    frame = made.found.frame
    if (said != "").any():
        frame = frame.assign(verdict=said.astype(str))
    return frame[said == review.ACCEPT] if accepted_only else frame


def slug(made: Made) -> str:
    """Name the files of a list."""
    return new_rule_path(Path("/nowhere"), f"candidates {made.rule.name}").stem


def send(made: Made, frame: pd.DataFrame) -> list[str]:
    """Send a list by SAMP, as a VOTable that stays among the exports; name who took it.

    Raises:
        InputError: no hub runs, or nobody took it.
    """
    path = state.workspace().exports / f"{slug(made)}.vot"
    write_candidates(frame, path, made.about)
    return send_table(path, f"candidates {made.rule.name}")


def read_known(name: str, content: bytes) -> tuple[str, pd.DataFrame, str]:
    """Read an uploaded catalogue: its name, table and hash.

    Raises:
        InputError: not a catalogue, or none with positions.
    """
    return name, read_upload(name, content), hashlib.sha256(content).hexdigest()


def forget(name: str) -> None:
    """Take a catalogue out."""
    now = state.now().listing
    left = tuple(c for c in now.catalogues if c[0] != name)
    state.change(listing=replace(now, catalogues=left))


def example(path: Path) -> str:
    """Write a command that makes a rule."""
    workspace = state.workspace()
    words = ["sky-ssl", "probe", "--embeddings", str(path), "--labels", str(workspace.labels)]
    words += ["--column", panels.task().name, "--save", str(workspace.selections / "mine.json")]
    return shlex.join(words)
