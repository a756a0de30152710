"""The radial profile: what is measured, and how its loss is counted."""

import math
from collections.abc import Callable

import pytest
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import patchify
from sky_ssl.model.mae import MAE
from sky_ssl.model.profile import RINGS, measured_profile, profile_pixels, ring_masks
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]


def split(values: torch.Tensor, C: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Means and scatters (B, C, R) of a profile (B, 2 C R)."""
    mean, scatter = values.unflatten(1, (2, C, -1)).unbind(1)
    return mean, scatter


def test_rings_cover_the_circle_once() -> None:
    """No pixel lies in two; those within half a side all lie in one; small images keep some."""
    rings = ring_masks(64)
    axis = torch.arange(64) - 31.5
    inside = torch.hypot(axis[:, None], axis[None]).flatten() < 32
    assert torch.equal(rings.sum(dim=0), inside.float())
    assert len(rings) == len(RINGS)
    assert len(ring_masks(9)) < len(RINGS)
    assert (ring_masks(9).sum(dim=1) > 0).all()


def test_noise_has_the_profile_of_nothing() -> None:
    """Mean and scatter of pure noise are of order one in their own noise, and 0 on average."""
    noise = torch.randn(400, 2, 32, 32, generator=torch.Generator().manual_seed(0))
    values, known = measured_profile(noise, ring_masks(32))
    assert known.all()
    for found in split(values, 2):
        x = 2 * torch.sinh(found)
        assert x.mean(0)[:, 4:].abs().max() < 0.2  # rings of few pixels are skewed
        assert (x.std(0)[:, 4:] - 1).abs().max() < 0.2


def test_known_values() -> None:
    """A constant s in n pixels has a mean of s sqrt(n) sigma, and less scatter than noise has."""
    rings = ring_masks(32)
    mean, scatter = split(measured_profile(torch.full((1, 1, 32, 32), 3.0), rings)[0], 1)
    n = rings.sum(dim=1)
    torch.testing.assert_close(mean[0, 0], torch.asinh(3 * n.sqrt() / 2), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scatter[0, 0], torch.asinh(-((n / 2) ** 0.5) / 2), rtol=1e-3, atol=0)


def test_turned_images_have_the_same_profile() -> None:
    """Quarter turns and mirror images: only radii count."""
    images = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(1))
    rings = ring_masks(16)
    expected = measured_profile(images, rings)[0]
    for turned in (images.rot90(1, (2, 3)), images.flip(3)):
        torch.testing.assert_close(measured_profile(turned, rings)[0], expected)


def test_rings_without_data_do_not_count() -> None:
    """Less than half of a ring; what is left is the mean over what is there."""
    images = torch.full((1, 2, 32, 32), 2.0)
    images[:, 0] = torch.nan
    images[:, 1, :, 16:] = torch.nan
    values, known = measured_profile(images, ring_masks(32))
    assert values.isfinite().all()
    assert not split(known, 2)[0][0, 0].any()
    assert split(known, 2)[0][0, 1].all()


def test_absurd_pixels_do_no_harm(small_model: Make) -> None:
    """Infinity and 1e30 count as no data."""
    model = small_model()
    images = torch.zeros(2, 3, 16, 16)
    images[0, 0, 8, 8], images[1, 1, 8, 8], images[1, 2, 7, 7] = torch.inf, 1e30, -torch.inf
    loss, _ = model(images, torch.zeros(2, 3, 4, 4, dtype=torch.bool))
    loss.backward()
    assert loss.isfinite()
    assert all(w.grad.isfinite().all() for w in model.parameters() if w.grad is not None)


def test_the_loss_is_that_of_patches_and_profile(small_model: Make) -> None:
    """Weighted, and counted as the pixels that an image hides on average."""
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    mask = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(3)) < 0.5
    plain, weighted = small_model(profile_weight=0), small_model(profile_weight=0.25)
    weighted.load_state_dict(plain.state_dict(), strict=False)
    torch.nn.init.zeros_(weighted.profile.values.weight)
    target, known = measured_profile(weighted.encoder.scaling.in_sigma(images), ring_masks(16))
    assert known.all()
    expected = 0.25 * target.abs().mean(1).sum() * 0.45 * 3 * 16 * 16
    difference = weighted(images, mask)[0] - plain(images, mask)[0]
    torch.testing.assert_close(difference, expected, rtol=1e-3, atol=1e-3)


def test_pixels_that_a_profile_counts_as() -> None:
    """SimMIM: half of the largest ratio and a hidden band; MAE: what each image hides."""
    mask = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    mask[1, :, 0] = True
    config = ModelConfig(image_size=16, mask_ratio_max=0.5, hide_band=0.2)
    hidden = 0.25 + 0.75 * 0.2 / 4
    assert profile_pixels(config, mask).tolist() == pytest.approx([hidden * 1024] * 2)
    mae = ModelConfig(image_size=16, objective="mae")
    assert profile_pixels(mae, mask).tolist() == pytest.approx([0, 256])
    assert profile_pixels(config, mask[:, :1]).tolist() == pytest.approx([0.25 * 256] * 2)


def test_bright_rings_have_an_exact_scatter() -> None:
    """The small difference of large squares: a constant of 1e5 has less scatter than noise."""
    rings = ring_masks(64)
    _, scatter = split(measured_profile(torch.full((1, 1, 64, 64), 1e5), rings)[0], 1)
    expected = torch.asinh(-((rings.sum(dim=1) / 2) ** 0.5) / 2)
    torch.testing.assert_close(scatter[0, 0], expected, rtol=1e-3, atol=1e-3)


def test_missing_data_do_not_weigh_the_profile_up(small_model: Make) -> None:
    """Per pixel with data, an image of which two of three bands are missing counts no more."""
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    mask = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(3)) < 0.5
    plain, weighted = small_model(profile_weight=0), small_model()
    weighted.load_state_dict(plain.state_dict(), strict=False)
    torch.nn.init.zeros_(weighted.profile.values.weight)
    share = []
    for missing in (0, 2):
        images[:, :missing] = torch.nan
        (with_it, count), (without, _) = weighted(images, mask), plain(images, mask)
        share.append(float((with_it - without).detach() / count))
    assert share[1] == pytest.approx(share[0], rel=0.25)


def test_mae_foretells_from_the_central_tokens_it_sees() -> None:
    """Images whose middle is hidden teach nothing of their profile."""
    torch.manual_seed(0)
    config = ModelConfig(objective="mae", image_size=16, patch_size=4, width=32, depth=1, heads=2)
    model = MAE(config, [1.0] * 2)
    images = torch.randn(2, 2, 16, 16)
    mask = torch.zeros(2, 2, 4, 4, dtype=torch.bool)
    mask[0, :, 1:3, 1:3] = mask[1, :, 0] = True
    decoded = model.decoded(patchify(model.encoder.scaling(images), 4), mask)
    assert decoded.seen.tolist() == [False, True]
    pixels = model.encoder.scaling.in_sigma(images)
    loss = model.profile(decoded.middle, pixels, decoded.seen)
    assert loss[0] == 0
    assert loss[1] > 0


def test_training_lowers_it() -> None:
    """Of discs of many sizes, the size is foretold after some steps."""
    torch.manual_seed(0)
    config = ModelConfig(image_size=16, patch_size=4, width=32, depth=1, heads=2)
    model = SimMIM(config, [1.0])
    axis = torch.arange(16) - 7.5
    radius = torch.hypot(axis[:, None], axis[None])
    size = torch.linspace(1, 6, 32)[:, None, None]
    images = (10 * torch.exp(-radius / size))[:, None]
    mask = torch.zeros(32, 1, 4, 4, dtype=torch.bool)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss, _ = model(images, mask)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert math.isfinite(losses[-1])
    assert losses[-1] < 0.5 * losses[0]
