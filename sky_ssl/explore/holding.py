"""One file or run of a workspace: what it is, how large, whether it can be read.

In: a path and what it should be. Out: a record, with the reason where it cannot be read. Nothing is
changed, nothing unpickled.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError

KINDS = ("cutouts", "run", "embeddings", "map", "selection", "catalogue", "labels", "export")
"""In the order of the flow; each is also what `Holding.kind` says."""


@dataclass(frozen=True)
class Holding:
    """A file or run of a workspace."""

    kind: str
    path: Path
    rows: int | None = None
    bytes: int = 0
    changed: float = 0.0  # seconds since 1970
    content: str = ""  # in a few words
    broken: str = ""  # the reason, with the name of the file
    stale: tuple[str, ...] = ()  # why it is out of date
    marks: dict[str, Any] = field(default_factory=dict)  # what others are compared with

    @property
    def name(self) -> str:
        """Name without folder."""
        return self.path.name

    @property
    def state(self) -> str:
        """Say in a word how it stands."""
        return "broken" if self.broken else "out of date" if self.stale else "good"


def stamp_of(path: Path) -> tuple[int, int]:
    """Identify the state of a file, or of all files of a folder: newest change, and size in all."""
    newest, size = 0, 0
    for file in _files(path):
        try:
            said = file.stat()
        except OSError:  # gone just now
            continue
        newest, size = max(newest, said.st_mtime_ns), size + said.st_size
    return newest, size


def read_holding(kind: str, path: Path) -> Holding:
    """Read what a file or run is; the reason where it cannot be read."""
    newest, size = stamp_of(path)
    holding = Holding(kind, path, bytes=size, changed=newest / 1e9)
    try:
        return _READERS[kind](holding)
    except InputError as error:
        return replace(holding, broken=str(error))
    except OSError as error:
        return replace(holding, broken=f"{path}: cannot be read ({error})")


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*") if file.is_file())
    else:
        yield path


def _cutouts(h: Holding) -> Holding:
    from sky_ssl.explore.objects import cutouts_of

    if h.path.suffix not in (".h5", ".hdf5") and not h.path.is_dir():
        raise InputError(f"{h.path}: not a cutout file (.h5, .hdf5) or a folder of them")
    found = cutouts_of(h.path)
    C, H, W = found.shape
    if len(found):  # the ends: a file that is cut short shows there
        found.read(slice(0, 1))
        found.read(slice(len(found) - 1, len(found)))
    info = found.info
    scale = f", {info.pixel_scale:.3g} arcsec/pixel" if info.pixel_scale > 0 else ""
    survey = f"{info.survey}, " if info.survey else ""
    return replace(
        h,
        rows=len(found),
        content=f"{survey}{' '.join(info.bands)}, {W} x {H} pixels{scale}",
        marks={"fingerprint": found.fingerprint(), "bands": list(info.bands), "shape": (C, H, W)},
    )


def _run(h: Holding) -> Holding:
    from sky_ssl.training.checkpoint import find_checkpoint, read_checkpoint
    from sky_ssl.training.runs import list_weights, read_run

    if not h.path.is_dir():
        raise InputError(f"{h.path}: not a run, which is a folder")
    run = read_run(h.path)
    if run.problem:
        raise InputError(run.problem)
    found, problems = list_weights(h.path)
    if problems:
        raise InputError("; ".join(problems))
    best = next((w for w in found if w.is_best), None)
    folder = find_checkpoint(h.path, "best")
    network = {} if folder is None else read_checkpoint(folder).table["model"]
    model = run.table["model"]
    what = f"{model['size']}, patch {model['patch_size']}, step {run.done:,} of {run.steps:,}"
    return replace(
        h,
        rows=None,
        content=what if found else f"{what}, no checkpoint yet",
        marks={
            "best": best.sha256 if best else "",
            "step": best.step if best else 0,
            "weights": {w.sha256: w.step for w in found},
            "network": json.dumps(network, sort_keys=True),
        },
    )


def _embeddings(h: Holding) -> Holding:
    from sky_ssl.embedding.store import open_embeddings
    from sky_ssl.explore.mapfile import embeddings_fingerprint

    e = open_embeddings(h.path)
    said = e.attributes
    model = str(said.get("checkpoint_sha256", ""))
    pooling = f", {said['pooling']}" if "pooling" in said else ""
    return replace(
        h,
        rows=len(e.values),
        content=f"{e.values.shape[1]} numbers each, {e.values.dtype}{pooling}"
        + ("" if model else ", vectors of your own"),
        marks={
            "model": model,
            "network": str(said.get("model", "")),
            "step": int(said.get("checkpoint_step", 0)),
            "bands": str(said.get("bands", "")).split(),
            "cutouts": str(said.get("cutouts", "")),
            "cutouts_fingerprint": str(said.get("cutouts_fingerprint", "")),
            "fingerprint": embeddings_fingerprint(e),
        },
    )


def _map(h: Holding) -> Holding:
    from sky_ssl.explore.mapfile import open_map

    found = open_map(h.path)
    said = found.attributes
    of = Path(str(said.get("embeddings", ""))).name
    return replace(
        h,
        rows=len(found),
        content=str(said.get("method", "own positions")) + (f" of {of}" if of else ""),
        marks={
            "embeddings": str(said.get("embeddings", "")),
            "embeddings_fingerprint": str(said.get("embeddings_fingerprint", "")),
        },
    )


def _selection(h: Holding) -> Holding:
    from sky_ssl.explore.rulefile import load_selection

    rule = load_selection(h.path)
    return replace(h, content=f"{rule.kind}: {rule.name}", marks={"model": rule.model})


def _catalogue(h: Holding) -> Holding:
    from sky_ssl.sky.catalogue import read_catalogue

    table = read_catalogue(h.path)
    return replace(h, rows=len(table), content=f"{len(table.columns)} columns")


def _labels(h: Holding) -> Holding:
    from sky_ssl.explore.labels import Ledger

    ledger = Ledger(h.path)
    try:
        tasks = ", ".join(sorted(set(ledger.consensus()["task"])))
        rows = ledger.last_event()
    finally:
        ledger.close()
    return replace(h, rows=rows, content=f"events of {tasks}" if tasks else "no label yet")


def _export(h: Holding) -> Holding:
    return replace(h, content=h.path.suffix.removeprefix(".").upper() or "file")


_READERS: dict[str, Callable[[Holding], Holding]] = {
    "cutouts": _cutouts,
    "run": _run,
    "embeddings": _embeddings,
    "map": _map,
    "selection": _selection,
    "catalogue": _catalogue,
    "labels": _labels,
    "export": _export,
}
