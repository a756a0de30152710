"""All that is kept between reruns, and nowhere else: open files, and what takes long to compute.

Everybody gets the same objects: arrays here are read only. Keys hold the time of the file's last
change, so what was replaced on the disk is opened anew.
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapview import MapFrame, frame_map
from sky_ssl.figures.colours import Colouring, colour_classes, colour_numbers, is_number

if TYPE_CHECKING:
    from app import listing, searching

_Stamp = tuple[int, int]


def stamp(path: Path) -> _Stamp:
    """Identify the content of a file: time of change and size; zeros if it is not there."""
    try:
        said = path.stat()
    except OSError:
        return 0, 0
    return said.st_mtime_ns, said.st_size


def data(path: Path) -> DataSet:
    """Open embeddings with their cutouts."""
    return _data(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _data(path: Path, changed: _Stamp) -> DataSet:
    return open_dataset(path)


def frame(path: Path) -> MapFrame:
    """Open a map, on the grid of the screen."""
    return _frame(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _frame(path: Path, changed: _Stamp) -> MapFrame:
    return frame_map(open_map(path).xy)


@st.cache_resource(show_spinner=False)
def ledger(place: str) -> Ledger:
    """Open the label ledger."""
    return Ledger(place)


def labels(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give one label per object of a task, that of the majority; renewed when events came."""
    return _labels(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=32, show_spinner=False)
