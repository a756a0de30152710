"""Patches, positions and tokens."""

from collections.abc import Callable

import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.encoder import patchify, sincos_positions, unpatchify
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]


def test_patches_are_in_the_order_of_rows() -> None:
    """Patch 1 of a 2 x 3 grid is right of patch 0, patch 3 below it; so are pixels in a patch."""
    image = torch.arange(2 * 4 * 6).view(1, 2, 4, 6)
    patches = patchify(image, 2)
    assert patches.shape == (1, 6, 2, 4)
    assert patches[0, 0].tolist() == [[0, 1, 6, 7], [24, 25, 30, 31]]
    assert patches[0, 1, 0].tolist() == [2, 3, 8, 9]
    assert patches[0, 3, 0].tolist() == [12, 13, 18, 19]


@pytest.mark.parametrize("bands", [1, 3, 5, 9])
@pytest.mark.parametrize(("height", "width", "patch"), [(64, 64, 8), (40, 40, 8), (12, 20, 4)])
def test_unpatchify_is_the_inverse(bands: int, height: int, width: int, patch: int) -> None:
    """Cut and put together, images are what they were, whatever number of bands and patches."""
    images = torch.randn(2, bands, height, width)
    grid = (height // patch, width // patch)
    assert torch.equal(unpatchify(patchify(images, patch), patch, grid), images)


def test_positions_are_all_different() -> None:
    """No two places share a position, and y is in the first half, x in the second."""
    grid = (5, 7)
    positions = sincos_positions(grid, 32).view(*grid, 32)
    assert (
        torch.cdist(positions.view(1, -1, 32), positions.view(1, -1, 32))[0]
        .add(torch.eye(35) * 9)
        .min()
        > 0.1
    )
    assert torch.equal(positions[2, 0, :16], positions[2, 6, :16])
    assert torch.equal(positions[0, 3, 16:], positions[4, 3, 16:])
    assert positions[1, 2, 0] == pytest.approx(torch.sin(torch.tensor(1.0)).item())


@pytest.mark.parametrize("bands", [1, 3, 5, 9])
@pytest.mark.parametrize(("size", "patch"), [(16, 4), (20, 4), (12, 12), (9, 3)])
def test_tokens_of_any_shape(
    small_model: Make, sky: Sky, bands: int, size: int, patch: int
) -> None:
    """Any number of bands, image and patch size gives one token per place."""
    model = small_model(bands, image_size=size, patch_size=patch)
    tokens = model.encoder.tokens(sky(2, bands, size))
    assert tokens.shape == (2, (size // patch) ** 2, 32)
    assert tokens.isfinite().all()


def test_class_token_comes_first(small_model: Make, sky: Sky) -> None:
    """A model with a class token gives one token more."""
    assert small_model(cls_token=True).encoder.tokens(sky()).shape == (4, 17, 32)


def test_hidden_and_no_data_are_the_same_to_the_model(small_model: Make, sky: Sky) -> None:
    """A patch without data gives the tokens of a hidden patch; what lay under it is not seen."""
    model, images = small_model().eval(), sky()
    mask = torch.zeros(4, 3, 4, 4, dtype=torch.bool)
    mask[:, 1, 2, 3] = True
    hidden = model.encoder.tokens(images, mask)
    images[:, 1, 8:12, 12:16] = torch.nan
    assert torch.equal(model.encoder.tokens(images), hidden)
    images[:, 1, 8:12, 12:16] = -1e30
    assert torch.equal(model.encoder.tokens(images), hidden)


def test_wrong_images_are_refused(small_model: Make, sky: Sky) -> None:
    """Images of other bands or another size are named, with what is allowed."""
    with pytest.raises(InputError, match=r"\(4, 2, 16, 16\): the model takes \(N, 3 bands, 16, 16"):
        small_model().encoder.tokens(sky(4, 2))


def test_attention_kernels_agree(small_model: Make, sky: Sky) -> None:
    """Training in bf16 on a CPU takes another kernel than embedding; the tokens are alike."""
    model, images = small_model().eval(), sky()
    with torch.autocast("cpu", torch.bfloat16):
        trained = model.encoder.tokens(images)
        assert not model.encoder.blocks[0].attn.fused_attn
        with torch.no_grad():
            embedded = model.encoder.tokens(images)
        assert model.encoder.blocks[0].attn.fused_attn
    torch.testing.assert_close(trained, embedded, rtol=0.05, atol=0.05)
