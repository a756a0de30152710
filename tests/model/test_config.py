"""Sizes, and settings that cannot be."""

from typing import Any

import pytest

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig


@pytest.mark.parametrize(
    ("size", "dimensions"),
    [
        ("nano", (128, 4, 4)),
        ("base", (768, 12, 12)),
        ("large", (1024, 24, 16)),
        ("huge", (1280, 32, 16)),
    ],
)
def test_sizes(size: str, dimensions: tuple[int, int, int]) -> None:
    """A size names width, depth and heads."""
    assert ModelConfig(size=size).dimensions == dimensions


def test_own_dimensions_come_before_the_size() -> None:
    """Each of width, depth and heads replaces that of the size."""
    assert ModelConfig(size="base", depth=3).dimensions == (768, 3, 12)
    assert ModelConfig(width=96, heads=6).dimensions == (96, 4, 6)


def test_grid() -> None:
    """The grid is patches along y and x, odd ones included."""
    assert ModelConfig().grid == (8, 8)
    assert ModelConfig(image_size=40).grid == (5, 5)


def test_masks_are_shared_as_the_objective_needs() -> None:
    """Left out, the setting follows the objective; said, it stays."""
    assert ModelConfig().shared_mask is False
    assert ModelConfig(shared_mask=True).shared_mask is True
    assert ModelConfig(objective="mae").shared_mask is True


@pytest.mark.parametrize(
    ("fields", "dimensions"),
    [
        ({}, (64, 2, 2)),
        ({"size": "large"}, (512, 2, 16)),  # as of He et al. 2022
        ({"width": 100, "heads": 5}, (52, 2, 1)),
        ({"width": 200}, (100, 2, 2)),
        ({"decoder_width": 96, "decoder_depth": 4, "decoder_heads": 6}, (96, 4, 6)),
    ],
)
def test_decoder(fields: dict[str, Any], dimensions: tuple[int, int, int]) -> None:
    """The decoder is half as wide as the encoder, with a head for 32 numbers, unless said."""
    assert ModelConfig(objective="mae", **fields).decoder_dimensions == dimensions


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "gan"}, "model.objective = 'gan': allowed are simmim, mae"),
        ({"objective": "mae", "shared_mask": False}, "model.shared_mask = false: MAE leaves"),
        ({"objective": "mae", "decoder_width": 66}, "model.decoder_width = 66: must be divisible"),
        ({"objective": "mae", "decoder_heads": 3}, "must be divisible by 4 and by 3 heads"),
        ({"decoder_depth": 0}, "model.decoder_depth = 0: must be at least 1"),
        ({"pool_weight": -1.0}, "model.pool_weight = -1.0: must be 0 or more"),
        ({"sky_degree": -1}, "model.sky_degree = -1: must be 0 or more"),
        ({"sky_withheld": 1.0}, "model.sky_withheld = 1.0: must be 0 to below 1"),
        (
            {"token_blocks": (2, 5)},
            "model.token_blocks = [2, 5]: must be blocks from 1 to 4, rising",
        ),
        ({"token_blocks": (0, 2)}, "model.token_blocks = [0, 2]"),
        ({"token_blocks": (3, 1)}, "model.token_blocks = [3, 1]"),
        ({"token_blocks": (2, 2)}, "model.token_blocks = [2, 2]"),
        ({"size": "tiny"}, "model.size = 'tiny': allowed are nano, small, base, large, huge"),
        ({"scaling": "log"}, "model.scaling = 'log'"),
        ({"loss": "l2"}, "model.loss = 'l2'"),
        ({"patch_size": 0}, "model.patch_size = 0: must be at least 1"),
        ({"patch_size": 7}, "model.patch_size = 7 does not divide model.image_size = 64"),
        ({"depth": -1}, "model.depth = -1"),
        ({"width": 130}, "model.width = 130: must be divisible by 4 and by 4 heads"),
        ({"mask_ratio_max": 1.1}, "model.mask_ratio_min, mask_ratio_max"),
        ({"mask_ratio_min": 0.8, "mask_ratio_max": 0.5}, "must be 0 to 1 and in this order"),
        ({"mask_ratio_max": float("nan")}, "mask_ratio_max"),
        ({"hide_band": -0.1}, "model.hide_band = -0.1: must be 0 to 1"),
        ({"drop_path": 1.0}, "model.drop_path = 1.0"),
        ({"softening": 0.0}, "model.softening = 0.0"),
        ({"clip_low": 5.0, "clip_high": 5.0}, "model.clip_low = 5.0"),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    """What cannot be is refused in one line that names the setting and its value."""
    with pytest.raises(InputError) as error:
        ModelConfig(**fields)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
