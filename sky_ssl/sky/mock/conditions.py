"""What the mock survey is taken with: bands, sampling, and the weather of each of its tiles.

A preset comes in; tiles with positions, seeing, depth and missing bands come out, all from a seed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError

Floats = npt.NDArray[np.float64]

BANDS = ("u", "g", "r", "i", "z")
ZERO_POINT = 30.0  # AB magnitude of one count
NATIVE_SCALE = 0.1857  # arcsec/pixel
SIZE = 64  # pixels a side of a cutout
N_TILES = 40

# Gwyn et al. 2025 (arXiv:2503.13783): depths at 10 sigma, made 5 sigma here by adding 0.75 mag.
DEPTH = np.array([24.45, 25.25, 24.95, 24.55, 24.05])  # AB, 5 sigma, 2-arcsec diameter
SEEING = np.array([0.92, 0.78, 0.69, 0.85, 0.70])  # FWHM, arcsec
SKY_BRIGHTNESS = np.array([22.7, 22.0, 21.1, 20.3, 19.4])  # AB mag/arcsec2, sets the gain

_DEPTH_SCATTER = 0.15  # mag, between tiles
_SEEING_SCATTER = 0.10  # lognormal, between tiles
_MISSING = 0.15  # share of tiles that lack one band
_TILE_SIDE = 0.5  # degrees
_SPACING = 2.0  # degrees between tiles, so that blocks of sky hold whole tiles


@dataclass(frozen=True)
class Preset:
    """Sampling of the cutouts, and the sizes of what is searched for."""

    name: str
    binning: int  # native pixels per pixel, a side
    diffuse_radius: float  # median effective radius of dwarfs and their look-alikes, arcsec
    diffuse_scatter: float  # of its lognormal
    diffuse_limits: tuple[float, float]  # arcsec

    @property
    def pixel_scale(self) -> float:
        """Arcsec per pixel."""
        return NATIVE_SCALE * self.binning


PRESETS = {
    "native": Preset("native", 1, 2.0, 0.38, (0.9, 4.5)),
    "wide": Preset("wide", 4, 6.5, 0.45, (3.0, 25.0)),
}


def find_preset(name: str) -> Preset:
    """Give the preset of that name.

    Raises:
        InputError: there is none.
    """
    if name not in PRESETS:
        raise InputError(f"preset {name!r} of the mock survey: allowed are {' and '.join(PRESETS)}")
    return PRESETS[name]


def pixel_sigma(depth: npt.ArrayLike, preset: Preset) -> Floats:
    """Turn depths [AB, 5 sigma, 2-arcsec diameter] into noise per pixel of the preset [counts]."""
    area = np.pi / preset.pixel_scale**2  # pixels in the aperture
    sigma: Floats = 10 ** (0.4 * (ZERO_POINT - np.asarray(depth))) / 5 / np.sqrt(area)
    return sigma


def gain() -> Floats:
    """Give electrons per count (C,), such that the sky's own photons make the noise."""
    sky = 10 ** (0.4 * (ZERO_POINT - SKY_BRIGHTNESS)) * NATIVE_SCALE**2
    return sky / pixel_sigma(DEPTH, PRESETS["native"]) ** 2


@dataclass(frozen=True)
class MockTile:
    """One tile: where it lies and what the nights were like."""

    name: str
    ra: float  # degrees, of the centre
    dec: float
    seeing: Floats  # (C,) FWHM, arcsec
    beta: Floats  # (C,) Moffat exponent
    ellipticity: Floats  # (C, 2) of the PSF, components along the axes and the diagonals
    depth: Floats  # (C,) AB, 5 sigma, 2-arcsec diameter
    missing: int  # index of the band that it lacks, -1 if none


def draw_tiles(seed: int) -> tuple[MockTile, ...]:
    """Draw the tiles of the mock survey of that seed."""
    rng = np.random.default_rng([seed, 1])
    C = len(BANDS)
    tiles = []
    for number in range(N_TILES):
        row, column = divmod(number, 8)
        dec = 32.25 + _SPACING * row
        ra = (150.25 + _SPACING * column / np.cos(np.deg2rad(dec))) % 360.0
        missing = int(rng.integers(C)) if rng.random() < _MISSING else -1
        tiles.append(
            MockTile(
                name=f"{number:03d}",
                ra=float(ra),
                dec=dec,
                seeing=SEEING * rng.lognormal(0.0, _SEEING_SCATTER, C),
                beta=rng.uniform(2.6, 4.0, C),
                ellipticity=rng.normal(0.0, 0.02, (C, 2)),
                depth=DEPTH + rng.normal(0.0, _DEPTH_SCATTER, C),
                missing=missing,
            )
        )
    return tuple(tiles)


def draw_position(tile: MockTile, rng: np.random.Generator) -> tuple[float, float]:
    """Draw a place on a tile: right ascension and declination, degrees."""
    dec = tile.dec + rng.uniform(-0.5, 0.5) * _TILE_SIDE
    ra = tile.ra + rng.uniform(-0.5, 0.5) * _TILE_SIDE / np.cos(np.deg2rad(dec))
    return float(ra % 360.0), float(dec)
