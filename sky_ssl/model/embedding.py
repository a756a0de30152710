"""The one definition of the embedding of an image.

Tokens are standardised with mean and deviation over all patches of a fixed sample of the training
survey, so that the origin is blank sky, and then pooled; averaged over flips and quarter turns
before that, if asked for. Precision is the caller's: inside a block of `torch.autocast` the network
runs in bf16, and the result is float32 all the same.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import Encoder, central_places
from sky_ssl.model.symmetry import TURNS, tokens_turned_back, turned

POOLINGS = ("central", "mean", "max", "central16", "rings", "cls", "attention", "mean+central")
_VECTORS = ("cls", "attention")  # one vector of the network's own, not standardised
_RINGS = (0.27, 0.54, 0.8)  # outer edges, as a share of half a side; the last is open


@dataclass(frozen=True)
class TokenStatistics:
    """Mean and standard deviation (token width,) of patch tokens over the training survey."""

    mean: torch.Tensor
    std: torch.Tensor


@torch.no_grad()
def token_statistics(
    encoder: Encoder, batches: Iterable[torch.Tensor | tuple[torch.Tensor, torch.Tensor]]
) -> TokenStatistics:
    """Measure the patch tokens of all images of some batches.

    Args:
        encoder: used in evaluation mode; its mode is restored.
        batches: images (B, C, H, W) in physical units, on the encoder's device; or these and their
            positions (B, 2), see `embed`.

    Returns:
        Statistics in float32 on the CPU, summed in float64.

    Raises:
        InputError: if there is no image.
    """
    count = 0
    total = squares = torch.zeros(encoder.config.token_width, dtype=torch.float64)
    with _evaluation(encoder):
        for batch in batches:
            images, sky = (batch, None) if isinstance(batch, torch.Tensor) else batch
            tokens = encoder.places(encoder.tokens(images, sky=sky)).flatten(0, 1).double()
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
    *,
    turns: int = 1,
    sky: torch.Tensor | None = None,
) -> torch.Tensor:
    """Embed images.

    Args:
        encoder: used in evaluation mode; its mode is restored.
        images: (B, C, H, W) in physical units, NaN = no data, on the encoder's device.
        statistics: of the tokens, from the training survey; each token is standardised with them.
        pooling: "central": the central 2 x 2 tokens (3 x 3 of an odd grid), concatenated;
            "central16": the central 4 x 4 (5 x 5) averaged; "mean", "max": over all patches;
            "rings": mean and deviation in four rings around the centre, for objects that fill the
            image;
            "cls", "attention": the class token and the attention-pooled vector as they are;
            "mean+central": both, concatenated.
        turns: average over the image as it is (1), its quarter turns (4), or these and their
            mirror images (8); tokens are put back in place first.
        sky: (B, 2) RA and Dec in degrees, NaN = unknown; used by a model with a sky token.

    Returns:
        (B, D) float32, D as `embedding_dim` says.

    Raises:
        InputError: on an unknown pooling or number of turns, "cls" without a class token,
            "attention" without an attention pool, statistics of another network, or images of
            other bands or another size.
    """
    _check_pooling(encoder.config, pooling)
    if pooling in _VECTORS:
        return _own_vectors(encoder, images, pooling, turns, sky)
    tokens = standard_tokens(encoder, images, statistics, turns=turns, sky=sky)
    return pool_tokens(tokens, encoder.config, pooling)


def pool_tokens(tokens: torch.Tensor, config: ModelConfig, pooling: str) -> torch.Tensor:
    """Pool the tokens (B, T, width) of all patches to (B, D); see `embed`.

    Raises:
        InputError: on a pooling that is no pooling of these tokens.
    """
    if pooling not in POOLINGS or pooling in _VECTORS:
        raise InputError(f"pooling {pooling!r}: not one of the tokens of patches alone")
    central = tokens[:, central_places(config, 2).to(tokens.device)]
    if pooling == "central":
        return central.flatten(1)
    if pooling == "central16":
        return tokens[:, central_places(config, 4).to(tokens.device)].mean(dim=1)
    if pooling == "max":
        return tokens.amax(dim=1)
    if pooling == "rings":
        return _in_rings(tokens, config.grid)
    average = tokens.mean(dim=1)
    return average if pooling == "mean" else torch.cat([average, central.flatten(1)], dim=1)


@torch.no_grad()
def standard_tokens(
    encoder: Encoder,
    images: torch.Tensor,
    statistics: TokenStatistics,
    *,
    turns: int = 1,
    sky: torch.Tensor | None = None,
) -> torch.Tensor:
    """Give the standardised tokens (B, T, width) of all patches, without pooling; see `embed`.

    Raises:
        InputError: on statistics of another network, or images that do not fit it.
    """
    width = encoder.config.token_width
    if statistics.mean.shape != (width,) or statistics.std.shape != (width,):
        raise InputError(
            f"token statistics of shape {tuple(statistics.mean.shape)}: this model has tokens of "
            f"{width} numbers"
        )
    mean, std = statistics.mean.to(images.device), statistics.std.to(images.device)

    def look(way: int) -> torch.Tensor:
        tokens = encoder.places(encoder.tokens(turned(images, way), sky=sky)).float()
        return tokens_turned_back(tokens, way, encoder.config.grid)

    return (_averaged(encoder, look, turns) - mean) / std


def _own_vectors(
    encoder: Encoder, images: torch.Tensor, pooling: str, turns: int, sky: torch.Tensor | None
) -> torch.Tensor:
    """Give the class tokens (B, width), or the attention-pooled vectors."""

    def look(way: int) -> torch.Tensor:
        tokens = encoder.last_tokens(turned(images, way), sky=sky)
        if pooling == "cls" or encoder.pool is None:
            return tokens[:, 0].float()
        pooled: torch.Tensor = encoder.pool(encoder.places(tokens))
        return pooled.float()

    return _averaged(encoder, look, turns)


def _averaged(encoder: Encoder, look: Callable[[int], torch.Tensor], turns: int) -> torch.Tensor:
    """Average what is seen in the first `turns` ways to turn an image."""
    check_turns(turns)
    with _evaluation(encoder):
        total = look(0)
        for way in range(1, turns):
            total = total + look(way)
    return total / turns


def check_turns(turns: int) -> None:
    """Refuse a number of turns that is no group of symmetries.

    Raises:
        InputError: naming the number and what is allowed.
    """
    if turns not in TURNS:
        raise InputError(f"turns {turns!r}: allowed are {', '.join(map(str, TURNS))}")


def embedding_dim(config: ModelConfig, pooling: str = "central") -> int:
    """Give D of a pooling."""
    _check_pooling(config, pooling)
    if pooling in _VECTORS:
        return config.dimensions[0]
    width, tokens = config.token_width, len(central_places(config, 2))
    rings = 2 * len(_ring_members(config.grid))
    factor = {"central": tokens, "mean+central": tokens + 1, "rings": rings}.get(pooling, 1)
    return width * factor


def _in_rings(tokens: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Give mean and deviation of the tokens (B, T, width) of each ring, (B, 2 rings width).

    Like radial profiles, they stay the same when the image is turned, but for what the tokens
    themselves make of it; the deviation tells arms and clumps from a smooth disc.
    """
    parts = []
    for members in _ring_members(grid):
        ring = tokens[:, members.to(tokens.device)]
        parts += [ring.mean(dim=1), ring.std(dim=1, correction=0)]
    return torch.cat(parts, dim=1)


