"""From measured sources to a catalogue: sky positions, magnitudes, names; tiles merged.

In: what was found in the windows of a tile, in pixels and counts. Out: the DataFrame that
`detect.detect` describes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.sky.catalogue import number_repeats, pixel_names
from sky_ssl.sky.coords import first_of_each, iau_name
from sky_ssl.sky.photometry import BLENDED, NO_DATA, TRUNCATED, Ellipses, Measurements
from sky_ssl.sky.tiles import Tile

Floats = npt.NDArray[np.float64]

_SEP_MERGED = 1  # SEP's flag of sources that were separated from a neighbour


@dataclass(frozen=True)
class Found:
    """Sources of an image."""

    sources: Ellipses
    measured: Measurements
    sep_flags: npt.NDArray[np.int64]
    passes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.passes)

    @classmethod
    def empty(cls, C: int) -> "Found":
        """Make one without sources, in C bands."""
        none, whole = np.zeros(0), np.zeros(0, dtype=np.int64)
        bands = np.zeros((C, 0))
        return cls(
            Ellipses(none, none, none, none, none, whole),
            Measurements(bands, bands, none, none, none, whole),
            whole,
            whole,
        )

    def select(self, rows: npt.NDArray) -> "Found":
        """Keep some sources, by number or truth value."""
        return Found(
            Ellipses(*(getattr(self.sources, f.name)[rows] for f in fields(Ellipses))),
            Measurements(
                *(getattr(self.measured, f.name)[..., rows] for f in fields(Measurements))
            ),
            self.sep_flags[rows],
            self.passes[rows],
        )

    def shifted(self, x0: int, y0: int) -> "Found":
        """Move the origin of the pixels."""
        sources = replace(self.sources, x=self.sources.x + x0, y=self.sources.y + y0)
        return replace(self, sources=sources)

    def inside(self, window: tuple[int, int, int, int]) -> "Found":
        """Keep the sources in a window (y0, y1, x0, x1), and up to a pixel beyond it.

        A source on the line between two windows may be found a little to either side of it.
        """
        y0, y1, x0, x1 = window
        x, y = self.sources.x + 0.5, self.sources.y + 0.5
        return self.select((x >= x0 - 1) & (x < x1 + 1) & (y >= y0 - 1) & (y < y1 + 1))


def join(parts: Sequence[Found]) -> Found:
    """Put sources of several images, or passes, one after the other."""
    ellipses = [
        np.concatenate([getattr(p.sources, f.name) for p in parts]) for f in fields(Ellipses)
    ]
    measured = [
        np.concatenate([getattr(p.measured, f.name) for p in parts], axis=-1)
        for f in fields(Measurements)
    ]
    return Found(
        Ellipses(*ellipses),
        Measurements(*measured),
        np.concatenate([p.sep_flags for p in parts]),
        np.concatenate([p.passes for p in parts]),
    )


def source_table(tile: Tile, parts: Sequence[Found], reference: str) -> pd.DataFrame:
    """Make the catalogue of a tile from the sources of its windows."""
    found = join(parts)
    found = found.select(_once(found, np.repeat(np.arange(len(parts)), [len(p) for p in parts])))
    found = found.select(np.lexsort((found.sources.x, found.sources.y)))
    sources, measured = found.sources, found.measured
    ra, dec = tile.pixel_to_sky(sources.x, sources.y)
    half = measured.half_light * tile.pixel_scale
    columns: dict[str, npt.NDArray] = {
        "id": _ids(tile, sources, ra, dec),
        "ra": ra,
        "dec": dec,
        "tile": np.full(len(found), tile.name, dtype=object),
        "x": sources.x,
        "y": sources.y,
    }
    for c, band in enumerate(tile.survey.band_names):
        flux = measured.flux[c]
        columns[f"flux_{band}"] = flux
        columns[f"flux_error_{band}"] = measured.flux_error[c]
        columns[f"mag_{band}"] = magnitude(flux, tile.survey.zero_point)
    # half of the flux lies within the half-light radius
    surface = columns[f"mag_{reference}"] + 2.5 * np.log10(2 * np.pi * half**2)
    columns |= {
        "half_light_radius": half,
        "mean_surface_brightness": surface,
        "ellipticity": 1 - sources.b / sources.a,
        "position_angle": _position_angle(tile, sources),
        "kron_radius": measured.kron * tile.pixel_scale,
        "snr": measured.snr,
        "n_bands": np.isfinite(measured.flux).sum(axis=0),
        "flags": _flags(found, tile.shape),
        "detection_pass": found.passes,
    }
    table = pd.DataFrame(columns)
    table.attrs["reference"] = reference
    return table


def magnitude(flux: npt.ArrayLike, zero_point: float) -> Floats:
    """Turn counts into AB magnitudes; NaN for 0 or less."""
    flux = np.asarray(flux, dtype=np.float64)
    good = flux > 0
    return np.where(good, zero_point - 2.5 * np.log10(np.where(good, flux, 1.0)), np.nan)


def merge_tiles(
    tables: Sequence[pd.DataFrame],
    shapes: Sequence[tuple[int, int]],
    arcsec: float,
    reference: str,
) -> pd.DataFrame:
    """Join the catalogues of tiles; of sources of several tiles at one place the best is kept.

    Args:
        tables: one per tile.
        shapes: (H, W) of the tiles.
        arcsec: sources of two tiles closer than this are one.
    """
    edge = np.concatenate(
        [
            np.minimum.reduce([t["x"], t["y"], W - 1 - t["x"], H - 1 - t["y"]])
            for t, (H, W) in zip(tables, shapes, strict=True)
        ]
    )
    merged = pd.concat(tables, ignore_index=True)
    cut = (merged["flags"].to_numpy() & (TRUNCATED | NO_DATA)) != 0
    best_first = np.lexsort((-edge, cut, -merged["n_bands"].to_numpy()))
    keep = first_of_each(
        merged["ra"].to_numpy(),
        merged["dec"].to_numpy(),
        arcsec,
        best_first,
        np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
    )
    merged = merged[keep].reset_index(drop=True)
    merged["id"] = number_repeats(merged["id"].to_numpy(dtype=object))
    merged.attrs = {"reference": reference}
    return merged


def _once(found: Found, window: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Choose sources (N,) so that those found in two windows come once."""
    from scipy.spatial import cKDTree

    keep = np.ones(len(found), dtype=bool)
    if len(found) < 2:
        return keep
    places = np.stack([found.sources.x, found.sources.y], axis=1)
    for first, second in cKDTree(places).query_pairs(1.5):
        if window[first] != window[second] and keep[first]:
            keep[second] = False
    return keep


