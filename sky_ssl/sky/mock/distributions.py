"""Numbers that mock objects are drawn from, and the truth that is kept of each."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.mock.conditions import ZERO_POINT, Preset

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """What was drawn. NaN where a number has no meaning for the population."""

    redshift: float = np.nan
    magnitudes: Floats | None = None  # (C,) AB, of all light of the object
    half_light_radius: float = np.nan  # arcsec, along the major axis
    mean_surface_brightness: float = np.nan  # r, within that radius, AB mag/arcsec2
    axis_ratio: float = np.nan
    sersic_index: float = np.nan


def counts(magnitudes: Floats) -> Floats:
    """Turn AB magnitudes into counts."""
    flux: Floats = 10 ** (0.4 * (ZERO_POINT - magnitudes))
    return flux


def surface_counts(magnitudes: Floats, preset: Preset) -> Floats:
    """Turn surface brightness [AB mag/arcsec2] into counts per pixel."""
    return counts(magnitudes) * preset.pixel_scale**2


def draw_diffuse(rng: np.random.Generator, preset: Preset) -> tuple[float, float, float]:
    """Draw the shape of a dwarf or of a spiral of low surface brightness: one function for both.

    Returns:
        Effective radius [arcsec], mean r surface brightness within it [AB mag/arcsec2], axis ratio.
    """
    low, high = preset.diffuse_limits
    radius = preset.diffuse_radius * rng.lognormal(0.0, preset.diffuse_scatter)
    while not low <= radius <= high:
        radius = preset.diffuse_radius * rng.lognormal(0.0, preset.diffuse_scatter)
    return float(radius), float(rng.triangular(23.0, 24.4, 26.0)), float(rng.uniform(0.5, 1.0))


def mean_brightness(mag: float, radius: float, ratio: float) -> float:
    """Mean surface brightness within the effective radius, Graham & Driver 2005, eq. 9."""
    return float(mag + 2.5 * np.log10(2 * np.pi * radius**2 * ratio))


def place(rng: np.random.Generator) -> tuple[float, float]:
    """Objects lie within a pixel or so of the centre, as a detection puts them."""
    x, y = rng.normal(0.0, 0.5, 2)
    return float(x), float(y)


def galaxy_redshift(mag_r: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Draw a redshift for each apparent magnitude, as in a flux-limited survey."""
    mag = np.asarray(mag_r, dtype=np.float64)
    median = 0.09 * 10 ** (0.115 * (mag - 17.5))
    drawn: Floats = np.clip(median * rng.lognormal(0.0, 0.35, mag.shape), 0.005, 1.6)
    return drawn


def galaxy_magnitude(rng: np.random.Generator, faint: float = 23.6) -> float:
    """Draw r between 17 and `faint`, with counts rising by 0.3 dex a magnitude."""
    return float(max(faint - rng.exponential(1 / (0.3 * np.log(10))), 17.0))


def galaxy_radius(mag_r: npt.ArrayLike, rng: np.random.Generator) -> Floats:
    """Draw an effective radius [arcsec] for each apparent magnitude."""
    mag = np.asarray(mag_r, dtype=np.float64)
    drawn: Floats = 2.8 * 10 ** (-0.115 * (mag - 17.5)) * rng.lognormal(0.0, 0.28, mag.shape)
    return drawn
