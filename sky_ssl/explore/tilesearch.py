"""Search straight on tiles: at their detections, or everywhere.

In: tiles and a query in the model's space. Out: the best objects with their places; only those are
kept, and no cutouts are written. Memory does not grow with the number of tiles.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import BATCH, Embedder
from sky_ssl.explore.search import Degrees, Results, distinct, nearest_arcsec
from sky_ssl.explore.similarity import Best, Vectors, scores, token_count
from sky_ssl.explore.whitening import Whitening
from sky_ssl.progress import Progress
from sky_ssl.sky.catalogue import number_repeats, pixel_names
from sky_ssl.sky.coords import iau_name
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutwindows import Images, cut_tile
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tiles import Tile, TileFiles
from sky_ssl.sky.tilework import TileHandle, close_kept, opened, run_tasks

Places = npt.NDArray[np.float64]
_SPARE = 8  # times as many are kept as asked for: an object may lie on several tiles and windows


@dataclass(frozen=True)
class Cutter:
    """Cuts what a model takes out of tiles of a survey."""

    embedder: Embedder
    bands: npt.NDArray[np.int64]  # the model's bands among the survey's
    binning: int  # native pixels a side of one of the model's
    factor: Images  # (C, 1, 1) to the zero points of the model

    def cut(self, tile: Tile, x: Places, y: Places) -> Images:
        """Cut images (n, C, S, S) around pixels of a tile, NaN = no data."""
        images = cut_tile(tile, x, y, size=self.embedder.size, binning=self.binning)
        return self.prepare(images)

    def prepare(self, images: Images) -> Images:
        """Bring images (..., C, H, W) of the survey to the model's bands and zero points."""
        return np.take(images, self.bands, axis=-3) * self.factor


def make_cutter(embedder: Embedder, survey: Survey, *, allow_pixel_scale: bool = False) -> Cutter:
    """Check that a survey has what a model takes.

    Raises:
        InputError: bands are missing, or no binning gives the model's pixel scale.
    """
    from pathlib import Path

    from sky_ssl.embedding.encode import conversion

    model, names = embedder.info, survey.band_names
    missing = [band for band in model.bands if band not in names]
    if missing:
        raise InputError(
            f"survey {survey.name}: no band {' '.join(missing)} among {' '.join(names)}; the model "
            f"takes {' '.join(model.bands)}"
        )
    known = np.isfinite(model.pixel_scale)
    binning = max(1, round(model.pixel_scale / survey.pixel_scale)) if known else 1
    C = len(model.bands)
    data = CutoutInfo(
        survey.name, model.bands, survey.pixel_scale * binning, (survey.zero_point,) * C
    )
    where = Path(f"survey {survey.name}")
    factor = conversion(model, data, where, allow_pixel_scale=allow_pixel_scale)
    bands = np.array([names.index(band) for band in model.bands])
    return Cutter(embedder, bands, binning, factor[:, None, None])


@dataclass
class Found:
    """The best places so far, of all tiles; kept small."""

    best: Best
    tile: list[str]
    x: list[float]  # native pixels, 0-based
    y: list[float]
    ra: list[float]
    dec: list[float]

    @classmethod
    def empty(cls, k: int) -> "Found":
        """Make one that keeps enough for k objects."""
        return cls(Best(_SPARE * k + 64), [], [], [], [], [])

    def add(self, tile: Tile, x: Places, y: Places, values: Vectors) -> None:
        """Take in places (n,) of a tile, in native pixels, with their scores."""
        keep = np.flatnonzero(values >= self.best.least)
        if not len(keep):
            return
        ra, dec = tile.pixel_to_sky(x[keep], y[keep])
        first = len(self.tile)
        self.tile += [tile.name] * len(keep)
        for mine, new in ((self.x, x[keep]), (self.y, y[keep]), (self.ra, ra), (self.dec, dec)):
            mine += new.tolist()
        self.best.add(values[keep], first + np.arange(len(keep)))
        if len(self.tile) > 4 * self.best.k:
            self._forget()

    def _forget(self) -> None:
        """Let go of places that are no longer among the best."""
        rows = self.best.rows
        for name in ("tile", "x", "y", "ra", "dec"):
            values = getattr(self, name)
            setattr(self, name, [values[row] for row in rows])
        self.best.rows = np.arange(len(rows))

    def columns(self) -> tuple[npt.NDArray, Places, Places, Degrees, Degrees, Vectors]:
        """Give tile, x, y, RA, Dec and score, the best first."""
        self._forget()
        numbers = (np.array(v, dtype=np.float64) for v in (self.x, self.y, self.ra, self.dec))
        x, y, ra, dec = numbers
        return np.array(self.tile, dtype=str), x, y, ra, dec, self.best.scores


