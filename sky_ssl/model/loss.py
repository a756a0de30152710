"""The loss over hidden pixels, the same for all objectives.

In: predicted and true patches in scaled units, and which are hidden. Out: a sum and a count.
"""

import torch
import torch.nn.functional as F

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import mask_of_patches


def hidden_loss(
    prediction: torch.Tensor, patches: torch.Tensor, mask: torch.Tensor, config: ModelConfig
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compare predicted patches with the true ones, where these are hidden and have data.

    Args:
        prediction: (B, T, C, p p), of any precision.
        patches: (B, T, C, p p) scaled, NaN = no data.
        mask: (B, C, gh, gw), True = hidden.
        config: kind of loss, and whether each target patch is normalised.

    Returns:
        The sum over these pixels, in float32, and their number.
    """
    counts = mask_of_patches(mask) & ~patches.isnan()
    target = normalised(patches) if config.normalize_target else patches
    difference = prediction.float() - target
    # Where nothing counts the target may be NaN: replaced before the loss, so that no gradient
    # of it is NaN
    difference = torch.where(counts, difference, 0.0)
    return _of_difference(difference, config.loss).sum(), counts.sum()


def _of_difference(difference: torch.Tensor, kind: str) -> torch.Tensor:
    if kind == "l1":
        return difference.abs()
    if kind == "mse":
        return difference.square()
    return F.huber_loss(difference, torch.zeros_like(difference), reduction="none")


def normalised(patches: torch.Tensor) -> torch.Tensor:
    """Bring each patch (B, T, C, p p) to mean 0 and deviation 1 over its pixels with data."""
    mean = patches.nanmean(-1, keepdim=True)
    variance = (patches - mean).square().nanmean(-1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()
