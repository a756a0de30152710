"""The Vision Transformer: patches of all bands in, one token per place out.

Dosovitskiy et al. 2021, arXiv:2010.11929. A patch that is hidden, and a pixel without data, are
replaced by one learned patch of values per band before they enter.
"""

from collections.abc import Sequence

import torch
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.blocks import initialise, make_blocks, outputs_of
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.pooling import AttentionPool
from sky_ssl.model.scaling import Scaling
from sky_ssl.model.sphere import SkyToken


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
        self.patch_values = C * p * p
        self.scaling = Scaling(config, sky_sigma)
        self.hidden_patch = nn.Parameter(torch.zeros(C, p, p))
        self.patch_embedding = nn.Linear(self.patch_values, width)
        self.positions: torch.Tensor
        self.register_buffer("positions", sincos_positions(config.grid, width), persistent=False)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width)) if config.cls_token else None
        rates = torch.linspace(0, config.drop_path, depth).tolist()
        self.blocks = make_blocks(width, heads, rates)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.apply(initialise)
        nn.init.trunc_normal_(self.hidden_patch, std=0.02)
        self.sky_token = SkyToken(width, config.sky_degree) if config.sky_token else None
        self.pool = AttentionPool(width, heads) if config.pool_weight else None

    def forward(
        self,
        patches: torch.Tensor,
        mask: torch.Tensor | None = None,
        sky: torch.Tensor | None = None,
        keep: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Encode patches that are scaled already.

        Args:
            patches: (B, T, C, p p), T = gh gw in the order of rows, NaN = no data.
            mask: (B, C, gh, gw), True = hidden; None = nothing is hidden.
            sky: (B, 2) RA and Dec in degrees, NaN = unknown; None = all unknown. Used by a model
                with a sky token only.
            keep: (B, K) places of the tokens to encode, as if there were no others; None = all.

        Returns:
            (B, T, width) after the last norm, or (B, K, width); the class token, if any, comes
            first. The sky token is seen by all others, and not returned.
        """
        return self.norm(self._outputs(patches, mask, sky, keep, (len(self.blocks),))[0])

    def _outputs(
        self,
        patches: torch.Tensor,
        mask: torch.Tensor | None,
        sky: torch.Tensor | None,
        keep: torch.Tensor | None,
        chosen: tuple[int, ...],
    ) -> list[torch.Tensor]:
        """Give what chosen blocks put out, before any norm; see `forward`."""
        absent = patches.isnan()
        if mask is not None:
            absent = absent | mask_of_patches(mask)
        filler = self.hidden_patch.flatten(1)  # (C, p*p)
        values, positions = torch.where(absent, filler, patches).flatten(2), self.positions
        if keep is not None:
            values = take(values, keep)
            positions = take(positions.expand(len(values), -1, -1), keep)
        x = self.patch_embedding(values) + positions
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.expand(len(x), -1, -1).to(x.dtype), x], dim=1)
        count = x.shape[1]
        if self.sky_token is not None:
            where = patches.new_full((len(x), 2), torch.nan) if sky is None else sky
            x = torch.cat([x, self.sky_token(where).to(x.dtype)], dim=1)
        return [out[:, :count] for out in outputs_of(self.blocks, x, chosen)]

    def tokens(
        self,
        images: torch.Tensor,
        mask: torch.Tensor | None = None,
        sky: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Encode images to the tokens that embeddings are made of.

        Those of the last block after its norm; or those of `token_blocks` side by side, each
        brought to mean 0 and deviation 1, since early blocks know shapes and late ones colours.

        Args:
            images: (B, C, H, W) in physical units, NaN = no data.
            mask, sky: as in `forward`.

        Returns:
            (B, T, token width); the class token, if any, comes first.

        Raises:
            InputError: if the images are not of the model's bands and size.
        """
        patches, chosen = self._patches(images), self.config.token_blocks
        if not chosen:
            last: torch.Tensor = self(patches, mask, sky)
            return last
        outputs = self._outputs(patches, mask, sky, None, chosen)
        return torch.cat([nn.functional.layer_norm(x, (self.width,)) for x in outputs], dim=-1)

    def last_tokens(self, images: torch.Tensor, sky: torch.Tensor | None = None) -> torch.Tensor:
        """Encode images to the tokens (B, T, width) of the last block, after its norm."""
        out: torch.Tensor = self(self._patches(images), None, sky)
        return out

    def _patches(self, images: torch.Tensor) -> torch.Tensor:
        """Scale images and cut them into patches (B, T, C, p p)."""
        expected = (self.n_bands, self.config.image_size, self.config.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            raise InputError(
                f"images of shape {tuple(images.shape)}: the model takes (N, {expected[0]} bands, "
                f"{expected[1]}, {expected[2]})"
            )
        return patchify(self.scaling(images), self.config.patch_size)

    def places(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give the tokens of patches alone: without the class token, if there is one."""
        return tokens if self.cls_token is None else tokens[:, 1:]


def take(x: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Take rows of each image: (B, T, D) at places (B, K) to (B, K, D)."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))


def patchify(images: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Cut images (B, C, H, W) into patches (B, T, C, p p), T and pixels in the order of rows."""
    B, C, H, W = images.shape
    p = patch_size
    patches = images.reshape(B, C, H // p, p, W // p, p).permute(0, 2, 4, 1, 3, 5)
    return patches.reshape(B, H // p * (W // p), C, p * p)


def unpatchify(patches: torch.Tensor, patch_size: int, grid: tuple[int, int]) -> torch.Tensor:
    """Put patches (B, T, C, p p) together to images (B, C, H, W)."""
    B, _, C, _ = patches.shape
    (gh, gw), p = grid, patch_size
    images = patches.reshape(B, gh, gw, C, p, p).permute(0, 3, 1, 4, 2, 5)
    return images.reshape(B, C, gh * p, gw * p)


def mask_of_patches(mask: torch.Tensor) -> torch.Tensor:
    """Bring masks (B, C, gh, gw) to the order of patches, (B, T, C, 1)."""
    return mask.flatten(2).transpose(1, 2)[..., None]


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


def central_places(config: ModelConfig, even: int = 2) -> torch.Tensor:
    """Give places (n,) of the central `even` x `even` tokens, one more a side in an odd grid."""
    gh, gw = config.grid
    rows, columns = (
        torch.arange(n)[max(0, (n - side) // 2) : (n + side) // 2]
        for n, side in ((n, even + n % 2) for n in (gh, gw))
    )
    return (rows[:, None] * gw + columns).flatten()
