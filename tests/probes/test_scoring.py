"""Scores by blocks."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.probes import scoring
from sky_ssl.probes.linear import fit_classes
from sky_ssl.probes.scoring import most_likely, project


def test_blocks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory map in blocks of 7 scores as the whole array does; progress ends at all rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 6)).astype(np.float32)
    model = fit_classes(x, x[:, 0] > 0)
    whole = model.decision(x)
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(scoring, "BLOCK_ROWS", 7)
    seen: list[tuple[int, int]] = []
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    parts = model.decision(mapped, lambda done, total: seen.append((done, total)))
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-6)
    assert parts.dtype == np.float32
    assert seen[-1] == (100, 100)


def test_features_far_from_zero_keep_their_digits() -> None:
    """A mean of 10,000 deviations must not drown the differences in float32."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(500, 4)) + 1e4).astype(np.float32)
    w = np.array([[1.0, -1.0, 2.0, 0.5]])
    found = project(x, w, np.zeros(1), np.full(4, 1e4), np.ones(4))[:, 0]
    np.testing.assert_allclose(found, (x.astype(np.float64) - 1e4) @ w[0], atol=1e-5)


def test_rows_of_nan_score_nan_and_no_other() -> None:
    """One bad embedding among good ones stays alone."""
    x = np.ones((3, 2), dtype=np.float16)
    x[1, 0] = np.nan
    found = project(x, np.ones((1, 2)), np.zeros(1), np.zeros(2), np.ones(2))[:, 0]
    assert found[[0, 2]].tolist() == [2.0, 2.0]
    assert np.isnan(found[1])


def test_other_embeddings_are_refused() -> None:
    """The message says how many features are needed."""
    with pytest.raises(ValueError, match=r"the probe needs \(N, 2\)"):
        project(np.ones((3, 5)), np.ones((1, 2)), np.zeros(1), np.zeros(2), np.ones(2))


def test_most_likely_class() -> None:
    """The sign for two classes, the largest for more."""
    assert most_likely(np.array([-1.0, 2.0])).tolist() == [0, 1]
    assert most_likely(np.array([[0.0, 1.0, 3.0], [2.0, 1.0, 0.0]])).tolist() == [2, 0]
