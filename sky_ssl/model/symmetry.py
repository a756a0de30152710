"""The symmetries of a square: flips and quarter turns of images and of grids of tokens."""

import torch

TURNS = (1, 4, 8)
"""How many ways an image may be looked at: as it is, by quarter turns, and mirrored besides."""


def turned(x: torch.Tensor, way: int) -> torch.Tensor:
    """Turn the last two axes, which are as long, in one of 8 ways.

    Args:
        x: (..., S, S).
        way: quarter turns, 0 to 3; from 4 on, after a flip of the last axis.
    """
    return (x.flip(-1) if way >= 4 else x).rot90(way % 4, (-2, -1))


def turned_back(x: torch.Tensor, way: int) -> torch.Tensor:
    """Undo `turned`."""
    x = x.rot90(-(way % 4), (-2, -1))
    return x.flip(-1) if way >= 4 else x


def tokens_turned_back(tokens: torch.Tensor, way: int, grid: tuple[int, int]) -> torch.Tensor:
    """Put the tokens (B, T, D) of a turned image in the places that they have in the image."""
    places = torch.arange(tokens.shape[1], device=tokens.device).view(grid)
    return tokens[:, turned_back(places, way).flatten()]
