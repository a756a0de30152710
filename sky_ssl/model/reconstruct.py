"""What the model sees in the dark: hidden patches filled in, without looking at the truth."""

from dataclasses import dataclass

import torch

from sky_ssl.model.masking import to_pixels
from sky_ssl.model.simmim import SimMIM


@dataclass(frozen=True)
class Reconstruction:
    """Reconstructions of B images under M masks, in physical units; mean and spread over masks."""

    images: torch.Tensor  # (B, C, H, W) as given, NaN = no data
    hidden: torch.Tensor  # (B, M, C, H, W) bool, True = hidden from the model
    filled: torch.Tensor  # (B, M, C, H, W) visible pixels as given, the others from the model
    mean: torch.Tensor  # (B, C, H, W) model's values over masks that hide the pixel; NaN if none
    spread: torch.Tensor  # (B, C, H, W) their standard deviation, NaN for fewer than 2
    residual: torch.Tensor  # (B, M, C, H, W) (filled - image) / sky sigma; NaN where not hidden


@torch.no_grad()
def reconstruct(model: SimMIM, images: torch.Tensor, masks: torch.Tensor) -> Reconstruction:
    """Reconstruct images under several masks each.

    Pixels that the model is not shown come from the model alone; where its target is normalised,
    they get mean and deviation of the visible pixels of their band.

    Args:
        model: used in evaluation mode; its mode is restored.
        images: (B, C, H, W) physical, NaN = no data.
        masks: (B, M, C, gh, gw), True = hidden.

    Returns:
        The reconstructions, on the device of the images.
    """
    B, M, C, gh, gw = masks.shape
    training = model.training
    model.eval()
    repeated = images.repeat_interleave(M, dim=0)  # (B*M, C, H, W)
    mask = masks.reshape(B * M, C, gh, gw)
    prediction = model.predict(repeated, mask)
    model.train(training)
    hidden = to_pixels(mask, model.config.patch_size)
    absent = hidden | repeated.isnan()
    if model.config.normalize_target:
        prediction = _from_visible(model, repeated, absent, prediction)
    values = model.encoder.scaling.inverse(prediction)
    filled = torch.where(absent, values, repeated).view(B, M, C, *images.shape[2:])
    absent = absent.view_as(filled)
    drawn = torch.where(absent, filled, torch.nan)
    count = absent.sum(1)
    mean = drawn.nanmean(1)
    variance = (drawn - mean[:, None]).square().nansum(1) / (count - 1).clamp(min=1)
    spread = torch.where(count > 1, variance.sqrt(), torch.nan)
    sigma = model.sky_sigma[:, None, None]
    hidden = hidden.view_as(filled)
    residual = torch.where(hidden, (filled - images[:, None]) / sigma, torch.nan)
    return Reconstruction(images, hidden, filled, mean, spread, residual)


def _from_visible(
    model: SimMIM, images: torch.Tensor, absent: torch.Tensor, prediction: torch.Tensor
) -> torch.Tensor:
    """Undo the normalisation of patches with what is visible of their band.

    The truth of a hidden patch is not known to anybody who reconstructs it: its mean and
    deviation are those of the visible pixels of the band in this image.
    """
    visible = torch.where(absent, torch.nan, model.encoder.scaling(images))
    mean = visible.nanmean((-2, -1), keepdim=True)
    deviation = (visible - mean).square().nanmean((-2, -1), keepdim=True).sqrt()
    return prediction * deviation.nan_to_num(1.0) + mean.nan_to_num(0.0)
