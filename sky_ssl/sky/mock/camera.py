"""Telescope and detector of the mock survey: seeing, noise, saturation, artefacts, missing data."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from sky_ssl.sky.mock.conditions import BANDS, SIZE, MockTile, Preset, gain, pixel_sigma

Image = npt.NDArray[np.float32]
Transfer = npt.NDArray[np.complex64]

MARGIN = 16  # pixels around a cutout that are rendered too, so that light can come in
SIDE = SIZE + 2 * MARGIN
_FINE = 4  # sub-pixels a side at which the PSF is evaluated
_FULL_WELL = 30_000.0  # counts per native pixel
_EDGE = 0.02  # share of cutouts with an edge without data


@lru_cache(maxsize=128)
def _radius_grid() -> npt.NDArray[np.float64]:
    """Sub-pixel positions (SIDE * _FINE,) from the centre of pixel 0, wrapped, in pixels."""
    fine = (np.arange(_FINE) - (_FINE - 1) / 2) / _FINE
    return (fft.fftfreq(SIDE, 1 / SIDE)[:, None] + fine).ravel()


def transfer(tile: MockTile, preset: Preset) -> Transfer:
    """Give the Fourier transform (C, SIDE, SIDE/2+1) of the PSF of a tile, pixel included.

    Elliptical Moffat profiles (Moffat 1969, A&A 3, 455), averaged over each pixel.
    """
    axis = _radius_grid()
    kernels = np.empty((len(BANDS), SIDE, SIDE))
    for band in range(len(BANDS)):
        beta, (e1, e2) = tile.beta[band], tile.ellipticity[band]
        width = tile.seeing[band] / preset.pixel_scale / (2 * np.sqrt(2 ** (1 / beta) - 1))
        x, y = axis[None, :], axis[:, None]
        r2 = (1 - e1) * x * x + (1 + e1) * y * y - 2 * e2 * x * y
        fine = (1 + r2 / width**2) ** -beta
        kernel = fine.reshape(SIDE, _FINE, SIDE, _FINE).mean(axis=(1, 3))
        kernels[band] = kernel / kernel.sum()
    result: Transfer = fft.rfft2(kernels).astype(np.complex64)
    return result


def expose(
    scenes: Image,
    transfers: Transfer,
    tiles: list[MockTile],
    preset: Preset,
    rngs: list[np.random.Generator],
) -> Image:
    """Blur, sample and add noise.

    Args:
        scenes: (B, C, SIDE, SIDE) counts.
        transfers: (B, C, SIDE, SIDE/2+1) of the PSF of each.
        tiles: of each scene, for depth and missing band.
        preset: sampling.
        rngs: one generator for each scene.

    Returns:
        (B, C, SIZE, SIZE) counts, the mean of the sky taken off; NaN = no data.
    """
    blurred = fft.irfft2(fft.rfft2(scenes) * transfers, (SIDE, SIDE))
    images = np.ascontiguousarray(blurred[..., MARGIN:-MARGIN, MARGIN:-MARGIN], dtype=np.float32)
    per_count = gain().astype(np.float32)[:, None, None]
    ceiling = np.float32(_FULL_WELL * preset.binning**2)
    for image, tile, rng in zip(images, tiles, rngs, strict=True):
        sigma = pixel_sigma(tile.depth, preset).astype(np.float32)[:, None, None]
        # Poisson noise of the source as a Gaussian: the sky alone gives thousands of electrons
        noise = np.sqrt(sigma**2 + np.maximum(image, 0) / per_count)
        image += noise * rng.standard_normal(image.shape, dtype=np.float32)
        image += sigma * rng.normal(0.0, 0.04, sigma.shape).astype(np.float32)
        np.minimum(image, ceiling, out=image)
        if tile.missing >= 0:
            image[tile.missing] = np.nan
        if rng.random() < _EDGE:
            _cut_edge(image, rng)
    return images


def _cut_edge(image: Image, rng: np.random.Generator) -> None:
    """Let the detector end within the cutout."""
    width = int(rng.integers(4, 26))
    side = rng.integers(4)
    view = image if side < 2 else image.swapaxes(1, 2)
    view[:, slice(0, width) if side % 2 else slice(-width, None)] = np.nan


def add_artefact(image: Image, sigma: npt.NDArray[np.float64], rng: np.random.Generator) -> None:
    """Put an artefact on an image (C, SIZE, SIZE): trail, cosmic rays, bad columns or a ghost."""
    kind = rng.choice(["trail", "rays", "columns", "ghost"])
    band = int(rng.integers(len(BANDS)))
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float32) - np.float32((SIZE - 1) / 2)
    if kind == "trail":  # a satellite in one band, an aircraft in several
        angle, offset = rng.uniform(0, np.pi), rng.normal(0, 5)
        across = np.cos(angle) * x + np.sin(angle) * y - offset
        width = rng.uniform(1.2, 4.0)
        for b in {band, int(rng.integers(len(BANDS)))}:
            image[b] += sigma[b] * rng.uniform(5, 60) * np.exp(-0.5 * (across / width) ** 2)
    elif kind == "rays":
        for _ in range(rng.integers(2, 12)):
            b = int(rng.integers(len(BANDS)))
            x0, y0 = rng.uniform(4, SIZE - 4, 2)
            angle, length = rng.uniform(0, np.pi), rng.uniform(1, 14)
            steps = np.linspace(-length / 2, length / 2, int(2 * length) + 2)
            i = np.clip((x0 + steps * np.cos(angle)).astype(int), 0, SIZE - 1)
            j = np.clip((y0 + steps * np.sin(angle)).astype(int), 0, SIZE - 1)
            image[b, j, i] += sigma[b] * rng.uniform(20, 300)
    elif kind == "columns":
        for _ in range(rng.integers(1, 4)):
            column = int(rng.integers(SIZE))
            image[band, :, column] += sigma[band] * rng.choice([-1, 1]) * rng.uniform(4, 40)
    else:  # the pupil, out of focus
        outer = rng.uniform(12, 26)
        x0, y0 = rng.normal(0, 6, 2)
        r = np.hypot(x - x0, y - y0) / outer
        ring = 1 / (1 + np.exp(np.clip((r - 1) * 25, -50, 50)))
        ring *= 1 / (1 + np.exp(np.clip((0.45 - r) * 25, -50, 50)))
        strength = rng.uniform(1.0, 5.0)
        image += (strength * sigma * rng.uniform(0.6, 1.4, len(BANDS)))[:, None, None] * ring
