"""Flips and quarter turns, there and back."""

import pytest
import torch

from sky_ssl.model.encoder import patchify
from sky_ssl.model.symmetry import tokens_turned_back, turned, turned_back


def test_known_turns() -> None:
    """One quarter takes the right column to the top; way 4 mirrors left and right."""
    x = torch.tensor([[1, 2], [3, 4]])
    assert turned(x, 0).tolist() == [[1, 2], [3, 4]]
    assert turned(x, 1).tolist() == [[2, 4], [1, 3]]
    assert turned(x, 4).tolist() == [[2, 1], [4, 3]]
    assert len({tuple(turned(x, way).flatten().tolist()) for way in range(8)}) == 8


@pytest.mark.parametrize("way", range(8))
@pytest.mark.parametrize("side", [4, 5])
def test_back(way: int, side: int) -> None:
    """Turned and turned back, an image and the tokens of its patches are where they were."""
    images = torch.randn(2, 3, 2 * side, 2 * side)
    assert torch.equal(turned_back(turned(images, way), way), images)
    means = patchify(images, 2).mean(-1)
    found = tokens_turned_back(patchify(turned(images, way), 2).mean(-1), way, (side, side))
    torch.testing.assert_close(found, means)
