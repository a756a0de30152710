"""Make the map of an embeddings file: from scratch, from an older map, or into one.

In: paths. Out: a map file, and a summary. A map that is there already and still right is kept.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.mapfile import (
    SkyMap,
    embeddings_fingerprint,
    map_attributes,
    map_is_current,
    open_map,
    read_own_map,
    write_map,
)
from sky_ssl.explore.maps import (
    FITTED,
    NO_VECTOR,
    PLACED,
    MadeMap,
    MapOptions,
    Positions,
    make_map,
    put_at_edge,
    share,
)
from sky_ssl.explore.placing import place
from sky_ssl.explore.similarity import token_count
from sky_ssl.progress import Progress


@dataclass(frozen=True)
class MapSources:
    """Older maps to go by; at most one of them."""

    warm: Path | None = None  # start from its positions, and go on from there
    onto: Path | None = None  # keep it, and place what is new into it
    reference: Path | None = None  # embeddings that `onto` was made from, if they were moved

    def __post_init__(self) -> None:
        if self.warm is not None and self.onto is not None:
            raise InputError("warm and onto given: a map starts from an older one, or keeps it")
        if self.reference is not None and self.onto is None:
            raise InputError("reference given without onto: it tells what that map was made from")


def map_file(
    embeddings: Path,
    out: Path,
    options: MapOptions | None = None,
    sources: MapSources | None = None,
    *,
    force: bool = False,
    threads: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make the map of an embeddings file.

    Args:
        embeddings: the file.
        out: the map file; left as it is where it is current.
        options: how.
        sources: older maps to go by.
        force: make it anew although it is current.
        threads: 0 for all cores.
        progress: called with (done, 1000).

    Returns:
        A summary: path, method, rows, whether it was made or kept, notes, seconds.

    Raises:
        InputError: files that do not go together; both are named.
    """
    began = time.perf_counter()
    o, s = options or MapOptions(), sources or MapSources()
    if s.warm is not None and o.method == "pca":
        raise InputError("warm given with method pca, which starts from nothing: umap or tsne")
    e = open_embeddings(embeddings)
    if len(e.values) == 0:
        raise InputError(f"{embeddings}: no rows to map")
    onto = "" if s.onto is None else _content(s.onto)
    summary = {"path": str(out), "method": o.method, "rows": len(e.values)}
    if not force and map_is_current(out, e, o, onto):
        return {**summary, "made": False, "notes": ["is current: kept as it is"], "seconds": 0.0}
    if s.onto is not None:
        made = _placed(e, open_map(s.onto), s.reference, threads, progress)
    else:
        warm, rate = _warm(e, s.warm)
        tokens = token_count(e.attributes, e.values.shape[1])
        try:
            made = make_map(
                *(e.values, tokens, o),
                warm=warm,
                warm_rate=rate,
                threads=threads,
                progress=progress,
            )
        except InputError as error:
            raise InputError(f"{embeddings}: {error}") from None
    columns = {"id": e.id, "ra": e.ra, "dec": e.dec, "how": made.how}
    attributes = {
        **map_attributes(e, o, onto),
        "embeddings": str(e.path),
        "warm": "" if s.warm is None else str(s.warm),
        "pooling": str(e.attributes.get("pooling", "")),
        "turns": int(e.attributes.get("turns", 1)),
    }
    write_map(out, made.xy, columns, attributes, made.axes)
    seconds = round(time.perf_counter() - began, 2)
    counts = {"fitted": FITTED, "placed": PLACED, "without_embedding": NO_VECTOR}
    found = {name: int((made.how == value).sum()) for name, value in counts.items()}
    return {**summary, "made": True, **found, "notes": made.notes, "seconds": seconds}


def own_map_file(
    table: Path, out: Path, *, x: str | None = None, y: str | None = None
) -> dict[str, Any]:
    """Turn positions from a table of others into a map file; see `mapfile.read_own_map`."""
    own = read_own_map(table, x=x, y=y)
    columns = {"id": own.id, "ra": own.ra, "dec": own.dec, "how": own.how}
    write_map(out, own.xy, columns, own.attributes, own.axes)
    return {
        "path": str(out),
        "method": own.attributes.get("method", "own"),
        "rows": len(own),
        "made": True,
        "notes": own.notes,
    }


def rows_of(ids: npt.NDArray, among: npt.NDArray) -> npt.NDArray[np.int64]:
    """Find each of `ids` (n,) in `among` (M,): its row, the first of equals, or -1."""
    if len(among) == 0:
        return np.full(len(ids), -1)
    names, first = np.unique(among.astype(str), return_index=True)
    place_ = np.minimum(np.searchsorted(names, ids.astype(str)), len(names) - 1)
    return np.where(names[place_] == ids.astype(str), first[place_], -1).astype(np.int64)


