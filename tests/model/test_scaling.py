"""From pixels to numbers of order one."""

import numpy as np
import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.scaling import Scaling


def test_asinh_is_that_of_numpy() -> None:
    """asinh(x / (a sigma)) / 2, from noise to the brightest stars."""
    x = np.array([0.0, 1e-6, -1e-3, 0.5, -3.0, 50.0, -1e4, 1e9])
    scaling = Scaling(ModelConfig(softening=2.0), [3.0])
    out = scaling(torch.tensor(x, dtype=torch.float32).view(1, 1, 1, -1)).flatten()
    np.testing.assert_allclose(out.numpy(), np.arcsinh(x / 6) / 2, rtol=1e-6, atol=3e-7)


def test_clip() -> None:
    """The linear scaling divides by the noise and clips."""
    scaling = Scaling(ModelConfig(scaling="clip", clip_low=-3, clip_high=10), [2.0])
    out = scaling(torch.tensor([-8.0, -2.0, 4.0, 100.0]).view(1, 1, 1, 4)).flatten()
    assert out.tolist() == [-3, -1, 2, 10]


def test_odd() -> None:
    """A dark pixel is the mirror of a bright one."""
    x = torch.randn(1, 1, 8, 8) * 100
    scaling = Scaling(ModelConfig(), [1.0])
    assert torch.equal(scaling(-x), -scaling(x))


@pytest.mark.parametrize("name", ["asinh", "clip"])
@pytest.mark.parametrize("factor", [2.0**-40, 1.0, 2.0**40])
def test_units_do_not_matter(name: str, factor: float) -> None:
    """A band and its noise in units 1e12 times smaller or larger look the same."""
    config = ModelConfig(scaling=name)
    x = torch.randn(2, 2, 4, 4) * 30
    units = torch.tensor([factor, 1.0])
    scaled = Scaling(config, [factor, 1.0])(x * units[:, None, None])
    assert torch.equal(scaled, Scaling(config, [1.0, 1.0])(x))


@pytest.mark.parametrize("name", ["asinh", "clip"])
def test_inverse(name: str) -> None:
    """The inverse gives the pixels back, values of 1e-12 too."""
    x = torch.randn(2, 2, 8, 8) * torch.tensor([1e-11, 500.0])[:, None, None]
    scaling = Scaling(ModelConfig(scaling=name, clip_low=-1e6, clip_high=1e6), [1e-12, 1.0])
    torch.testing.assert_close(scaling.inverse(scaling(x)), x, rtol=2e-5, atol=0)


def test_no_data_is_nan() -> None:
    """NaN, infinity and marks such as -1e30 are no data; the pixels beside them are untouched."""
    x = torch.tensor([np.nan, np.inf, -np.inf, -1e30, 1e30, 7.0]).view(1, 1, 1, 6)
    out = Scaling(ModelConfig(), [1.0])(x).flatten()
    assert out.isnan().tolist() == [True] * 5 + [False]


def test_wild_predictions_stay_finite() -> None:
    """A prediction far outside the range of the data comes back as a finite number."""
    scaling = Scaling(ModelConfig(), [1.0])
    assert scaling.inverse(torch.full((1, 1, 1, 1), 1e4)).isfinite().all()


@pytest.mark.parametrize("sigma", [[], [1.0, 0.0], [-1.0], [np.nan], [np.inf], [1e-60]])
def test_noise_must_be_above_zero(sigma: list[float]) -> None:
    """Noise that cannot divide is refused."""
    with pytest.raises(InputError, match="one value above 0 per band"):
        Scaling(ModelConfig(), sigma)
