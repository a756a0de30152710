"""What can be had without a network: photometry and principal components of the pixels.

Cutouts in, features out. Every result of an embedding is shown beside these.
"""

import numpy as np
import numpy.typing as npt

Features = npt.NDArray[np.float64]

_APERTURE = 16.0  # pixels, radius for the total flux
_CORE = 5.0  # pixels, radius in which something must be seen before it has a size
_DETECTED = 5.0  # sigma, in the sum of all bands
_RADII = np.array([2.0, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20])  # pixels, of the curve of growth


def photometry(images: npt.NDArray[np.floating], sky_sigma: npt.ArrayLike) -> Features:
    """Measure flux per band, colours and size of the central object, as a catalogue would.

    Args:
        images: (N, C, H, W) physical, NaN = no data.
        sky_sigma: (C,) noise per pixel, in the same unit.

    Returns:
        (N, 2 C): C asinh fluxes in units of their noise, C - 1 differences of neighbouring ones,
        and the half-light radius [pixels] in the sum of all bands, 0 where nothing is
        detected. A band without data gets the median of the set.
    """
    sigma = np.asarray(sky_sigma, dtype=np.float64)
    radius, growth, area = _curve_of_growth(images, sigma)
    place = int(np.argmin(np.abs(radius - _APERTURE)))
    noise = sigma * np.sqrt(area[place])
    flux = np.arcsinh(growth[:, :, place] / noise)
    flux = np.where(np.isnan(flux), np.nanmedian(flux, axis=0), flux)
    total = np.nansum(growth / sigma[:, None], axis=1)  # (N, R)
    seen = np.isfinite(growth[:, :, 0]).sum(axis=1)  # bands
    first = int(np.argmin(np.abs(radius - _CORE)))
    detected = total[:, first] > _DETECTED * np.sqrt(area[first] * np.maximum(seen, 1))
    size = np.where(detected, _half_light(radius, total, place), 0.0)
    return np.column_stack([flux, np.diff(flux, axis=1), size])


def pixel_features(
    images: npt.NDArray[np.floating], sky_sigma: npt.ArrayLike, softening: float = 2.0
) -> npt.NDArray[np.float32]:
    """Scale pixels as asinh(x / (softening sigma)) and lay them out in rows.

    Args:
        images: (N, C, H, W) physical, NaN = no data, taken as sky.
        sky_sigma: (C,) noise.
        softening: where the scale turns from linear to logarithmic, in sigma.

    Returns:
        (N, C H W).
    """
    width = (np.asarray(sky_sigma, dtype=np.float32) * softening)[:, None, None]
    scaled = np.arcsinh(np.nan_to_num(images / width))
    return scaled.reshape(len(images), -1).astype(np.float32)


def radial_features(images: npt.NDArray[np.floating], rings: int = 7) -> Features:
    """Measure colour pictures as one would by hand: profiles, their scatter, one colour.

    Args:
        images: (N, 3, H, W) values of pictures, the object in the middle.
        rings: of equal width from the centre to the edge.

    Returns:
        (N, 4 rings + 1): mean of each ring per band, scatter of the mean of the bands in
        each ring, and the logarithm of the first band over the last within half of the radius.
    """
    N, C, H, W = images.shape
    y, x = np.ogrid[:H, :W]
    distance = np.hypot(y - (H - 1) / 2, x - (W - 1) / 2).ravel()
    number = np.floor(distance / (min(H, W) / 2) * rings).astype(int)
    flat = images.reshape(N, C, H * W).astype(np.float64)
    grey = flat.mean(axis=1)
    profile = np.concatenate([flat[:, :, number == r].mean(axis=2) for r in range(rings)], axis=1)
    scatter = np.stack([grey[:, number == r].std(axis=1) for r in range(rings)], axis=1)
    inner = flat[:, :, number < rings / 2].mean(axis=2)
    colour = np.log((inner[:, :1] + 1) / (inner[:, -1:] + 1))
    return np.concatenate([profile, scatter, colour], axis=1)


def principal_components(
    train: npt.NDArray[np.floating], *others: npt.NDArray[np.floating], n: int = 64, seed: int = 0
) -> list[Features]:
    """Fit principal components on the first set of rows and project all sets on them.

    Args:
        train: (M, P) rows, labels are not needed.
        others: (N, P) rows.
        n: components kept.
        seed: of the randomised solver (Halko et al. 2011, SIAM Review 53, 217).

    Returns:
        (M, n) and one (N, n) for each of the others.
    """
    from sklearn.decomposition import PCA

    model = PCA(n, svd_solver="randomized", random_state=seed).fit(train)
    return [model.transform(rows).astype(np.float64) for rows in (train, *others)]


def _curve_of_growth(
    images: npt.NDArray[np.floating], sigma: Features
) -> tuple[Features, Features, Features]:
    """Radii (R,), flux within them (N, C, R) less the local sky, and pixels within them (R,)."""
    N, C, H, W = images.shape
    y, x = np.ogrid[:H, :W]
    distance = np.hypot(y - (H - 1) / 2, x - (W - 1) / 2)
    radius = _RADII[_RADII < min(H, W) / 2]
    around = distance > min(H, W) * 0.42
    with np.errstate(invalid="ignore"):  # bands that are all NaN stay NaN
        flat = images.reshape(N, C, -1)
        sky = _nanmedian(flat[:, :, around.ravel()])
        growth = np.stack(
            [np.nansum(flat[:, :, (distance <= r).ravel()], axis=2) for r in radius], axis=2
        )
    area = np.array([(distance <= r).sum() for r in radius], dtype=np.float64)
    return radius, growth - sky[:, :, None] * area, area


def _nanmedian(values: npt.NDArray[np.floating]) -> Features:
    """Median over the last axis without NaN; NaN where there is nothing."""
    ordered = np.sort(values, axis=-1)  # NaN go last
    n = np.isfinite(values).sum(axis=-1)
    middle = np.take_along_axis(ordered, np.maximum(n - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    result: Features = np.where(n > 0, middle, np.nan).astype(np.float64)
    return result


def _half_light(radius: Features, total: Features, place: int) -> Features:
    """Radius where the curve of growth (N, R) passes half of its value at `place`."""
    share = total[:, : place + 1] / np.where(total[:, place] > 0, total[:, place], np.inf)[:, None]
    past = share >= 0.5
    first = np.where(past.any(axis=1), past.argmax(axis=1), place)
    before = np.maximum(first - 1, 0)
    rows = np.arange(len(total))
    low, high = share[rows, before], share[rows, first]
    step = np.clip((0.5 - low) / np.where(high > low, high - low, np.inf), 0, 1)
    size: Features = radius[before] + step * (radius[first] - radius[before])
    return size
