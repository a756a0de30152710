"""Random masks, and the count of what they hide."""

import pytest
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.masking import batch_ratio, hidden_pixels, random_masks, to_pixels


def draw(
    n: int, bands: int, grid: tuple[int, int] = (8, 8), seed: int = 0, **fields
) -> torch.Tensor:
    """Draw masks with a config and a seed."""
    generator = torch.Generator().manual_seed(seed)
    return random_masks(n, bands, grid, config=ModelConfig(**fields), generator=generator)


@pytest.mark.parametrize("bands", [1, 3, 5, 9])
@pytest.mark.parametrize("grid", [(8, 8), (5, 5), (3, 7), (1, 1)])
def test_same_count_in_each_band(bands: int, grid: tuple[int, int]) -> None:
    """Each band of an image hides the same number of patches."""
    mask = draw(20, bands, grid)
    assert mask.shape == (20, bands, *grid)
    assert mask.dtype == torch.bool
    count = mask.sum((-2, -1))
    assert (count == count[:, :1]).all()


def test_ratio_is_uniform_up_to_the_maximum() -> None:
    """Mean and spread of the hidden share are those of U(0, 0.9), never above it."""
    share = draw(4000, 2).float().mean((1, 2, 3))
    assert share.max() <= 0.9 + 0.5 / 64
    assert abs(share.mean() - 0.45) < 0.02
    assert abs(share.std() - 0.9 / 12**0.5) < 0.01


def test_fixed_ratio() -> None:
    """With equal bounds each image hides just that share."""
    assert (draw(50, 3, mask_ratio_min=0.75, mask_ratio_max=0.75).sum((-2, -1)) == 48).all()


def test_bands_are_independent_unless_shared() -> None:
    """The overlap of two bands is that of chance; `shared_mask` makes it complete."""
    mask = draw(2000, 2, mask_ratio_min=0.5, mask_ratio_max=0.5)
    both = (mask[:, 0] & mask[:, 1]).float().mean()
    assert abs(both - 0.25) < 0.01
    shared = draw(10, 3, shared_mask=True)
    assert torch.equal(shared[:, 0], shared[:, 2])


def test_a_single_band_is_never_hidden_whole() -> None:
    """Of one band nothing would be left to predict it from."""
    assert not draw(500, 1, hide_band=1.0).all(-1).all(-1).any()


def test_ratio_of_a_batch() -> None:
    """MAE has one share for all images of a step, uniform over steps; SimMIM has none."""
    assert batch_ratio(ModelConfig(), 1) is None
    mae = ModelConfig(objective="mae", mask_ratio_min=0.2, mask_ratio_max=0.8)
    ratios = torch.tensor([batch_ratio(mae, seed) for seed in range(2000)])
    assert 0.2 <= ratios.min() < 0.21
    assert 0.79 < ratios.max() <= 0.8
    assert abs(ratios.mean() - 0.5) < 0.02
    generator = torch.Generator().manual_seed(0)
    masks = random_masks(50, 3, (5, 5), config=mae, generator=generator, ratio=0.7)
    assert (masks.sum((-2, -1)) == round(0.7 * 25)).all()
    assert not torch.equal(masks[0], masks[1])


def test_generator_is_the_only_randomness() -> None:
    """The same seed gives the same masks whatever the global state; another seed others."""
    torch.manual_seed(1)
    first = draw(8, 3, hide_band=0.3)
    torch.manual_seed(2)
    assert torch.equal(first, draw(8, 3, hide_band=0.3))
    assert not torch.equal(first, draw(8, 3, seed=1, hide_band=0.3))


def test_to_pixels() -> None:
    """A patch spreads over its own pixels: row 0, column 1 of a 2 x 3 grid."""
    mask = torch.zeros(2, 3, dtype=torch.bool)
    mask[0, 1] = True
    pixels = to_pixels(mask, 4)
    assert pixels.shape == (8, 12)
    assert pixels[0:4, 4:8].all()
    assert pixels.sum() == 16


def test_hidden_pixels_counts_hidden_pixels_with_data() -> None:
    """The count is that of plain loops over pixels."""
    images = torch.randn(2, 3, 8, 8)
    images[0, 1, :3] = torch.nan
    images[1, 2, 5, 5] = torch.inf
    mask = draw(2, 3, (2, 2), seed=3)
    expected = sum(
        bool(mask[b, c, y // 4, x // 4]) and bool(images[b, c, y, x].isfinite())
        for b in range(2)
        for c in range(3)
        for y in range(8)
        for x in range(8)
    )
    assert hidden_pixels(images, mask) == expected
    assert hidden_pixels(images.transpose(2, 3), mask.transpose(2, 3)) == expected
