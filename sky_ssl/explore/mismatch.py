"""Why the positions of a table meet no object: another unit, frame or order, or an offset.

In: positions that were not matched, and those of the data set. Out: a line for what would match
them. These are hints for the user; nothing is corrected by itself.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.coords import unit_vectors

_Degrees = npt.NDArray[np.float64]
_SAMPLE = 300
_REACH_ARCSEC = 60.0
# in hours or radians a position has lost digits: allow this much [arcsec]
_LOOSE_ARCSEC = 5.0


def find_mismatch(
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    to_ra: npt.ArrayLike,
    to_dec: npt.ArrayLike,
    radius: float,
) -> list[str]:
    """Say what seems to be wrong with positions that matched nothing.

    Args:
        ra, dec: (m,) degrees, of the unmatched rows.
        to_ra, to_dec: (N,) degrees of the data set, NaN if unknown.
        radius: arcsec within which they were looked for.

    Returns:
        At most one line.
    """
    from scipy.spatial import cKDTree

    a, d = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    ta, td = np.asarray(to_ra, np.float64), np.asarray(to_dec, np.float64)
    known = np.isfinite(ta) & np.isfinite(td)
    step = max(1, a.size // _SAMPLE)
    a, d = a[::step], d[::step]
    if a.size < 3:
        return []
    if not known.any():
        return ["the data set has no positions: only ids can match"]
    tree = cKDTree(unit_vectors(ta[known], td[known]))
    near = radius <= _REACH_ARCSEC
    offset = _common_offset(a, d, ta[known], td[known], tree, radius) if near else None
    if offset is not None:
        east, north = offset
        return [
            f"hint: many unmatched rows lie {east:+.1f} arcsec in RA and {north:+.1f} in Dec from "
            f"an object; the radius is {radius:g}: a larger one, or another astrometry?"
        ]
    reach = _chord(max(radius, _LOOSE_ARCSEC))
    for what, change in _CHANGES.items():
        x, y = change(a, d)
        good = np.isfinite(x) & np.isfinite(y) & (np.abs(y) <= 90)
        near, _ = tree.query(unit_vectors(x[good], y[good]), distance_upper_bound=reach)
        if np.isfinite(near).sum() >= max(3, 0.5 * a.size):
            return [f"hint: {what}: then {np.isfinite(near).mean():.0%} of the rows would match"]
    return []


def _chord(arcsec: float) -> float:
    return float(2 * np.sin(np.radians(arcsec / 3600) / 2))


def _common_offset(
    ra: _Degrees, dec: _Degrees, to_ra: _Degrees, to_dec: _Degrees, tree: object, radius: float
) -> tuple[float, float] | None:
    """Find an offset (east, north) [arcsec] that most rows share; all pairs vote."""
    near = tree.query_ball_point(  # type: ignore[attr-defined]
        unit_vectors(ra, dec), _chord(max(_REACH_ARCSEC, 5 * radius))
    )
    own = np.repeat(np.arange(len(ra)), [len(n) for n in near])
    other = np.concatenate([np.asarray(n, dtype=np.int64) for n in near])
    if len(other) < 3:
        return None
    turn = (to_ra[other] - ra[own] + 180) % 360 - 180
    east = turn * np.cos(np.radians(dec[own])) * 3600
    north = (to_dec[other] - dec[own]) * 3600
    width = max(radius, 0.5)
    cell = np.round(np.stack([east, north], axis=1) / width).astype(np.int64)
    cells, votes = np.unique(cell, axis=0, return_counts=True)
    # a peak may lie on the edge of cells
    peak = (np.abs(cell - cells[votes.argmax()]) <= 1).all(axis=1)
    # cells in a circle of the reach share the chance pairs
    chance = 9 * len(other) * width**2 / (np.pi * max(_REACH_ARCSEC, 5 * radius) ** 2)
    if np.unique(own[peak]).size < max(3, 0.3 * len(ra), 3 * chance):
        return None
    return float(np.median(east[peak])), float(np.median(north[peak]))


def _from_frame(frame: str) -> Callable[[_Degrees, _Degrees], tuple[_Degrees, _Degrees]]:
    def change(ra: _Degrees, dec: _Degrees) -> tuple[_Degrees, _Degrees]:
        from astropy.coordinates import SkyCoord

        sky = SkyCoord(ra, dec, unit="deg", frame=frame).icrs
        return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)

    return change


_CHANGES: dict[str, Callable[[_Degrees, _Degrees], tuple[_Degrees, _Degrees]]] = {
    "RA seems to be in hours (multiply it by 15)": lambda a, d: (a * 15, d),
    "RA and Dec seem to be in radians": lambda a, d: (np.degrees(a), np.degrees(d)),
    "RA and Dec seem to be swapped": lambda a, d: (d, a),
    "the sign of Dec seems to be lost": lambda a, d: (a, -d),
    "RA and Dec seem to be of B1950": _from_frame("fk4"),
    "RA and Dec seem to be galactic coordinates": _from_frame("galactic"),
}
