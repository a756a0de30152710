"""The order of images, and randomness as a function of the step."""

import itertools

import numpy as np
import pytest
import torch

from sky_ssl.training.order import BatchOrder, draw_for_share, step_seed


@pytest.mark.parametrize(
    ("n", "batch", "run"), [(100, 16, 8), (7, 16, 8), (64, 64, 1), (33, 10, 5)]
)
def test_every_epoch_visits_every_image_once(n: int, batch: int, run: int) -> None:
    """Over any stretch of whole epochs each row comes equally often; none is dropped."""
    rows = np.arange(n) * 3
    order = BatchOrder(rows, batch, run, seed=1)
    drawn = np.concatenate([order.batch(step) for step in range(n)])  # `batch` epochs
    values, counts = np.unique(drawn, return_counts=True)
    np.testing.assert_array_equal(values, rows)
    assert set(counts) == {batch}


def test_order_changes_with_epoch_and_seed_only() -> None:
    """The same step gives the same batch in a new process; another epoch or seed another order."""
    rows = np.arange(64)
    first = BatchOrder(rows, 64, 4, seed=1)
    again = BatchOrder(rows, 64, 4, seed=1)
    np.testing.assert_array_equal(first.batch(5), again.batch(5))
    assert not np.array_equal(first.batch(0), first.batch(1))
    assert not np.array_equal(first.batch(0), BatchOrder(rows, 64, 4, seed=2).batch(0))


def test_rows_come_in_runs() -> None:
    """Most neighbours in a batch are consecutive rows, so that reads are long."""
    batch = BatchOrder(np.arange(10_000), 64, 8, seed=0).batch(3)
    assert (np.diff(batch) == 1).mean() > 0.8


def test_endless_supply_is_numbered_on() -> None:
    """Without rows, the batch is the next numbers."""
    np.testing.assert_array_equal(BatchOrder(None, 4, 8, seed=0).batch(2), [8, 9, 10, 11])


@pytest.mark.parametrize("cuts", [[0, 256], [0, 128, 256], [0, 50, 100, 256]])
def test_draws_do_not_depend_on_the_number_of_ranks(cuts: list[int]) -> None:
    """Shares of the global batch put together are the draws of one rank alone."""

    def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        return (torch.rand(n, 3, generator=generator),)

    pieces = [
        draw_for_share(draw, seed=3, step=9, share=slice(a, b), device=torch.device("cpu"))[0]
        for a, b in itertools.pairwise(cuts)
    ]
    (whole,) = draw_for_share(draw, seed=3, step=9, share=slice(0, 256), device=torch.device("cpu"))
    assert torch.equal(torch.cat(pieces), whole)
    assert len(torch.unique(whole)) > 700


def test_seeds_of_steps_differ() -> None:
    """No two steps, runs or purposes share a seed."""
    seeds = {step_seed(a, b, c) for a in range(5) for b in range(50) for c in range(5)}
    assert len(seeds) == 5 * 50 * 5
