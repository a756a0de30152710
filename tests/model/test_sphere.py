"""Spherical harmonics of positions, and the token made of them."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.special import sph_harm_y

from sky_ssl.model.simmim import SimMIM
from sky_ssl.model.sphere import SkyToken, harmonics

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]


def places(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Give n positions spread evenly over the sphere, in degrees."""
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.rad2deg(np.arcsin(rng.uniform(-1, 1, n)))
    return torch.from_numpy(ra), torch.from_numpy(dec)


def test_harmonics_are_those_of_scipy() -> None:
    """Real combinations of scipy's complex ones, to degree 12, at the poles too."""
    ra, dec = places(200)
    dec[:2] = torch.tensor([90.0, -90.0])
    found = harmonics(ra, dec, 12).numpy()
    theta, phi = np.deg2rad(90 - dec.numpy()), np.deg2rad(ra.numpy())
    column = 0
    for n in range(13):
        for m in range(-n, n + 1):
            value = sph_harm_y(n, abs(m), theta, phi)
            sign = (-1) ** m  # scipy has the Condon-Shortley sign
            part = value.imag if m < 0 else value.real
            expected = part if m == 0 else np.sqrt(2) * sign * part
            np.testing.assert_allclose(found[:, column], expected, atol=1e-12)
            column += 1
    assert found.shape == (200, column)


def test_the_first_harmonics_are_known() -> None:
    """Constant, then y, z and x of the direction; no seam at RA 0."""
    ra, dec = torch.tensor([0.0, 90.0, 360.0], dtype=torch.float64), torch.zeros(3).double()
    found = harmonics(ra, dec, 1)
    a, b = np.sqrt(1 / (4 * np.pi)), np.sqrt(3 / (4 * np.pi))
    expected = torch.tensor([[a, 0, 0, b], [a, b, 0, 0], [a, 0, 0, b]], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_harmonics_are_orthonormal() -> None:
    """The mean of products over the sphere is 1 / 4 pi on the diagonal, 0 beside it."""
    ra = torch.arange(0, 360, 15, dtype=torch.float64)
    nodes, weights = np.polynomial.legendre.leggauss(12)
    dec = torch.from_numpy(np.rad2deg(np.arcsin(nodes)))
    y = harmonics(ra.repeat(12), dec.repeat_interleave(24), 6)
    w = torch.from_numpy(weights).repeat_interleave(24) * 2 * np.pi / 24
    torch.testing.assert_close(y.T @ (w[:, None] * y), torch.eye(49).double(), atol=1e-12, rtol=0)


def test_positions_not_known_share_a_learned_token() -> None:
    """NaN in either coordinate gives the learned token; known ones differ, and do so smoothly."""
    torch.manual_seed(0)
    token = SkyToken(16, 4)
    nan = torch.nan
    sky = torch.tensor(
        [[10.0, 20.0], [10.1, 20.0], [200.0, -50.0], [nan, 3.0], [3.0, nan]], dtype=torch.float64
    )
    out = token(sky)
    assert out.shape == (5, 1, 16)
    assert torch.equal(out[3, 0], token.absent)
    assert torch.equal(out[4, 0], token.absent)
    near, far = (out[0] - out[1]).norm(), (out[0] - out[2]).norm()
    assert 0 < near < 0.1 * far
    out.sum().backward()
    assert all(w.grad is not None and w.grad.isfinite().all() for w in token.parameters())


def test_the_token_is_seen_by_all_and_not_returned(small_model: Make, sky: Sky) -> None:
    """Positions change the tokens of patches, whose number stays; without the token they do not."""
    where = torch.tensor([[150.0, 2.0]] * 4, dtype=torch.float64)
    encoder = small_model(sky_token=True, cls_token=True).eval().encoder
    known, unknown = encoder.tokens(sky(), sky=where), encoder.tokens(sky())
    assert known.shape == unknown.shape == (4, 17, 32)
    assert ((known - unknown).abs().amax((0, 2)) > 1e-4).all()
    nothing = torch.full((4, 2), torch.nan, dtype=torch.float64)
    assert torch.equal(encoder.tokens(sky(), sky=nothing), unknown)
    plain = small_model().eval().encoder
    assert torch.equal(plain.tokens(sky(), sky=where), plain.tokens(sky()))
