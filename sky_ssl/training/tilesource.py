"""Random cutouts straight from FITS tiles while training; no pass over the survey first.

Image number p of a run is a function of the seed and p alone: a piece of a tile chosen by area and
a place in it, drawn again while too little of it holds data. Consecutive numbers come from one
tile.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutting import cut_tile
from sky_ssl.sky.splits import split_by_sky
from sky_ssl.sky.survey import Survey, load_survey, parse_survey
from sky_ssl.sky.tiles import Tile, TileFiles, find_tiles, open_tile
from sky_ssl.training.config import Config
from sky_ssl.training.order import step_seed

VALIDATION = 1 << 40
"""Image numbers from here on come from the sky kept for validation."""
_OPEN_TILES = 16
_TRIES = 20


@dataclass(frozen=True)
class Region:
    """Rows y0 to y1 of a tile of width W."""

    tile: int
    y0: int
    y1: int
    width: int


class TileSource:
    """Images cut at random from tiles; see `training.data.Source`."""

    endless = True

    def __init__(
        self,
        tiles: list[TileFiles],
        survey: Survey,
        config: Config,
        regions: dict[str, list[Region]],
        binning: int,
    ) -> None:
        size, C = config.model.image_size, len(survey.bands)
        self.shape = (C, size, size)
        self.info = CutoutInfo(
            survey=survey.name,
            bands=survey.band_names,
            pixel_scale=survey.pixel_scale * binning,
            zero_point=(survey.zero_point,) * C,
        )
        self.train_rows: npt.NDArray[np.integer] = np.arange(1 << 16)
        count = config.log.validation_size if regions["validation"] else 0
        self.validation_rows: npt.NDArray[np.integer] = VALIDATION + np.arange(count)
        self._tiles, self._survey, self._binning = tiles, survey, binning
        self._regions = regions
        self._seed, self._run = config.train.seed, config.data.run_length
        self._min_valid = config.data.min_valid
        self._open: OrderedDict[int, Tile] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        # open files do not go to other processes
        return {**self.__dict__, "_open": OrderedDict()}

    def close(self) -> None:
        """Close the tiles that are open; they open again when they are needed."""
        while self._open:
            self._open.popitem()[1].close()

    def labels(self, name: str, rows: npt.NDArray[np.integer]) -> npt.NDArray | None:
        """Tiles have no labels."""
        return None

    def read(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Cut images (n, C, H, W); n image numbers."""
        return np.stack([self._image(int(row))[0] for row in rows])

    def read_placed(
        self, rows: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """Cut images, and give the RA and Dec (n, 2) of their centres, in degrees."""
        images, places = zip(*(self._image(int(row)) for row in rows), strict=True)
        numbers, x, y = np.array(places).T
        sky = np.empty((len(numbers), 2))
        for number in np.unique(numbers):
            of = numbers == number
            sky[of] = np.stack(self._tile(number).pixel_to_sky(x[of], y[of]), axis=1)
        return np.stack(images), sky

    def _image(self, row: int) -> tuple[npt.NDArray[np.float32], tuple[int, int, int]]:
        """Cut an image; give the number of its tile, and x and y of its middle, besides."""
        regions = self._regions["validation" if row >= VALIDATION else "train"]
        side = self.shape[1] * self._binning
        areas = np.array([(r.y1 - r.y0 - side + 1) * (r.width - side + 1) for r in regions])
        choose = np.random.default_rng(step_seed(self._seed, row // self._run, 2))
        place = np.random.default_rng(step_seed(self._seed, row, 3))
        region = regions[int(choose.choice(len(regions), p=areas / areas.sum()))]
        best, best_valid, place_of_best = None, -1.0, (0, 0)
        for _ in range(_TRIES):
            y = int(place.integers(region.y0 + side // 2, region.y1 - (side - side // 2) + 1))
            x = int(place.integers(side // 2, region.width - (side - side // 2) + 1))
            image = cut_tile(
                self._tile(region.tile),
                np.array([x]),
                np.array([y]),
                size=self.shape[1],
                binning=self._binning,
            )[0]
            valid = float(np.isfinite(image).any(axis=0).mean())
            if valid > best_valid:
                best, best_valid, place_of_best = image, valid, (x, y)
            if valid >= self._min_valid:
                break
        assert best is not None
        return best, (region.tile, *place_of_best)

    def _tile(self, index: int) -> Tile:
        """Keep the tiles used last open."""
        if index in self._open:
            self._open.move_to_end(index)
            return self._open[index]
        if len(self._open) >= _OPEN_TILES:
            self._open.popitem(last=False)[1].close()
        self._open[index] = open_tile(self._tiles[index], self._survey)
        return self._open[index]


def open_tile_source(config: Config) -> TileSource:
    """Find the tiles that the configuration names and divide them by sky.

    Raises:
        InputError: if there is no survey or no tile, or a tile is too small.
    """
    survey = (
        parse_survey(config.survey_table, "[survey]")
        if config.survey_table
        else load_survey(config.survey)
        if config.survey
        else None
    )
    if survey is None:
        raise InputError('data.tiles needs a survey: survey = "unions" or a section [survey]')
    if config.data.bands:
        absent = set(config.data.bands) - set(survey.band_names)
        if absent:
            raise InputError(f"data.bands: no band {sorted(absent)[0]} in {survey.name}")
        by_name = {band.name: band for band in survey.bands}
        survey = replace(survey, bands=tuple(by_name[name] for name in config.data.bands))
    tiles, report = find_tiles(config.data.tiles, survey)
    if not tiles:
        raise InputError(f"{config.data.tiles[0]}: no tile of {survey.name} found; {report[:1]}")
    size = config.model.image_size
    binning = max(1, round(config.data.fov / survey.pixel_scale / size)) if config.data.fov else 1
    regions = _regions(tiles, survey, config, size * binning)
    return TileSource(tiles, survey, config, regions, binning)


def _regions(
    tiles: list[TileFiles], survey: Survey, config: Config, side: int
) -> dict[str, list[Region]]:
    """Keep whole tiles for validation, or the last rows where there is one tile only."""
    share, (low, high) = config.data.validation, config.data.rows or (0.0, 1.0)
    shapes, ra, dec = [], [], []
    for files in tiles:
        with open_tile(files, survey) as tile:
            H, W = tile.shape
            shapes.append((H, W))
            longitude, latitude = tile.pixel_to_sky(W / 2, H / 2)
            ra.append(float(longitude))
            dec.append(float(latitude))
    regions: dict[str, list[Region]] = {"train": [], "validation": []}
    rows = [(int(low * H), int(high * H)) for H, _ in shapes]
    parts: npt.NDArray = np.full(len(tiles), "train")
    if share and len(tiles) > 1:
        names = np.array([files.name for files in tiles])
        extent = max(max(s) for s in shapes) * survey.pixel_scale / 3600
        parts = split_by_sky(
            np.array(ra),
            np.array(dec),
            names,
            seed=config.train.seed,
            buffer_deg=extent,
            fractions={"train": 1 - share, "validation": share},
        )
    for index, (part, (_, W), (y0, y1)) in enumerate(zip(parts, shapes, rows, strict=True)):
        if share and len(tiles) == 1:
            middle = y1 - max(side, int(share * (y1 - y0)))
            pieces = [("train", y0, middle), ("validation", middle, y1)]
        else:
            pieces = [(str(part), y0, y1)] if part in regions else []
        for name, top, bottom in pieces:
            if bottom - top >= side and side <= W:
                regions[name].append(Region(index, top, bottom, W))
    if not regions["train"]:
        raise InputError(
            f"{tiles[0].name}: no tile has {side} x {side} pixels left for training; use a smaller "
            "data.fov, model.image_size or data.validation"
        )
    return regions
