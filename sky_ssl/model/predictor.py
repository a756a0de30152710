"""A network that answers a question about an image: features of it, and a linear head on them.

Features are pooled tokens of the Vision Transformer, frozen or trained further, or those of a
small convolutional network. All take images in physical units and have the same interface:
`begin` is what can be computed once where it is frozen, `finish` what is always trained.
"""

from typing import Protocol, cast

import torch
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.embedding import TokenStatistics, embedding_dim, pool_tokens
from sky_ssl.model.encoder import Encoder
from sky_ssl.model.pooling import AttentionPool
from sky_ssl.model.simmim import LEARNED_INPUTS

HEADS = ("linear", "attentive")


class Body(Protocol):
    """What gives features."""

    dimensions: int  # of the features
    frozen: bool  # `begin` is not trained

    def begin(self, images: torch.Tensor) -> torch.Tensor:
        """Images (B, C, H, W) to something with B rows."""

    def finish(self, begun: torch.Tensor) -> torch.Tensor:
        """That to features (B, dimensions)."""


class TokenBody(nn.Module):
    """Pooled tokens of an encoder; RA and Dec are not told to a model that takes them.

    Args:
        encoder: pre-trained, or with random weights.
        statistics: of its tokens; each token is standardised with them.
        head: "linear": the pooling of `embed`; "attentive": one query attends to all patches.
        pooling: of the linear head, as in `embed`.
        heads: attention heads of the attentive pooling; 0 = as many as the encoder has.
        frozen: the encoder keeps its weights, and is always in evaluation mode.
    """

    def __init__(
        self,
        encoder: Encoder,
        statistics: TokenStatistics,
        *,
        head: str = "linear",
        pooling: str = "central",
        heads: int = 0,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if head not in HEADS:
            raise InputError(f"head {head!r}: allowed are {', '.join(HEADS)}")
        self.encoder, self.frozen, self.pooling = encoder, frozen, pooling
        self.token_mean: torch.Tensor
        self.token_std: torch.Tensor
        self.register_buffer("token_mean", statistics.mean.clone())
        self.register_buffer("token_std", statistics.std.clone())
        width, own = encoder.config.token_width, encoder.config.dimensions[2]
        self.attention: nn.Module | None = None
        self.dimensions = width
        if head == "attentive":
            if width % (heads or own):
                raise InputError(f"heads {heads}: must divide the width of {width}")
            self.attention = nn.Sequential(
                AttentionPool(width, heads or own), nn.LayerNorm(width, eps=1e-6)
            )
        else:
            self.dimensions = embedding_dim(encoder.config, pooling)
        if frozen:
            encoder.requires_grad_(False)

    def train(self, mode: bool = True) -> "TokenBody":
        """Set the mode; a frozen encoder stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def begin(self, images: torch.Tensor) -> torch.Tensor:
        """Give standardised tokens (B, T, width), pooled already to (B, D) under a linear head."""
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            if self.attention is None and self.pooling == "cls":
                return self.encoder.last_tokens(images)[:, 0].float()
            if self.attention is None and self.pooling == "attention":
                assert self.encoder.pool is not None  # refused by `embedding_dim`
                tokens = self.encoder.places(self.encoder.last_tokens(images))
                return cast(torch.Tensor, self.encoder.pool(tokens)).float()
            tokens = self.encoder.places(self.encoder.tokens(images))
            tokens = (tokens.float() - self.token_mean) / self.token_std
            if self.attention is not None:
                return tokens
            return pool_tokens(tokens, self.encoder.config, self.pooling)

    def finish(self, begun: torch.Tensor) -> torch.Tensor:
        """Give features (B, D)."""
        return begun if self.attention is None else cast(torch.Tensor, self.attention(begun))


class Predictor(nn.Module):
    """A body and a linear head.

    Args:
        body: TokenBody, or a ConvNet (model/convnet.py).
        outputs: K, classes or numbers.
        dropout: share of the features dropped while training.
    """

    def __init__(self, body: Body, outputs: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(body.dimensions, outputs)
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    @property
    def frozen(self) -> bool:
        """Say whether `begin` is not trained, so that its result may be kept."""
        return self.body.frozen

    def no_weight_decay(self) -> set[str]:
        """Name the weights that must not be pulled to zero: learned patches and tokens."""
        return {n for n, _ in self.named_parameters() if n.rpartition(".")[2] in LEARNED_INPUTS}

    def begin(self, images: torch.Tensor) -> torch.Tensor:
        """Give what does not change while a frozen body's head is trained."""
        return self.body.begin(images)

    def finish(self, begun: torch.Tensor) -> torch.Tensor:
        """Give the answers (B, K) in float32: scores of classes, or scaled numbers."""
        features = self.dropout(self.body.finish(begun))
        return cast(torch.Tensor, self.head(features)).float()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Give the answers (B, K) to images (B, C, H, W) in physical units, NaN = no data."""
        return self.finish(self.begin(images))
