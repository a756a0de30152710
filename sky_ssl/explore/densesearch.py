"""Search tiles everywhere: the query slides over the tokens of overlapping windows.

In: tiles and the central tokens of exemplars. Out: the best places, first to about a patch from the
tokens, then centred by cutting around there, so that scores are those of centred cutouts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import BATCH, Embedder
from sky_ssl.explore.search import Results, query_vector
from sky_ssl.explore.similarity import Vectors, normalised, token_count
from sky_ssl.explore.tilesearch import Cutter, Found, Query, results_of, score_at
from sky_ssl.progress import Progress
from sky_ssl.sky.cutwindows import Images, bin_images
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tiles import Tile, TileFiles
from sky_ssl.sky.tilework import TileHandle, close_kept, opened

_SHIFTS = tuple(n / 8 for n in range(-4, 4))  # of a patch: how exemplars may lie on its grid
_NUDGES = (-1, 0, 1)  # eighths of a patch, a pixel at least, tried around a place to centre it


@dataclass(frozen=True)
class Shifted:
    """The query for each way in which an object may lie on the grid of patches."""

    vectors: Vectors  # (F, D)
    x: npt.NDArray[
        np.int64
    ]  # (F,) pixels of the model that the object lies off a corner of patches
    y: npt.NDArray[np.int64]


def shifted_queries(
    embedder: Embedder, like: Images, unlike: Images | None, weight: float
) -> Shifted:
    """Embed exemplars anew, some pixels off centre, as objects on tiles are.

    A token changes with the place of an object on the grid of patches: shifting a few exemplars
    costs less than laying the grid over the tiles in as many ways.

    Args:
        like, unlike: images (M, C, S, S) of exemplars and counter-examples.
        weight: of counter-examples; see `search.query_vector`.
    """
    steps = [round(share * embedder.patch) for share in _SHIFTS]
    y, x = (grid.ravel() for grid in np.meshgrid(np.unique(steps), np.unique(steps), indexing="ij"))
    vectors = []
    for dy, dx in zip(y.tolist(), x.tolist(), strict=True):
        positive = embedder.embed(shift(like, dy, dx))
        negative = None if unlike is None else embedder.embed(shift(unlike, dy, dx))
        tokens = token_count(embedder.attributes, positive.shape[1])
        vectors.append(query_vector(positive, negative, tokens, weight))
    return Shifted(np.stack(vectors), x, y)


def shift(images: Images, dy: int, dx: int) -> Images:
    """Move what is in images (n, C, H, W) by whole pixels; NaN comes in."""
    H, W = images.shape[2:]
    out = np.full_like(images, np.nan)
    to_y, from_y = slice(max(dy, 0), H + min(dy, 0)), slice(max(-dy, 0), H + min(-dy, 0))
    to_x, from_x = slice(max(dx, 0), W + min(dx, 0)), slice(max(-dx, 0), W + min(-dx, 0))
    out[:, :, to_y, to_x] = images[:, :, from_y, from_x]
    return out


@dataclass(frozen=True)
class _Lattice:
    """Where blocks of tokens may lie on a tile. Numbers of tokens count from its first pixel."""

    side: int  # tokens of a window
    block: int  # tokens of the query, along each axis
    margin: int  # tokens at the edge of a window that blocks leave out: they see less around them
    step: int  # native pixels of a token

    @property
    def places(self) -> int:
        """Blocks along each axis of a window, and the tokens from one window to the next."""
        return self.side - self.block - 2 * self.margin + 1

    def count(self, pixels: int) -> int:
        """Count the blocks along an axis of a tile, their centres from edge to edge of it."""
        return -(-pixels // self.step) + 1

    def first(self) -> int:
        """Give the token at which the first block begins."""
        return -(self.block // 2)

    def windows(self, pixels: int) -> range:
        """Give the tokens at which windows begin."""
        start = self.first() - self.margin
        return range(start, start + self.count(pixels), self.places)

    def centre(self, number: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Give the pixel, 0-based, at the centre of blocks by number."""
        start = np.asarray(number, dtype=np.float64) + self.first()
        return (start + self.block / 2) * self.step - 0.5


def search_dense(
    tiles: Sequence[TileFiles],
    survey: Survey,
    cutter: Cutter,
    query: Query,
    shifted: Shifted,
    *,
    k: int = 25,
    merge_arcsec: float = 1.0,
    reproject: bool = False,
    progress: Progress | None = None,
) -> tuple[Results, int, list[str]]:
    """Score every place of tiles; see `tilesearch.search_detections`.

    Objects closer than a patch are one, whatever `merge_arcsec` says; with 0 exemplars are kept.

    Returns:
        The best, the number of places scored, and a line for each problem.

    Raises:
        InputError: the query is not made of central tokens.
    """
    lattice = _lattice(cutter, query)
    handles = [TileHandle(files, survey, reproject) for files in tiles]
    found, count, lines = Found.empty(k), 0, []
    for done, handle in enumerate(handles, start=1):
        try:
            with opened(handle) as tile:
                scores, which = score_map(tile, cutter, shifted, lattice)
                lines += tile.problems
                count += int(np.isfinite(scores).sum())
                rows, columns = _peaks(scores)
                off = which[rows, columns]
                x = lattice.centre(columns) + shifted.x[off] * cutter.binning
                y = lattice.centre(rows) + shifted.y[off] * cutter.binning
                found.add(tile, x, y, scores[rows, columns])
        except InputError as error:
            lines.append(str(error))
        if progress:
            progress(done, len(handles))
    if count == 0 and lines:
        raise InputError(lines[0])
    by_name = {h.files.name: h for h in handles}
    nudge = max(cutter.embedder.patch / 8, 1.0) * cutter.binning
    centred = _centred(found, by_name, cutter, query, nudge, k)
    close_kept()
    arcsec = max(merge_arcsec, lattice.step * survey.pixel_scale)
    around = arcsec if merge_arcsec > 0 else 0.0
    return results_of(centred, survey, query, k, arcsec, around), count, lines


