"""Objects placed into an existing map."""

import numpy as np

from sky_ssl.explore.placing import place, spatial_median


def test_the_median_is_least_far_from_all() -> None:
    """No step away from it makes the weighted sum of distances less."""
    rng = np.random.default_rng(0)
    points, weights = rng.normal(size=(20, 5, 2)), rng.uniform(0.5, 1, (20, 5))
    found = spatial_median(points, weights)

    def total(at: np.ndarray) -> np.ndarray:
        return (weights * np.linalg.norm(points - at[:, None], axis=2)).sum(axis=1)

    for step in ([0.1, 0], [-0.1, 0], [0, 0.1], [0, -0.1]):
        assert (total(found + step) > total(found) - 1e-3).all()


def test_the_majority_wins() -> None:
    """Of three neighbours in one island and two in another the place is on the first."""
    xy = np.array([[0, 0], [0.1, 0], [0, 0.1], [9, 9], [9.1, 9]], np.float32)
    mapped = np.eye(5, dtype=np.float32)
    new = np.full((1, 5), 0.2, np.float32)  # as far from each
    assert np.linalg.norm(place(new, mapped, xy)[0]) < 0.3


def test_one_mapped_object() -> None:
    """With a single object in the map all others lie on it."""
    found = place(np.ones((3, 4), np.float32), np.zeros((1, 4), np.float32), np.array([[2, 5.0]]))
    np.testing.assert_allclose(found, [[2, 5]] * 3)
