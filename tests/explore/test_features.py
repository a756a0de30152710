"""Softened embeddings, read piece by piece."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.features import Softened, features_of, softened
from sky_ssl.probes.linear import fit_classes


def test_numbers_bend_as_the_formula_says() -> None:
    """x / sqrt(1 + (x / s)^2): itself near 0, s far away, odd, and rising all the way."""
    x = np.linspace(-50, 50, 4001, dtype=np.float32)[:, None]
    for s in (0.5, 1.0, 3.0):
        y = softened(x, s)
        expected = x / np.sqrt(1 + (x.astype(np.float64) / s) ** 2)
        np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(y, -softened(-x, s))
        assert (np.diff(y[:, 0]) >= 0).all()
        assert np.abs(y).max() <= s
    np.testing.assert_allclose(softened(np.array([[1e-4]]), 1.0), 1e-4, rtol=1e-6)


def test_reading_pieces_gives_the_rows_of_the_whole() -> None:
    """A slice, rows in any order, flags, one row; of float16 too, and of more than one block."""
    rng = np.random.default_rng(0)
    values = (3 * rng.normal(size=(50_000, 12))).astype(np.float16)
    view, whole = Softened(values), softened(values.astype(np.float32))
    assert view.shape == (50_000, 12)
    assert len(view) == 50_000
    for rows in (slice(5, 20), np.array([7, 3, 7]), np.arange(50_000) % 2 == 0, 4):
        np.testing.assert_array_equal(view[rows], whole[rows])
    np.testing.assert_array_equal(np.asarray(view), whole)


def test_a_probe_scores_a_view_by_blocks_and_is_not_ruled_by_tails() -> None:
    """The same decisions for the whole array; an object far out scores little more than others."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40_000, 8)).astype(np.float32)
    truth = values[:, 0] > 0
    view = Softened(values)
    fit = fit_classes(view[:200], truth[:200])
    found = fit.decision(view)  # type: ignore[arg-type]
    assert found == pytest.approx(fit.decision(np.asarray(view)), abs=1e-4)
    far = np.zeros((1, 8), dtype=np.float32)
    far[0, 0] = 1000
    assert fit.decision(softened(far))[0] < 1.5 * found.max()


def test_rows_that_are_not_finite_are_nan() -> None:
    """They score NaN and nothing else; so do numbers that no embedding has."""
    values = np.ones((4, 4), dtype=np.float32)
    values[1, 2], values[2, 0] = np.inf, 1e30
    assert np.isnan(Softened(values)[:]).all(axis=1).tolist() == [False, True, True, False]


def test_only_tokens_of_a_model_are_softened(tmp_path: Path) -> None:
    """Averages, projections and vectors of others are features as they are."""
    values = np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32)
    columns = {"id": np.arange(6).astype(str)}
    model = '{"width": 2}'
    for number, (attributes, soft) in enumerate(
        [
            ({"pooling": "central", "model": model}, True),
            ({"pooling": "central", "model": model, "projection": 8}, False),
            ({"pooling": "mean", "model": model}, False),
            ({}, False),
        ]
    ):
        path = tmp_path / f"{number}.h5"
        write_embeddings(
            path, [values], (6, 8), dtype="float32", columns=columns, attributes=attributes
        )
        expected = softened(values) if soft else values
        assert np.array_equal(features_of(open_embeddings(path))[:], expected)
