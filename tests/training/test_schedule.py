"""The learning rate at a step."""

import pytest

from sky_ssl.errors import InputError
from sky_ssl.training.config import TrainConfig
from sky_ssl.training.schedule import learning_rate


def test_warm_up_then_a_cosine() -> None:
    """It rises to the peak in the first steps and falls to the lowest at the last."""
    config = TrainConfig(steps=101, warmup=0.1, lr=1e-3, min_lr=1e-6)
    rates = [learning_rate(step, config) for step in range(101)]
    assert rates[:10] == pytest.approx([1e-4 * n for n in range(1, 11)])
    assert max(rates) == rates[10] == 1e-3
    assert rates[55] == pytest.approx((1e-3 + 1e-6) / 2)
    assert rates[-1] == pytest.approx(1e-6)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_a_longer_schedule_is_left_before_its_end() -> None:
    """The rates are those of the long run, step by step, as far as it goes."""
    short = TrainConfig(steps=40, schedule=100)
    for step in range(40):
        assert learning_rate(step, short) == learning_rate(step, TrainConfig(steps=100))
    with pytest.raises(
        InputError, match=r"train\.schedule = 30: must be 0, or 40 \(steps\) or more"
    ):
        TrainConfig(steps=40, schedule=30)


def test_without_a_warm_up_it_begins_at_the_peak() -> None:
    """Also for a run of one step."""
    assert learning_rate(0, TrainConfig(steps=50, warmup=0.0, lr=2e-3)) == 2e-3
    assert learning_rate(0, TrainConfig(steps=1, lr=2e-3)) == 2e-3
