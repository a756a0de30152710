"""The Vision Transformer: patches of all bands in, one token per place out.

Blocks are timm's (Dosovitskiy et al. 2021, arXiv:2010.11929). A patch that is hidden, and a pixel
without data, are replaced by one learned patch of values per band before they enter.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from timm.models.vision_transformer import Block
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.masking import to_pixels
from sky_ssl.model.scaling import Scaling


class Encoder(nn.Module):
    """Scaling, patch embedding, positions, blocks and a last norm.

    Args:
        config: the network.
        sky_sigma: noise per band, in the unit of the images; its length is the number of bands.
    """

    def __init__(self, config: ModelConfig, sky_sigma: Sequence[float]) -> None:
        super().__init__()
        width, depth, heads = config.dimensions
        C, p = len(sky_sigma), config.patch_size
        self.config, self.n_bands, self.width = config, C, width
        self.scaling = Scaling(config, sky_sigma)
        self.hidden_patch = nn.Parameter(torch.zeros(C, p, p))
        self.patch_embedding = nn.Linear(C * p * p, width)
        self.positions: torch.Tensor
        self.register_buffer("positions", sincos_positions(config.grid, width), persistent=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if config.cls_token else None
        rates = torch.linspace(0, config.drop_path, depth).tolist()
        self.blocks = nn.ModuleList(
            Block(width, heads, mlp_ratio=4.0, qkv_bias=True, drop_path=rate) for rate in rates
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.apply(_initialise)
        nn.init.trunc_normal_(self.hidden_patch, std=0.02)

    def forward(self, scaled: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Encode images that are scaled already.

        Args:
            scaled: (B, C, H, W), NaN = no data.
            mask: (B, C, gh, gw), True = hidden; None = nothing is hidden.

        Returns:
            (B, T, width), T = gh gw in the order of rows; the class token, if any, comes first.
        """
        gh, gw = self.config.grid
        filler = self.hidden_patch.repeat(1, gh, gw)
        absent = scaled.isnan()
        if mask is not None:
            absent = absent | to_pixels(mask, self.config.patch_size)
        x = torch.where(absent, filler, scaled)
        x = self.patch_embedding(patchify(x, self.config.patch_size)) + self.positions
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def tokens(self, images: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Encode images in physical units: (B, C, H, W), NaN = no data, to (B, T, width).

        Raises:
            InputError: if the images are not of the model's bands and size.
        """
        expected = (self.n_bands, self.config.image_size, self.config.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise InputError(
                f"images of shape {tuple(images.shape)}: the model takes (N, {expected[0]} bands, "
                f"{expected[1]}, {expected[2]})"
            )
        out: torch.Tensor = self(self.scaling(images), mask)
        return out


def patchify(images: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut images (B, C, H, W) into patches (B, T, C p p), rows of patches first."""
    p = patch_size
    return F.pixel_unshuffle(images, p).flatten(2).transpose(1, 2)  # (B, C*p*p, gh, gw) before


def unpatchify(patches: torch.Tensor, patch_size: int, grid: tuple[int, int]) -> torch.Tensor:
    """Put patches (B, T, C p p) together to images (B, C, H, W)."""
    B, _, D = patches.shape
    return F.pixel_shuffle(patches.transpose(1, 2).reshape(B, D, *grid), patch_size)


def sincos_positions(grid: tuple[int, int], width: int) -> torch.Tensor:
    """Make fixed positions of two dimensions (1, gh gw, width): sines and cosines of y, then x.

    Source: Vaswani et al. 2017 (arXiv:1706.03762, section 3.5), half of the width for each axis.
    """
    quarter = width // 4
    frequency = 10_000.0 ** (-torch.arange(quarter, dtype=torch.float64) / quarter)
    axes = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    waves = [
        wave
        for axis in axes
        for angle in [axis.reshape(-1, 1) * frequency]
        for wave in (angle.sin(), angle.cos())
    ]
    return torch.cat(waves, dim=1).float()[None]


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