@dataclass(frozen=True)
class Query:
    """What is searched for."""

    vector: Vectors  # (D,), as `search.query_vector` makes it; (q,) with a whitening
    ra: Degrees  # (M,) of the exemplars, degrees; NaN if unknown
    dec: Degrees
    whitening: Whitening | None = None  # that the vector went through; none for a dense search


def search_detections(
    tiles: Sequence[TileFiles],
    survey: Survey,
    cutter: Cutter,
    query: Query,
    *,
    k: int = 25,
    merge_arcsec: float = 1.0,
    reproject: bool = False,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> tuple[Results, int, list[str]]:
    """Score the sources that are detected on tiles.

    Args:
        tiles: as `find_tiles` gives them.
        k: how many to find.
        merge_arcsec: objects closer than this are one, and the best is kept.
        workers: processes that detect; 0 and None mean one per core.
        progress: called with tiles done and in all.

    Returns:
        The best, the number of sources scored, and a line for each problem.
    """
    handles = [TileHandle(files, survey, reproject) for files in tiles]
    found, count, lines = Found.empty(k), 0, []
    tasks = run_tasks(_detected, handles, workers)
    for done, (handle, (table, problems)) in enumerate(zip(handles, tasks, strict=True), start=1):
        lines += problems
        if table is not None:
            with opened(handle) as tile:
                count += _score_places(tile, cutter, query, table, found)
        if progress:
            progress(done, len(handles))
    close_kept()
    if count == 0 and lines:
        raise InputError(lines[0])
    return results_of(found, survey, query, k, merge_arcsec), count, lines


def _detected(handle: TileHandle) -> tuple[npt.NDArray[np.float64] | None, list[str]]:
    """Detect the sources of a tile: x and y (n, 2); None where it cannot be opened."""
    from sky_ssl.sky.detect import detect

    try:
        with opened(handle) as tile:
            return detect(tile)[["x", "y"]].to_numpy(np.float64), list(tile.problems)
    except InputError as error:
        return None, [str(error)]


def _score_places(tile: Tile, cutter: Cutter, query: Query, places: Places, found: Found) -> int:
    """Cut, embed and score places (n, 2) of a tile, a block at a time."""
    places = places[np.lexsort((places[:, 0], places[:, 1]))]
    for start in range(0, len(places), BATCH):
        x, y = places[start : start + BATCH].T
        found.add(tile, x, y, score_at(tile, cutter, query, x, y))
    return len(places)


def score_at(tile: Tile, cutter: Cutter, query: Query, x: Places, y: Places) -> Vectors:
    """Score places (n,) of a tile by the embedding of what is cut there; NaN without data."""
    images = cutter.cut(tile, x, y)
    vectors = cutter.embedder.embed(images)
    if query.whitening is not None:
        values = query.whitening.scores(vectors, query.vector)
    else:
        tokens = token_count(cutter.embedder.attributes, vectors.shape[1])
        values = scores(vectors, query.vector, tokens)
    values[~np.isfinite(images).any(axis=(1, 2, 3))] = np.nan
    return values


def results_of(
    found: Found,
    survey: Survey,
    query: Query,
    k: int,
    merge_arcsec: float,
    from_arcsec: float | None = None,
) -> Results:
    """Merge what was found, leave out the exemplars, and name the rest; see `search.distinct`."""
    tile, x, y, ra, dec, values = found.columns()
    apart = distinct(ra, dec, query.ra, query.dec, merge_arcsec, from_arcsec)
    apart &= _distinct_pixels(tile, x, y, ra, merge_arcsec / survey.pixel_scale)
    keep = np.flatnonzero(apart)[:k]
    tile, x, y, ra, dec = tile[keep], x[keep], y[keep], ra[keep], dec[keep]
    ids = iau_name(survey.prefix, ra, dec).astype(object)
    unknown = ids == ""
    if unknown.any():
        ids[unknown] = pixel_names(*(pd.Series(v[unknown]) for v in (tile, x, y)))
    return Results(
        rows=np.full(len(keep), -1, dtype=np.int64),
        ids=number_repeats(ids).astype(str),
        scores=values[keep],
        ra=ra,
        dec=dec,
        separation_arcsec=nearest_arcsec(ra, dec, query.ra, query.dec),
        tile=tile,
        x=x,
        y=y,
    )


def _distinct_pixels(
    tile: npt.NDArray, x: Places, y: Places, ra: Degrees, pixels: float
) -> npt.NDArray[np.bool_]:
    """Say which places (N,), the best first, are no repeat; only of tiles without positions."""
    keep = np.ones(len(x), dtype=bool)
    for name in np.unique(tile[~np.isfinite(ra)]):
        rows = np.flatnonzero((tile == name) & ~np.isfinite(ra))
        for i, row in enumerate(rows):
            near = np.hypot(x[rows[:i]] - x[row], y[rows[:i]] - y[row]) <= pixels
            keep[row] = not (near & keep[rows[:i]]).any()
    return keep
