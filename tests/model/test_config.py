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


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"objective": "gan"}, "model.objective = 'gan': allowed are simmim"),
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