def _lattice(cutter: Cutter, query: Query) -> _Lattice:
    """Check that the query is made of central tokens, and lay them out."""
    embedder = cutter.embedder
    T = token_count(embedder.attributes, len(query.vector))
    if T == 1:
        pooling = embedder.attributes.get("pooling")
        raise InputError(
            f"a dense search needs embeddings of pooling central, not projected; these are of "
            f"pooling {pooling!r}"
        )
    side, block = embedder.encoder.config.grid[0], isqrt(T)
    margin = 1 if side >= block + 2 else 0
    return _Lattice(side, block, margin, embedder.patch * cutter.binning)


def score_map(
    tile: Tile, cutter: Cutter, shifted: Shifted, lattice: _Lattice
) -> tuple[Vectors, npt.NDArray[np.int16]]:
    """Score all blocks of tokens of a tile by the shift that fits best.

    Returns:
        (rows, columns) of blocks: scores, NaN without data, and the number of the shift.
    """
    H, W = tile.shape
    shape = (lattice.count(H), lattice.count(W))
    # the last windows reach beyond
    whole = (shape[0] + lattice.places, shape[1] + lattice.places)
    scores, which = np.full(whole, np.nan, np.float32), np.zeros(whole, np.int16)
    for row in lattice.windows(H):
        top = row + lattice.margin - lattice.first()
        for columns, images in _windows_of_row(tile, cutter, lattice, row):
            blocks = _block_scores(images, cutter, shifted.vectors, lattice)
            for column, values in zip(columns, blocks, strict=True):
                left = column + lattice.margin - lattice.first()
                place = slice(top, top + lattice.places), slice(left, left + lattice.places)
                scores[place], which[place] = values.max(axis=-1), values.argmax(axis=-1)
    return scores[: shape[0], : shape[1]], which[: shape[0], : shape[1]]


def _windows_of_row(
    tile: Tile, cutter: Cutter, lattice: _Lattice, row: int
) -> Iterator[tuple[list[int], Images]]:
    """Cut the windows that begin at one row of tokens, some at a time; empty ones are left out."""
    starts = lattice.windows(tile.shape[1])
    pixels = lattice.side * lattice.step
    for first in range(0, len(starts), BATCH):
        some = starts[first : first + BATCH]
        y0, x0, x1 = row * lattice.step, some[0] * lattice.step, some[-1] * lattice.step + pixels
        strip = cutter.prepare(bin_images(tile.read(y0, y0 + pixels, x0, x1), cutter.binning))
        S = cutter.embedder.size
        offsets = [(start - some[0]) * cutter.embedder.patch for start in some]
        images = np.stack([strip[:, :, offset : offset + S] for offset in offsets])
        keep = np.flatnonzero(np.isfinite(images).any(axis=(1, 2, 3)))
        if len(keep):
            yield [some[i] for i in keep], images[keep]


def _block_scores(images: Images, cutter: Cutter, vectors: Vectors, lattice: _Lattice) -> Vectors:
    """Score the blocks of windows (n, C, S, S); (n, places, places, F), NaN without data."""
    t, m, count = lattice.block, lattice.margin, lattice.places
    tokens = cutter.embedder.tokens(images)
    n, gh, gw, width = tokens.shape
    unit = normalised(tokens.reshape(-1, width), 1).reshape(tokens.shape) / np.float32(t)
    parts = vectors.reshape(-1, t, t, width)
    result = np.zeros((n, count, count, len(parts)), dtype=np.float32)
    share = np.zeros((n, count, count), dtype=np.float32)
    p = cutter.embedder.patch
    data = np.isfinite(images).any(axis=1).reshape(n, gh, p, gw, p).mean(axis=(2, 4))
    for a in range(t):
        for b in range(t):
            place = slice(m + a, m + a + count), slice(m + b, m + b + count)
            result += unit[:, *place] @ parts[:, a, b].T
            share += data[:, *place] / t**2
    result[share < 0.5] = np.nan
    return result


def _peaks(scores: Vectors) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Find the blocks that no neighbour surpasses."""
    filled = np.where(np.isfinite(scores), scores, -np.inf)
    highest = ndimage.maximum_filter(filled, size=3, mode="constant", cval=-np.inf)
    rows, columns = np.nonzero((filled == highest) & np.isfinite(scores))
    return rows, columns


def _centred(
    found: Found,
    handles: dict[str, TileHandle],
    cutter: Cutter,
    query: Query,
    nudge: float,
    k: int,
) -> Found:
    """Cut around each place, some pixels off in each direction, and keep where it fits best."""
    names, x, y, *_ = found.columns()
    dy, dx = (grid.ravel() for grid in np.meshgrid(_NUDGES, _NUDGES, indexing="ij"))
    result = Found.empty(k)
    for name in dict.fromkeys(names.tolist()):
        rows = np.flatnonzero(names == name)
        with opened(handles[name]) as tile:
            tried_x = x[rows, None] + dx * nudge
            tried_y = y[rows, None] + dy * nudge
            scores = np.concatenate(
                [
                    score_at(tile, cutter, query, tried_x[i].ravel(), tried_y[i].ravel())
                    for i in np.array_split(np.arange(len(rows)), -(-len(rows) * len(dx) // BATCH))
                ]
            ).reshape(tried_x.shape)
            best = np.argmax(np.where(np.isfinite(scores), scores, -np.inf), axis=1)
            chosen = np.arange(len(rows)), best
            result.add(tile, tried_x[chosen], tried_y[chosen], scores[chosen])
    return result
