"""The learning rate at a step, and which weights decay."""

import math

import torch
from torch import nn

from sky_ssl.training.config import TrainConfig


def learning_rate(step: int, config: TrainConfig) -> float:
    """Give the rate of a step: linear warm-up, then a cosine down to `min_lr` at the last step.

    Of a longer schedule (`config.schedule`) the last step comes before the rate is down there.
    """
    steps = config.schedule or config.steps
    warmup = max(1, round(config.warmup * steps)) if config.warmup else 0
    if step < warmup:
        return config.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return config.min_lr + (config.lr - config.min_lr) * cosine


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """Make a fused AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101).

    Matrices decay; biases, norms and learned patches and tokens (fewer than two dimensions, or
    named so by the model in `no_weight_decay`) do not.
    """
    exempt: set[str] = getattr(model, "no_weight_decay", set)()
    decay: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for name, weight in model.named_parameters():
        if weight.requires_grad:
            (plain if weight.ndim < 2 or name in exempt else decay).append(weight)
    groups = [
        {"params": decay, "weight_decay": config.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=(config.beta1, config.beta2), fused=True)
