"""The area that was searched, as a MOC (multi-order coverage map of HEALPix cells).

In: positions of cutouts and their width. Out: a MOC, and its FITS file.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress

_DEEPEST = 18  # cells of 0.8 arcsec
_CELL_ARCSEC = 58.6323 * 3600  # edge of a cell of order 0
_AT_ONCE = 20_000


def searched_area(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    fov_arcsec: float,
    progress: Progress | None = None,
) -> Any:
    """Join the fields of cutouts into one coverage map.

    A cell that a field touches is covered. Cells are about a sixteenth of a field wide up to
    20,000 fields (single fields then come out some 20 % too large), an eighth up to 200,000, and a
    quarter beyond, where fields mostly touch each other.

    Args:
        ra, dec: (N,) degrees of the centres; objects without a position add nothing.
        fov_arcsec: width of a cutout, north up.
        progress: called with (fields, all fields).

    Returns:
        A `mocpy.MOC`.

    Raises:
        InputError: no position, or a width that is not above 0 and at most 10 degrees.
    """
    import astropy.units as u
    from astropy.coordinates import Angle, Latitude, Longitude
    from mocpy import MOC

    if not 0 < fov_arcsec <= 36_000:
        raise InputError(f"field of view {fov_arcsec} arcsec: must be above 0 and at most 36000")
    good = np.isfinite(ra) & np.isfinite(dec)
    if not good.any():
        raise InputError("no object has a position: there is no area to map")
    a, d = ra[good] % 360.0, dec[good]
    parts = 16 if len(a) <= 20_000 else 8 if len(a) <= 200_000 else 4
    order = int(np.clip(np.ceil(np.log2(_CELL_ARCSEC / (fov_arcsec / parts))), 3, _DEEPEST))
    half = Angle(fov_arcsec / 2, u.arcsec)
    area = MOC.new_empty(order)
    for start in range(0, len(a), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        n = len(a[part])
        boxes = MOC.from_boxes(
            lon=Longitude(a[part], u.deg),
            lat=Latitude(d[part], u.deg),
            a=Angle(np.full(n, half.deg), u.deg),
            b=Angle(np.full(n, half.deg), u.deg),
            angle=Angle(np.zeros(n), u.deg),
            max_depth=order,
            n_threads=1,
            union_strategy="small_boxes",
        )
        area = area.union(boxes)
        if progress:
            progress(start + n, len(a))
    return area


def square_degrees(area: Any) -> float:
    """Give the area of a MOC."""
    return float(area.sky_fraction * 4 * np.pi * np.degrees(1.0) ** 2)


def write_area(area: Any, path: str | Path) -> None:
    """Write a MOC as FITS (MOC 2.0); the file appears under its name when it is complete."""
    target = Path(path)
    if target.suffix.lower() not in (".fits", ".fit"):
        raise InputError(f"{path}: a MOC is written as .fits")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part.fits")
    try:
        area.save(str(temporary), format="fits", overwrite=True)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
