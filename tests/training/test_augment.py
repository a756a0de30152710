"""Augmentation on the device."""

import pytest
import torch

from sky_ssl.training.augment import augment, draw_augmentation, turn
from sky_ssl.training.config import DataConfig


def run(images: torch.Tensor, seed: int = 0, **settings: object) -> torch.Tensor:
    config = DataConfig(**{"flips": False, **settings})  # type: ignore[arg-type]
    n, C, H, W = images.shape
    generator = torch.Generator().manual_seed(seed)
    draws = draw_augmentation(n, (C, H, W), config, generator)
    return augment(images, draws, config, torch.full((C,), 2.0))


def test_turns_are_the_eight_of_the_square() -> None:
    """Orientation k is k quarter turns, after a flip in x from 4 on."""
    images = torch.arange(2 * 3 * 3, dtype=torch.float32).reshape(1, 2, 3, 3).repeat(8, 1, 1, 1)
    turned = turn(images, torch.arange(8))
    for k in range(8):
        expected = images[k].flip(2) if k >= 4 else images[k]
        assert torch.equal(turned[k], torch.rot90(expected, k % 4, (1, 2)))
    assert len({tuple(t.flatten().tolist()) for t in turned}) == 8


def test_oblong_images_keep_their_shape() -> None:
    """Images that are not square are turned by halves only; no pixel is lost."""
    images = torch.arange(12.0).reshape(1, 1, 3, 4).repeat(8, 1, 1, 1)
    turned = turn(images, torch.arange(8))
    assert turned.shape == images.shape
    assert (turned.flatten(1).sort(1).values == torch.arange(12.0)).all()


def test_nothing_asked_changes_nothing() -> None:
    """With all augmentations off, the images come back as they are."""
    images = torch.randn(4, 2, 8, 8)
    assert torch.equal(run(images), images)


def test_crop_keeps_flux_per_area() -> None:
    """Zooming into a flat sky of 1 count a pixel by s leaves s squared counts a pixel."""
    zoomed = run(torch.ones(64, 1, 16, 16), crop=0.5)
    levels = zoomed[:, 0, 8, 8]
    assert levels.min() >= 0.24
    assert levels.max() <= 1.0
    assert torch.allclose(zoomed, levels[:, None, None, None].expand_as(zoomed), atol=1e-5)


def test_noise_has_the_size_asked_for() -> None:
    """Noise of up to 0.5 sky sigmas of 2: rms 0.5 x 2 / sqrt(3) over uniform levels."""
    noisy = run(torch.zeros(400, 1, 16, 16), noise=0.5)
    assert noisy.std().item() == pytest.approx(0.5 * 2 / 3**0.5, rel=0.05)


def test_dropped_bands_are_no_data_but_never_all() -> None:
    """A dropped band is NaN everywhere; each image keeps a band."""
    dropped = run(torch.zeros(500, 3, 2, 2), drop_band=0.5).isnan()
    assert torch.equal(dropped.all(dim=(2, 3)), dropped.any(dim=(2, 3)))
    gone = dropped[:, :, 0, 0]
    assert not gone.all(dim=1).any()
    assert gone.float().mean().item() == pytest.approx(0.5 - 0.125, abs=0.04)
