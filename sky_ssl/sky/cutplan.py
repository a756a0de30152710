"""Plan which windows are cut from which tile, before any file is written.

In: tiles and centres at random, on a grid or from a catalogue. Out: tasks, each a few windows of
one tile. An object on several tiles is given to the one that covers it best.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.centres import (
    Positions,
    catalogue_centres,
    grid_centres,
    near_tiles,
    window_start,
)
from sky_ssl.sky.tilework import TileHandle, TileSummary, opened, pieces, run_tasks

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """A few windows of one tile: given centres, or a number to be drawn at random."""

    handle: TileHandle
    row: Integers  # (N,) of the catalogue; -1 without one
    x: Floats
    y: Floats
    draw: int = 0
    seed: tuple[int, ...] = ()

    def __len__(self) -> int:
        return self.draw or len(self.x)


@dataclass(frozen=True)
class Plan:
    """The windows to cut, and what becomes of the objects that are not cut."""

    windows: list[Windows]
    at_edge: int = 0
    outside: int = 0
    several: int = 0  # objects on more than one tile

    def __len__(self) -> int:
        return sum(len(w) for w in self.windows)


def plan_random(tiles: Sequence[TileSummary], count: int, seed: int, at_most: int) -> Plan:
    """Plan random windows; those of a tile depend on its name and the seed alone."""
    none, places = np.zeros(0, dtype=np.int64), np.zeros(0)
    windows = []
    for tile in tiles:
        name = zlib.crc32(tile.handle.files.name.encode())
        for number, piece in enumerate(pieces(count, at_most)):
            draws = (seed, name, number)
            windows.append(Windows(tile.handle, none, places, places, len(piece), draws))
    return Plan(windows)


def plan_grid(tiles: Sequence[TileSummary], overlap: float, side: int, at_most: int) -> Plan:
    """Plan windows on a grid over each tile."""
    windows = []
    for tile in tiles:
        x, y = grid_centres(tile.shape, side, overlap)
        for piece in pieces(len(x), at_most):
            row = np.full(len(piece), -1)
            windows.append(Windows(tile.handle, row, x[piece], y[piece]))
    return Plan(windows)


def plan_catalogue(
    tiles: Sequence[TileSummary],
    objects: Positions,
    *,
    side: int,
    pad: bool,
    at_most: int,
    workers: int | None,
) -> Plan:
    """Plan a window for each object that lies on a tile.

    Args:
        side: native pixels of a window.
        pad: keep objects whose window reaches beyond the tile.
        at_most: windows per task.
    """
    near = near_tiles(objects, tiles)
    tasks = [(t.handle, o) for t, o in zip(tiles, near, strict=True) if len(o.row)]
    shapes = {t.handle.files.name: t.shape for t in tiles}
    found = list(run_tasks(_locate, tasks, workers))
    on_tiles = {int(row) for windows in found for row in windows.row}
    if not pad:
        found = [_inside(w, shapes[w.handle.files.name], side) for w in found]
    rows, counts = np.unique(
        np.concatenate([w.row for w in found] or [np.zeros(0, np.int64)]), return_counts=True
    )
    several = set(rows[counts > 1].tolist())
    chosen = _best(found, several, shapes, side, at_most, workers)
    windows = []
    for whole in chosen:
        for piece in pieces(len(whole.x), at_most):
            parts = (whole.row[piece], whole.x[piece], whole.y[piece])
            windows.append(Windows(whole.handle, *parts))
    return Plan(
        windows,
        at_edge=len(on_tiles) - len(rows),
        outside=len(objects.row) - len(on_tiles),
        several=len(several),
    )


def _locate(task: tuple[TileHandle, Positions]) -> Windows:
    """Find the objects on a tile, in the order of their rows of pixels."""
    handle, objects = task
    with opened(handle) as tile:
        x, y = catalogue_centres(tile, objects)
    on = np.flatnonzero(np.isfinite(x))
    on = on[np.lexsort((x[on], y[on]))]
    return Windows(handle, objects.row[on], x[on], y[on])


def _select(windows: Windows, keep: npt.NDArray) -> Windows:
    return Windows(windows.handle, windows.row[keep], windows.x[keep], windows.y[keep])


def _margin(windows: Windows, shape: tuple[int, int], side: int) -> Integers:
    """Measure how far (N,) windows lie inside the tile; negative if they reach beyond it."""
    H, W = shape
    y0, x0 = window_start(windows.y, side), window_start(windows.x, side)
    return np.minimum.reduce([y0, x0, H - side - y0, W - side - x0])


def _inside(windows: Windows, shape: tuple[int, int], side: int) -> Windows:
    return _select(windows, _margin(windows, shape, side) >= 0)


def _best(
    found: Sequence[Windows],
    several: set[int],
    shapes: dict[str, tuple[int, int]],
    side: int,
    at_most: int,
    workers: int | None,
) -> list[Windows]:
    """Give objects on several tiles to the one with most data, then farthest from the edge."""
    contested = [np.isin(w.row, list(several)) for w in found]
    tasks = [
        (_select(w, np.flatnonzero(mask)[piece]), side)
        for w, mask in zip(found, contested, strict=True)
        for piece in pieces(int(mask.sum()), at_most)
    ]
    measured = run_tasks(_cover, tasks, workers)
    best: dict[int, tuple[float, int, str]] = {}
    for (windows, _), cover in zip(tasks, measured, strict=True):
        name = windows.handle.files.name
        margins = _margin(windows, shapes[name], side)
        for row, share, margin in zip(windows.row, cover, margins, strict=True):
            rank = (float(share), int(margin), name)
            # of equal ones the tile that comes first stays
            if int(row) not in best or rank[:2] > best[int(row)][:2]:
                best[int(row)] = rank
    result = []
    for windows in found:
        name = windows.handle.files.name
        ours = [int(row) not in best or best[int(row)][2] == name for row in windows.row]
        result.append(_select(windows, np.array(ours, dtype=bool)))
    return result


def _cover(task: tuple[Windows, int]) -> Floats:
    """Measure the share (N,) of pixels with data, over all bands, of windows."""
    windows, side = task
    with opened(windows.handle) as tile:
        shares = [
            np.isfinite(tile.read(int(y0), int(y0) + side, int(x0), int(x0) + side)).mean()
            for y0, x0 in zip(
                window_start(windows.y, side), window_start(windows.x, side), strict=True
            )
        ]
    return np.array(shares, dtype=np.float64)
