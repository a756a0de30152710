"""The one definition of the embedding of an image.

Tokens are standardised with mean and deviation over all patches of a fixed sample of the training
survey, so that the origin is blank sky, and then pooled. Precision is the caller's: inside a block
of `torch.autocast` the network runs in bf16, and the result is float32 all the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import Encoder

POOLINGS = ("central", "mean", "max", "central16", "cls", "mean+central")


@dataclass(frozen=True)
class TokenStatistics:
    """Mean and standard deviation (width,) of patch tokens over the training survey."""

    mean: torch.Tensor
    std: torch.Tensor


@torch.no_grad()
def token_statistics(encoder: Encoder, batches: Iterable[torch.Tensor]) -> TokenStatistics:
    """Measure the patch tokens of all images of some batches.

    Args:
        encoder: used in evaluation mode; its mode is restored.
        batches: images (B, C, H, W) in physical units, on the encoder's device.

    Returns:
        Statistics in float32 on the CPU, summed in float64.

    Raises:
        InputError: if there is no image.
    """
    count = 0
    total = squares = torch.zeros(encoder.width, dtype=torch.float64)
    with _evaluation(encoder):
        for images in batches:
            tokens = _patch_tokens(encoder, images).flatten(0, 1).double()
            count += len(tokens)
            total = total + tokens.sum(0).cpu()
            squares = squares + tokens.square().sum(0).cpu()
    if not count:
        raise InputError("no image to measure the statistics of the tokens on")
    mean = total / count
    # a number that never changes carries nothing: keep it finite instead of dividing by 0
    variance = (squares / count - mean.square()).clamp(min=1e-12)
    return TokenStatistics(mean=mean.float(), std=variance.sqrt().float())


@torch.no_grad()
def embed(
    encoder: Encoder,
    images: torch.Tensor,
    statistics: TokenStatistics,
    pooling: str = "central",
) -> torch.Tensor:
    """Embed images.

    Args:
        encoder: used in evaluation mode; its mode is restored.
        images: (B, C, H, W) in physical units, NaN = no data, on the encoder's device.
        statistics: of the tokens, from the training survey; each token is standardised with them.
        pooling: "central": the central 2 x 2 tokens (3 x 3 of an odd grid), concatenated;
            "central16": the central 4 x 4 (5 x 5) averaged; "mean", "max": over all patches;
            "cls": the class token as it is; "mean+central": both, concatenated.

    Returns:
        (B, D) float32, D as `embedding_dim` says.

    Raises:
        InputError: on an unknown pooling, "cls" without a class token, statistics of another
            network, or images of other bands or another size.
    """
    _check_pooling(encoder.config, pooling)
    if statistics.mean.shape != (encoder.width,) or statistics.std.shape != (encoder.width,):
        raise InputError(
            f"token statistics of shape {tuple(statistics.mean.shape)}: this model has tokens of "
            f"{encoder.width} numbers"
        )
    device = images.device
    mean, std = statistics.mean.to(device), statistics.std.to(device)
    with _evaluation(encoder):
        if pooling == "cls":
            return encoder.tokens(images)[:, 0].float()
        tokens = (_patch_tokens(encoder, images).float() - mean) / std
    return pool_tokens(tokens, encoder.config, pooling)


def pool_tokens(tokens: torch.Tensor, config: ModelConfig, pooling: str) -> torch.Tensor:
    """Pool standardised patch tokens (B, T, width) to (B, D), as `embed` does."""
    central = tokens[:, _central(config, 2).to(tokens.device)]
    if pooling == "central":
        return central.flatten(1)
    if pooling == "central16":
        return tokens[:, _central(config, 4).to(tokens.device)].mean(dim=1)
    if pooling == "max":
        return tokens.amax(dim=1)
    average = tokens.mean(dim=1)
    return average if pooling == "mean" else torch.cat([average, central.flatten(1)], dim=1)


def embedding_dim(config: ModelConfig, pooling: str = "central") -> int:
    """Give D of a pooling."""
    _check_pooling(config, pooling)
    width, tokens = config.dimensions[0], len(_central(config, 2))
    factor = {"central": tokens, "mean+central": tokens + 1}.get(pooling, 1)
    return width * factor


def _central(config: ModelConfig, even: int) -> torch.Tensor:
    """Give the numbers of the central `even` x `even` tokens, one more a side in an odd grid."""
    gh, gw = config.grid
    rows, columns = (
        torch.arange(n)[max(0, (n - side) // 2) : (n + side) // 2]
        for n, side in ((n, even + n % 2) for n in (gh, gw))
    )
    return (rows[:, None] * gw + columns).flatten()


def _patch_tokens(encoder: Encoder, images: torch.Tensor) -> torch.Tensor:
    tokens = encoder.tokens(images)
    return tokens[:, 1:] if encoder.config.cls_token else tokens


def _check_pooling(config: ModelConfig, pooling: str) -> None:
    if pooling not in POOLINGS:
        raise InputError(f"pooling {pooling!r}: allowed are {', '.join(POOLINGS)}")
    if pooling == "cls" and not config.cls_token:
        raise InputError("pooling 'cls': this model has no class token (model.cls_token = false)")


class _evaluation:  # noqa: N801 - a context manager reads as a verb
    """Put a network into evaluation mode inside a `with` block."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.training = module, module.training

    def __enter__(self) -> None:
        self.module.eval()

    def __exit__(self, *_: object) -> None:
        self.module.train(self.training)
