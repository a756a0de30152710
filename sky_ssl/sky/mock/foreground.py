"""What is not a galaxy in the mock survey: stars, quasars, halos, cirrus; and what lies around.

Each function draws light into a scene; those of a population return the truth about it.
"""

from functools import lru_cache

import numpy as np

from sky_ssl.sky.mock.conditions import BANDS, Preset
from sky_ssl.sky.mock.distributions import (
    Floats,
    Truth,
    counts,
    draw_diffuse,
    galaxy_radius,
    galaxy_redshift,
    place,
    surface_counts,
)
from sky_ssl.sky.mock.scene import SMALL_RADIUS, Ellipse, Scene, cloud
from sky_ssl.sky.mock.spectra import galaxy_magnitudes, quasar_magnitudes, star_magnitudes

_DENSITY = 13.0  # neighbours per square arcmin
_FAINTEST = 25.4  # AB in r


def star(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a star of the stellar locus."""
    blue = rng.random() < 0.4
    colour = rng.normal(0.65, 0.15) if blue else rng.normal(2.0, 0.5)
    mags = star_magnitudes(float(np.clip(colour, 0.1, 3.2)), float(rng.uniform(16.0, 24.0)))
    mags = mags + rng.normal(0.0, 0.03, len(BANDS))
    scene.add_point(counts(mags), *place(rng))
    return Truth(0.0, mags)


def qso(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a quasar, sometimes with its host."""
    redshift = float(rng.gamma(3.5, 0.45) + 0.2)
    mags = quasar_magnitudes(redshift, rng.normal(-0.5, 0.25), float(rng.uniform(18.0, 23.5)))
    x, y = place(rng)
    scene.add_point(counts(mags), x, y)
    if redshift < 0.7:
        host = galaxy_magnitudes(rng.uniform(0.0, 1.0), redshift, mags[2] + rng.uniform(0.5, 2))
        scene.add_sersic(counts(host), Ellipse(x, y, 0.8 / preset.pixel_scale, 0.8), 2.0)
    return Truth(redshift, mags)


def cirrus(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a knot of Galactic cirrus: a cloudy surface under a broad window."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    # colours of scattered light, between those of dwarfs and bluer (Roman et al. 2020)
    mags = galaxy_magnitudes(float(rng.normal(1.0, 0.3)), 0.0, brightness)
    shape = Ellipse(*place(rng), 1.3 * radius / preset.pixel_scale, ratio, rng.uniform(0, np.pi))
    axis = np.arange(scene.side) - (scene.side - 1) / 2
    u, v = shape.frame(axis[None, :], axis[:, None])
    window = 0.5 + 0.5 * np.exp(-0.7 * (u * u + v * v))
    scene.add_surface(surface_counts(mags, preset), cloud(rng, scene.side) * window)
    return Truth(half_light_radius=radius, mean_surface_brightness=brightness, axis_ratio=ratio)


def halo(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw the halo or the reflection of a bright star that lies off the centre."""
    radius, brightness, _ = draw_diffuse(rng, preset)
    mags = star_magnitudes(float(rng.uniform(0.6, 1.8)), brightness)
    axis = np.arange(scene.side) - (scene.side - 1) / 2
    pixels = radius / preset.pixel_scale
    flux = surface_counts(mags, preset)
    if rng.random() < 0.5:  # a reflection: a disc with soft edges, out of focus
        x, y = place(rng)
        r = np.hypot(axis[None, :] - x, axis[:, None] - y) / (1.5 * pixels)
        surface = 0.8 / (1 + np.exp(np.clip((r - 1) / 0.12, -50, 50)))
    else:  # the halo falls across the cutout from a star outside or at the edge
        distance, angle = rng.uniform(0.35, 0.8) * scene.side, rng.uniform(0, 2 * np.pi)
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        r = np.hypot(axis[None, :] - x, axis[:, None] - y)
        surface = 1 / (0.05 + (r / distance) ** 2.5)
        scene.add_point(flux * np.pi * distance**2 * 3, x, y)
    scene.add_surface(flux, surface)
    return Truth(half_light_radius=radius, mean_surface_brightness=brightness)


def blank(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw nothing: sky with whatever neighbours there are."""
    return Truth()


def add_neighbours(scene: Scene, rng: np.random.Generator, preset: Preset) -> None:
    """Add the galaxies and stars that happen to lie in the field, 13 per square arcmin."""
    n = rng.poisson(_DENSITY * (scene.side * preset.pixel_scale / 60) ** 2)
    # all numbers at once: in the wide preset a field holds some thirty
    x, y = (rng.random((2, n)) - 0.5) * scene.side
    mags = np.maximum(_FAINTEST - rng.exponential(1 / (0.33 * np.log(10)), n), 18.0)
    colours, ratios, angles = rng.uniform((0, 0.3, 0), (1, 1.0, np.pi), (n, 3)).T
    drawn = galaxy_redshift(mags, rng)
    sizes = galaxy_radius(mags, rng) / preset.pixel_scale
    are_stars = rng.random(n) < 0.12
    kinds, redshifts = np.round(2 * colours, 1).tolist(), np.round(drawn, 2).tolist()
    g_minus_i = np.round(0.4 + 2.4 * colours, 1).tolist()
    fluxes, shapes = [], []
    for k in range(n):
        bright = 10 ** (-0.4 * mags[k])
        if are_stars[k]:
            scene.add_point(bright * _unit_star(g_minus_i[k]), x[k], y[k])
            continue
        flux = bright * _unit_galaxy(kinds[k], redshifts[k])
        shape = Ellipse(x[k], y[k], sizes[k], ratios[k], angles[k])
        if sizes[k] > SMALL_RADIUS:
            scene.add_sersic(flux, shape, 1.0)
        else:
            fluxes.append(flux)
            shapes.append(shape)
    scene.add_small_discs(np.array(fluxes), shapes)


@lru_cache(maxsize=8192)
def _unit_galaxy(kind: float, redshift: float) -> Floats:
    """Counts of a galaxy of magnitude 0 in r, kept since neighbours are many."""
    return counts(galaxy_magnitudes(kind, redshift, 0.0))


@lru_cache(maxsize=64)
def _unit_star(g_minus_i: float) -> Floats:
    """Counts of a star of magnitude 0 in r."""
    return counts(star_magnitudes(g_minus_i, 0.0))


def add_cirrus(scene: Scene, rng: np.random.Generator, preset: Preset) -> None:
    """Lay faint cirrus over the whole cutout."""
    mags = galaxy_magnitudes(1.4, 0.0, float(rng.uniform(25.5, 27.0)))
    scene.add_surface(surface_counts(mags, preset), cloud(rng, scene.side))
