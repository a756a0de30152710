"""MAE: encode the visible patches alone, and let a small Transformer fill in the others.

He et al. 2022, arXiv:2111.06377. Masks are the same in all bands, since a token is either there or
not. Where single bands of a visible token are hidden (`hide_band`) or have no data, the learned
patch takes their place, as in SimMIM. The decoder is not trained on what the encoder sees: what it
makes of single missing pixels there is worth little, unless whole bands are hidden in training.
"""

import torch
from torch import nn

from sky_ssl.model.blocks import initialise, make_blocks, run_blocks
from sky_ssl.model.encoder import Encoder, sincos_positions
from sky_ssl.model.simmim import Decoded, SimMIM


class MAE(SimMIM):
    """Encoder of the visible tokens and Transformer decoder; in use it is like SimMIM.

    Args:
        config: the network.
        sky_sigma: noise per band, in the unit of the images.
    """

    def _make_decoder(self) -> nn.Module:
        return Decoder(self.encoder)

    def decoded(
        self, patches: torch.Tensor, mask: torch.Tensor, sky: torch.Tensor | None = None
    ) -> Decoded:
        """Predict patches; see `SimMIM.decoded`.

        Images of which as many tokens are visible go together. In training with one fixed ratio
        this number is known, and no look at the masks makes the host wait for the device; masks
        are taken to be those of `random_masks` then.
        """
        hidden = mask.all(dim=1).flatten(1)  # (B, T): hidden in all bands
        order = hidden.to(torch.uint8).argsort(dim=1, stable=True)  # visible places first
        T, config = hidden.shape[1], self.config
        if self.training and config.mask_ratio_min == config.mask_ratio_max:
            keep = order[:, : T - round(config.mask_ratio_max * T)]
            return self._decoded_alike(patches, mask, sky, keep)
        visible = T - hidden.sum(dim=1)
        counts = visible.unique().tolist()
        if len(counts) <= 1:
            return self._decoded_alike(patches, mask, sky, order[:, : max(counts, default=0)])
        groups = [(visible == count).nonzero()[:, 0] for count in counts]
        parts = [
            self._decoded_alike(
                patches[rows], mask[rows], None if sky is None else sky[rows], order[rows, :count]
            )
            for rows, count in zip(groups, counts, strict=True)
        ]
        back = torch.cat(groups).argsort()

        def joined(vectors: list[torch.Tensor | None]) -> torch.Tensor | None:
            there = [vector for vector in vectors if vector is not None]
            return torch.cat(there)[back] if there else None

        return Decoded(
            torch.cat([part.patches for part in parts])[back],
            joined([part.pooled for part in parts]),
            joined([part.middle for part in parts]),
            joined([part.seen for part in parts]),
        )

    def _decoded_alike(
        self,
        patches: torch.Tensor,
        mask: torch.Tensor,
        sky: torch.Tensor | None,
        keep: torch.Tensor,
    ) -> Decoded:
        """Predict patches of images that keep K tokens each, at places (B, K)."""
        tokens = self.encoder(patches, mask, sky, keep)
        pool, visible = self.encoder.pool, self.encoder.places(tokens)
        pooled = None if pool is None else pool(visible)
        central = torch.isin(keep, self.central)  # (B, K)
        count = central.sum(dim=1, keepdim=True)
        middle = (visible * central[..., None]).sum(dim=1) / count.clamp(min=1)
        return Decoded(self.decoder(tokens, keep), pooled, middle, count[:, 0] > 0)


class Decoder(nn.Module):
    """A small Transformer from the tokens of some places to the patches of all.

    Args:
        encoder: whose tokens it takes.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        config, self.n_bands = encoder.config, encoder.n_bands
        width, depth, heads = config.decoder_dimensions
        self.prefix = int(config.cls_token)
        self.embedding = nn.Linear(encoder.width, width)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions: torch.Tensor
        self.register_buffer("positions", sincos_positions(config.grid, width), persistent=False)
        self.blocks = make_blocks(width, heads, [0.0] * depth)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.values = nn.Linear(width, encoder.patch_values)
        self.apply(initialise)
        nn.init.trunc_normal_(self.mask_token, std=0.02)

    def forward(self, tokens: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
        """Predict the patches of all places.

        Args:
            tokens: (B, K, width) of the encoder, a class token before them if there is one.
            keep: (B, K) their places.

        Returns:
            (B, T, C, p p).
        """
        B, T = len(tokens), self.positions.shape[1]
        x = self.embedding(tokens)
        places = keep[..., None].expand(-1, -1, x.shape[-1])
        blank = self.mask_token.to(x.dtype).expand(B, T, -1)
        filled = blank.scatter(1, places, x[:, self.prefix :]) + self.positions
        x = torch.cat([x[:, : self.prefix].to(filled.dtype), filled], dim=1)
        x = self.norm(run_blocks(self.blocks, x)[:, self.prefix :])
        values: torch.Tensor = self.values(x)
        return values.unflatten(-1, (self.n_bands, -1))
