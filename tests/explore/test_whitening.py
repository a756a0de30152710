"""Whitening: every axis counts the same, whatever the order of the rows or the cores at work."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from sky_ssl.errors import InputError
from sky_ssl.explore.search import query_vector
from sky_ssl.explore.similarity import normalised, top
from sky_ssl.explore.whitening import AXES, Whitening, fit_whitening


def survey(rows: int = 2000, columns: int = 24, seed: int = 0) -> np.ndarray:
    """Vectors that differ ever less from axis to axis, around a mean that is not 0."""
    generator = np.random.default_rng(seed)
    widths = 0.8 ** np.arange(columns)
    turned, _ = np.linalg.qr(generator.normal(size=(columns, columns)))
    values = (generator.normal(size=(rows, columns)) * widths) @ turned + 1
    return values.astype(np.float32)


def reference(values: np.ndarray, tokens: int, count: int) -> np.ndarray:
    """Whiten by a singular value decomposition, in double precision."""
    x = normalised(values, tokens).astype(np.float64)
    x -= x.mean(axis=0)
    left, _, _ = np.linalg.svd(x, full_matrices=False)
    return left[:, :count] * np.sqrt(len(x))


def cosines(w: np.ndarray) -> np.ndarray:
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    return unit @ unit.T


def test_fully_whitened_vectors_have_unit_covariance() -> None:
    """Mean 0, the identity, and up to the signs of the axes what a reference says."""
    values = survey()
    whitening = fit_whitening(values, 4, 10, power=1)
    w = whitening.apply(values)
    assert w.dtype == np.float32
    np.testing.assert_allclose(w.mean(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.cov(w.T, ddof=0), np.eye(10), atol=1e-3)
    np.testing.assert_allclose(np.abs(w), np.abs(reference(values, 4, 10)), atol=2e-3)


def test_half_whitened_axes_keep_the_root_of_their_deviation() -> None:
    """The default lies half-way between unit variance and no whitening at all."""
    values = survey()
    full, half, none = (fit_whitening(values, 4, 10, p).apply(values) for p in (1, 0.5, 0))
    np.testing.assert_array_equal(fit_whitening(values, 4, 10).apply(values), half)
    np.testing.assert_array_equal(none, fit_whitening(values, 4, 10).axes.project(values))
    np.testing.assert_allclose(half.std(axis=0), none.std(axis=0) ** 0.5, rtol=1e-3)
    np.testing.assert_allclose(half**2, full * none, atol=1e-4)


def test_the_order_of_the_rows_does_not_matter() -> None:
    """The cosines of the same objects, found in another order, are the same."""
    values = survey()
    order = np.random.default_rng(5).permutation(len(values))
    one, other = (fit_whitening(v, 1, 12) for v in (values, values[order]))
    expected = cosines(one.apply(values[:50]))
    np.testing.assert_allclose(cosines(other.apply(values[:50])), expected, atol=1e-4)


def test_the_number_of_threads_does_not_matter() -> None:
    """To the last bit."""
    values = survey(4000, 64)
    made = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            made.append(fit_whitening(values, 4).apply(values))
    np.testing.assert_array_equal(made[0], made[1])


def test_a_search_is_that_of_brute_force() -> None:
    """The nearest to the mean of the unit vectors of three exemplars."""
    values = survey()
    whitening = fit_whitening(values, 4, 10, power=1)
    query = query_vector(values[:3], None, 4, whitening=whitening)
    rows, found = top(whitening.apply(values), query, 1, 20)
    expected = cosines(reference(values, 4, 10))[:, :3].mean(axis=1)
    assert rows.tolist() == np.argsort(-expected)[:20].tolist()
    np.testing.assert_allclose(found, expected[rows], atol=1e-4)
    streamed = whitening.scores(values, query)
    np.testing.assert_allclose(streamed[rows], found, atol=1e-6)


def test_counter_examples_push_away() -> None:
    """What is like one falls by its weight times the cosine to it."""
    values = survey()
    whitening = fit_whitening(values, 1, 10)
    cosine = cosines(whitening.apply(values))
    for weight in (0.5, 2.0):
        query = query_vector(values[:1], values[1:2], 1, weight, whitening)
        expected = cosine[:, 0] - weight * cosine[:, 1]
        np.testing.assert_allclose(whitening.scores(values, query), expected, atol=1e-5)


def test_rows_without_numbers_stay_unknown() -> None:
    """NaN, infinity and zeros: no vector, no score, never found; the others are as without."""
    values = survey(500)
    broken = values.copy()
    broken[3, 7], broken[40, 0], broken[99] = np.nan, np.inf, 0
    bad, good = [3, 40, 99], np.setdiff1d(np.arange(500), [3, 40, 99])
    whitening = fit_whitening(broken, 1, 8)
    w = whitening.apply(broken)
    assert np.isnan(w[bad]).all()
    assert np.isfinite(w[good]).all()
    alone = fit_whitening(values[good], 1, 8).apply(values[good])
    np.testing.assert_allclose(cosines(w[good]), cosines(alone), atol=1e-4)
    query = query_vector(values[:1], None, 1, whitening=whitening)
    assert sorted(top(w, query, 1, 500)[0].tolist()) == good.tolist()
    with pytest.raises(InputError, match="exemplar 1 of 1 has numbers that are not finite, or ze"):
        query_vector(broken[99], None, 1, whitening=whitening)


@pytest.mark.parametrize(
    ("rows", "columns", "axes"),
    [(2000, 24, 24), (160, 24, 10), (64, 24, 4), (63, 24, 0), (2, 24, 0),
     (1, 24, 0), (0, 24, 0), (100, 1, 1), (100, 3, 3)],
)  # fmt: skip
def test_few_objects_have_few_axes(rows: int, columns: int, axes: int) -> None:
    """One for 16 objects, so that a few do not all become equally unlike; none below 64."""
    whitening = fit_whitening(survey(rows, columns), 1)
    assert len(whitening) == axes
    assert whitening.apply(survey(5, columns)).shape == (5, axes)


def test_no_more_axes_than_are_wanted() -> None:
    """64 of 80 that are all equally wide."""
    values = np.random.default_rng(4).normal(size=(2000, 80)).astype(np.float32)
    assert len(fit_whitening(values, 1)) == AXES == 64


def test_axes_along_which_nothing_differs_are_left_out() -> None:
    """Constant columns, twins, and all rows the same: only differences are brought to 1."""
    values = survey(640, 24)
    values[:, 8:] = 0
    assert len(fit_whitening(values, 1)) == 8
    values[:, 8:] = 2.5
    w = fit_whitening(values, 1, power=1).apply(values)
    assert 8 <= w.shape[1] <= 9  # lengths differ, and with them the constants of unit vectors
    np.testing.assert_allclose(w.std(axis=0), 1, atol=1e-3)
    for same in (np.ones((640, 24)), np.repeat(survey(1), 640, axis=0), np.zeros((640, 24))):
        assert len(fit_whitening(same.astype(np.float32), 4)) == 0
    assert len(fit_whitening(np.full((640, 24), np.nan, np.float32), 4)) == 0


def test_half_precision_gives_the_same_neighbours() -> None:
    """The rounding of float16 is not taken for an axis."""
    values = survey(1000, 24)
    halves = fit_whitening(values.astype(np.float16), 1, 8).apply(values.astype(np.float16))
    singles = fit_whitening(values, 1, 8).apply(values)
    np.testing.assert_allclose(cosines(halves), cosines(singles), atol=0.03)
    flat = np.ones((1000, 24)) + survey(1000, 24)[:, :1] * np.linspace(0, 1, 24)
    assert len(fit_whitening(flat.astype(np.float16), 1)) <= 4


def test_it_says_what_it_takes() -> None:
    """D and q."""
    whitening: Whitening = fit_whitening(survey(), 4, 10)
    assert (whitening.dimensions, len(whitening)) == (24, 10)
