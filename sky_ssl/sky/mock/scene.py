"""A patch of mock sky before telescope and noise: light is added component by component.

Positions are pixels from the centre of the scene, (x, y); fluxes are counts per band (C,).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import gamma, gammaincinv

Floats = npt.NDArray[np.floating]
Image = npt.NDArray[np.float32]

SMALL_REACH = 6  # pixels from the centre to which small profiles are drawn
SMALL_RADIUS = 1.6  # pixels, largest effective radius drawn so

_CORE = 3  # pixels around the centre of a profile that are sub-sampled, to each side
_FINE = 7  # sub-pixels a side


@dataclass(frozen=True)
class Ellipse:
    """Where a profile lies and how it is turned."""

    x: float = 0.0  # pixels from the centre of the scene
    y: float = 0.0
    radius: float = 1.0  # effective radius along the major axis, pixels
    ratio: float = 1.0  # minor to major axis
    angle: float = 0.0  # of the major axis from x, radians

    def frame(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Turn positions into the plane of the ellipse, in units of the radius."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        dx, dy = x - self.x, y - self.y
        return (
            (cos * dx + sin * dy) / self.radius,
            (cos * dy - sin * dx) / (self.radius * self.ratio),
        )


@dataclass(frozen=True)
class Arms:
    """Logarithmic spiral arms: brightness is multiplied by 1 + depth cos(m (phi - turns))."""

    number: int
    pitch: float  # tangent of the pitch angle
    depth: float  # 0 to 1
    phase: float  # radians


class Scene:
    """Counts (C, S, S) of a patch of sky, float32."""

    def __init__(self, bands: int, side: int) -> None:
        self.pixels: Image = np.zeros((bands, side, side), dtype=np.float32)
        self.side = side

    def add_sersic(
        self, flux: Floats, shape: Ellipse, index: float = 1.0, arms: Arms | None = None
    ) -> None:
        """Add a Sersic profile of this total flux, infinite extent included.

        Sersic 1968; b and the total flux as in Graham & Driver 2005 (PASA 22, 118), eqs 1 to 4.
        """
        y0, y1, x0, x1 = self._window(shape, reach=4.0 + 3.0 * index)
        if y0 >= y1 or x0 >= x1:
            return
        b, norm = _sersic_constants(round(float(index), 2))
        x, y = _axis(self.side)[None, x0:x1], _axis(self.side)[y0:y1, None]
        u, v = shape.frame(x, y)
        r2 = u * u + v * v
        if index == 1.0:
            profile = np.exp(-b * np.sqrt(r2))
        else:
            profile = np.exp(-b * np.maximum(r2, 1e-12) ** (0.5 / index))
        self._refine_core(profile, shape, b, index, (y0, y1, x0, x1))
        if arms is not None:
            # arms wind around the centre, fading where they would be closer than a pixel
            turn = 0.5 * np.log(np.maximum(r2, 1e-3)) / arms.pitch
            wave = np.cos(arms.number * (np.arctan2(v, u) - turn) + arms.phase)
            profile *= 1 + arms.depth * wave * (r2 / (r2 + 0.05))
        profile *= 1.0 / (norm * shape.radius**2 * shape.ratio)
        self._add(flux, profile, (y0, y1, x0, x1))

    def add_small_discs(self, fluxes: Floats, shapes: Sequence[Ellipse]) -> None:
        """Add many exponential profiles of a few pixels at once, out to SMALL_REACH pixels.

        Args:
            fluxes: (N, C) counts.
            shapes: N of them, with a radius of at most SMALL_RADIUS.
        """
        if not len(shapes):
            return
        middle = (self.side - 1) / 2
        x, y, radius, ratio, angle = np.array(
            [(s.x + middle, s.y + middle, s.radius, s.ratio, s.angle) for s in shapes]
        ).T.astype(np.float32)[:, :, None, None]
        sub = 3
        steps = np.arange(-SMALL_REACH * sub - 1, SMALL_REACH * sub + 2, dtype=np.float32) / sub
        column, row = np.rint(x), np.rint(y)
        dx, dy = column - x + steps[None, None, :], row - y + steps[None, :, None]
        cos, sin = np.cos(angle), np.sin(angle)
        r = np.hypot(cos * dx + sin * dy, (cos * dy - sin * dx) / ratio) / radius
        b, _ = _sersic_constants(1.0)
        fine = np.exp(-b * r)  # (N, sub W, sub W)
        # sums of slices: a sum over short axes of a reshaped array is several times slower
        rows = fine[:, 0::sub] + fine[:, 1::sub] + fine[:, 2::sub]
        stamps = rows[:, :, 0::sub] + rows[:, :, 1::sub] + rows[:, :, 2::sub]
        stamps /= stamps.sum(axis=(1, 2), keepdims=True)
        for flux, stamp, i, j in zip(
            fluxes.astype(np.float32), stamps, column.ravel(), row.ravel(), strict=True
        ):
            self._add_stamp(flux, stamp, int(i) - SMALL_REACH, int(j) - SMALL_REACH)

    def _add_stamp(self, flux: Image, stamp: Image, left: int, bottom: int) -> None:
        """Add a stamp whose first pixel lies at (left, bottom), as far as it is inside."""
        x0, x1 = max(left, 0), min(left + stamp.shape[1], self.side)
        y0, y1 = max(bottom, 0), min(bottom + stamp.shape[0], self.side)
        if x0 < x1 and y0 < y1:
            part = stamp[y0 - bottom : y1 - bottom, x0 - left : x1 - left]
            self.pixels[:, y0:y1, x0:x1] += flux[:, None, None] * part

    def add_point(self, flux: Floats, x: float, y: float) -> None:
        """Add a point source, shared among its four nearest pixels."""
        middle = (self.side - 1) / 2
        column, row = x + middle, y + middle
        i, j = int(np.floor(column)), int(np.floor(row))
        fx, fy = column - i, row - j
        for di, dj, share in (
            (0, 0, (1 - fx) * (1 - fy)),
            (1, 0, fx * (1 - fy)),
            (0, 1, (1 - fx) * fy),
            (1, 1, fx * fy),
        ):
            if 0 <= i + di < self.side and 0 <= j + dj < self.side:
                self.pixels[:, j + dj, i + di] += (flux * share).astype(np.float32)

    def add_surface(self, flux: Floats, surface: Floats) -> None:
        """Add a surface (S, S) times counts per pixel (C,)."""
        self._add(flux, surface, (0, self.side, 0, self.side))

    def _add(self, flux: Floats, profile: Floats, window: tuple[int, int, int, int]) -> None:
        y0, y1, x0, x1 = window
        light = np.asarray(profile, dtype=np.float32)
        for band, value in enumerate(flux):
            self.pixels[band, y0:y1, x0:x1] += np.float32(value) * light

    def _window(self, shape: Ellipse, reach: float) -> tuple[int, int, int, int]:
        middle = (self.side - 1) / 2
        half = reach * shape.radius + 2
        y0, y1 = (int(np.floor(shape.y + middle + s * half)) for s in (-1, 1))
        x0, x1 = (int(np.floor(shape.x + middle + s * half)) for s in (-1, 1))
        edge = self.side
        return max(y0, 0), min(y1 + 1, edge), max(x0, 0), min(x1 + 1, edge)

    def _refine_core(
        self,
        profile: Floats,
        shape: Ellipse,
        b: float,
        index: float,
        window: tuple[int, int, int, int],
    ) -> None:
        """Average the innermost pixels over sub-pixels, since a cusp falls within one pixel."""
        y0, y1, x0, x1 = window
        middle = (self.side - 1) / 2
        row, column = round(shape.y + middle), round(shape.x + middle)
        r0, r1 = max(row - _CORE, y0), min(row + _CORE + 1, y1)
        c0, c1 = max(column - _CORE, x0), min(column + _CORE + 1, x1)
        if r0 >= r1 or c0 >= c1:
            return
        fine = (np.arange(_FINE, dtype=np.float32) - (_FINE - 1) / 2) / _FINE
        y = (np.arange(r0, r1)[:, None] + fine).reshape(-1, 1) - middle
        x = (np.arange(c0, c1)[:, None] + fine).reshape(1, -1) - middle
        u, v = shape.frame(x, y)
        values = np.exp(-b * np.maximum(u * u + v * v, 1e-12) ** (0.5 / index))
        parts = values.reshape(r1 - r0, _FINE, c1 - c0, _FINE).mean(axis=(1, 3))
        profile[r0 - y0 : r1 - y0, c0 - x0 : c1 - x0] = parts


@lru_cache(maxsize=4)
def _axis(side: int) -> Image:
    """Pixel positions from the centre of the scene."""
    return (np.arange(side) - (side - 1) / 2).astype(np.float32)


@lru_cache(maxsize=2048)
def _sersic_constants(index: float) -> tuple[float, float]:
    """Give b, and the total flux of exp(-b r^(1/n)) for unit radius and axis ratio."""
    b = float(gammaincinv(2 * index, 0.5))
    return b, float(2 * np.pi * index * b ** (-2 * index) * gamma(2 * index))


def cloud(rng: np.random.Generator, side: int, slope: float = 3.0) -> Image:
    """Draw a cloudy surface (side, side), smallest value 0 and mean 1: Galactic cirrus.

    A Gaussian field of power k^-slope (Miville-Deschenes et al. 2016, A&A 593, A4: 2.9), raised so
    that it has filaments.
    """
    k = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    k[0, 0] = 1.0
    noise = np.fft.rfft2(rng.standard_normal((side, side))) * k ** (-slope / 2)
    noise[0, 0] = 0.0
    field = np.fft.irfft2(noise, (side, side))
    field = np.exp(0.7 * field / field.std())
    field -= field.min()
    return (field / field.mean()).astype(np.float32)
