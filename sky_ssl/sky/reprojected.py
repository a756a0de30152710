"""A band resampled onto the pixel grid of another one, in strips and only where it is read."""

import threading
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.bandimage import BandImage
from sky_ssl.sky.fitsplane import StripPlane
from sky_ssl.sky.tilegrid import Grid, pixel_to_sky, sky_to_pixel

_STRIP_ROWS = 256
# Input pixels around a strip that its own pixels may draw on: the kernel and some distortion.
_MARGIN = 16


class ReprojectedImage(StripPlane):
    """A band on another grid; flux is conserved (DeForest 2004, as in reproject_adaptive).

    Args:
        image: the band as it is.
        grid: the grid wanted.

    Raises:
        InputError: one of them has no WCS.
    """

    def __init__(self, image: BandImage, grid: Grid) -> None:
        if image.grid.wcs is None or grid.wcs is None:
            raise InputError(
                f"{image.path}: cannot be reprojected without a WCS ({image.grid.problem})"
            )
        super().__init__(grid.shape, _STRIP_ROWS, threading.Lock())
        self._image = image
        self._grid = grid

    def compute(self, y0: int, y1: int) -> npt.NDArray[Any]:
        """Resample the rows [y0:y1] of the grid wanted."""
        from reproject import reproject_adaptive

        W = self.shape[1]
        box = self._input_box(y0, y1)
        if box is None:
            return np.full((y1 - y0, W), np.nan, dtype=np.float32)
        top, bottom, left, right = box
        assert self._image.grid.wcs is not None
        assert self._grid.wcs is not None
        pixels = self._image.read(*box).astype(np.float64)
        strip = reproject_adaptive(
            (pixels, self._image.grid.wcs[top:bottom, left:right]),
            self._grid.wcs[y0:y1, 0:W],
            shape_out=(y1 - y0, W),
            conserve_flux=True,
            return_footprint=False,
        )
        return np.asarray(strip, dtype=np.float32)

    def _input_box(self, y0: int, y1: int) -> tuple[int, int, int, int] | None:
        """Find which part of the input the rows [y0:y1] need; None if it lies elsewhere."""
        assert self._image.grid.wcs is not None
        assert self._grid.wcs is not None
        H, W = self._image.shape
        xs = np.linspace(-0.5, self.shape[1] - 0.5, max(2, self.shape[1] // 32))
        ys = np.linspace(y0 - 0.5, y1 - 0.5, 9)
        sky = pixel_to_sky(self._grid.wcs, *np.meshgrid(xs, ys))
        x, y = sky_to_pixel(self._image.grid.wcs, *sky)
        if not np.isfinite(x).any():
            return None
        left = max(int(np.nanmin(x)) - _MARGIN, 0)
        right = min(int(np.nanmax(x)) + _MARGIN + 1, W)
        top = max(int(np.nanmin(y)) - _MARGIN, 0)
        bottom = min(int(np.nanmax(y)) + _MARGIN + 1, H)
        return (top, bottom, left, right) if top < bottom and left < right else None
