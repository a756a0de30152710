"""A small convolutional network: what one would train from scratch, without pre-training.

Four steps of two 3 x 3 convolutions each halve the image; the features are means and highest
values of what is left. Norms are of groups of channels (Wu & He 2018, arXiv:1803.08494), so that
nothing hangs on the batch. Beside its bands it sees where each has no data.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.scaling import Scaling

_WIDTHS = (32, 64, 96, 128)


class ConvNet(nn.Module):
    """Scaling, convolutions, means and maxima over the image.

    Args:
        sky_sigma: noise per band, in the unit of the images; its length is the number of bands.
        config: the scaling; the images may have any size.
    """

    frozen = False

    def __init__(self, sky_sigma: Sequence[float], config: ModelConfig | None = None) -> None:
        super().__init__()
        self.scaling = Scaling(config or ModelConfig(), sky_sigma)
        layers: list[nn.Module] = []
        before = 2 * len(sky_sigma)
        for width in _WIDTHS:
            layers += [_step(before, width), _step(width, width), nn.MaxPool2d(2, ceil_mode=True)]
            before = width
        self.layers = nn.Sequential(*layers)
        first = next(self.layers.parameters())
        with torch.no_grad():  # a gap in a band that had none in training must change nothing
            first[:, len(sky_sigma) :] = 0.0
        self.dimensions = 2 * before
        self.to(memory_format=torch.channels_last)  # as its images: a quarter less time on a CPU

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        """Read weights; those of an earlier version knew no gaps, which were sky to it."""
        (name, first), *_ = self.named_parameters()
        known = state_dict.get(prefix + name)
        if known is not None and 2 * known.shape[1] == first.shape[1]:
            state_dict[prefix + name] = torch.cat([known, torch.zeros_like(known)], dim=1)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def begin(self, images: torch.Tensor) -> torch.Tensor:
        """Give maps of features (B, width, h, w) of images (B, C, H, W), NaN = no data."""
        scaled = self.scaling(images)
        gaps = scaled.isnan()
        # what is not known is taken as sky, and said to be unknown: an empty band is a colour
        known = torch.where(gaps, 0.0, scaled)
        seen = torch.cat([known, gaps.to(known.dtype)], dim=1)
        maps: torch.Tensor = self.layers(seen.contiguous(memory_format=torch.channels_last))
        return maps

    def finish(self, begun: torch.Tensor) -> torch.Tensor:
        """Give the mean and the highest value of each map, (B, 2 width)."""
        return torch.cat([begun.mean(dim=(2, 3)), begun.amax(dim=(2, 3))], dim=1)


def _step(before: int, width: int) -> nn.Module:
    convolution = nn.Conv2d(before, width, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.GroupNorm(8, width), nn.ReLU(inplace=True))
