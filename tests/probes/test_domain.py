"""Out of the range of the training objects."""

import numpy as np
import pytest

from sky_ssl.probes.domain import fit_domain


@pytest.mark.parametrize(("n", "d"), [(2000, 20), (100, 300)])
def test_new_objects_of_the_same_kind_are_inside(n: int, d: int) -> None:
    """About half a percent is flagged, with more and with fewer objects than features."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, d))
    train, new = (
        rng.normal(size=(m, 5)) @ mixing + 0.3 * rng.normal(size=(m, d)) for m in (n, 3000)
    )
    assert fit_domain(train).outside(new).mean() < 0.03


def test_strangers_are_outside() -> None:
    """Far along a wide axis, or a little along a direction that never varies; and NaN."""
    rng = np.random.default_rng(1)
    train = np.column_stack([rng.normal(size=(500, 3)) * 10, 0.01 * rng.normal(size=(500, 3))])
    strangers = np.zeros((3, 6))
    strangers[0, 0], strangers[1, 5], strangers[2, 0] = 100.0, 0.2, np.nan
    domain = fit_domain(train)
    assert domain.outside(strangers).all()
    assert not domain.outside(np.zeros((1, 6))).any()


def test_distance_is_that_of_mahalanobis() -> None:
    """With all axes kept it is the textbook one, per square root of the dimensions."""
    rng = np.random.default_rng(2)
    train = rng.normal(size=(5000, 4)) @ rng.normal(size=(4, 4))
    new = rng.normal(size=(50, 4))
    inverse = np.linalg.inv(np.cov(train.T, bias=True))
    offset = new - train.mean(axis=0)
    expected = np.sqrt(np.einsum("ni,ij,nj->n", offset, inverse, offset) / 4)
    np.testing.assert_allclose(fit_domain(train).distance(new), expected, rtol=1e-3)


def test_two_objects_do() -> None:
    """A cloud of two has a distance, and flags what is far away."""
    domain = fit_domain(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert np.isfinite(domain.distance(np.array([[0.5, 0.5]]))).all()
