"""Hide parts of images from a model, and compare what it makes of them with what is there.

In: images of objects and a model. Out: arrays; hidden pixels come from the model alone. Masks hang
on seed, object and draw, so that an object is treated alike whatever stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import CutoutSet
from sky_ssl.sky.noise import usable_sigma

if TYPE_CHECKING:
    import torch

    from sky_ssl.model.simmim import SimMIM

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
MOST_IMAGES = 256  # given to the network at once


@dataclass(frozen=True)
class Hiding:
    """What is hidden from the model."""

    ratio: float = 0.6  # share of the patches of each band
    shared: bool = False  # the same patches in all bands; MAE can do no other
    band: str = ""  # this band is hidden as a whole besides; empty = none
    draws: int = 1  # masks of each object
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise InputError(f"share hidden {self.ratio}: must be 0 to 1")
        if self.draws < 1:
            raise InputError(f"draws {self.draws}: must be at least 1")


@dataclass(frozen=True)
class Filled:
    """Objects with parts hidden, as a model fills them; B objects under M masks."""

    images: Floats  # (B, C, H, W) physical, NaN = no data
    hidden: Flags  # (B, M, C, H, W)
    filled: Floats  # (B, M, C, H, W) visible pixels as given; hidden and missing from the model
    mean: Floats  # (B, C, H, W) of the draws that hide a pixel; as given where none does
    spread: Floats  # (B, C, H, W) deviation between draws that hide the pixel; NaN for fewer than 2
    sigma: npt.NDArray[np.float64]  # (C,) sky noise, in the unit of the images
    bands: tuple[str, ...]

    @property
    def residual(self) -> Floats:
        """What the model made, less what is there, in sky noise (B, M, C, H, W); else NaN."""
        return np.stack([self.residual_of(place) for place in range(len(self.images))])

    def residual_of(self, place: int) -> Floats:
        """Give the residual of one object (M, C, H, W)."""
        difference = (self.filled[place] - self.images[place]) / self.sigma[:, None, None]
        return np.where(self.hidden[place], difference, np.nan).astype(np.float32)


@dataclass(frozen=True)
class Agreement:
    """Squared difference to the sky, in units of its noise, per hidden pixel with data."""

    chi2: float  # of the model; NaN where nothing is hidden
    blank: float  # of a blank sky in its place
    error: float  # statistical error of a perfect model's 1
    pixels: int


def draw_masks(
    model: "SimMIM", rows: Sequence[int], hiding: Hiding, bands: Sequence[str]
) -> "torch.Tensor":
    """Draw the masks (B, M, C, gh, gw) of objects, `True` = hidden.

    Raises:
        InputError: the band to be hidden is not one of the model's.
    """
    import torch

    from sky_ssl.model.masking import random_masks

    if hiding.band and hiding.band not in bands:
        raise InputError(f"band {hiding.band!r}: the model has {' '.join(bands)}")
    config = replace(
        model.config,
        mask_ratio_min=hiding.ratio,
        mask_ratio_max=hiding.ratio,
        shared_mask=hiding.shared or model.config.objective == "mae",
        hide_band=0.0,
    )
    drawn = []
    for row in rows:
        for number in range(hiding.draws):
            seed = np.random.SeedSequence([hiding.seed, int(row), number]).generate_state(1)[0]
            generator = torch.Generator().manual_seed(int(seed))
            drawn.append(
                random_masks(1, len(bands), model.grid, config=config, generator=generator)
            )
    masks = torch.cat(drawn).view(len(rows), hiding.draws, len(bands), *model.grid)
    if hiding.band:
        masks[:, :, list(bands).index(hiding.band)] = True
    return masks


def fill_hidden(
    model: "SimMIM",
    images: Floats,
    rows: Sequence[int],
    hiding: Hiding,
    *,
    bands: Sequence[str],
    sigma: npt.ArrayLike | None = None,
) -> Filled:
    """Hide parts of images and let the model fill them.

    Args:
        model: in evaluation mode.
        images: (B, C, H, W) at the zero points of the model, NaN = no data.
        rows: (B,) numbers of the objects, that the masks hang on.
        hiding: what is hidden.
        bands: names of the C bands.
        sigma: (C,) sky noise of the images; None = that of the model.
    """
    import torch

    from sky_ssl.model.reconstruct import reconstruct

    masks = draw_masks(model, rows, hiding, bands)
    given = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
    step = max(1, MOST_IMAGES // hiding.draws)
    parts = [
        reconstruct(model, a, m) for a, m in zip(given.split(step), masks.split(step), strict=True)
    ]
    noise = model.sky_sigma.cpu().numpy() if sigma is None else sigma
    mean = torch.cat([p.mean for p in parts]).numpy()
    return Filled(
        images=images,
        hidden=torch.cat([p.hidden for p in parts]).numpy(),
        filled=torch.cat([p.filled for p in parts]).numpy(),
        mean=np.where(np.isnan(mean), images, mean),
        spread=torch.cat([p.spread for p in parts]).numpy(),
        sigma=usable_sigma(noise),
        bands=tuple(bands),
    )


def fill_objects(
    model: "SimMIM", info: CutoutInfo, cutouts: CutoutSet, rows: Sequence[int], hiding: Hiding
) -> Filled:
    """Read objects of a cutout file, and fill what is hidden of them.

    Args:
        model: in evaluation mode.
        info: what the model was trained on.
        cutouts: with the bands of the model, in its order.
        rows: which.
        hiding: what is hidden.

    Raises:
        InputError: the cutouts are not of the size or the pixel scale of the model.
    """
    from sky_ssl.embedding.encode import conversion

    size, path = model.config.image_size, cutouts.paths[0]
    if cutouts.shape[1:] != (size, size):
        raise InputError(
            f"{path}: cutouts of {cutouts.shape[1]} x {cutouts.shape[2]} pixels, but the model "
            f"takes {size} x {size}: choose another run, or cut them to that size"
        )
    factor = conversion(info, cutouts.info, path)
    images = cutouts.read(np.asarray(rows, dtype=np.int64)) * factor[:, None, None]
    noise = np.asarray(cutouts.info.sky_sigma or (np.nan,) * len(factor)) * factor
    own = np.asarray(model.sky_sigma.cpu())
    sigma = np.where(np.isfinite(noise) & (noise > 0), noise, own)
    return fill_hidden(model, images, rows, hiding, bands=info.bands, sigma=sigma)


def choose_random(count: int, wanted: int, seed: int) -> list[int]:
    """Choose some of `count` objects, without repeats."""
    rng = np.random.default_rng(seed)
    return [int(row) for row in rng.choice(count, size=min(wanted, count), replace=False)]


def agreement(found: Filled, place: int | None = None, band: int | None = None) -> Agreement:
    """Compare the hidden part of an object, or of all, with the sky, over all draws.

    A model that knew the object would reach 1, if the only noise were the sky's; the shot noise of
    bright sources adds to it.

    Args:
        found: the objects.
        place: which of them; None = all.
        band: of one band alone.
    """
    B = slice(None) if place is None else slice(place, place + 1)
    C = slice(None) if band is None else slice(band, band + 1)
    residual = found.residual[B, :, C]
    there = np.isfinite(residual)
    count = int(there.sum())
    if not count:
        return Agreement(np.nan, np.nan, np.nan, 0)
    light = found.images[B, None, C] / found.sigma[C, None, None]
    empty = np.broadcast_to(light, residual.shape)[there]
    distinct = int(there.any(axis=1).sum())  # several draws share pixels, and their noise
    return Agreement(
        chi2=float(np.square(residual[there], dtype=np.float64).mean()),
        blank=float(np.square(empty, dtype=np.float64).mean()),
        error=float(np.sqrt(2 / distinct)),
        pixels=distinct,
    )


def agreement_by_band(found: Filled) -> pd.DataFrame:
    """Give a table of the agreement over all objects: a row for each band, and one for all."""
    bands = [*range(len(found.bands)), None]
    of = [agreement(found, None, band) for band in bands]
    return pd.DataFrame(
        {
            "band": [*found.bands, "all"],
            "reconstruction": [a.chi2 for a in of],
            "blank sky": [a.blank for a in of],
            "error": [a.error for a in of],
            "hidden pixels": [a.pixels for a in of],
        }
    )
