"""SimMIM: hide patches, encode, and predict the hidden pixels with one linear layer.

Xie et al. 2022, arXiv:2111.09886. Bands are masked independently, so that the network learns
colours as well as shapes. Beside the pixels, the radial profile of the object is foretold.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from sky_ssl.model.blocks import initialise
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import Encoder, central_places, patchify, unpatchify
from sky_ssl.model.loss import hidden_loss
from sky_ssl.model.profile import ProfileHead, profile_pixels

# Weights that must not be pulled to zero, by their last name: learned patches, tokens and queries
LEARNED_INPUTS = ("hidden_patch", "cls_token", "mask_token", "absent", "latent")


class Decoded(NamedTuple):
    """What a network makes of masked images."""

    patches: torch.Tensor  # (B, T, C, p p) predicted
    pooled: torch.Tensor | None  # (B, width) where there is an attention pool
    middle: torch.Tensor | None = None  # (B, width) mean of the central tokens
    seen: torch.Tensor | None = None  # (B,) False where there are none of these; None: all have


class SimMIM(nn.Module):
    """Encoder and linear decoder; with more heads, for the profile and for one pooled vector.

    Args:
        config: the network.
        sky_sigma: noise per band, in the unit of the images.
    """

    def __init__(self, config: ModelConfig, sky_sigma: Sequence[float]) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, sky_sigma)
        self.decoder: nn.Module = self._make_decoder()
        self.pool_decoder = PoolDecoder(self.encoder) if config.pool_weight else None
        n_bands, width = self.encoder.n_bands, self.encoder.width
        self.central: torch.Tensor
        self.register_buffer("central", central_places(config), persistent=False)
        self.profile = ProfileHead(config, n_bands, width) if config.profile_weight else None

    def _make_decoder(self) -> nn.Module:
        decoder = nn.Linear(self.encoder.width, self.encoder.patch_values)
        initialise(decoder)
        return decoder

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along y and x."""
        return self.config.grid

    @property
    def sky_sigma(self) -> torch.Tensor:
        """Noise per band (C,) that the scaling divides by."""
        return self.encoder.scaling.sky_sigma

    def set_sky_sigma(self, sigma: torch.Tensor) -> None:
        """Scale with another noise per band (C,)."""
        self.sky_sigma.copy_(sigma)

    def no_weight_decay(self) -> set[str]:
        """Name the weights that must not be pulled to zero: learned patches and tokens."""
        names = {name for name, _ in self.named_parameters()}
        return {name for name in names if name.rpartition(".")[2] in LEARNED_INPUTS}

    def describe(self) -> str:
        """Say in a few words what this is."""
        width, depth, _ = self.config.dimensions
        millions = sum(w.numel() for w in self.parameters()) / 1e6
        size, patch = self.config.image_size, self.config.patch_size
        said = (
            f"{self.config.objective} {self.config.known_size}({width} wide, {depth} deep, "
            f"{millions:.1f}M weights), {self.encoder.n_bands} bands, {size} px, patch {patch}"
        )
        blocks = " and ".join(map(str, self.config.token_blocks))
        return f"{said}, tokens of blocks {blocks}" if blocks else said

    def predict(
        self, images: torch.Tensor, mask: torch.Tensor, sky: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Predict all pixels of images of which some patches are hidden.

        Args:
            images: (B, C, H, W) physical, NaN = no data.
            mask: (B, C, gh, gw), True = hidden.
            sky: (B, 2) RA and Dec in degrees, NaN = unknown; for a model with a sky token.

        Returns:
            (B, C, H, W) float32 in scaled units, or in units of each patch's own deviation where
            the target is normalised.
        """
        patches = patchify(self.encoder.scaling(images), self.config.patch_size)
        decoded = self.decoded(patches, mask, sky).patches.float()
        return unpatchify(decoded, self.config.patch_size, self.grid)

    def decoded(
        self, patches: torch.Tensor, mask: torch.Tensor, sky: torch.Tensor | None = None
    ) -> Decoded:
        """Predict patches (B, T, C, p p) from the visible ones; give vectors of them besides.

        Args:
            patches: (B, T, C, p p) scaled, NaN = no data; what is hidden is not looked at.
            mask: (B, C, gh, gw), True = hidden.
            sky: (B, 2) RA and Dec, or None.
        """
        tokens = self.encoder.places(self.encoder(patches, mask, sky))
        pool = self.encoder.pool
        values = self.decoder(tokens).unflatten(-1, (self.encoder.n_bands, -1))
        middle = tokens[:, self.central].mean(dim=1)
        return Decoded(values, None if pool is None else pool(tokens), middle)

    def forward(
        self, images: torch.Tensor, mask: torch.Tensor, sky: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the loss over hidden pixels with data.

        Args:
            images: (B, C, H, W) physical, NaN = no data.
            mask: (B, C, gh, gw), True = hidden.
            sky: (B, 2) RA and Dec in degrees, NaN = unknown; for a model with a sky token.

        Returns:
            The sum of the loss over these pixels, in float32, and their number: the caller divides
            by the number over the whole batch. In the sum are also `profile_weight` times the loss
            of the radial profile, counted as that of as many pixels as are hidden on average, and,
            with an attention pool, `pool_weight` times that of what is predicted from it alone.
        """
        patches = patchify(self.encoder.scaling(images), self.config.patch_size)
        decoded = self.decoded(patches, mask, sky)
        loss, count = hidden_loss(decoded.patches, patches, mask, self.config)
        if self.profile is not None and decoded.middle is not None:
            pixels = self.encoder.scaling.in_sigma(images)
            profile = self.profile(decoded.middle, pixels, decoded.seen)
            # like the pixels beside it, as far as there are data
            known = (~patches.isnan()).float().mean(dim=(1, 2, 3))
            counts_as = profile_pixels(self.config, mask) * known
            loss = loss + self.config.profile_weight * (counts_as * profile).sum()
        if self.pool_decoder is not None and decoded.pooled is not None:
            from_pool = self.pool_decoder(decoded.pooled)
            from_pool, _ = hidden_loss(from_pool, patches, mask, self.config)
            loss = loss + self.config.pool_weight * from_pool
        return loss, count


class PoolDecoder(nn.Module):
    """Patches from one vector of the whole image, so that the vector must hold the image.

    This trains attention pooling without labels: all that the network says of a patch has to come
    through the pooled vector, and the place of the patch.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        width, self.n_bands = encoder.width, encoder.n_bands
        self.positions: torch.Tensor
        self.register_buffer("positions", encoder.positions.clone(), persistent=False)
        self.layers = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
            nn.GELU(),
            nn.Linear(width, encoder.patch_values),
        )
        self.apply(initialise)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:
        """Predict patches (B, T, C, p p) from vectors (B, width)."""
        x = pooled[:, None] + self.positions  # (B, T, width)
        values: torch.Tensor = self.layers(x)
        return values.unflatten(-1, (self.n_bands, -1))
