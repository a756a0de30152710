"""Retrieval from exemplars: all, none, and chance."""

import numpy as np
import pytest

from sky_ssl.evaluate.retrieval import retrieve, unit_rows


def test_rows_are_standardised_and_of_length_one() -> None:
    """Each row has length 1; a feature that never varies and a row at the mean do no harm."""
    x = np.random.default_rng(0).normal(5, 2, size=(30, 4))
    x[:, 2] = 7.0
    x[0] = x[1:].mean(axis=0)  # then it is the mean of all
    unit = unit_rows(x)
    assert np.isfinite(unit).all()
    assert np.linalg.norm(unit[1:], axis=1) == pytest.approx(1, abs=1e-5)


def test_a_kind_that_lies_apart_is_found_and_chance_is_its_share() -> None:
    """25 of 25 for a direction of its own; near the prevalence for noise; draws differ."""
    rng = np.random.default_rng(1)
    positive = np.arange(2000) < 100
    noise = unit_rows(rng.normal(size=(2000, 16)))
    pool = unit_rows(rng.normal(size=(40, 16)))
    assert retrieve(noise, positive, pool).purity.mean() == pytest.approx(0.05, abs=0.03)
    x = rng.normal(size=(2040, 16))
    x[np.r_[:100, 2000:2040], 0] += 30
    unit = unit_rows(x)
    assert retrieve(unit[:2000], positive, unit[2000:]).mean == 25
    with pytest.raises(ValueError, match="too few objects of the kind"):
        retrieve(noise, positive, pool[:3])


def test_the_nearest_are_those_of_the_mean_of_the_exemplars() -> None:
    """Against a search written out by hand, for one draw."""
    rng = np.random.default_rng(2)
    gallery, pool = unit_rows(rng.normal(size=(200, 8))), unit_rows(rng.normal(size=(5, 8)))
    positive = rng.random(200) < 0.4
    cosines = np.array([[g @ p for p in pool] for g in gallery]).mean(axis=1)
    best = sorted(range(200), key=lambda row: -cosines[row])[:10]
    found = retrieve(gallery, positive, pool, exemplars=5, top=10, repeats=1)
    assert found.purity[0] == pytest.approx(positive[best].mean())


def test_expansion_finds_more_of_a_kind_that_lies_together() -> None:
    """The best of a first search show the way to the rest, where one exemplar is off the middle."""
    rng = np.random.default_rng(3)
    positive = np.arange(1500) < 60
    x = rng.normal(size=(1530, 24))
    x[np.r_[:60, 1500:1530], :3] += 2.0
    unit = unit_rows(x)
    gallery, pool = unit[:1500], unit[1500:]
    plain, more = (
        retrieve(gallery, positive, pool, exemplars=3, repeats=12, expand=k) for k in (0, 10)
    )
    assert more.mean > plain.mean
