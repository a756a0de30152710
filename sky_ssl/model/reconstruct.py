"""What the model sees in the dark: hidden patches filled in, without looking at the truth."""

from dataclasses import dataclass

import torch

from sky_ssl.model.encoder import patchify, unpatchify
from sky_ssl.model.masking import to_pixels
from sky_ssl.model.simmim import SimMIM


@dataclass(frozen=True)
class Reconstruction:
    """Reconstructions of B images under M masks, in physical units; mean and spread over masks."""

    images: torch.Tensor  # (B, C, H, W) as given, NaN = no data
    hidden: torch.Tensor  # (B, M, C, H, W) bool, True = hidden from the model
    filled: torch.Tensor  # (B, M, C, H, W) visible pixels as given; hidden and NaN from the model
    mean: torch.Tensor  # (B, C, H, W) model's values over masks that hide the pixel; NaN if none
    spread: torch.Tensor  # (B, C, H, W) their standard deviation, NaN for fewer than 2
    residual: torch.Tensor  # (B, M, C, H, W) (filled - image) / sky sigma; NaN where not hidden


@torch.no_grad()
def reconstruct(
    model: SimMIM, images: torch.Tensor, masks: torch.Tensor, sky: torch.Tensor | None = None
) -> Reconstruction:
    """Reconstruct images under several masks each.

    Pixels that the model is not shown, hidden or without data, come from the model alone; where
    its target is normalised, they get mean and deviation of visible pixels.

    Args:
        model: used in evaluation mode; its mode is restored.
        images: (B, C, H, W) physical, NaN = no data.
        masks: (B, M, C, gh, gw), True = hidden.
        sky: (B, 2) RA and Dec in degrees, NaN = unknown; for a model with a sky token.

    Returns:
        The reconstructions, on the device of the images.
    """
    B, M, C, gh, gw = masks.shape
    training = model.training
    model.eval()
    repeated = images.repeat_interleave(M, dim=0)  # (B*M, C, H, W)
    mask = masks.reshape(B * M, C, gh, gw)
    prediction = model.predict(
        repeated, mask, None if sky is None else sky.repeat_interleave(M, dim=0)
    )
    model.train(training)
    hidden = to_pixels(mask, model.config.patch_size)
    scaled = model.encoder.scaling(repeated)
    absent = hidden | scaled.isnan()
    if model.config.normalize_target:
        visible = torch.where(absent, torch.nan, scaled)
        prediction = _denormalised(prediction, visible, model.config.patch_size)
    values = model.encoder.scaling.inverse(prediction)
    filled = torch.where(absent, values, repeated).view(B, M, C, *images.shape[2:])
    absent, hidden = absent.view_as(filled), hidden.view_as(filled)
    drawn = torch.where(absent, filled, torch.nan)
    count, mean = absent.sum(1), drawn.nanmean(1)
    variance = (drawn - mean[:, None]).square().nansum(1) / (count - 1).clamp(min=1)
    spread = torch.where(count > 1, variance.sqrt(), torch.nan)
    sigma = model.sky_sigma[:, None, None]
    residual = torch.where(hidden, (filled - images[:, None]) / sigma, torch.nan)
    return Reconstruction(images, hidden, filled, mean, spread, residual)


def _denormalised(prediction: torch.Tensor, visible: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Undo the normalisation of patches (B, C, H, W) with what is visible, NaN elsewhere.

    The truth of a hidden patch is not known to anybody who reconstructs it: mean and deviation are
    those of the visible pixels of its own place and band (where single pixels are missing), else
    of its band in this image, else of all bands, which are scaled alike.
    """
    H, W = visible.shape[2:]
    p = patch_size
    patches = patchify(visible, p)  # (B, T, C, p*p)
    mean, deviation = _moments(patches, (-1,))
    for dimensions in ((1, 3), (1, 2, 3)):
        wider_mean, wider_deviation = _moments(patches, dimensions)
        unknown = mean.isnan()
        mean = torch.where(unknown, wider_mean, mean)
        deviation = torch.where(unknown, wider_deviation, deviation)
    mean, deviation = mean.nan_to_num(0.0), deviation.nan_to_num(1.0)  # nothing visible at all
    return unpatchify(patchify(prediction, p) * deviation + mean, p, (H // p, W // p))


def _moments(x: torch.Tensor, dimensions: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Give mean and deviation of the values that are numbers."""
    mean = x.nanmean(dimensions, keepdim=True)
    return mean, (x - mean).square().nanmean(dimensions, keepdim=True).sqrt()
