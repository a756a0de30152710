"""Light in a mock scene."""

import numpy as np
import pytest

from sky_ssl.sky.mock.scene import Arms, Ellipse, Scene, cloud

FLUX = np.array([100.0, 1000.0])


@pytest.mark.parametrize(("index", "within"), [(0.7, 0.01), (1.0, 0.01), (2.5, 0.03), (4.0, 0.08)])
def test_sersic_holds_its_flux(index: float, within: float) -> None:
    """Total flux comes back, save for the wings of a high index that reach beyond the scene."""
    scene = Scene(2, 128)
    scene.add_sersic(FLUX, Ellipse(3.3, -2.1, 5.0, 0.6, 0.4), index)
    np.testing.assert_allclose(scene.pixels.sum(axis=(1, 2)), FLUX, rtol=within)


def test_half_of_the_light_lies_within_the_effective_radius() -> None:
    """The meaning of the effective radius, along the major axis of an ellipse."""
    scene = Scene(1, 256)
    scene.add_sersic(np.array([1.0]), Ellipse(0, 0, 12.0, 0.5, 0.0), 1.0)
    y, x = np.mgrid[:256, :256] - 127.5
    inside = np.hypot(x / 12, y / 6) < 1
    assert scene.pixels[0][inside].sum() == pytest.approx(0.5, abs=0.01)


def test_arms_keep_the_flux_and_turn_by_symmetry() -> None:
    """Two arms: unchanged by half a turn, changed by a quarter; flux within 5 %."""
    scene = Scene(1, 96)
    scene.add_sersic(np.array([1.0]), Ellipse(0, 0, 8.0), 1.0, Arms(2, 0.4, 0.8, 0.0))
    image = scene.pixels[0]
    assert image.sum() == pytest.approx(1.0, rel=0.05)
    np.testing.assert_allclose(image, np.rot90(image, 2), atol=1e-3 * image.max())
    assert np.abs(image - np.rot90(image)).max() > 0.2 * image.max()


def test_points_lie_where_they_are_put() -> None:
    """The centroid of a point is its position; one outside the scene adds nothing."""
    scene = Scene(2, 32)
    scene.add_point(FLUX, 4.3, -2.6)
    y, x = np.mgrid[:32, :32] - 15.5
    light = scene.pixels[1]
    assert (light * x).sum() / light.sum() == pytest.approx(4.3)
    assert (light * y).sum() / light.sum() == pytest.approx(-2.6)
    scene.add_point(FLUX, 100.0, 0.0)
    np.testing.assert_allclose(scene.pixels.sum(axis=(1, 2)), FLUX, rtol=1e-6)


def test_small_discs_are_the_same_profile() -> None:
    """The fast way for small neighbours agrees with the exact one to 5 % of the peak."""
    shapes = [Ellipse(2.2, -7.4, 1.4, 0.6, 0.8), Ellipse(-9.0, 5.5, 0.8, 1.0, 0.0)]
    fast, exact = Scene(2, 48), Scene(2, 48)
    fast.add_small_discs(np.array([FLUX, 2 * FLUX]), shapes)
    for k, shape in enumerate(shapes):
        exact.add_sersic((1 + k) * FLUX, shape, 1.0)
    assert np.abs(fast.pixels - exact.pixels).max() < 0.05 * exact.pixels.max()
    np.testing.assert_allclose(fast.pixels.sum(axis=(1, 2)), 3 * FLUX, rtol=1e-4)


def test_clouds_are_positive_and_smooth() -> None:
    """Mean 1, smallest 0, and neighbours alike: most power lies at large scales."""
    surface = cloud(np.random.default_rng(0), 96)
    assert surface.min() == 0
    assert surface.mean() == pytest.approx(1.0, rel=1e-5)
    assert np.abs(np.diff(surface, axis=0)).mean() < 0.3 * surface.std()
