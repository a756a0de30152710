"""Reconstructions, beside what test_model.py checks of them."""

from collections.abc import Callable

import pytest
import torch

from sky_ssl.model.encoder import patchify
from sky_ssl.model.reconstruct import reconstruct
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]
Masks = Callable[..., torch.Tensor]


def test_mean_and_spread_over_masks(small_model: Make, sky: Sky, masks: Masks) -> None:
    """Mean and deviation are those of the model's values over the masks that hide a pixel."""
    model = small_model()
    several = torch.stack([masks(model, 4, seed=s) for s in range(5)], dim=1)
    result = reconstruct(model, sky(), several)
    for b, c, y, x in [(0, 0, 3, 5), (1, 2, 8, 8), (3, 1, 15, 0)]:
        values = result.filled[b, :, c, y, x][result.hidden[b, :, c, y, x]]
        if len(values):
            assert result.mean[b, c, y, x] == pytest.approx(values.mean().item(), rel=1e-4)
        else:
            assert result.mean[b, c, y, x].isnan()
        if len(values) > 1:
            assert result.spread[b, c, y, x] == pytest.approx(values.std().item(), rel=1e-2)
        else:
            assert result.spread[b, c, y, x].isnan()
    assert result.spread.isfinite().any()


@pytest.mark.parametrize("normalize", [False, True])
def test_no_data_is_filled_and_marked(
    small_model: Make, sky: Sky, masks: Masks, normalize: bool
) -> None:
    """Pixels without data are filled from the model, stay NaN in `images` and have no residual."""
    model, images = small_model(normalize_target=normalize).train(), sky()
    images[:, 0, 2:7, :] = torch.nan
    result = reconstruct(model, images, masks(model)[:, None])
    assert result.filled.isfinite().all()
    assert result.images[:, 0, 2:7].isnan().all()
    assert result.residual[:, 0, 0, 2:7].isnan().all()
    assert result.mean[:, 0, 2:7].isfinite().all()
    assert model.training


@pytest.mark.parametrize("normalize", [False, True])
def test_nothing_visible(small_model: Make, normalize: bool) -> None:
    """An image all hidden or all without data has a finite reconstruction."""
    model = small_model(normalize_target=normalize)
    images = torch.full((1, 3, 16, 16), torch.nan)
    everything = torch.ones(1, 2, 3, 4, 4, dtype=torch.bool)
    assert reconstruct(model, images, everything).filled.isfinite().all()


def test_normalised_patches_take_the_level_of_what_is_visible(small_model: Make) -> None:
    """A model that predicts 0 in normalised units gives the mean of what is visible.

    That is the patch's own where single pixels are missing, the band's where it is hidden, and
    that of the other bands where the whole band is hidden.
    """
    model = small_model(normalize_target=True)
    for weight in model.decoder.parameters():
        torch.nn.init.zeros_(weight)
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) + 1
    images[0, 0, 0, 0] = torch.nan
    mask = torch.zeros(1, 1, 3, 4, 4, dtype=torch.bool)
    mask[0, 0, 1, 0, 0] = True
    mask[0, 0, 2] = True
    filled = reconstruct(model, images, mask).filled[0, 0]
    scaled = patchify(model.encoder.scaling(images), 4)[0]  # (T, C, p*p)
    made = patchify(model.encoder.scaling(filled[None]), 4)[0]
    torch.testing.assert_close(made[0, 0, 0], scaled[0, 0].nanmean())
    torch.testing.assert_close(made[0, 1], scaled[1:, 1].mean().expand(16))
    visible = torch.cat([scaled[:, 0].flatten(), scaled[1:, 1].flatten()]).nanmean()
    torch.testing.assert_close(made[5, 2], visible.expand(16))
