"""A map as a screen gets it: whole numbers of 16 bits, and polygons drawn on them.

In: positions (N, 2) of a map. Out: bytes, and which objects lie inside a polygon. The frame is a
square around the map, so that both axes have one scale.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError

FULL = 65_535
_LOST = 0  # objects without a position lie in the corner, outside every lasso
MODES = ("new", "add", "subtract", "intersect")


@dataclass(frozen=True)
class MapFrame:
    """A map brought to whole numbers; `grid` (N, 2) uint16, (0, 0) for objects without place."""

    low: tuple[float, float]  # of the square
    size: float  # of its side
    grid: npt.NDArray[np.uint16]
    placed: npt.NDArray[np.bool_]  # (N,)

    def to_bytes(self) -> bytes:
        """Give all x, then all y, little-endian."""
        return np.ascontiguousarray(self.grid.T).astype("<u2").tobytes()

    def inside(self, polygon: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Say which objects (N,) lie inside a polygon (M, 2), in units of the grid; (N,) False
        for fewer than 3 corners.

        Raises:
            InputError: it is no list of finite corners.
        """
        corners = np.asarray(polygon, dtype=np.float64)
        if corners.size == 0:
            return np.zeros(len(self.grid), dtype=bool)
        if corners.ndim != 2 or corners.shape[1] != 2 or not np.isfinite(corners).all():
            raise InputError(f"polygon of shape {corners.shape}: give finite corners (M, 2)")
        found = np.zeros(len(self.grid), dtype=bool)
        if len(corners) < 3:
            return found
        (x0, y0), (x1, y1) = corners.min(axis=0), corners.max(axis=0)
        x, y = self.grid[:, 0], self.grid[:, 1]
        near = np.flatnonzero((x >= x0) & (x <= x1) & (y >= y0) & (y <= y1) & self.placed)
        found[near] = _inside(corners, x[near], y[near])
        return found

    def to_map(self, polygon: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Bring corners (M, 2) from the grid to the coordinates of the map."""
        corners = np.asarray(polygon, dtype=np.float64).reshape(-1, 2)
        return corners / FULL * self.size + np.array(self.low)

    def to_grid(self, corners: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Bring corners (M, 2) of the map to the grid; the opposite of `to_map`."""
        place = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
        return (place - np.array(self.low)) / self.size * FULL


def frame_map(xy: npt.NDArray[np.floating]) -> MapFrame:
    """Bring positions (N, 2) to the grid; NaN = without a place."""
    xy = np.asarray(xy, dtype=np.float64)
    placed = np.isfinite(xy).all(axis=1)
    if not placed.any():
        return MapFrame((0.0, 0.0), 1.0, np.zeros((len(xy), 2), np.uint16), placed)
    low, high = xy[placed].min(axis=0), xy[placed].max(axis=0)
    size = float((high - low).max()) or 1.0
    corner = (low + high - size) / 2
    grid = np.full(xy.shape, _LOST, dtype=np.uint16)
    grid[placed] = np.rint((xy[placed] - corner) / size * FULL).clip(0, FULL).astype(np.uint16)
    return MapFrame((float(corner[0]), float(corner[1])), size, grid, placed)


def combine(
    before: npt.NDArray[np.bool_] | None, drawn: npt.NDArray[np.bool_], mode: str
) -> npt.NDArray[np.bool_]:
    """Join a selection (N,) with what was drawn: "new", "add", "subtract" or "intersect".

    Raises:
        InputError: another mode.
    """
    if mode not in MODES:
        raise InputError(f"mode {mode!r}: allowed are {', '.join(MODES)}")
    if mode == "new" or before is None:
        return np.zeros_like(drawn) if mode in ("subtract", "intersect") else drawn
    joined = {"add": before | drawn, "subtract": before & ~drawn, "intersect": before & drawn}
    return joined[mode]


def select(
    frame: MapFrame,
    polygon: npt.ArrayLike,
    mode: str,
    before: npt.NDArray[np.int64] | None,
    unseen: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """Give the rows that are selected after something was drawn.

    Args:
        frame: of the map.
        polygon: (M, 2) in units of the grid; no corners = nothing.
        mode: how it joins what was selected, see `combine`.
        before: rows that were selected.
        unseen: (N,) objects that the legend hides: what is not seen is neither added nor taken out.

    Raises:
        InputError: no list of finite corners, or another mode.
    """
    drawn = frame.inside(polygon)
    if unseen is not None:
        drawn &= ~unseen
        if mode == "intersect":
            drawn |= unseen
    was = None
    if before is not None:
        was = np.zeros(len(frame.grid), dtype=bool)
        was[before] = True
    return np.flatnonzero(combine(was, drawn, mode))


def hidden_rows(codes: npt.NDArray[np.uint8], hidden: Iterable[int]) -> npt.NDArray[np.bool_]:
    """Say which objects (N,) have a colour that is hidden, by its code; others are no codes."""
    table = np.zeros(256, dtype=bool)
    table[[code for code in hidden if 0 <= code < 256]] = True
    return table[codes]


def mask_bytes(selected: npt.NDArray[np.bool_]) -> bytes:
    """Pack a selection (N,), one bit an object, the lowest first."""
    return np.packbits(selected, bitorder="little").tobytes()


def _inside(
    corners: npt.NDArray[np.float64], x: npt.NDArray[np.uint16], y: npt.NDArray[np.uint16]
) -> npt.NDArray[np.bool_]:
    from shapely import Polygon, contains_xy, make_valid, prepare

    # a lasso may cross itself: what it goes around is inside
    shape = make_valid(Polygon(corners))
    prepare(shape)
    found: npt.NDArray[np.bool_] = contains_xy(shape, x.astype(np.float64), y.astype(np.float64))
    return found
