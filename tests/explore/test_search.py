"""Search: exemplars and repeats left out, counter-examples push away, distances on the sky."""

import json
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.search import Results, query_vector, search
from sky_ssl.explore.similarity import scores, top


def made(
    values: np.ndarray, ra: np.ndarray | None = None, dec: np.ndarray | None = None
) -> Embeddings:
    n = len(values)
    return Embeddings(
        path=Path("e.h5"),
        values=values,
        id=np.array([f"o{i}" for i in range(n)]),
        ra=np.arange(n, dtype=float) if ra is None else ra,
        dec=np.zeros(n) if dec is None else dec,
        tile=np.full(n, ""),
        attributes={},
    )


def noise(n: int = 200, d: int = 8) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def found(e: Embeddings, query: np.ndarray, **options: object) -> Results:
    return search(e, lambda k, out: top(e.values, query, 1, k, out), **options)  # type: ignore[arg-type]


def test_one_exemplar_scores_by_its_cosine() -> None:
    """The best are those of the largest cosine; rank counts from 1; the exemplar is left out."""
    e = made(noise())
    result = found(e, query_vector(e.values[[5]], None, 1), k=4, exclude=np.array([5]))
    unit = e.values / np.linalg.norm(e.values, axis=1, keepdims=True)
    order = [row for row in np.argsort(-(unit @ unit[5])) if row != 5][:4]
    assert result.ids.tolist() == [f"o{row}" for row in order]
    assert result.rank.tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(result.scores, (unit @ unit[5])[order], atol=1e-6)


def test_several_exemplars_are_averaged() -> None:
    """The score is the mean of the cosines to each, whatever their lengths."""
    values = noise()
    query = query_vector(values[:3] * np.array([[1], [10], [100]]), None, 1)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    np.testing.assert_allclose(scores(values, query, 1), (unit @ unit[:3].T).mean(1), atol=1e-6)


def test_counter_examples_push_away() -> None:
    """With a counter-example what is like it falls, and more so with more weight."""
    axes = np.eye(3, dtype=np.float32)
    e = made(np.array([[1, 1, 0], [1, 0, 1], [0.9, 0, 0.8]], dtype=np.float32))
    plain = query_vector(axes[:1], None, 1)
    assert scores(e.values, plain, 1)[0] == pytest.approx(scores(e.values, plain, 1)[1])
    for weight, drop in ((0.5, 0.5), (2.0, 2.0)):
        pushed = scores(e.values, query_vector(axes[:1], axes[1:2], 1, weight), 1)
        assert scores(e.values, plain, 1)[0] - pushed[0] == pytest.approx(drop / np.sqrt(2))
        assert pushed[1] == pytest.approx(np.sqrt(0.5))
    with pytest.raises(InputError, match="must be 0 or more"):
        query_vector(axes[:1], axes[1:2], 1, -1)


def test_repeats_on_the_sky_are_merged() -> None:
    """Of rows within 1 arcsec the best stays, those at an exemplar go, and k are given still."""
    values = np.tile(np.linspace(1, 0.5, 60)[:, None], (1, 2)).astype(np.float32)
    values[:, 1] = np.linspace(0, 1, 60)  # ever less like (1, 0)
    ra = np.repeat(np.arange(20), 3) + np.tile([0, 0.3, 0.6], 20) / 3600
    e = made(values, ra)
    query = np.array([1, 0], dtype=np.float32)
    place = {"exemplar_ra": [0.0], "exemplar_dec": [0.0]}
    result = found(e, query, k=19, exclude=np.array([0]), **place)
    assert result.rows.tolist() == list(range(3, 60, 3))
    assert len(found(e, query, k=60, merge_arcsec=0, **place)) == 60
    assert result.separation_arcsec[0] == pytest.approx(3600, rel=1e-6)


def test_unknown_positions_are_kept() -> None:
    """Objects without a position are no repeats of each other, and their distance is unknown."""
    unknown = np.full(10, np.nan)
    e = made(noise(10), unknown, unknown)
    result = found(e, query_vector(e.values[[0]], None, 1), k=99, exclude=np.array([0]))
    assert len(result) == 9
    record = json.loads(json.dumps(result.records()[0], allow_nan=False))
    assert record["ra"] is None
    assert record["separation_arcsec"] is None


def test_distance_is_from_the_nearest_exemplar() -> None:
    """Of two exemplars the nearer counts, also across RA 0."""
    e = made(noise(3), np.array([0.5, 359.0, 180.0]), np.zeros(3))
    place = {"exemplar_ra": [359.5, 181.0, np.nan], "exemplar_dec": [0.0, 0.0, 0.0]}
    result = found(e, query_vector(e.values, None, 1), **place)
    distance = dict(zip(result.ids.tolist(), result.separation_arcsec / 3600, strict=True))
    assert distance == pytest.approx({"o0": 1.0, "o1": 0.5, "o2": 1.0})


def test_bad_queries_are_refused() -> None:
    """No exemplars, numbers that are not finite, and none or a negative number wanted."""
    e = made(noise())
    with pytest.raises(InputError, match="at least one exemplar"):
        query_vector(e.values[:0], None, 1)
    with pytest.raises(InputError, match="exemplar 2 of 2 has numbers that are not finite"):
        query_vector(np.array([[1, 2], [np.nan, 1]]), None, 1)
    with pytest.raises(InputError, match="top 0: must be 1 or more"):
        found(e, e.values[0], k=0)
    with pytest.raises(InputError, match="merge -1: must be 0 arcsec or more"):
        found(e, e.values[0], merge_arcsec=-1)
