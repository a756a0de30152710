"""Odd objects by three measures, and artefacts that are known."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.anomaly import (
    combined,
    find_anomalies,
    isolation,
    mean_size,
    neighbour_distance,
    ranks,
    reconstruction_error,
    unlike_artefacts,
)
from sky_ssl.explore.hiding import Hiding, fill_objects
from sky_ssl.sky.cutouts import CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training.checkpoint import load_model
from tests.explore.conftest import INFO, make_galaxies

ODD = [3, 50, 120]


def crowd(count: int = 200) -> np.ndarray:
    """Make points (200, 6) of a crowd, three of them far out in directions of their own."""
    points = np.random.default_rng(0).normal(0, 1, (count, 6)).astype(np.float32)
    for axis, row in enumerate(ODD):
        points[row] = 0
        points[row, axis] = 12
    return points


def test_outliers_come_first() -> None:
    """Each measure, and all together, put the three far ones first; progress rises to the end."""
    points, seen = crowd(), []
    found = find_anomalies(points, threads=1, progress=lambda *at: seen.append(at))
    assert set(found.order()[:3]) == set(ODD)
    for values in found.measures.values():
        assert set(np.argsort(-values)[:3]) == set(ODD)
    assert found.score.max() == found.score[found.order()[0]] < 1
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert seen[-1] == (1000, 1000)


def test_the_same_seed_gives_the_same_scores() -> None:
    """On any number of threads; another seed cuts elsewhere."""
    points = crowd()
    first, second = find_anomalies(points, threads=1), find_anomalies(points, threads=3)
    np.testing.assert_array_equal(first.score, second.score)
    assert not np.array_equal(isolation(points), isolation(points, seed=1))


def test_objects_like_artefacts_lose_rank() -> None:
    """A labelled artefact and its likes fall behind; other odd ones stay, ordinary ones too."""
    points = crowd()
    points[60] = points[3] + 0.3
    found = find_anomalies(points, artefacts=[3], threads=1)
    assert set(found.order()[:2]) == {50, 120}
    assert found.score[3] == found.score.min()
    assert found.score[60] < 0.5 < find_anomalies(points, threads=1).score[60]
    assert found.unlike_artefacts[3] == 0
    assert found.unlike_artefacts[[50, 120]].min() == 1
    assert np.median(found.unlike_artefacts) > 0.7


def test_distance_to_the_kth_neighbour() -> None:
    """Known distances on a line; of fewer others the farthest; nobody else: 0."""
    line = np.array([[0], [1], [3], [7]], np.float32)
    assert neighbour_distance(line, 1).tolist() == [1, 1, 2, 4]
    assert neighbour_distance(line, 2).tolist() == [3, 2, 3, 6]
    assert neighbour_distance(line, 9).tolist() == [7, 6, 4, 7]
    assert neighbour_distance(line[:1], 9).tolist() == [0]
    with pytest.raises(InputError, match="neighbour = 0: must be 1 or more"):
        neighbour_distance(line, 0)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_few_objects_and_rows_of_nan(count: int) -> None:
    """A handful has finite scores; objects of which nothing is known have none, and no place."""
    points = np.full((count + 1, 6), np.nan, np.float32)
    points[:count] = crowd()[:count]
    found = find_anomalies(points, artefacts=[count], threads=1)
    assert np.isfinite(found.score).tolist() == [True] * count + [False]
    assert sorted(found.order()) == list(range(count))
    assert (found.unlike_artefacts[:count] == 1).all()


def test_ranks_share_places() -> None:
    """Equals have the same rank, NaN has none and does not count."""
    np.testing.assert_allclose(
        ranks(np.array([5, np.nan, 1, 5, 9])), [0.5, np.nan, 0.125, 0.5, 0.875]
    )
    assert ranks(np.array([])).tolist() == []
    assert np.isnan(ranks(np.array([np.nan]))).all()


def test_the_top_of_one_measure_stands_out() -> None:
    """First of one and average in the other comes before good in both; NaN counts neither way."""
    a, b = np.arange(1000.0), np.arange(1000.0)
    a[0], b[0] = 1e6, 500.5
    a[10] = np.nan
    joined = combined({"a": a, "b": b})
    assert joined[0] > joined[950]
    assert joined[10] == pytest.approx(-np.log1p(-ranks(b)[10]))
    assert np.isnan(combined([np.array([np.nan]), np.array([np.nan])])).all()


def test_mean_size_of_what_is_there() -> None:
    """The mean of |residual| over finite values; none: NaN."""
    residual = np.array([[[1, -3], [np.nan, 2]], [[np.nan, np.nan], [np.nan, np.nan]]])
    np.testing.assert_array_equal(mean_size(residual), [2, np.nan])


def test_unlike_without_artefacts() -> None:
    """Nothing labelled: all keep their weight, also where all rows are NaN."""
    assert (unlike_artefacts(crowd(), []) == 1).all()
    assert (unlike_artefacts(np.full((2, 3), np.nan, np.float32), []) == 1).all()


def test_reconstruction_error_walks_the_cutouts(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By blocks as one by one; a bright streak comes first; no data has no error."""
    images = make_galaxies(3, 10)
    images[4, :, 20:24] += 3000
    images[7] = np.nan
    with CutoutWriter(tmp_path / "c.h5", INFO) as writer:
        ids = [f"g{i}" for i in range(10)]
        writer.append(images, {"id": ids, "ra": np.zeros(10), "dec": np.zeros(10)})
    (model, state), cutouts = load_model(small_run), open_cutouts(tmp_path / "c.h5")
    monkeypatch.setattr("sky_ssl.explore.anomaly._BLOCK", 4)
    hiding, seen = Hiding(draws=2, seed=5), []
    error = reconstruction_error(
        model, state.info, cutouts, hiding=hiding, progress=lambda *at: seen.append(at)
    )
    assert seen == [(4, 10), (8, 10), (10, 10)]
    assert np.isnan(error).tolist() == [i == 7 for i in range(10)]
    assert np.nanargmax(error) == 4
    one = fill_objects(model, state.info, cutouts, [9], hiding).residual
    assert error[9] == pytest.approx(np.nanmean(np.abs(one)), rel=1e-4)
    with pytest.raises(InputError, match="errors of 10 objects, embeddings of 9"):
        find_anomalies(crowd()[:9], error)
    found = find_anomalies(crowd()[4:14], error)
    np.testing.assert_array_equal(found.measures["reconstruction"], error)
    assert np.isfinite(found.score).all()  # also where the model says nothing
