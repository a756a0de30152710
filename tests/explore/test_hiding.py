"""Hiding parts of objects from a model whose masks must be shared by the bands."""

import numpy as np
import pytest
import torch

from sky_ssl.explore.hiding import Hiding, draw_masks, fill_hidden
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.objectives import make_model
from sky_ssl.model.simmim import SimMIM

BANDS = ("g", "r", "i")


@pytest.fixture
def mae() -> SimMIM:
    """A small MAE of three bands, never trained."""
    torch.manual_seed(0)
    config = ModelConfig("mae", width=16, depth=1, heads=2, image_size=16, patch_size=4)
    return make_model(config, [1.0] * 3).eval()


def test_bands_share_their_masks(mae: SimMIM) -> None:
    """Whether asked for or not, an MAE is shown a token in all bands or in none."""
    masks = draw_masks(mae, [3, 4], Hiding(0.5, draws=3, shared=False), BANDS)
    assert torch.equal(masks[:, :, 0], masks[:, :, 2])
    assert (masks.sum((-2, -1)) == 8).all()


@pytest.mark.parametrize("hiding", [Hiding(0.6, draws=2), Hiding(1.0), Hiding(0.3, band="r")])
def test_hidden_pixels_are_not_looked_at(mae: SimMIM, hiding: Hiding) -> None:
    """What lies under the masks changes nothing, a whole hidden band or image included."""
    images = np.random.default_rng(0).normal(size=(5, 3, 16, 16)).astype(np.float32)
    found = fill_hidden(mae, images, range(5), hiding, bands=BANDS)
    unseen = found.hidden.all(axis=1)
    assert unseen.any()
    other = fill_hidden(mae, np.where(unseen, 99.0, images), range(5), hiding, bands=BANDS)
    np.testing.assert_array_equal(other.filled[found.hidden], found.filled[found.hidden])
    assert np.isfinite(found.filled).all()
