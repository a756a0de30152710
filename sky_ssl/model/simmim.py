"""SimMIM: hide patches, encode, and predict the hidden pixels with one linear layer.

Xie et al. 2022, arXiv:2111.09886. Bands are masked independently, so that the network learns
colours as well as shapes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import Encoder, mask_of_patches, patchify, unpatchify


class SimMIM(nn.Module):
    """Encoder and linear decoder.

    Args:
        config: the network.
        sky_sigma: noise per band, in the unit of the images.
    """

    def __init__(self, config: ModelConfig, sky_sigma: Sequence[float]) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config, sky_sigma)
        p = config.patch_size
        self.decoder = nn.Linear(self.encoder.width, self.encoder.n_bands * p * p)
        nn.init.xavier_uniform_(self.decoder.weight)
        nn.init.zeros_(self.decoder.bias)

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
        return {"encoder.hidden_patch", "encoder.cls_token"}

    def describe(self) -> str:
        """Say in a few words what this is."""
        width, depth, _ = self.config.dimensions
        millions = sum(w.numel() for w in self.parameters()) / 1e6
        size, patch = self.config.image_size, self.config.patch_size
        return (
            f"{self.config.objective} {self.config.size} ({width} wide, {depth} deep, "
            f"{millions:.1f}M weights), {self.encoder.n_bands} bands, {size} px, patch {patch}"
        )

    def predict(self, images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Predict all pixels of images of which some patches are hidden.

        Args:
            images: (B, C, H, W) physical, NaN = no data.
            mask: (B, C, gh, gw), True = hidden.

        Returns:
            (B, C, H, W) float32 in scaled units, or in units of each patch's own deviation where
            the target is normalised.
        """
        patches = self._decode(self.encoder.tokens(images, mask)).float()
        return unpatchify(patches, self.config.patch_size, self.grid)

    def _decode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Give the patches (B, T, C, p p) of tokens."""
        tokens = tokens[:, 1:] if self.config.cls_token else tokens
        decoded: torch.Tensor = self.decoder(tokens)
        return decoded.unflatten(-1, (self.encoder.n_bands, -1))

    def forward(
        self, images: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the loss over hidden pixels with data.

        Args:
            images: (B, C, H, W) physical, NaN = no data.
            mask: (B, C, gh, gw), True = hidden.

        Returns:
            The sum of the loss over these pixels, in float32, and their number: the caller divides
            by the number over the whole batch.
        """
        patches = patchify(self.encoder.scaling(images), self.config.patch_size)
        counts = mask_of_patches(mask) & ~patches.isnan()
        target = _normalised(patches) if self.config.normalize_target else patches
        difference = self._decode(self.encoder(patches, mask)).float() - target
        # Where nothing counts the target may be NaN: replaced before the loss, so that no gradient
        # of it is NaN
        difference = torch.where(counts, difference, 0.0)
        return self._loss(difference).sum(), counts.sum()

    def _loss(self, difference: torch.Tensor) -> torch.Tensor:
        if self.config.loss == "l1":
            return difference.abs()
        if self.config.loss == "mse":
            return difference.square()
        return F.huber_loss(difference, torch.zeros_like(difference), reduction="none")


def _normalised(patches: torch.Tensor) -> torch.Tensor:
    """Bring each patch (B, T, C, p p) to mean 0 and deviation 1 over its pixels with data."""
    mean = patches.nanmean(-1, keepdim=True)
    variance = (patches - mean).square().nanmean(-1, keepdim=True)
    return (patches - mean) / (variance + 1e-6).sqrt()
