"""Pixel grids: where an image lies on the sky, and whether two images share one grid.

In: FITS headers, however odd. Out: a `Grid` of shape and celestial WCS (None, with the reason,
where the header has none that works), and conversions between pixels and ICRS degrees that do not
depend on the order of the header's axes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS, NoConvergence, WcsError
from astropy.wcs.utils import proj_plane_pixel_area

from sky_ssl.sky.fitsbytes import quiet
from sky_ssl.sky.fitsio import FitsFile
from sky_ssl.sky.fitsplane import one_line

TOLERANCE = 0.1
"""Two grids are one if their corners agree to this many pixels."""


@dataclass(frozen=True)
class Grid:
    """Shape (H, W) of an image and its celestial WCS, or why it has none."""

    shape: tuple[int, int]
    wcs: WCS | None
    problem: str = ""

    @property
    def pixel_scale(self) -> float:
        """Return arcsec per pixel at the reference point (root of the area); NaN without WCS."""
        if self.wcs is None:
            return float("nan")
        return 3600.0 * float(np.sqrt(proj_plane_pixel_area(self.wcs)))


def read_grid(file: FitsFile, hdu: int | str, shape: tuple[int, int]) -> Grid:
    """Read the grid of an image from its header; never fails on a WCS that does not work."""
    header = file.header(hdu)
    try:
        with quiet():
            wcs = WCS(header, fobj=file.hdus)
            if not wcs.has_celestial:
                axes = " ".join(text for text in wcs.wcs.ctype if text) or "none"
                return Grid(shape, None, f"no celestial WCS (axes: {axes})")
            wcs = wcs.celestial
            H, W = shape
            ra, dec = pixel_to_sky(wcs, (W - 1) / 2, (H - 1) / 2)
    # what wcslib and astropy raise for headers that contradict themselves
    except (WcsError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        return Grid(shape, None, f"no usable WCS ({one_line(error)})")
    if not (np.isfinite(ra) and np.isfinite(dec)):
        return Grid(shape, None, "no usable WCS (the centre has no position on the sky)")
    return Grid(shape, wcs)


def pixel_to_sky(
    wcs: WCS, x: npt.ArrayLike, y: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Convert pixels (0-based, centre of the first pixel at 0) to RA and Dec, ICRS degrees."""
    sky = wcs.pixel_to_world(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
    if sky.frame.name != "icrs":
        sky = sky.icrs
    return np.asarray(sky.ra.deg), np.asarray(sky.dec.deg)


def sky_to_pixel(
    wcs: WCS, ra: npt.ArrayLike, dec: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Convert ICRS degrees to pixels (x, y), 0-based; NaN where that position has no pixel."""
    ra, dec = np.broadcast_arrays(np.asarray(ra, np.float64), np.asarray(dec, np.float64))
    x, y = np.full(ra.shape, np.nan), np.full(ra.shape, np.nan)
    # astropy refuses declinations beyond the poles; NaN passes through
    good = np.isfinite(ra) & (np.abs(dec) <= 90)
    if not good.any():
        return x, y
    sky = SkyCoord(ra[good] * units.deg, dec[good] * units.deg, frame="icrs")
    try:
        found = wcs.world_to_pixel(sky)
    except NoConvergence as error:
        # far outside the image the distortion has no inverse
        found = error.best_solution.T
    x[good], y[good] = found
    back = wcs.pixel_to_world(x[good], y[good]).icrs.separation(sky).deg
    lost = ~(back < np.sqrt(proj_plane_pixel_area(wcs)))
    x[good] = np.where(lost, np.nan, x[good])
    y[good] = np.where(lost, np.nan, y[good])
    return x, y


def difference(grid: Grid, other: Grid) -> str:
    """Say how two grids differ; empty if they are one. Without a WCS shapes alone are compared."""
    if grid.shape != other.shape:
        ours, theirs = (f"{g.shape[0]} x {g.shape[1]}" for g in (grid, other))
        return f"{ours} pixels instead of {theirs}"
    if grid.wcs is None or other.wcs is None:
        return ""
    H, W = grid.shape
    x, y = np.meshgrid([0.0, (W - 1) / 2, W - 1.0], [0.0, (H - 1) / 2, H - 1.0])
    ra, dec = pixel_to_sky(grid.wcs, x, y)
    # the corners of an all-sky map lie off the sky
    on_sky = np.isfinite(ra)
    there = sky_to_pixel(other.wcs, ra[on_sky], dec[on_sky])
    offset = np.hypot(there[0] - x[on_sky], there[1] - y[on_sky])
    if np.all(offset < TOLERANCE):
        return ""
    if not np.isfinite(offset).all():
        return "another part of the sky"
    return f"its corners lie up to {offset.max():.3g} pixels off"