def _warm(e: Embeddings, path: Path | None) -> tuple[Positions | None, float]:
    """Give the positions (N, 2) that objects have in an older map, NaN for those it lacks.

    With them comes the rate to go on at: a map of the same model is nearly right already, one of
    another model has to move.
    """
    if path is None:
        return None, 1.0
    old = open_map(path)
    rows = rows_of(e.id, old.id)
    known = (rows >= 0) & (old.how[rows] != NO_VECTOR)
    if not known.any():
        raise InputError(f"{old.path}: not one object of {e.path} is in this map")
    models = [str(a.get("checkpoint_sha256", "")) for a in (old.attributes, e.attributes)]
    rate = 0.03 if models[0] == models[1] else 0.25
    return np.where(known[:, None], old.xy[rows], np.nan).astype(np.float32), rate


def _placed(
    e: Embeddings,
    old: SkyMap,
    reference: Path | None,
    threads: int,
    progress: Progress | None,
) -> MadeMap:
    """Keep the objects of an older map where they are, and place the others among them."""
    if old.axes is None or old.axes.mean.shape != e.values.shape[1:]:
        what = "no projection" if old.axes is None else f"{old.axes.mean.size} dimensions"
        raise InputError(
            f"{old.path}: {what} in this map, {e.path} has {e.values.shape[1]}: "
            "nothing can be placed into it"
        )
    models = [str(a.get("checkpoint_sha256", "")) for a in (old.attributes, e.attributes)]
    if models[0] != models[1]:
        raise InputError(
            f"{old.path}: made with model {models[0][:12] or 'unknown'}, {e.path} with "
            f"{models[1][:12] or 'unknown'}: embed with the same"
        )
    for name, plain in (("pooling", ""), ("turns", 1)):
        ours, theirs = (a.get(name, plain) for a in (old.attributes, e.attributes))
        if ours != theirs and "" not in (ours, theirs):
            raise InputError(
                f"{old.path}: made with {name} {ours}, {e.path} with {theirs}: embed with the same"
            )
    known = rows_of(e.id, old.id)
    points = old.axes.project(e.values, share(progress, 0, 200))
    usable = np.isfinite(points).all(axis=1)
    home = _reference(old, reference)
    if home is None:
        base, xy = points[known >= 0], old.xy[known[known >= 0]]
    else:
        rows = rows_of(home.id, old.id)
        base = old.axes.project(home.values, share(progress, 200, 400))[rows >= 0]
        xy = old.xy[rows[rows >= 0]]
    good = np.isfinite(base).all(axis=1)
    if not good.any():
        raise InputError(
            f"{old.path}: its embeddings {old.attributes.get('embeddings')} are gone or changed; "
            "name them with --reference"
        )
    result = np.full((len(points), 2), np.nan, np.float32)
    new = np.flatnonzero(usable & (known < 0))
    last = share(progress, 400, 1000)
    if len(new):
        result[new] = place(points[new], base[good], xy[good], threads=threads, progress=last)
    elif last:
        last(1, 1)
    how = np.where(usable, PLACED, NO_VECTOR).astype(np.uint8)
    kept = usable & (known >= 0)
    result[kept], how[kept] = old.xy[known[kept]], old.how[known[kept]]
    notes = [f"{int(kept.sum())} objects kept where they were, {len(new)} placed among them"]
    lost = int((~usable).sum())
    notes += [f"{lost} objects have no usable embedding and lie outside"] if lost else []
    return MadeMap(put_at_edge(result), how, old.axes, notes)


def _reference(old: SkyMap, given: Path | None) -> Embeddings | None:
    """Open the embeddings that a map was made from; None where they are gone or changed."""
    path = given or Path(str(old.attributes.get("embeddings", "")))
    if given is None and not path.is_file():
        return None
    home = open_embeddings(path)
    same = embeddings_fingerprint(home) == old.attributes.get("embeddings_fingerprint")
    if given is not None and not same:
        raise InputError(f"{given}: not the embeddings that {old.path} was made from")
    return home if same else None


def _content(path: Path) -> str:
    """Hash the positions and ids of a map."""
    old = open_map(path)
    digest = hashlib.sha256(np.ascontiguousarray(old.xy).tobytes())
    digest.update("\n".join(old.id.tolist()).encode())
    return digest.hexdigest()
