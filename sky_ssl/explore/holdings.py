"""What a workspace holds, and what of it is out of date or broken.

In: the folder. Out: where everything lies; each is read on its own (`holding.read_holding`), so
that what did not change need not be read again; `find_stale` compares them with each other.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.explore.holding import KINDS, Holding, stamp_of
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.workspace import Workspace

_SHORT = 12  # digits of a hash that are shown


def list_places(workspace: Workspace) -> list[tuple[str, Path]]:
    """List what is to be read, by kind: nothing is opened."""
    w, found = workspace, []
    folders = {
        "cutouts": w.cutouts,
        "run": w.runs,
        "embeddings": w.embeddings,
        "map": w.maps,
        "selection": w.selections,
        "catalogue": w.catalogues,
        "export": w.exports,
    }
    for kind, folder in folders.items():
        for path in sorted(folder.glob("[!.]*")):
            # an index lies in a folder beside its embeddings
            if path.is_dir() and kind in ("embeddings", "map", "selection"):
                continue
            found.append((kind, path))
    if w.labels.is_file():
        found.append(("labels", w.labels))
    order = {kind: place for place, kind in enumerate(KINDS)}
    return sorted(found, key=lambda item: order[item[0]])


def find_stale(holdings: Sequence[Holding]) -> list[Holding]:
    """Mark what is out of date: made from an older checkpoint, other cutouts, other embeddings."""
    runs = [h for h in holdings if h.kind == "run" and not h.broken]
    embeddings = [h for h in holdings if h.kind == "embeddings" and not h.broken]
    cutouts = {str(h.path.resolve()): h for h in holdings if h.kind == "cutouts" and not h.broken}
    reasons: dict[str, Callable[[Holding], list[str]]] = {
        "embeddings": lambda h: [*_of_model(h, runs), *_of_cutouts(h, cutouts)],
        "map": lambda h: _of_embeddings(h, embeddings),
        "selection": lambda h: _of_vectors(h, embeddings),
    }
    return [
        replace(h, stale=tuple(reasons[h.kind](h))) if h.kind in reasons and not h.broken else h
        for h in holdings
    ]


def unfinished(workspace: Workspace) -> list[tuple[Path, int]]:
    """List what interrupted commands left behind, with its size: hidden parts of files."""
    found = []
    for folder in (workspace.cutouts, workspace.embeddings, workspace.maps):
        for path in sorted([*folder.glob(".*.part"), *folder.glob(".*.parts")]):
            found.append((path, stamp_of(path)[1]))
    return found


def _of_model(h: Holding, runs: Sequence[Holding]) -> list[str]:
    sha = h.marks["model"]
    if not sha:
        return []  # vectors of others
    for run in runs:
        if run.marks["best"] == sha:
            return []
        if sha in run.marks["weights"]:
            then, now = run.marks["weights"][sha], run.marks["step"]
            return [f"made with step {then:,} of run {run.name}, whose best is now step {now:,}"]
    # the checkpoint is gone: a run of the same network that has gone on since is likely the one
    for run in runs:
        if run.marks["network"] == h.marks["network"] and run.marks["step"] > h.marks["step"]:
            then, now = h.marks["step"], run.marks["step"]
            return [f"made with step {then:,} of a model like run {run.name}, now at step {now:,}"]
    return [f"its model {sha[:_SHORT]} is not in this workspace"]


def _of_cutouts(h: Holding, cutouts: dict[str, Holding]) -> list[str]:
    place, print_ = h.marks["cutouts"], h.marks["cutouts_fingerprint"]
    if not place or not print_:
        return []
    found = cutouts.get(str(Path(place).resolve()))
    if found is not None:
        bands, own = h.marks["bands"], found.marks["fingerprint"]
        if bands and bands != found.marks["bands"]:  # it is of some of the bands
            try:
                own = open_cutouts(found.path, bands=bands).fingerprint()
            except InputError as error:
                return [str(error)]
        same = own == print_
        return [] if same else [f"cutouts {found.name} were changed since"]
    return [] if Path(place).exists() else [f"its cutouts {place} are gone"]


def _of_embeddings(h: Holding, embeddings: Sequence[Holding]) -> list[str]:
    print_ = h.marks["embeddings_fingerprint"]
    if not print_ or any(e.marks["fingerprint"] == print_ for e in embeddings):
        return []
    place = Path(h.marks["embeddings"])
    changed = any(e.path.resolve() == place for e in embeddings)
    if changed:
        return [f"embeddings {place.name} were made anew since"]
    return [] if place.is_file() else [f"its embeddings {place.name} are gone"]


def _of_vectors(h: Holding, embeddings: Sequence[Holding]) -> list[str]:
    model = h.marks["model"]
    if not model or any(e.marks["model"] == model for e in embeddings):
        return []
    return [f"no embeddings of its model {model[:_SHORT]} here"]


def remove(workspace: Workspace, path: Path, busy: Sequence[Path] = ()) -> None:
    """Delete a file or run of a workspace, for good; the labels never.

    Args:
        workspace: that holds it.
        path: what `list_places` or `unfinished` named.
        busy: what is being written now, and is not deleted.

    Raises:
        InputError: it is no file or run of this workspace, or is being written.
    """
    parts = [place for place, _ in unfinished(workspace)]
    known = [place for kind, place in list_places(workspace) if kind != "labels"]
    if path not in [*known, *parts]:
        raise InputError(f"{path}: not a file or run of this workspace that can be deleted")
    if any(path == place or path.name == f".{place.name}.parts" for place in busy):
        raise InputError(f"{path.name} is being written: stop its job first")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
