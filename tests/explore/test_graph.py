"""Neighbours beside brute force, and the fuzzy graph by its definition."""

import numpy as np
import pytest

from sky_ssl.explore.graph import fuzzy_graph, in_blocks, memberships, nearest


def crowd(n: int = 700, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (n, 8)).astype(np.float32)


def brute(query: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Measure all distances in float64."""
    apart = query[:, None].astype(np.float64) - reference[None].astype(np.float64)
    return np.sqrt(np.square(apart).sum(axis=2))


def test_neighbours_are_those_of_brute_force() -> None:
    """Among themselves and in another set, over several blocks of queries."""
    x, other = crowd(), crowd(300, seed=1)
    apart = brute(x, x)
    np.fill_diagonal(apart, np.inf)
    rows, distances = nearest(x, x, 15, is_self=True)
    np.testing.assert_array_equal(rows, np.argsort(apart, axis=1)[:, :15])
    np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :15], rtol=1e-6)
    rows, _ = nearest(other, x, 3)
    np.testing.assert_array_equal(rows, np.argsort(brute(other, x), axis=1)[:, :3])


def test_threads_do_not_change_neighbours() -> None:
    """Distances too are the same bit for bit."""
    x = crowd()
    for a, b in zip(nearest(x, x, 9, threads=1), nearest(x, x, 9, threads=3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_order_of_rows_does_not_change_neighbours() -> None:
    """Shuffled rows have the same neighbours under their new numbers."""
    x = crowd()
    order = np.random.default_rng(2).permutation(len(x))
    rows, distances = nearest(x, x, 12, is_self=True)
    shuffled, again = nearest(x[order], x[order], 12, is_self=True)
    np.testing.assert_array_equal(order[shuffled], rows[order])
    np.testing.assert_array_equal(again, distances[order])


def test_twins_come_in_the_order_of_rows() -> None:
    """Of equal distances the lower row is nearer, and no object is its own neighbour."""
    x = np.ones((6, 3), np.float32)
    rows, distances = nearest(x, x, 3, is_self=True)
    assert rows[0].tolist() == [1, 2, 3]
    assert rows[2].tolist() == [0, 1, 3]
    assert not distances.any()


@pytest.mark.parametrize(("n", "found"), [(1, 0), (2, 1), (5, 4)])
def test_few_points_have_few_neighbours(n: int, found: int) -> None:
    """No more neighbours than there are others; one alone has none."""
    rows, distances = nearest(crowd(n), crowd(n), 10, is_self=True)
    assert rows.shape == distances.shape == (n, found)
    assert fuzzy_graph(rows, distances).shape == (n, n)


def test_memberships_sum_to_the_logarithm() -> None:
    """The nearest belongs wholly, the sum is log2(k + 1), and twins do not upset it."""
    x = crowd()
    x[5] = x[6]
    _, distances = nearest(x, x, 14, is_self=True)
    belonging = memberships(distances)
    np.testing.assert_allclose(belonging.sum(axis=1), np.log2(15), rtol=1e-4)
    np.testing.assert_array_equal(belonging[:, 0], 1)
    assert (np.diff(belonging, axis=1) <= 0).all()


def test_memberships_where_all_is_one_point() -> None:
    """Objects that are all alike belong to each other wholly."""
    np.testing.assert_array_equal(memberships(np.zeros((4, 3), np.float32)), 1)


def test_the_graph_joins_both_sides() -> None:
    """An edge is a + b - a b of the two memberships: symmetric, within 0 to 1."""
    x = crowd(60)
    rows, distances = nearest(x, x, 5, is_self=True)
    one_way = np.zeros((60, 60))
    np.put_along_axis(one_way, rows.astype(np.int64), memberships(distances), axis=1)
    expected = one_way + one_way.T - one_way * one_way.T
    np.testing.assert_allclose(fuzzy_graph(rows, distances).toarray(), expected, atol=1e-6)


def test_an_error_in_a_block_comes_out() -> None:
    """The first error of a thread is raised, and the progress says how far it came."""
    seen: list[tuple[int, int]] = []

    def work(start: int, stop: int) -> None:
        if start >= 20:
            raise RuntimeError(f"rows {start} to {stop}")

    with pytest.raises(RuntimeError, match="rows 20 to 25"):
        in_blocks(work, 25, 10, threads=1, progress=lambda *at: seen.append(at))
    assert seen == [(10, 25), (20, 25)]
