"""Principal axes beside a reference, and rows that have no direction."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.explore import axes
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.similarity import normalised


def embeddings(n: int = 500, d: int = 24) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(0, 1, (n, 5)) @ rng.normal(0, 1, (5, d)) + 3).astype(np.float32)


@pytest.mark.parametrize("tokens", [1, 4])
def test_axes_are_those_of_a_decomposition(tokens: int) -> None:
    """Projections equal those of the singular vectors of the centred rows, up to their signs."""
    values = embeddings()
    found = principal_axes(values, tokens, 3)
    x = normalised(values, tokens).astype(np.float64)
    _, _, vectors = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    expected = np.abs((x - x.mean(axis=0)) @ vectors[:3].T)
    np.testing.assert_allclose(np.abs(found.project(values)), expected, atol=1e-5)


def test_distances_follow_the_mean_cosine() -> None:
    """On all axes the squared distance is 2 - 2 cosine, averaged over tokens."""
    values = embeddings(40)
    points = principal_axes(values, 2, 24).project(values)
    x = normalised(values, 2)
    apart = np.square(points[:, None] - points[None]).sum(axis=2)
    np.testing.assert_allclose(apart, 2 - 2 * x @ x.T, atol=1e-5)


def test_rows_without_a_direction_are_nan_and_do_not_count() -> None:
    """NaN, infinite and zero rows leave the axes of the others as they are."""
    values = embeddings()
    broken = np.concatenate([values, np.zeros((3, 24), np.float32)])
    broken[-1], broken[-2, 3] = np.nan, np.inf
    found, reference = principal_axes(broken, 4, 5), principal_axes(values, 4, 5)
    np.testing.assert_allclose(found.axes, reference.axes, atol=1e-6)
    points = found.project(broken)
    assert np.isnan(points[-3:]).all()
    assert np.isfinite(points[:-3]).all()


def test_a_sample_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Axes found on every fifth row span nearly the same plane."""
    values = embeddings(5000)
    whole = principal_axes(values, 1, 2).axes
    monkeypatch.setattr(axes, "SAMPLE", 1000)
    part = principal_axes(values, 1, 2).axes
    assert np.linalg.svd(whole @ part.T, compute_uv=False).min() > 0.99


def test_axes_of_a_file_leave_no_trace_in_memory(tmp_path: Path) -> None:
    """Of a mapped file of 120 MiB, looked at all over, next to nothing stays resident."""
    np.save(tmp_path / "e.npy", np.tile(embeddings(600, 64), (800, 1)))
    values = np.load(tmp_path / "e.npy", mmap_mode="r")
    principal_axes(values[:5000], 1, 2)
    before = resident()
    principal_axes(values, 1, 2)
    assert resident() - before < 30


def resident() -> float:
    """Read how much of files is mapped into memory [MiB]."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("RssFile"))


def test_fewer_dimensions_than_axes() -> None:
    """One-dimensional vectors of others have one axis; one object has none to speak of."""
    values = np.array([[1.0], [-2.0], [3.0]], np.float32)
    assert principal_axes(values, 1).project(values).shape == (3, 1)
    assert not principal_axes(embeddings(1), 1, 2).project(embeddings(1)).any()
