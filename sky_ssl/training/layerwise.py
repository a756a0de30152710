"""Layer-wise learning rates: the deeper a layer lies, the less it is changed.

Clark et al. 2020 (ELECTRA, arXiv:2003.10555); Bao et al. 2022 (BEiT, arXiv:2106.08254, appendix).
"""

import re

import torch
from torch import nn

_BLOCK = re.compile(r"(^|\.)blocks\.(\d+)\.")


def layer_of(name: str, depth: int) -> int:
    """Give the layer of a weight by its name.

    Returns:
        0 for what enters the blocks of an encoder (patches, tokens, positions), k + 1 for block k,
        `depth` + 1 for all behind them: last norm, pooling, head.
    """
    block = _BLOCK.search(name)
    if block:
        return int(block[2]) + 1
    _, inside, rest = f".{name}".partition(".encoder.")
    return depth + 1 if not inside or rest.startswith(("norm.", "pool.")) else 0


def layered_optimizer(
    model: nn.Module, *, depth: int, lr: float, decay: float, weight_decay: float
) -> torch.optim.AdamW:
    """Make AdamW whose groups carry the share of the learning rate of their layer.

    Args:
        model: its frozen weights are left out; names in `model.no_weight_decay()` do not decay,
            nor do biases and norms.
        depth: blocks of the encoder; 0 for a network without.
        lr: of the head.
        decay: factor per layer down from it, 1 = all alike.
        weight_decay: of matrices.

    Returns:
        The optimizer; each group has "scale" (its share of the rate) and "layer".
    """
    exempt: set[str] = getattr(model, "no_weight_decay", set)()
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            decays = weight.ndim >= 2 and name not in exempt
            groups.setdefault((layer_of(name, depth), decays), []).append(weight)
    listed = []
    for (layer, decays), weights in sorted(groups.items(), key=lambda item: item[0]):
        scale = decay ** (depth + 1 - layer)
        listed.append(
            {
                "params": weights,
                "lr": lr * scale,
                "scale": scale,
                "layer": layer,
                "weight_decay": weight_decay if decays else 0.0,
            }
        )
    return torch.optim.AdamW(listed, betas=(0.9, 0.999), fused=True)
