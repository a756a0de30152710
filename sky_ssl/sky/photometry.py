"""Fluxes, sizes and surface brightness of detected sources, by plain sums over pixels.

In: background-subtracted bands, a detection image in units of its noise, which pixel belongs to
which source, and the sources' ellipses. Out: Kron fluxes and errors per band in one aperture per
source, half-light radius, flags. Pixels of neighbours and pixels without data are replaced by
those opposite to them, as SExtractor does (Bertin & Arnouts 1996, A&AS 117, 393).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KRON_FACTOR, KRON_MINIMUM = 2.5, 3.5
KRON_REGION = 6.0
"""The Kron radius is measured within so many semi-axes; the aperture is never larger."""
_MAX_HALF = 400  # pixels; half the side of the largest stamp

BLENDED, TRUNCATED, CROWDED, NO_DATA = 1, 2, 4, 8
"""Flags: separated from a neighbour; at the edge of the image; more than a tenth of the aperture
belongs to neighbours; more than a tenth of the aperture has no data in some band of the tile."""


@dataclass(frozen=True)
class Ellipses:
    """Shapes of N sources, pixels and radians from +x towards +y."""

    x: Floats
    y: Floats
    a: Floats
    b: Floats
    theta: Floats
    label: npt.NDArray[np.int64]  # of the source in the segmentation map


@dataclass(frozen=True)
class Measurements:
    """Measurements of N sources in C bands; counts, pixels."""

    flux: Floats  # (C, N), NaN where more than half of the aperture has no data
    flux_error: Floats  # (C, N) of the sky noise alone: the gain is not known
    snr: Floats  # (N,) in the detection image
    kron: Floats  # (N,) semi-major axis of the aperture
    half_light: Floats  # (N,) radius of the circle with half of the aperture's light
    flags: npt.NDArray[np.int64]  # (N,)


def measure(
    bands: npt.NDArray[np.float32],
    noise: Floats,
    detection: npt.NDArray[np.float32],
    segments: npt.NDArray[np.int32],
    sources: Ellipses,
) -> Measurements:
    """Measure sources.

    Args:
        bands: (C, H, W) without background, NaN = no data.
        noise: (C, N) sigma of a pixel at each source; NaN where a band is missing.
        detection: (H, W) in units of its noise, NaN = no data in any band.
        segments: (H, W) label of the source a pixel belongs to, 0 = sky.
        sources: the N sources.
    """
    C, N = noise.shape
    flux, error = np.full((C, N), np.nan), np.full((C, N), np.nan)
    snr, kron, half = np.zeros(N), np.zeros(N), np.full(N, np.nan)
    flags = np.zeros(N, dtype=np.int64)
    for i, (window, inside) in enumerate(_stamps(sources, detection.shape)):
        dy, dx = _offsets(window, sources.x[i], sources.y[i])
        radius = _elliptical_radius(dx, dy, sources.a[i], sources.b[i], sources.theta[i])
        label = _take(segments, window, inside, 0)
        other = (label != 0) & (label != sources.label[i])
        light, _ = _fill(_take(detection, window, inside, np.nan), other)
        reach = _kron_reach(light, radius)
        # a soft edge, one pixel wide, stands for the share of a pixel inside the ellipse
        scale = np.sqrt(sources.a[i] * sources.b[i])
        weight = np.clip((reach - radius) * scale + 0.5, 0.0, 1.0)
        area = weight.sum()
        kron[i] = reach * sources.a[i]
        snr[i] = (weight * light).sum() / np.sqrt((weight**2).sum())
        half[i] = _half_light(light, np.hypot(dx, dy), (weight * light).sum())
        lost = 0.0
        for c in np.flatnonzero(np.isfinite(noise[:, i])):
            pixels, missing = _fill(_take(bands[c], window, inside, np.nan), other)
            share = (weight * missing).sum() / area
            lost = max(lost, share)
            if share <= 0.5:
                flux[c, i] = (weight * pixels).sum()
                error[c, i] = noise[c, i] * np.sqrt((weight**2).sum())
        flags[i] |= CROWDED * bool((weight * other).sum() > 0.1 * area)
        flags[i] |= NO_DATA * bool(lost > 0.1)
    return Measurements(flux, error, snr, kron, half, flags)


Window = tuple[int, int, int, int]  # y0, y1, x0, x1, may reach beyond the image


def _stamps(sources: Ellipses, shape: tuple[int, ...]) -> Iterator[tuple[Window, bool]]:
    """Give a window around each source, symmetric about its central pixel."""
    H, W = shape
    for x, y, a in zip(sources.x, sources.y, sources.a, strict=True):
        half = min(int(np.ceil(KRON_REGION * a)) + 2, _MAX_HALF)
        cx, cy = round(float(x)), round(float(y))
        window = (cy - half, cy + half + 1, cx - half, cx + half + 1)
        yield window, window[0] >= 0 and window[2] >= 0 and window[1] <= H and window[3] <= W


def _take(image: npt.NDArray, window: Window, inside: bool, outside: float) -> npt.NDArray:
    """Cut a window out of an image, filled where it reaches beyond."""
    y0, y1, x0, x1 = window
    if inside:
        return image[y0:y1, x0:x1]
    H, W = image.shape
    result = np.full((y1 - y0, x1 - x0), outside, dtype=image.dtype)
    top, bottom, left, right = max(y0, 0), min(y1, H), max(x0, 0), min(x1, W)
    result[top - y0 : bottom - y0, left - x0 : right - x0] = image[top:bottom, left:right]
    return result


def _offsets(window: Window, x: float, y: float) -> tuple[Floats, Floats]:
    y0, y1, x0, x1 = window
    rows, columns = np.arange(y0, y1, dtype=np.float64), np.arange(x0, x1, dtype=np.float64)
    return rows[:, None] - y, columns[None, :] - x


def _elliptical_radius(dx: Floats, dy: Floats, a: float, b: float, theta: float) -> Floats:
    """Measure the distance from the centre in units of the semi-axes."""
    cosine, sine = np.cos(theta), np.sin(theta)
    along, across = dx * cosine + dy * sine, dy * cosine - dx * sine
    return np.hypot(along / a, across / b)


def _fill(pixels: npt.NDArray, other: npt.NDArray[np.bool_]) -> tuple[Floats, npt.NDArray]:
    """Replace pixels of others, or without data, by those opposite; 0 where that is no better.

    Returns:
        The pixels, and which have no data of their own.
    """
    missing = ~np.isfinite(pixels)
    bad = missing | other
    filled = np.where(bad, 0.0, pixels).astype(np.float64)
    if bad.any():
        opposite, free = filled[::-1, ::-1], ~bad[::-1, ::-1]
        filled = np.where(bad & free, opposite, filled)
    return filled, missing


def _kron_reach(light: Floats, radius: Floats) -> float:
    """Choose the size of the aperture in units of the semi-axes, from the first moment."""
    near = radius < KRON_REGION
    total = light[near].sum()
    moment = (radius[near] * light[near]).sum() / total if total > 0 else 0.0
    return float(np.clip(KRON_FACTOR * moment, KRON_MINIMUM, KRON_REGION))


def _half_light(light: Floats, distance: Floats, total: float) -> float:
    """Find the radius of the circle with half of the total.

    The n nearest pixels fill the area of a circle of radius sqrt(n / pi), which is smooth where
    distances of whole pixels are not.
    """
    if not total > 0:
        return float("nan")
    order = np.argsort(distance, axis=None)
    grown = np.cumsum(light.ravel()[order])
    n = int(np.argmax(grown >= total / 2))
    if grown[n] < total / 2:
        return float("nan")
    before = grown[n - 1] if n else 0.0
    return float(np.sqrt((n + (total / 2 - before) / (grown[n] - before)) / np.pi))
