"""Multi-band tiles: windows of all bands of a survey at once, on one pixel grid.

In: the files of a tile, as `find_tiles` lists them. Out: arrays (C, H, W) in the survey's band
order and zero point, NaN where there is no data: outside the tile, masked, missing bands.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from astropy.wcs import WCS

from sky_ssl.errors import InputError
from sky_ssl.sky.bandimage import BandImage
from sky_ssl.sky.reprojected import ReprojectedImage
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tilefiles import TileFiles, find_tiles
from sky_ssl.sky.tilegrid import Grid, difference, pixel_to_sky, sky_to_pixel

__all__ = ["Tile", "TileFiles", "find_tiles", "open_tile"]

_SCALE_TOLERANCE = 0.02


class Tile:
    """An open tile; made by `open_tile`, closed by `close` or at the end of a `with`.

    Reading is safe from several threads, and from a forked process (which opens the files again).

    Attributes:
        name: of the tile.
        survey: its bands are the first axis of the arrays.
        shape: (H, W).
        wcs: celestial astropy WCS, or None. Its axes may come in either order: `pixel_to_sky` and
            `sky_to_pixel` take care of that.
        bands: names of the bands that could be opened.
        problems: one line for each thing that is odd or cannot be read (`find_tiles` has already
            said which bands have no file).
    """

    def __init__(
        self,
        name: str,
        survey: Survey,
        images: Mapping[str, BandImage],
        reprojected: Mapping[str, ReprojectedImage],
        grid: Grid,
        problems: list[str],
    ) -> None:
        self.name = name
        self.survey = survey
        self.shape = grid.shape
        self.wcs: WCS | None = grid.wcs
        self.bands = tuple(band for band in survey.band_names if band in images)
        self.problems = problems
        self.pixel_scale = grid.pixel_scale if grid.wcs is not None else survey.pixel_scale
        self._images = images
        self._reprojected = reprojected

    def read(
        self, y0: int, y1: int, x0: int, x1: int, bands: Sequence[str] | None = None
    ) -> npt.NDArray[np.float32]:
        """Read the window [y0:y1, x0:x1], which may reach beyond the tile.

        Args:
            bands: names of the bands to read; None reads all of the survey.

        Returns:
            (C, y1 - y0, x1 - x0) in counts of the survey's zero point, NaN = no data.
        """
        names = self.survey.band_names if bands is None else tuple(bands)
        unknown = sorted(set(names) - set(self.survey.band_names))
        if unknown:
            raise InputError(
                f"bands {' '.join(unknown)}: {self.survey.name} has "
                f"{' '.join(self.survey.band_names)}"
            )
        if y1 < y0 or x1 < x0:
            raise ValueError(f"window [{y0}:{y1}, {x0}:{x1}] ends before it begins")
        H, W = self.shape
        pixels = np.full((len(names), y1 - y0, x1 - x0), np.nan, dtype=np.float32)
        top, bottom = max(y0, 0), min(y1, H)
        left, right = max(x0, 0), min(x1, W)
        if top < bottom and left < right:
            for c, name in enumerate(names):
                inside = self._read_band(name, (top, bottom, left, right))
                if inside is not None:
                    pixels[c, top - y0 : bottom - y0, left - x0 : right - x0] = inside
        return pixels

    def _read_band(
        self, name: str, window: tuple[int, int, int, int]
    ) -> npt.NDArray[np.float32] | None:
        """Read one band; None if it is missing or, with a line in `problems`, damaged there."""
        image = self._reprojected.get(name) or self._images.get(name)
        if image is None:
            return None
        try:
            return image.read(*window)
        except InputError as error:
            line = f"tile {self.name}: {error}"
            if line not in self.problems:
                self.problems.append(line)
            return None

    def pixel_to_sky(
        self, x: npt.ArrayLike, y: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Convert pixels (0-based) to RA and Dec, ICRS degrees; NaN without a WCS."""
        if self.wcs is None:
            nothing = np.full(np.broadcast(np.asarray(x), np.asarray(y)).shape, np.nan)
            return nothing, nothing.copy()
        return pixel_to_sky(self.wcs, x, y)

    def sky_to_pixel(
        self, ra: npt.ArrayLike, dec: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Convert ICRS degrees to pixels (x, y), 0-based; NaN without a WCS or far outside."""
        if self.wcs is None:
            nothing = np.full(np.broadcast(np.asarray(ra), np.asarray(dec)).shape, np.nan)
            return nothing, nothing.copy()
        return sky_to_pixel(self.wcs, ra, dec)

    def close(self) -> None:
        """Close all files."""
        for strips in self._reprojected.values():
            strips.close()
        for image in self._images.values():
            image.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_tile(files: TileFiles, survey: Survey, *, reproject: bool = False) -> Tile:
    """Open the bands of a tile.

    A band that cannot be read is missing (NaN), with a line in the tile's `problems`.

    Args:
        files: as `find_tiles` gives them.
        survey: the one they were found with.
        reproject: bring bands on other pixel grids to the finest one, instead of refusing.

    Raises:
        InputError: no band can be read; or bands lie on different grids (or, with `reproject`,
            have no WCS to be reprojected by). The file that differs is named.
    """
    problems: list[str] = []
    images = _open_bands(files, survey, problems)
    try:
        grid, band = _common_grid(images, finest=reproject)
        others = {name: difference(image.grid, grid) for name, image in images.items()}
        others = {name: text for name, text in others.items() if text}
        if others and not reproject:
            name, text = next(iter(others.items()))
            raise InputError(
                f"tile {files.name}: {images[name].path} ({name}) is not on the pixel grid of "
                f"{images[band].path} ({band}): {text}; reproject it if that is meant"
            )
        reprojected = {name: ReprojectedImage(images[name], grid) for name in others}
    except InputError:
        for image in images.values():
            image.close()
        raise
    problems += [f"{name} reprojected from {images[name].path}: {others[name]}" for name in others]
    problems += _grid_problems(images, grid, survey)
    lines = [f"tile {files.name}: {problem}" for problem in problems]
    return Tile(files.name, survey, images, reprojected, grid, lines)


def _open_bands(files: TileFiles, survey: Survey, problems: list[str]) -> dict[str, BandImage]:
    """Open every band that can be; say which cannot."""
    images: dict[str, BandImage] = {}
    for name in survey.band_names:
        if name not in files.files:
            continue
        path, source = files.files[name]
        try:
            images[name] = BandImage(Path(path), source, survey.zero_point)
        except InputError as error:
            problems.append(f"{name} left out: {error}")
        else:
            problems.extend(images[name].problems)
    if not images:
        raise InputError(
            f"tile {files.name}: no band can be read: {'; '.join(problems) or 'it has no files'}"
        )
    return images


def _common_grid(images: Mapping[str, BandImage], *, finest: bool) -> tuple[Grid, str]:
    """Choose the grid of the tile: that of most bands, or the finest; of equals the first.

    Returns:
        The grid, with the WCS of the first band on it that has one; and the name of its band.
    """
    grids = {name: image.grid for name, image in images.items()}
    if finest and any(grid.wcs is not None for grid in grids.values()):
        scales = {name: grid.pixel_scale for name, grid in grids.items()}
        smallest = np.nanmin(list(scales.values()))
        band = next(n for n in grids if scales[n] <= smallest * (1 + _SCALE_TOLERANCE))
        return grids[band], band
    same: dict[str, list[str]] = {}
    for name, grid in grids.items():
        same[name] = [other for other in grids if not difference(grids[other], grid)]
        if len(same[name]) > len(grids) / 2:
            break
    band = max(same, key=lambda name: len(same[name]))
    return next((grids[n] for n in same[band] if grids[n].wcs is not None), grids[band]), band


def _grid_problems(images: Mapping[str, BandImage], grid: Grid, survey: Survey) -> list[str]:
    """Say what is odd about the positions."""
    if grid.wcs is None:
        return [grid.problem]
    problems = [
        f"{image.path}: {image.grid.problem}" for image in images.values() if image.grid.wcs is None
    ]
    ratio = grid.pixel_scale / survey.pixel_scale
    if abs(ratio - 1) > _SCALE_TOLERANCE:
        problems.append(
            f"{grid.pixel_scale:.4g} arcsec per pixel by its WCS, "
            f"not {survey.pixel_scale:.4g} as {survey.name} has"
        )
    return problems
