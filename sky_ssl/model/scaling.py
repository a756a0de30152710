"""From physical pixel values to numbers of order one, per band, and back."""

from collections.abc import Sequence

import torch
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig

# Sky noise falls at about 0.44 and a pixel of 1000 sigma at 3.8: a range that a network likes.
_GAIN = 0.5
# Beyond any pixel: marks of "no data" such as -1e30 or infinity, whose square would overflow.
_ABSURD = 1e15


class Scaling(nn.Module):
    """Scale pixels by the noise of their band.

    asinh(x / (softening sigma)) / 2 (Lupton, Gunn & Szalay 1999, AJ 118, 1406: linear in the
    noise, logarithmic in sources), or x / sigma clipped, as older codes did.

    Args:
        config: which scaling.
        sky_sigma: noise per band (C values above 0), in the unit of the images.

    Raises:
        InputError: if a sigma is not a number above 0.
    """

    def __init__(self, config: ModelConfig, sky_sigma: Sequence[float]) -> None:
        super().__init__()
        sigma = torch.tensor([float(value) for value in sky_sigma], dtype=torch.float32)
        if not len(sigma) or not bool((sigma > 0).all() & sigma.isfinite().all()):
            raise InputError(f"sky_sigma {list(sky_sigma)}: one value above 0 per band is needed")
        self.config = config
        self.sky_sigma: torch.Tensor
        self.register_buffer("sky_sigma", sigma)

    def in_sigma(self, images: torch.Tensor) -> torch.Tensor:
        """Divide (B, C, H, W) by the noise; what is no number, or absurd, comes out as NaN."""
        x = images / self.sky_sigma[:, None, None]
        return torch.where(x.abs() < _ABSURD, x, torch.nan)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scale (B, C, H, W); what is no number, or absurd, comes out as NaN."""
        x = self.in_sigma(images)  # first: values of 1e-12 have squares of 0
        if self.config.scaling == "clip":
            return x.clamp(self.config.clip_low, self.config.clip_high)
        x = x / self.config.softening
        # torch.asinh is eight times slower on a CPU; this is as exact to 3e-7
        return (x.abs() + (x.square() + 1).sqrt()).log().copysign(x) * _GAIN

    def inverse(self, scaled: torch.Tensor) -> torch.Tensor:
        """Bring (..., C, H, W) back to physical values; what was clipped stays clipped."""
        if self.config.scaling == "clip":
            return scaled * self.sky_sigma[:, None, None]
        # the clamp keeps a wild prediction finite; no pixel reaches it
        x = torch.sinh((scaled / _GAIN).clamp(-40, 40)) * self.config.softening
        return x * self.sky_sigma[:, None, None]
