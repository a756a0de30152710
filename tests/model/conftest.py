"""Small networks and images that the tests of the model share."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.masking import random_masks
from sky_ssl.model.objectives import make_model
from sky_ssl.model.simmim import SimMIM


@pytest.fixture
def small_model() -> Callable[..., SimMIM]:
    """Make a network 32 wide and 2 deep with fixed weights: `small_model(bands, **config)`."""

    def make(bands: int = 3, **fields: Any) -> SimMIM:
        chosen = {"image_size": 16, "patch_size": 4, "width": 32, "depth": 2, "heads": 2, **fields}
        torch.manual_seed(7)
        return make_model(ModelConfig(**chosen), [1.0] * bands)

    return make


@pytest.fixture
def sky() -> Callable[..., torch.Tensor]:
    """Make images of noise with one source: `sky(n, bands, size)`, noise 1."""

    def make(n: int = 4, bands: int = 3, size: int = 16, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        axis = torch.arange(size) - size / 2
        source = 40 * torch.exp(-(axis[:, None] ** 2 + axis**2) / 8)
        return torch.randn(n, bands, size, size, generator=generator) + source

    return make


@pytest.fixture
def masks() -> Callable[..., torch.Tensor]:
    """Draw masks for a network: `masks(model, n)`."""

    def make(model: SimMIM, n: int = 4, seed: int = 0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        bands = model.encoder.n_bands
        return random_masks(n, bands, model.grid, config=model.config, generator=generator)

    return make
