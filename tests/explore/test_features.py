"""Embeddings at unit length per token, read piece by piece."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.features import UnitTokens, features_of
from sky_ssl.explore.similarity import normalised
from sky_ssl.probes.linear import fit_classes


def test_reading_pieces_gives_the_rows_of_the_whole() -> None:
    """A slice, rows in any order, flags, one row; the length of each token is 1 / sqrt(T)."""
    values = np.random.default_rng(0).normal(size=(50, 12)).astype(np.float32)
    view, whole = UnitTokens(values, 3), normalised(values, 3)
    assert view.shape == (50, 12) and len(view) == 50  # noqa: PT018
    for rows in (slice(5, 20), np.array([7, 3, 7]), np.arange(50) % 2 == 0, 4):
        assert np.array_equal(view[rows], whole[rows])
    assert np.array_equal(np.asarray(view), whole)
    lengths = np.linalg.norm(view[:].reshape(50, 3, 4), axis=2)
    assert lengths == pytest.approx(1 / np.sqrt(3), rel=1e-5)


def test_a_probe_scores_a_view_by_blocks_and_is_blind_to_length() -> None:
    """The same decisions for the whole array, and for rows of any other length."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(40_000, 8)).astype(np.float32)
    truth = values[:, 0] > 0
    view = UnitTokens(values, 2)
    fit = fit_classes(view[:200], truth[:200])
    found = fit.decision(view)  # type: ignore[arg-type]
    assert found == pytest.approx(fit.decision(np.asarray(view)), abs=1e-4)
    longer = UnitTokens(values * rng.uniform(0.1, 1e4, (40_000, 1)).astype(np.float32), 2)
    assert fit.decision(longer) == pytest.approx(found, abs=1e-3)  # type: ignore[arg-type]


def test_rows_that_are_not_finite_are_nan() -> None:
    """They score NaN and nothing else."""
    values = np.ones((3, 4), dtype=np.float32)
    values[1, 2] = np.inf
    assert np.isnan(UnitTokens(values, 2)[:]).all(axis=1).tolist() == [False, True, False]


def test_only_tokens_of_a_model_are_brought_to_unit_length(tmp_path: Path) -> None:
    """Averages, projections and vectors of others are features as they are."""
    values = np.random.default_rng(2).normal(size=(6, 8)).astype(np.float32)
    columns = {"id": np.arange(6).astype(str)}
    model = '{"width": 2}'
    for number, (attributes, unit) in enumerate(
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
        expected = normalised(values, 4) if unit else values
        assert np.array_equal(features_of(open_embeddings(path))[:], expected)