def _labels(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    found = ledger(place).consensus(task=task)
    return found[found["dataset"].isin([fingerprint, ""])]


def column(path: Path, name: str) -> npt.NDArray:
    """Read a column of a data set."""
    return _column(path, name, stamp(path))


@st.cache_resource(max_entries=64, show_spinner=False)
def _column(path: Path, name: str, changed: _Stamp) -> npt.NDArray:
    values = data(path).column(name)
    values.flags.writeable = False
    return values


def column_colours(path: Path, name: str) -> Colouring:
    """Colour the objects of a data set by a column."""
    return _column_colours(path, name, stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _column_colours(path: Path, name: str, changed: _Stamp) -> Colouring:
    values = column(path, name)
    return colour_numbers(values) if is_number(values) else colour_classes(values)


def label_column(found: pd.DataFrame, row_of: dict[str, int], n: int) -> npt.NDArray:
    """Give labels by row (n,), empty where there is none."""
    result = np.full(n, "", dtype=object)
    rows = [row_of.get(str(name), -1) for name in found["object_id"]]
    for row, label in zip(rows, found["label"], strict=True):
        if row >= 0:
            result[row] = label
    return result


def searched(path: Path, query: "searching.Query") -> "searching.Answer":
    """Find the objects most like the exemplars of a query."""
    from app.searching import command

    return _searched(path, tuple(command(path, query)), query.key, query, stamp(path))


@st.cache_resource(max_entries=32, show_spinner=False)
def _searched(
    path: Path, words: tuple[str, ...], key: str, _query: "searching.Query", changed: _Stamp
) -> "searching.Answer":
    from app.searching import answer

    return answer(data(path), words, _query)


def embedder(path: Path, runs: Path) -> tuple[str, Any]:
    """Load the model that embeddings were made with: name of its run, and the embedder."""
    return _embedder(path, runs, stamp(path))


@st.cache_resource(max_entries=2, show_spinner=False)
def _embedder(path: Path, runs: Path, changed: _Stamp) -> tuple[str, Any]:
    from app.searching import load_embedder

    return load_embedder(data(path), runs)


def known(place: str, task: str) -> pd.DataFrame:
    """Give the labels of a task as a table of objects that are known."""
    return _known(place, task, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _known(place: str, task: str, newest: int) -> pd.DataFrame:
    from sky_ssl.explore.candidatelist import known_table

    return known_table(ledger(place), task)


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
    changed: tuple[_Stamp, _Stamp],
) -> "listing.Made":
    from app.listing import make_anew

    return make_anew(data(path), file, _choices, _known, _catalogues)


def network(run: Path) -> tuple[Any, Any]:
    """Load the network of a run with what its checkpoint says, the best one it has."""
    from sky_ssl.training.runs import content_key

    return _network(run, content_key(run))


@st.cache_resource(max_entries=3, show_spinner="Loading the model")
def _network(run: Path, content: str) -> tuple[Any, Any]:
    from sky_ssl.training.checkpoint import load_model

    return load_model(run)


def cutouts(path: Path, bands: tuple[str, ...] = ()) -> Any:
    """Open a cutout file or folder; with some bands, in their order."""
    return _cutouts(path, bands, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cutouts(path: Path, bands: tuple[str, ...], changed: _Stamp) -> Any:
    from sky_ssl.explore.objects import cutouts_of
    from sky_ssl.sky.cutoutset import open_cutouts

    return open_cutouts(path, bands=bands) if bands else cutouts_of(path)


def filled(run: Path, path: Path, rows: tuple[int, ...], hiding: Any) -> Any:
    """Let the model of a run fill what is hidden of some cutouts."""
    from sky_ssl.training.runs import content_key

    return _filled(run, content_key(run), path, stamp(path), rows, hiding)


@st.cache_resource(max_entries=16, show_spinner=False)
def _filled(
    run: Path, content: str, path: Path, changed: _Stamp, rows: tuple[int, ...], hiding: Any
) -> Any:
    from sky_ssl.explore.hiding import fill_objects

    model, state = network(run)
    return fill_objects(model, state.info, cutouts(path, state.info.bands), rows, hiding)


def cutout_ids(path: Path) -> Any:
    """Give the names of the objects of a cutout file; row numbers where it has none."""
    return _cutout_ids(path, stamp(path))


@st.cache_resource(max_entries=8, show_spinner=False)
def _cutout_ids(path: Path, changed: _Stamp) -> Any:
    found = cutouts(path)
    if "id" not in found.column_names:
        return [f"row {row}" for row in range(len(found))]
    return found.column("id").astype(str)


def run(path: Path) -> Any:
    """Read how a training run stands."""
    return _run(path, stamp(path / "metrics.jsonl"), stamp(path / "config.toml"))


@st.cache_resource(max_entries=64, show_spinner=False)
def _run(path: Path, logged: _Stamp, told: _Stamp) -> Any:
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
def _config(path: Path, changed: _Stamp) -> dict[str, Any]:
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


def thumbnails(path: Path, start: int, count: int) -> tuple[npt.NDArray[np.uint8], str]:
    """Draw some cutouts of a file, and say what is shown."""
    return _thumbnails(path, start, count, stamp(path))


@st.cache_resource(max_entries=16, show_spinner=False)
def _thumbnails(
    path: Path, start: int, count: int, changed: _Stamp
) -> tuple[npt.NDArray[np.uint8], str]:
    from sky_ssl.figures.contact import rgb_bands
    from sky_ssl.figures.sheet import draw_thumbnails
    from sky_ssl.sky.noise import usable_sigma

    found = cutouts(path)
    stop = min(start + count, len(found))
    info, bands = found.info, rgb_bands(found.info.bands)
    sigma = usable_sigma(info.sky_sigma or [np.nan] * len(info.bands))
    picture = draw_thumbnails(found.read(slice(start, stop)), sigma, bands)
    shown = " ".join(info.bands[b] for b in bands)
    words = f"rows {start:,} to {stop - 1:,} of {len(found):,}; {shown} as red, green, blue"
    return picture, words


@st.cache_resource(max_entries=16, ttl=120, show_spinner="Looking through the folder")
def tiles(path: Path, survey: str) -> tuple[pd.DataFrame, list[str]]:
    """List the tiles below a folder with the bands that each has, and what was passed over."""
    from sky_ssl.sky.survey import load_survey
    from sky_ssl.sky.tilefiles import find_tiles

    found, notes = find_tiles([path], load_survey(survey))
    rows = {"tile": [t.name for t in found], "bands": [" ".join(t.files) for t in found]}
    return pd.DataFrame(rows), notes


def current(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give the labels of each labeller in force of a task, with where they are from."""
    return _current(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _current(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    return ledger(place).current(task=task, dataset=fingerprint)


def audit(place: str, task: str, fingerprint: str) -> pd.DataFrame:
    """Give the objects of the audit samples of a task, with their labels."""
    return _audit(place, task, fingerprint, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _audit(place: str, task: str, fingerprint: str, newest: int) -> pd.DataFrame:
    from sky_ssl.explore.audit import audit_labels

    return audit_labels(ledger(place), task=task, dataset=fingerprint)


def live(path: Path, rows: npt.NDArray[np.int64], labels: npt.NDArray, question: Any) -> Any:
    """Fit a probe to labels, and score every object; anew when a label that it uses changed."""
    content = hashlib.sha256(rows.tobytes() + "\n".join(map(str, labels)).encode()).hexdigest()
    return _live(path, stamp(path), content, question, rows, labels)


@st.cache_resource(max_entries=8, show_spinner=False)
def _live(
    path: Path,
    changed: _Stamp,
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


@st.cache_resource(show_spinner=False)
def warm() -> None:
    """Load beside the pages what the first probe needs."""
    import threading

    from sky_ssl.explore.liveprobe import warm_up

    threading.Thread(target=warm_up, daemon=True).start()


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


def history(place: str, task: str, fingerprint: str, most: int) -> pd.DataFrame:
    """Give the newest events of a task, the newest first."""
    return _history(place, task, fingerprint, most, ledger(place).last_event())


@st.cache_resource(max_entries=8, show_spinner=False)
def _history(place: str, task: str, fingerprint: str, most: int, newest: int) -> pd.DataFrame:
    from app.labelling import tidy

    # a hundred times as many, since events of other tasks lie between
    found = ledger(place).history(since=newest - 100 * most, task=task, dataset=fingerprint)
    return tidy(found.tail(most))
