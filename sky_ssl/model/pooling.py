"""Attention pooling: one vector of many tokens, by a learned query (Lee et al. 2019).

In: tokens (B, T, width). Out: (B, width). The weights are learned by whoever holds it: with masked
image modelling, which needs no labels (`model.pool_weight`), or by a predictor on labels.
"""

import torch
from timm.layers.attention_pool import AttentionPoolLatent
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.blocks import fused_attention


class AttentionPool(nn.Module):
    """A learned query that attends to all tokens, and a small network behind it.

    timm's module; the idea is that of Set Transformers (Lee et al. 2019, arXiv:1810.00825).

    Args:
        width: numbers per token.
        heads: attention heads.

    Raises:
        InputError: if the width cannot be divided among the heads.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise InputError(f"attention pool of {heads} heads: must divide {width} numbers")
        self.attention = AttentionPoolLatent(width, num_heads=heads, norm_layer=nn.LayerNorm)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Pool tokens (B, T, width) to (B, width); their order does not matter."""
        self.attention.fused_attn = fused_attention(tokens)
        pooled: torch.Tensor = self.attention(tokens)
        return pooled
