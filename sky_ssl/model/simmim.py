"""SimMIM: hide patches, encode, and predict the hidden pixels with one linear layer.

Xie et al. 2022, arXiv:2111.09886. Bands are masked independently, so that the network learns
colours as well as shapes.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import Encoder, patchify, unpatchify
from sky_ssl.model.masking import to_pixels


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
        return self._decode(self.encoder.tokens(images, mask))

    def _decode(self, tokens: torch.Tensor) -> torch.Tensor:
        tokens = tokens[:, 1:] if self.config.cls_token else tokens
        return unpatchify(self.decoder(tokens), self.config.patch_size, self.grid).float()

    def forward(
        self, images: torch.Tensor, mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the loss over hidden pixels with data.

        Args:
            images: (B, C, H, W) physical, NaN = no data.
            mask: (B, C, gh, gw), True = hidden.

        Returns:
            The sum of the loss over these pixels, and their number: the caller divides by the
            number over the whole batch.
        """
        scaled = self.encoder.scaling(images)
        counts = to_pixels(mask, self.config.patch_size) & scaled.isfinite()
        target = self._normalised(scaled) if self.config.normalize_target else scaled
        target = torch.where(counts, target, 0.0)
        prediction = torch.where(counts, self._decode(self.encoder(scaled, mask)), 0.0)
        loss = {"l1": F.l1_loss, "mse": F.mse_loss, "huber": F.smooth_l1_loss}[self.config.loss]
        return loss(prediction, target, reduction="sum"), counts.sum()

    def _normalised(self, scaled: torch.Tensor) -> torch.Tensor:
        """Bring each patch of each band to mean 0 and deviation 1 over its pixels with data."""
        p = self.config.patch_size
        B, T, _ = (patches := patchify(scaled, p)).shape
        patches = patches.view(B, T, self.encoder.n_bands, p * p)
        mean = patches.nanmean(-1, keepdim=True)
        variance = (patches - mean).square().nanmean(-1, keepdim=True)
        return unpatchify(((patches - mean) / (variance + 1e-6).sqrt()).flatten(2), p, self.grid)
