"""Background, noise and extraction of sources with SEP (Barbary 2016, JOSS 1, 58).

In: the bands of an image. Out: their sum in units of noise, the sources on it, and the diffuse
sources on it once it is smoothed with the bright ones masked. Measuring is left to `photometry`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import sep
from scipy import ndimage

from sky_ssl.errors import InputError
from sky_ssl.sky.seams import seams
from sky_ssl.sky.survey import Survey

Image = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_SEAM = 3.0  # meshes of the background that a seam is long, at least


@dataclass(frozen=True)
class DetectConfig:
    """How sources are detected; lengths in arcsec, so that one setting serves any survey."""

    threshold: float = 1.5  # of the first pass, per pixel of the filtered image, in sigma
    min_area: int = 5  # connected pixels above the threshold
    filter_fwhm: float = 0.8  # of the Gaussian that the first pass is filtered with
    deblend_contrast: float = 0.001  # least share of the light of a component of a blend
    background: float = 48.0  # side of the mesh of the background
    lsb: bool = True  # second pass, for low surface brightness
    lsb_fwhm: float = 3.0  # of the Gaussian that the second pass is smoothed with
    lsb_threshold: float = 3.0  # of the second pass, in sigma of the smoothed image
    lsb_radius: float = 1.5  # least half-light radius in the second pass
    lsb_snr: float = 10.0  # least signal to noise of the Kron flux in the second pass
    bright: float = 8.0  # sources with a higher peak, in sigma, are masked in the second pass
    reference: str = ""  # band of mean_surface_brightness; empty: r, or the green of rgb

    def __post_init__(self) -> None:
        positive = ("threshold", "min_area", "filter_fwhm", "background", "lsb_fwhm", "bright")
        for name in (*positive, "lsb_threshold", "lsb_snr"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} {getattr(self, name)}: must be above 0")

    def reference_band(self, survey: Survey) -> str:
        """Name the band in which surface brightness is given."""
        names = survey.band_names
        if self.reference and self.reference not in names:
            raise InputError(f"reference {self.reference!r}: {survey.name} has {' '.join(names)}")
        middle = survey.rgb[1] if survey.rgb else names[0]
        return self.reference or ("r" if "r" in names else middle)


DEFAULT = DetectConfig()


def prepare(pixels: Image, pixel_scale: float, config: DetectConfig) -> tuple[list[Image], Image]:
    """Subtract the background of the bands (C, H, W) in place, and sum them.

    The background is measured twice, the second time with the sources of a rough detection masked.

    Returns:
        The noise of each band, (H, W), NaN where it is missing, and the detection image (H, W) in
        units of its own noise, NaN = no data.
    """
    mesh = _mesh(config.background / pixel_scale, pixels.shape[1:])
    rough, _ = _sum_bands(pixels, None, mesh)
    none = ~np.isfinite(rough)
    if none.all():
        return [rough] * len(pixels), rough
    _, segments = extract(rough, none, config, pixel_scale, deblend=False)
    grow = max(1, round(1.0 / pixel_scale))
    sources = ndimage.binary_dilation(segments > 0, iterations=min(grow, 10))
    if (sources & ~none).sum() > 0.8 * (~none).sum():
        # a crowded field: too little sky is left to measure it alone
        sources = np.zeros_like(none)
    detection, noise = _sum_bands(pixels, sources, mesh, subtract=True)
    # bands share noise where they were resampled, and pixels with their neighbours
    level = _background(detection, none | sources, mesh)
    return noise, detection / np.float32(level.globalrms if level else 1.0)


def _sum_bands(
    pixels: Image, sources: Mask | None, mesh: tuple[int, int], *, subtract: bool = False
) -> tuple[Image, list[Image]]:
    """Sum the bands in units of their noise, over the square root of their number."""
    total = np.zeros(pixels.shape[1:], dtype=np.float32)
    count = np.zeros(pixels.shape[1:], dtype=np.float32)
    noise = []
    for band in pixels:
        missing = ~np.isfinite(band)
        band -= _plane(band, missing if sources is None else missing | sources)
        background = _background(band, missing if sources is None else missing | sources, mesh)
        if background is None:
            background = _background(band, missing, mesh)
        if background is None:
            noise.append(np.full(band.shape, np.nan, dtype=np.float32))
            continue
        sigma = background.rms(dtype=np.float32)
        missing |= ~(sigma > 0)
        sigma[missing] = np.nan
        clean = band - background.back(dtype=np.float32)
        total += np.where(missing, 0, clean / sigma)
        count += ~missing
        noise.append(sigma)
        if subtract:
            band[...] = clean
    return np.where(count > 0, total / np.sqrt(np.maximum(count, 1)), np.nan), noise


def _plane(image: Image, mask: Mask, blocks: int = 6) -> Image:
    """Fit a plane to the medians of blocks: a gradient that a mesh of few cells cannot follow.

    Returns:
        (1, 1) or (H, W) to be subtracted; without a gradient where too little sky is left.
    """
    H, W = image.shape
    step = max(1, min(H, W) // (blocks * 32))
    rows, values = [], []
    for y in np.array_split(np.arange(0, H, step), blocks):
        for x in np.array_split(np.arange(0, W, step), blocks):
            part, hidden = image[np.ix_(y, x)], mask[np.ix_(y, x)]
            if (~hidden).sum() > max(20, 0.3 * hidden.size):
                rows.append((1.0, y.mean() / H - 0.5, x.mean() / W - 0.5))
                values.append(float(np.median(part[~hidden])))
    if len(values) < blocks * blocks // 3:
        return np.zeros((1, 1), dtype=np.float32)
    a, v = np.array(rows), np.array(values)
    keep = np.ones(len(v), dtype=bool)
    for _ in range(3):  # blocks that hold an extended source stand out
        fit, *_rest = np.linalg.lstsq(a[keep], v[keep], rcond=None)
        residual = v - a @ fit
        keep = residual < 2.5 * max(1.4826 * float(np.median(np.abs(residual))), 1e-30)
    y, x = np.ogrid[:H, :W]
    plane = fit[1] * ((y / H) - 0.5) + fit[2] * ((x / W) - 0.5)
    return np.asarray(plane, dtype=np.float32)


def _background(image: Image, mask: Mask, mesh: tuple[int, int]) -> sep.Background | None:
    """Measure the background; None if fewer than 20 pixels can be used."""
    if (~mask).sum() < 20:
        return None
    # values under the mask are not used, but must be numbers
    data = np.ascontiguousarray(np.where(np.isfinite(image), image, 0), dtype=np.float32)
    scale = float(np.abs(data[~mask]).max())
    if scale == 0:
        return None
    return sep.Background(data, mask=mask, bw=mesh[1], bh=mesh[0], fw=3, fh=3)


def _mesh(side: float, shape: Sequence[int]) -> tuple[int, int]:
    """Choose the mesh (rows, columns): about `side` pixels, so that it divides the image."""
    H, W = shape
    rows, columns = (max(1, round(n / max(side, 32.0))) for n in (H, W))
    return -(-H // rows), -(-W // columns)


def extract(
    image: Image, none: Mask, config: DetectConfig, pixel_scale: float, *, deblend: bool = True
) -> tuple[npt.NDArray, npt.NDArray[np.int32]]:
    """Extract the sources of an image in units of its noise, filtered with a Gaussian.

    Returns:
        SEP's table of N sources, and the labels (H, W): 1 to N, 0 = sky.
    """
    _allow(image.size)
    sources, segments = sep.extract(
        np.where(none, 0, image).astype(np.float32),
        config.threshold,
        mask=none,
        minarea=config.min_area,
        filter_kernel=_gaussian(config.filter_fwhm / pixel_scale),
        deblend_cont=config.deblend_contrast if deblend else 1.0,
        clean=deblend,
        segmentation_map=True,
    )
    # SEP measures the axes on the filtered image
    sigma = max(config.filter_fwhm / pixel_scale, 1.0) / 2.3548
    for name in ("a", "b"):
        sources[name] = np.sqrt(np.maximum(sources[name] ** 2 - sigma**2, sources[name] ** 2 / 4))
    return sources, segments


def extract_diffuse(
    image: Image, bright: Mask, config: DetectConfig, pixel_scale: float
) -> tuple[npt.NDArray, Labels, Mask]:
    """Extract sources of low surface brightness.

    Args:
        image: (H, W) in units of its noise, NaN = no data.
        bright: (H, W) pixels of bright sources, which are left out.

    Returns:
        SEP's table, its axes freed from the smoothing, the labels, as `extract` gives them, and the
        pixels (H, W) that were left out.
    """
    sigma = config.lsb_fwhm / pixel_scale / 2.3548
    hidden = bright | ~np.isfinite(image)
    image = image - seams(image, hidden, _SEAM * config.background / pixel_scale, sigma)
    weight = ndimage.gaussian_filter((~hidden).astype(np.float32), sigma)
    smooth = ndimage.gaussian_filter(np.where(hidden, 0, image), sigma)
    # where most of the light would come from beyond a mask, nothing is known
    hidden |= weight < 0.5
    smooth = np.where(hidden, 0, smooth / np.maximum(weight, 0.5)).astype(np.float32)
    level = _background(smooth, hidden, _mesh(config.background / pixel_scale, image.shape))
    if level is None:
        none = sep.extract(np.zeros((9, 9), dtype=np.float32), 1.0)
        return none, np.zeros(image.shape, dtype=np.int32), hidden
    _allow(image.size)
    table, labels = sep.extract(
        np.ascontiguousarray(smooth - level.back(dtype=np.float32)),
        config.lsb_threshold,
        # the noise of the place: it is higher where the sky has structure of its own
        err=np.maximum(level.rms(dtype=np.float32), np.float32(level.globalrms)),
        mask=hidden,
        minarea=max(5, round((config.lsb_fwhm / pixel_scale) ** 2)),
        filter_kernel=None,
        deblend_cont=max(config.deblend_contrast, 0.02),
        segmentation_map=True,
    )
    for name in ("a", "b"):
        table[name] = np.sqrt(np.maximum(table[name] ** 2 - sigma**2, (sigma / 2) ** 2))
    return table, labels, hidden


def masked_around(table: npt.NDArray, shape: tuple[int, ...], reach: float) -> Mask:
    """Mark the pixels (H, W) within some semi-axes of sources."""
    mask = np.zeros(shape, dtype=bool)
    if len(table):
        ellipse = (table[name] for name in ("x", "y", "a", "b", "theta"))
        sep.mask_ellipse(mask, *ellipse, r=reach)
    return mask


def _allow(count: int) -> None:
    """Let SEP hold an image that is all one source; both limits are its own global settings."""
    sep.set_extract_pixstack(max(count, 300_000))
    sep.set_sub_object_limit(8192)


def _gaussian(fwhm: float) -> Image:
    """Make a Gaussian kernel of sum 1 and odd size."""
    sigma = max(fwhm, 1.0) / 2.3548
    half = max(1, int(np.ceil(2.5 * sigma)))
    line = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    kernel = np.outer(line, line)
    return (kernel / kernel.sum()).astype(np.float32)
