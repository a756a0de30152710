"""The layout of UMAP: what attracts, what repels, and the same map for a seed."""

import numpy as np
import pytest

from sky_ssl.explore.graph import fuzzy_graph, nearest
from sky_ssl.explore.layout import curve, lay_out


def two_islands() -> tuple[np.ndarray, np.ndarray]:
    """Make the points (600, 5) of two clumps far apart, and mixed-up positions for them."""
    rng = np.random.default_rng(0)
    points = rng.normal(0, 1, (600, 5)).astype(np.float32)
    points[300:] += 20
    return points, rng.normal(0, 5, (600, 2)).astype(np.float32)


def test_the_curve_is_that_of_umap() -> None:
    """At the default distance umap-learn documents a = 1.577 and b = 0.895."""
    assert curve(0.1) == pytest.approx((1.577, 0.895), abs=1e-3)
    a, b = curve(0.5)
    assert 1 / (1 + a * 0.5 ** (2 * b)) > 0.9


def test_islands_are_gathered() -> None:
    """Neighbours come together from a start that mixes both islands."""
    points, start = two_islands()
    graph = fuzzy_graph(*nearest(points, points, 14, is_self=True))
    xy = lay_out(graph, start, epochs=200)
    near, _ = nearest(xy, xy, 10, is_self=True)
    before, _ = nearest(start, start, 10, is_self=True)
    side = np.arange(600) >= 300
    same = [np.mean(side[rows] == side[:, None]) for rows in (before, near)]
    assert same[0] < 0.6
    assert same[1] > 0.98


def test_threads_do_not_change_the_layout() -> None:
    """Bit for bit; the seed does, and the start is left as it was."""
    points, start = two_islands()
    kept = start.copy()
    graph = fuzzy_graph(*nearest(points, points, 14, is_self=True))
    one, three = (lay_out(graph, start, epochs=20, threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, three)
    assert not np.array_equal(one, lay_out(graph, start, epochs=20, seed=1))
    np.testing.assert_array_equal(start, kept)


def test_a_small_min_dist_packs_closer() -> None:
    """The median distance to the nearest in the map grows with `min_dist`."""
    points, start = two_islands()
    graph = fuzzy_graph(*nearest(points, points, 14, is_self=True))
    close, wide = (lay_out(graph, start, epochs=100, min_dist=d) for d in (0.0, 0.9))
    apart = [np.median(nearest(xy, xy, 1, is_self=True)[1]) for xy in (close, wide)]
    assert apart[0] < 0.7 * apart[1]


def test_an_error_in_the_progress_stops_the_layout() -> None:
    """As a page does that is left: no further epoch is done."""
    points, start = two_islands()
    graph = fuzzy_graph(*nearest(points, points, 5, is_self=True))
    seen: list[int] = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lay_out(graph, start, epochs=50, progress=stop)
    assert seen == [1, 2, 3]
