"""Few-shot draws."""

import numpy as np
import pytest
from scipy.stats import norm

from sky_ssl.errors import InputError
from sky_ssl.probes.draws import averaged, draw_labels, few_shot
from sky_ssl.probes.metrics import class_statistic

TWO = np.array([False, True])


def sky(n: int, seed: int, share: float = 0.2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.random(n) < share
    x = rng.normal(size=(n, 6))
    x[:, 0] += 2 * y
    return x, y, rng.integers(0, 30, n)


def test_training_and_test_never_share_a_block() -> None:
    """In no repeat; half of the labels are of each kind; another half of the sky each time."""
    x, y, groups = sky(1500, 0)
    draws = few_shot(x, y, groups, labels=40, repeats=5)
    for draw in draws:
        assert not set(groups[draw.train]) & set(groups[draw.test])
        assert y[draw.train].sum() == 20
    assert set(groups[draws[0].test]) != set(groups[draws[1].test])
    again = few_shot(x, y, groups, labels=40, repeats=1)[0]
    assert (again.train == draws[0].train).all()


def test_natural_draws_come_as_they_are() -> None:
    """About the share of the sample, but never a kind less."""
    rng = np.random.default_rng(0)
    y = np.arange(1000) < 20
    drawn = draw_labels(np.arange(1000), y, 100, natural=True, rng=rng)
    assert len(drawn) == 100
    assert 1 <= y[drawn].sum() < 10
    few = [draw_labels(np.arange(1000), y, 5, natural=True, rng=rng) for _ in range(10)]
    assert all(y[rows].any() for rows in few)


def test_natural_draws_of_many_kinds_hold_each_of_them() -> None:
    """Rare kinds take the place of frequent ones, never of the only one of another."""
    y = np.repeat(np.arange(12), [600, 300, 60, 5, 5, 5, 5, 4, 4, 4, 4, 4])
    pool = np.arange(len(y))
    for seed in range(30):
        for labels in (12, 20, 100):
            rng = np.random.default_rng(seed)
            drawn = draw_labels(pool, y, labels, natural=True, rng=rng)
            assert len(set(drawn.tolist())) == labels
            assert set(y[drawn].tolist()) == set(range(12))
    with pytest.raises(InputError, match="11 labels of 12 kinds"):
        draw_labels(pool, y, 11, natural=True, rng=np.random.default_rng(0))


def test_a_kind_with_few_gives_all_it_has() -> None:
    """Three positives of the fifty asked for."""
    y = np.arange(200) < 3
    drawn = draw_labels(np.arange(200), y, 100, natural=False, rng=np.random.default_rng(0))
    assert (y[drawn].sum(), len(drawn)) == (3, 53)


def test_average_and_its_interval() -> None:
    """Near the best there is, 84 %, with an interval that holds the average of fresh skies."""
    x, y, groups = sky(3000, 1)
    draws = few_shot(x, y, groups, labels=200, repeats=6)
    one = class_statistic(y[draws[0].test], draws[0].values, TWO)[0].index("balanced_accuracy")
    found = averaged(draws, lambda d: class_statistic(y[d.test], d.values, TWO)[1], len(y), groups)[
        one
    ]
    assert found.mean == pytest.approx(norm.cdf(1), abs=0.03)
    assert found.low < found.mean < found.high
    assert 0.01 < found.high - found.low < 0.1


def test_numbers_are_drawn_as_well() -> None:
    """A regression on 100 numbers predicts the other half."""
    x, _, groups = sky(600, 2)
    y = x @ np.arange(6.0)
    draw = few_shot(x, y, groups, labels=100, repeats=1, numbers=True)[0]
    assert len(draw.train) == 100
    assert np.corrcoef(draw.values, y[draw.test])[0, 1] > 0.99


def test_what_cannot_be_split_is_refused() -> None:
    """One label, or a kind in one block alone."""
    x, y, groups = sky(100, 3)
    with pytest.raises(ValueError, match="1 labels: at least 2"):
        few_shot(x, y, groups, labels=1)
    with pytest.raises(ValueError, match="one block of sky alone"):
        few_shot(x, groups == 3, groups, labels=10)
