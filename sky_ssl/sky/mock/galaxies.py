"""Galaxies of the mock survey, dwarfs and spirals of low surface brightness among them.

Each function draws the light of one object into a scene and returns the truth about it.
"""

import numpy as np

from sky_ssl.sky.mock.conditions import BANDS, ZERO_POINT, Preset
from sky_ssl.sky.mock.distributions import (
    Truth,
    counts,
    draw_diffuse,
    galaxy_magnitude,
    galaxy_radius,
    galaxy_redshift,
    mean_brightness,
    place,
)
from sky_ssl.sky.mock.scene import Arms, Ellipse, Scene
from sky_ssl.sky.mock.spectra import galaxy_magnitudes


def elliptical(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw an early-type galaxy: one Sersic profile."""
    mag = galaxy_magnitude(rng)
    redshift = float(galaxy_redshift(mag, rng)) * 1.15
    mags = galaxy_magnitudes(abs(rng.normal(0.0, 0.18)), redshift, mag)
    index = float(np.clip(rng.normal(3.4, 0.9), 1.5, 6.0))
    radius, ratio = float(galaxy_radius(mag, rng)), float(rng.uniform(0.4, 1.0))
    x, y = place(rng)
    shape = Ellipse(x, y, radius / preset.pixel_scale, ratio, rng.uniform(0, np.pi))
    scene.add_sersic(counts(mags), shape, index)
    return Truth(redshift, mags, radius, mean_brightness(mag, radius, ratio), ratio, index)


def _spiral(
    scene: Scene,
    rng: np.random.Generator,
    preset: Preset,
    *,
    kind: float,
    redshift: float,
    mag: float,
    radius: float,
    ratio: float,
    bulge: float,
    knots: int,
) -> Truth:
    """Draw bulge, disc with arms, and knots of young stars along the disc."""
    disc = galaxy_magnitudes(kind + 0.15, redshift, mag)
    old = galaxy_magnitudes(max(kind - 0.8, 0.0), redshift, mag)
    young = galaxy_magnitudes(2.0, redshift, mag)
    x, y = place(rng)
    angle = rng.uniform(0, np.pi)
    pixels = radius / preset.pixel_scale
    shape = Ellipse(x, y, pixels, ratio, angle)
    arms = Arms(
        number=int(rng.choice([2, 2, 3, 4])),
        pitch=float(np.tan(np.deg2rad(rng.uniform(13, 35))) * rng.choice([-1, 1])),
        depth=float(rng.uniform(0.7, 1.0)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )
    spots = rng.uniform(0.1, 0.35) if knots else 0.0
    parts = (1 - bulge - spots) * counts(disc), bulge * counts(old), spots * counts(young)
    scene.add_sersic(parts[0], shape, 1.0, arms)
    core = Ellipse(x, y, max(0.22 * pixels, 0.3), max(ratio, 0.7), angle)
    scene.add_sersic(parts[1], core, 2.0)
    weights = rng.dirichlet(np.ones(knots)) if knots else ()
    for weight in weights:
        r, phi = pixels * rng.uniform(0.3, 1.8), rng.uniform(0, 2 * np.pi)
        u, v = r * np.cos(phi), r * np.sin(phi) * ratio
        dx, dy = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
        scene.add_point(parts[2] * weight, x + dx, y + dy)
    mags = ZERO_POINT - 2.5 * np.log10(sum(parts))
    return Truth(redshift, mags, radius, mean_brightness(mags[2], radius, ratio), ratio, 1.0)


def spiral(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a disc galaxy with bulge and arms."""
    mag = galaxy_magnitude(rng)
    return _spiral(
        scene,
        rng,
        preset,
        kind=float(np.clip(rng.normal(1.15, 0.35), 0.4, 1.9)),
        redshift=float(galaxy_redshift(mag, rng)),
        mag=mag,
        radius=1.25 * float(galaxy_radius(mag, rng)),
        ratio=float(rng.uniform(0.2, 1.0)),
        bulge=float(rng.uniform(0.05, 0.45)),
        knots=int(rng.integers(0, 8)),
    )


def lsb_spiral(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a spiral of low surface brightness: as large, faint and round as a dwarf."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    mag = brightness - 2.5 * np.log10(2 * np.pi * radius**2 * ratio)
    return _spiral(
        scene,
        rng,
        preset,
        kind=float(np.clip(rng.normal(0.95, 0.28), 0.3, 1.9)),
        redshift=float(rng.uniform(0.01, 0.10)),
        mag=float(mag),
        radius=radius,
        ratio=ratio,
        bulge=float(rng.uniform(0.06, 0.18)),
        knots=int(rng.integers(4, 13)),
    )


def dwarf(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a dwarf galaxy: one smooth profile of one colour, sometimes with a nucleus."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    mag = float(brightness - 2.5 * np.log10(2 * np.pi * radius**2 * ratio))
    redshift = float(rng.uniform(0.002, 0.03))
    mags = galaxy_magnitudes(float(np.clip(rng.normal(1.37, 0.30), 0.3, 2.0)), redshift, mag)
    index = float(np.clip(rng.normal(0.85, 0.17), 0.4, 1.5))
    x, y = place(rng)
    shape = Ellipse(x, y, radius / preset.pixel_scale, ratio, rng.uniform(0, np.pi))
    nucleus = float(rng.uniform(0.01, 0.06)) if rng.random() < 0.35 else 0.0
    scene.add_sersic((1 - nucleus) * counts(mags), shape, index)
    if nucleus:
        scene.add_point(nucleus * counts(mags), x, y)
    return Truth(redshift, mags, radius, brightness, ratio, index)


def irregular(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw an irregular galaxy with knots, or a pair that merges, with a tail."""
    mag = galaxy_magnitude(rng)
    redshift = float(galaxy_redshift(mag, rng))
    kind = float(np.clip(rng.normal(1.7, 0.3), 0.8, 2.0))
    mags = galaxy_magnitudes(kind, redshift, mag)
    flux = counts(mags)
    radius, ratio = 0.95 * float(galaxy_radius(mag, rng)), float(rng.uniform(0.3, 0.9))
    pixels = radius / preset.pixel_scale
    x, y = place(rng)
    angle = rng.uniform(0, np.pi)
    merger = rng.random() < 0.4
    body = 0.5 if merger else 0.75
    index = float(rng.uniform(0.6, 1.4))
    scene.add_sersic(body * flux, Ellipse(x, y, pixels, ratio, angle), index)
    if merger:
        dx, dy = rng.normal(0, 1.0, 2) * pixels
        other = Ellipse(x + dx, y + dy, 0.7 * pixels, rng.uniform(0.4, 1), rng.uniform(0, np.pi))
        scene.add_sersic(0.35 * flux, other, rng.uniform(0.8, 3.0))
        bend = rng.uniform(-0.5, 0.5)
        for step in np.linspace(1.0, 3.2, 9):
            direction = angle + bend * step
            scene.add_sersic(
                0.15 / 9 * flux,
                Ellipse(
                    x + step * pixels * np.cos(direction),
                    y + step * pixels * np.sin(direction),
                    0.35 * pixels,
                ),
            )
    else:
        for weight in rng.dirichlet(np.ones(6)):
            dx, dy = rng.normal(0, 0.8, 2) * pixels
            young = galaxy_magnitudes(2.0, redshift, mag)
            scene.add_point(0.25 * weight * counts(young), x + dx, y + dy * ratio)
    return Truth(redshift, mags, radius, mean_brightness(mag, radius, ratio), ratio, index)


def group(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a knot of faint distant galaxies that together look like one diffuse source."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    mag = brightness - 2.5 * np.log10(2 * np.pi * radius**2 * ratio)
    redshift = float(rng.uniform(0.25, 0.8))
    total = np.zeros(len(BANDS))
    pixels = radius / preset.pixel_scale
    # part of the light is spread as in a group's own halo; members are blended by the seeing
    for share in rng.dirichlet(np.full(rng.integers(5, 12), 3.0)):
        mags = galaxy_magnitudes(
            float(np.clip(rng.normal(0.5, 0.4), 0, 2)), redshift, mag - 2.5 * np.log10(share)
        )
        dx, dy = rng.normal(0, 0.75, 2) * pixels
        size = min(rng.uniform(0.2, 0.5) * radius, rng.uniform(0.5, 1.3)) / preset.pixel_scale
        scene.add_sersic(counts(mags), Ellipse(dx, dy * ratio, size, rng.uniform(0.5, 1)))
        total += counts(mags)
    mags = ZERO_POINT - 2.5 * np.log10(total)
    return Truth(redshift, mags, radius, brightness, ratio)
