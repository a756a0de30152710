"""Transformer blocks (timm's), for encoders and decoders alike: made, run, initialised."""

from collections.abc import Sequence
from typing import Any

import torch
from timm.models.vision_transformer import Block
from torch import nn


def make_blocks(width: int, heads: int, rates: Sequence[float]) -> nn.ModuleList:
    """Make a Transformer block for each rate of stochastic depth."""
    return nn.ModuleList(
        Block(width, heads, mlp_ratio=4.0, qkv_bias=True, drop_path=rate) for rate in rates
    )


def run_blocks(blocks: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    """Send tokens (B, T, width) through blocks, with the kernel of attention that suits them."""
    return outputs_of(blocks, x, (len(blocks),))[0]


def outputs_of(blocks: nn.ModuleList, x: torch.Tensor, chosen: Sequence[int]) -> list[torch.Tensor]:
    """Send tokens (B, T, width) through blocks as far as needed; give what chosen ones put out.

    Args:
        blocks: of `make_blocks`.
        x: tokens.
        chosen: numbers of blocks, rising; 1 is the first, 0 stands for the tokens as they are.
    """
    fused, found = fused_attention(x), [x] if 0 in chosen else []
    block: Any
    for number, block in enumerate(blocks[: max(chosen)], start=1):
        block.attn.fused_attn = fused
        x = block(x)
        if number in chosen:
            found.append(x)
    return found


def fused_attention(x: torch.Tensor) -> bool:
    """Choose the kernel of attention: on a CPU in bf16, the fused one is slow to go backward.

    Measured with 64 tokens 128 wide: 58 ms against 17; above a thousand tokens memory decides.
    """
    trains_in_bf16 = torch.is_grad_enabled() and torch.is_autocast_enabled("cpu")
    return not (x.device.type == "cpu" and trains_in_bf16 and x.shape[1] <= 1024)


def initialise(module: nn.Module) -> None:
    """Set the weights of a linear layer: Glorot for the matrix, 0 for the bias."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
