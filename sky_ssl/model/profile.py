"""The radial profile of an object as a second goal of training: measured, not labelled.

In: images in units of the noise, and the tokens of their middle. Out: a loss. Most patches of a
cutout are sky, and a pixel of a faint galaxy says little, so that filling in patches teaches little
of what lies in the middle. Means in rings are far above the noise where single pixels are not; the
central tokens of the masked image have to foretell them, of the image with nothing hidden, by one
linear layer. Mean and scatter in rings are what profiles and asymmetries are measured by (Conselice
2003, ApJS 147, 1); that predicting what can be measured makes good representations is the idea of
pretext tasks (Doersch & Zisserman 2017, arXiv:1708.07860).
"""

import itertools

import torch
from torch import nn

from sky_ssl.model.blocks import initialise
from sky_ssl.model.config import ModelConfig

RINGS = (1.5, 2.5, 3.5, 5, 7, 9.5, 13, 17, 22, 32)
"""Outer radii, in 1/32 of half a side (pixels of a cutout of 64)."""
_KNOWN = 0.5  # least share of a ring with data
_SOFTENING = 2.0  # sigma, where the asinh of a measurement turns from linear to logarithmic


class ProfileHead(nn.Module):
    """From central tokens to the profile.

    Args:
        config: of the network.
        n_bands: C.
        width: of a token.
    """

    def __init__(self, config: ModelConfig, n_bands: int, width: int) -> None:
        super().__init__()
        size = config.image_size
        self.rings: torch.Tensor
        self.register_buffer("rings", ring_masks(size), persistent=False)
        self.values = nn.Linear(width, 2 * n_bands * len(self.rings))
        initialise(self.values)

    def forward(
        self, middle: torch.Tensor, pixels: torch.Tensor, seen: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compare what is foretold with what is measured.

        Args:
            middle: (B, width) mean of the central tokens of masked images.
            pixels: (B, C, H, W) in units of the noise, nothing hidden; NaN = no data.
            seen: (B,) False where there are no central tokens; None = all have some.

        Returns:
            (B,) float32 mean absolute difference over what is known; 0 where nothing is.
        """
        target, known = measured_profile(pixels, self.rings)
        known = known if seen is None else known & seen[:, None]
        difference = (self.values(middle).float() - target).abs()
        loss: torch.Tensor = torch.where(known, difference, 0.0).sum(1) / known.sum(1).clamp(min=1)
        return loss


def ring_masks(size: int) -> torch.Tensor:
    """Say which pixels lie in which ring: (R, size size) float, 0 or 1; rings without any left out.

    Args:
        size: pixels a side.
    """
    axis = torch.arange(size) - (size - 1) / 2
    radius = torch.hypot(axis[:, None], axis[None, :]).flatten() / (size / 2) * RINGS[-1]
    edges = (0.0, *RINGS)
    rings = torch.stack(
        [(radius >= low) & (radius < high) for low, high in itertools.pairwise(edges)]
    )
    return rings[rings.any(dim=1)].float()


def measured_profile(
    pixels: torch.Tensor, rings: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Measure mean and scatter in rings, each in units of its own noise.

    Args:
        pixels: (B, C, H, W) in units of the noise per pixel; NaN = no data.
        rings: (R, H W) of `ring_masks`.

    Returns:
        asinh(x / 2) of the significance x of the mean, sum / sqrt(n), and of the variance beyond
        that of the noise, (variance - 1) sqrt(n / 2): (B, 2 C R). And which of them are known:
        where at least half of a ring has data.
    """
    with torch.autocast(pixels.device.type, enabled=False):
        # the variance of a bright ring is a small difference of large numbers
        values, rings = pixels.double().flatten(2), rings.double()  # (B, C, H W)
        there = values.isfinite().double()
        values = torch.nan_to_num(values, 0.0, 0.0, 0.0)
        n = there @ rings.T  # (B, C, R)
        total, squares = values @ rings.T, values.square() @ rings.T
        at_least_one = n.clamp(min=1)
        mean = total / at_least_one
        scatter = (squares / at_least_one - mean.square() - 1) * (at_least_one / 2).sqrt()
        found = torch.stack([total / at_least_one.sqrt(), scatter], dim=1)  # (B, 2, C, R)
        known = (n >= _KNOWN * rings.sum(dim=1))[:, None].expand_as(found)
        target = torch.asinh(found / _SOFTENING).float()
        return target.flatten(1), (known & target.isfinite()).flatten(1)


def profile_pixels(config: ModelConfig, mask: torch.Tensor) -> torch.Tensor:
    """Give as how many hidden pixels the loss of each image's profile counts, (B,).

    A masked batch sums its loss over hidden pixels; a profile, which hangs on none, counts as as
    many as an image hides on average, so that sums do not depend on how a batch is divided among
    ranks. MAE hides the same share in all images of a batch, and another in the next: there it is
    their number.

    Args:
        mask: (B, C, gh, gw), True = hidden.
    """
    B, C, _, _ = mask.shape
    pixels = C * config.image_size**2
    if config.objective == "mae":
        return mask.float().mean(dim=(1, 2, 3)) * pixels
    hidden = (config.mask_ratio_min + config.mask_ratio_max) / 2
    hidden += (1 - hidden) * (config.hide_band / C if C > 1 else 0)
    return torch.full((B,), hidden * pixels, device=mask.device)