def _ring_members(grid: tuple[int, int]) -> list[torch.Tensor]:
    """Give the numbers of the tokens of each ring, from the centre; rings without any are not."""
    # in whole half patches first: places that are as far out must not differ in the last digit
    y, x = ((2 * torch.arange(n) + 1 - n).square() for n in grid)
    radius = (y[:, None] + x).sqrt().flatten() / max(grid)  # 1 at the middle of a side
    ring = torch.bucketize(radius, torch.tensor(_RINGS), right=True)
    return [(ring == number).nonzero()[:, 0] for number in ring.unique().tolist()]


def _check_pooling(config: ModelConfig, pooling: str) -> None:
    if pooling not in POOLINGS:
        raise InputError(f"pooling {pooling!r}: allowed are {', '.join(POOLINGS)}")
    if pooling == "cls" and not config.cls_token:
        raise InputError("pooling 'cls': this model has no class token (model.cls_token = false)")
    if pooling == "attention" and not config.pool_weight:
        raise InputError(
            "pooling 'attention': this model has no attention pool (model.pool_weight = 0)"
        )


class _evaluation:  # noqa: N801 - a context manager reads as a verb
    """Put a network into evaluation mode inside a `with` block."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.module, self.training = module, module.training

    def __enter__(self) -> None:
        self.module.eval()

    def __exit__(self, *_: object) -> None:
        self.module.train(self.training)
