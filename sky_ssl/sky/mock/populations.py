"""What lies at the centre of a mock cutout: twelve populations and how often each occurs.

Each population draws its light into a scene and returns the truth about it. Dwarfs and the spirals
of low surface brightness draw size, surface brightness and axis ratio from ONE function, so that
only structure and a little colour tell them apart.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sky_ssl.sky.mock.conditions import BANDS, ZERO_POINT, Preset
from sky_ssl.sky.mock.scene import SMALL_RADIUS, Arms, Ellipse, Scene, cloud
from sky_ssl.sky.mock.spectra import galaxy_magnitudes, quasar_magnitudes, star_magnitudes

Floats = npt.NDArray[np.float64]

PRIOR: Mapping[str, float] = MappingProxyType(
    {
        "star": 0.22,
        "qso": 0.05,
        "elliptical": 0.16,
        "spiral": 0.28,
        "irregular": 0.08,
        "dwarf": 0.02,
        "cirrus": 0.02,
        "halo": 0.02,
        "lsb_spiral": 0.06,
        "group": 0.02,
        "artefact": 0.03,
        "blank": 0.04,
    }
)
LOOK_ALIKES = ("cirrus", "halo", "lsb_spiral", "group")


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


def _place(rng: np.random.Generator) -> tuple[float, float]:
    """Objects lie within a pixel or so of the centre, as a detection puts them."""
    x, y = rng.normal(0.0, 0.7, 2)
    return float(x), float(y)


def _galaxy_redshift(mag_r: float, rng: np.random.Generator) -> float:
    """Draw a redshift for an apparent magnitude, as in a flux-limited survey."""
    median = 0.09 * 10 ** (0.115 * (mag_r - 17.5))
    return float(np.clip(median * rng.lognormal(0.0, 0.35), 0.005, 1.6))


def _galaxy_magnitude(rng: np.random.Generator, faint: float = 23.6) -> float:
    """Draw r between 17 and `faint`, with counts rising by 0.3 dex a magnitude."""
    return float(max(faint - rng.exponential(1 / (0.3 * np.log(10))), 17.0))


def _galaxy_radius(mag_r: float, rng: np.random.Generator) -> float:
    """Effective radius [arcsec] against magnitude."""
    return float(2.8 * 10 ** (-0.115 * (mag_r - 17.5)) * rng.lognormal(0.0, 0.28))


def star(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a star of the stellar locus."""
    blue = rng.random() < 0.4
    colour = rng.normal(0.65, 0.15) if blue else rng.normal(2.0, 0.5)
    mags = star_magnitudes(float(np.clip(colour, 0.1, 3.2)), float(rng.uniform(16.0, 24.0)))
    mags = mags + rng.normal(0.0, 0.03, len(BANDS))
    scene.add_point(counts(mags), *_place(rng))
    return Truth(0.0, mags)


