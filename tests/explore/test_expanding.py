"""Query expansion: what it adds, and what it leaves alone."""

import numpy as np
import pytest

from sky_ssl.explore.expanding import expand_query
from sky_ssl.explore.search import query_vector
from sky_ssl.explore.similarity import Rows, Vectors, normalised, top


def two_kinds(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A sparse kind around one direction among 900 others; 25 axes."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(1000, 25))
    values[:100, 0] += 4
    return values.astype(np.float32), np.arange(1000) < 100


def expanded(values: np.ndarray, query: Vectors, out: list[int], count: int) -> Vectors:
    def nearest(q: Vectors, k: int) -> tuple[Rows, Vectors]:
        return top(values, q, 1, k, np.array(out))

    return expand_query(query, len(out), values, 1, nearest, count)


def test_more_of_the_kind_are_found() -> None:
    """From one odd exemplar, the middle of its kind is found by what is near it."""
    values, kind = two_kinds()
    hits = {0: 0, 20: 0}
    for row in range(20):
        query = query_vector(values[[row]], None, 1)
        for count in hits:
            rows, _ = top(values, expanded(values, query, [row], count), 1, 50, np.array([row]))
            hits[count] += int(kind[rows].sum())
    assert hits[20] > 1.1 * hits[0]


def test_the_query_is_the_weighted_mean() -> None:
    """One round by hand, twice: exemplars weigh 1, the best found 1, others score^3 less."""
    values, _ = two_kinds(1)
    query = query_vector(values[[0, 1]], None, 1)
    by_hand, unit = query, normalised(values, 1)
    for _ in range(2):
        rows, scores = top(values, by_hand, 1, 7, np.array([0, 1]))
        weight = (scores / scores[0]) ** 3
        total = unit[[0, 1]].sum(axis=0) + (weight[:, None] * unit[rows]).sum(axis=0)
        by_hand = total / (2 + weight.sum())
    np.testing.assert_allclose(expanded(values, query, [0, 1], 7), by_hand, atol=1e-5)


@pytest.mark.parametrize("count", [0, 5])
def test_a_query_that_nothing_is_like_stays(count: int) -> None:
    """Scores of 0 and below add nothing."""
    values = -np.ones((50, 6), np.float32)
    query = np.full(6, 6**-0.5, np.float32)
    np.testing.assert_array_equal(expanded(values, query, [], count), query)


def test_counter_examples_stay_in_the_query() -> None:
    """What was pushed away is not pulled back by the expansion."""
    values, _ = two_kinds(2)
    with_it = query_vector(values[[0]], values[[500]], 1, 0.5)
    without = query_vector(values[[0]], None, 1)
    unit = normalised(values[[500]], 1)[0]
    assert expanded(values, with_it, [0], 5) @ unit < expanded(values, without, [0], 5) @ unit
