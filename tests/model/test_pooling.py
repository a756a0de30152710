"""Attention pooling of tokens."""

import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.pooling import AttentionPool


@pytest.fixture
def pool() -> AttentionPool:
    """A pool of tokens 16 wide with fixed weights."""
    torch.manual_seed(0)
    return AttentionPool(16, 4)


def test_the_order_of_tokens_does_not_matter(pool: AttentionPool) -> None:
    """Any order of the tokens, and any number of them, gives one vector; it hangs on each token."""
    tokens = torch.randn(3, 10, 16)
    out = pool(tokens)
    assert out.shape == (3, 16)
    torch.testing.assert_close(pool(tokens[:, torch.randperm(10)]), out)
    changed = tokens.clone()
    changed[:, 7] += 1
    assert ((pool(changed) - out).abs().amax(1) > 1e-4).all()
    assert pool(tokens[:, :1]).shape == (3, 16)


def test_equal_tokens_are_pooled_as_one(pool: AttentionPool) -> None:
    """Weights of attention sum to 1: ten equal tokens give what one gives."""
    token = torch.randn(2, 1, 16)
    torch.testing.assert_close(pool(token.expand(2, 10, 16)), pool(token))


def test_every_weight_learns(pool: AttentionPool) -> None:
    """No weight is without a gradient, in bf16 too, where another kernel is used."""
    for enabled in (False, True):
        pool.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            pool(torch.randn(4, 6, 16)).float().square().sum().backward()
        assert all(w.grad is not None and w.grad.isfinite().all() for w in pool.parameters())


@pytest.mark.parametrize("heads", [0, 3, -2])
def test_heads_must_divide_the_width(heads: int) -> None:
    """The number of heads is named with the width."""
    with pytest.raises(InputError, match=f"of {heads} heads: must divide 16 numbers"):
        AttentionPool(16, heads)