def qso(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a quasar, sometimes with its host."""
    redshift = float(rng.gamma(3.5, 0.45) + 0.2)
    mags = quasar_magnitudes(redshift, rng.normal(-0.5, 0.25), float(rng.uniform(18.0, 23.5)))
    x, y = _place(rng)
    scene.add_point(counts(mags), x, y)
    if redshift < 0.7:
        host = galaxy_magnitudes(rng.uniform(0.0, 1.0), redshift, mags[2] + rng.uniform(0.5, 2))
        scene.add_sersic(counts(host), Ellipse(x, y, 0.8 / preset.pixel_scale, 0.8), 2.0)
    return Truth(redshift, mags)


def elliptical(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw an early-type galaxy: one Sersic profile."""
    mag = _galaxy_magnitude(rng)
    redshift = _galaxy_redshift(mag, rng) * 1.15
    mags = galaxy_magnitudes(abs(rng.normal(0.0, 0.18)), redshift, mag)
    index = float(np.clip(rng.normal(3.4, 0.9), 1.5, 6.0))
    radius, ratio = _galaxy_radius(mag, rng), float(rng.uniform(0.4, 1.0))
    x, y = _place(rng)
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
    x, y = _place(rng)
    angle = rng.uniform(0, np.pi)
    pixels = radius / preset.pixel_scale
    shape = Ellipse(x, y, pixels, ratio, angle)
    arms = Arms(
        number=int(rng.choice([2, 2, 3, 4])),
        pitch=float(np.tan(np.deg2rad(rng.uniform(13, 35))) * rng.choice([-1, 1])),
        depth=float(rng.uniform(0.35, 0.95)),
        phase=float(rng.uniform(0, 2 * np.pi)),
    )
    spots = 0.18 * rng.random() if knots else 0.0
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
    mag = _galaxy_magnitude(rng)
    return _spiral(
        scene,
        rng,
        preset,
        kind=float(np.clip(rng.normal(1.15, 0.35), 0.4, 1.9)),
        redshift=_galaxy_redshift(mag, rng),
        mag=mag,
        radius=1.25 * _galaxy_radius(mag, rng),
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
        kind=float(np.clip(rng.normal(1.05, 0.28), 0.3, 1.9)),
        redshift=float(rng.uniform(0.01, 0.10)),
        mag=float(mag),
        radius=radius,
        ratio=ratio,
        bulge=float(rng.uniform(0.06, 0.20)),
        knots=int(rng.integers(2, 9)),
    )


def dwarf(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a dwarf galaxy: one smooth profile of one colour, sometimes with a nucleus."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    mag = float(brightness - 2.5 * np.log10(2 * np.pi * radius**2 * ratio))
    redshift = float(rng.uniform(0.002, 0.03))
    mags = galaxy_magnitudes(float(np.clip(rng.normal(1.35, 0.30), 0.3, 2.0)), redshift, mag)
    index = float(np.clip(rng.normal(0.85, 0.17), 0.4, 1.5))
    x, y = _place(rng)
    shape = Ellipse(x, y, radius / preset.pixel_scale, ratio, rng.uniform(0, np.pi))
    nucleus = float(rng.uniform(0.01, 0.06)) if rng.random() < 0.35 else 0.0
    scene.add_sersic((1 - nucleus) * counts(mags), shape, index)
    if nucleus:
        scene.add_point(nucleus * counts(mags), x, y)
    return Truth(redshift, mags, radius, brightness, ratio, index)


def irregular(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw an irregular galaxy with knots, or a pair that merges, with a tail."""
    mag = _galaxy_magnitude(rng)
    redshift = _galaxy_redshift(mag, rng)
    kind = float(np.clip(rng.normal(1.7, 0.3), 0.8, 2.0))
    mags = galaxy_magnitudes(kind, redshift, mag)
    flux = counts(mags)
    radius, ratio = 1.2 * _galaxy_radius(mag, rng), float(rng.uniform(0.3, 0.9))
    pixels = radius / preset.pixel_scale
    x, y = _place(rng)
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


def cirrus(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw a knot of Galactic cirrus: a cloudy surface under a broad window."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    # colours of scattered light, between those of dwarfs and bluer (Roman et al. 2020)
    mags = galaxy_magnitudes(float(rng.normal(1.0, 0.3)), 0.0, brightness)
    shape = Ellipse(*_place(rng), 1.3 * radius / preset.pixel_scale, ratio, rng.uniform(0, np.pi))
    axis = np.arange(scene.side) - (scene.side - 1) / 2
    u, v = shape.frame(axis[None, :], axis[:, None])
    window = 0.5 + 0.5 * np.exp(-0.7 * (u * u + v * v))
    scene.add_surface(surface_counts(mags, preset), cloud(rng, scene.side) * window)
    return Truth(half_light_radius=radius, mean_surface_brightness=brightness, axis_ratio=ratio)


def halo(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw the halo or the reflection of a bright star that lies off the centre."""
    radius, brightness, ratio = draw_diffuse(rng, preset)
    mags = star_magnitudes(float(rng.uniform(0.6, 1.8)), brightness)
    axis = np.arange(scene.side) - (scene.side - 1) / 2
    pixels = radius / preset.pixel_scale
    flux = surface_counts(mags, preset)
    if rng.random() < 0.5:  # a reflection: a disc with soft edges, out of focus
        x, y = _place(rng)
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


def under_artefact(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw what an artefact falls on: a star or a galaxy as often as empty sky."""
    (blank, star, spiral)[rng.choice(3, p=[0.5, 0.25, 0.25])](scene, rng, preset)
    return Truth()


DRAW: Mapping[str, Callable[[Scene, np.random.Generator, Preset], Truth]] = MappingProxyType(
    {
        "star": star,
        "qso": qso,
        "elliptical": elliptical,
        "spiral": spiral,
        "irregular": irregular,
        "dwarf": dwarf,
        "cirrus": cirrus,
        "halo": halo,
        "lsb_spiral": lsb_spiral,
        "group": group,
        "artefact": under_artefact,
        "blank": blank,
    }
)


def add_neighbours(scene: Scene, rng: np.random.Generator, preset: Preset) -> None:
    """Add the galaxies and stars that happen to lie in the field, 18 per square arcmin."""
    area = (scene.side * preset.pixel_scale / 60) ** 2
    fluxes, shapes = [], []
    for _ in range(rng.poisson(18 * area)):
        x, y = (rng.random(2) - 0.5) * scene.side
        mag = float(max(25.4 - rng.exponential(1 / (0.33 * np.log(10))), 18.0))
        if rng.random() < 0.12:
            scene.add_point(counts(star_magnitudes(rng.uniform(0.4, 2.8), mag)), x, y)
            continue
        redshift = round(_galaxy_redshift(mag, rng), 2)
        flux = 10 ** (-0.4 * mag) * _unit_counts(round(rng.uniform(0.0, 2.0), 1), redshift)
        size = _galaxy_radius(mag, rng) / preset.pixel_scale
        shape = Ellipse(x, y, size, rng.uniform(0.3, 1.0), rng.uniform(0, np.pi))
        if size > SMALL_RADIUS:
            scene.add_sersic(flux, shape, 1.0)
        else:
            fluxes.append(flux)
            shapes.append(shape)
    scene.add_small_discs(np.array(fluxes), shapes)


@lru_cache(maxsize=4096)
def _unit_counts(kind: float, redshift: float) -> Floats:
    """Counts of a galaxy of magnitude 0 in r, kept since neighbours are many."""
    return counts(galaxy_magnitudes(kind, redshift, 0.0))


def add_cirrus(scene: Scene, rng: np.random.Generator, preset: Preset) -> None:
    """Lay faint cirrus over the whole cutout."""
    mags = galaxy_magnitudes(1.4, 0.0, float(rng.uniform(25.0, 26.5)))
    scene.add_surface(surface_counts(mags, preset), cloud(rng, scene.side))