def _ids(tile: Tile, sources: Ellipses, ra: Floats, dec: Floats) -> npt.NDArray:
    names = iau_name(tile.survey.prefix, ra, dec).astype(object)
    unknown = names == ""
    places = (pd.Series(v[unknown]) for v in (sources.x, sources.y))
    names[unknown] = pixel_names(pd.Series([tile.name] * int(unknown.sum())), *places)
    return number_repeats(names)


def _position_angle(tile: Tile, sources: Ellipses) -> Floats:
    """Measure the direction of the major axis, 0 to 180 degrees from north to east."""
    if tile.wcs is None:
        return np.degrees(sources.theta - np.pi / 2) % 180.0
    ra, dec = tile.pixel_to_sky(sources.x, sources.y)
    step = np.cos(sources.theta), np.sin(sources.theta)
    ra_end, dec_end = tile.pixel_to_sky(sources.x + step[0], sources.y + step[1])
    east = (ra_end - ra + 180.0) % 360.0 - 180.0
    angle = np.arctan2(east * np.cos(np.radians(dec)), dec_end - dec)
    return np.asarray(np.degrees(angle) % 180.0)


def _flags(found: Found, shape: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Join SEP's flags with those of the photometry."""
    flags = found.measured.flags.copy()
    flags[(found.sep_flags & _SEP_MERGED) != 0] |= BLENDED
    x, y, reach = found.sources.x, found.sources.y, found.measured.kron
    H, W = shape
    beyond = (x < reach) | (y < reach) | (x > W - 1 - reach) | (y > H - 1 - reach)
    # SEP's own flag is set at the edges of windows too
    flags[beyond] |= TRUNCATED
    return flags
