"""Token statistics and poolings, beside what test_model.py checks of them."""

from collections.abc import Callable

import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.embedding import (
    TokenStatistics,
    embed,
    embedding_dim,
    pool_tokens,
    standard_tokens,
    token_statistics,
)
from sky_ssl.model.simmim import SimMIM
from sky_ssl.model.symmetry import tokens_turned_back, turned

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]
NEUTRAL = TokenStatistics(mean=torch.zeros(32), std=torch.ones(32))


@pytest.mark.parametrize(
    ("grid", "central"),
    [(1, [0]), (2, [0, 1, 2, 3]), (3, list(range(9))), (4, [5, 6, 9, 10])],
)
def test_central_tokens(small_model: Make, sky: Sky, grid: int, central: list[int]) -> None:
    """2 x 2 of an even grid, 3 x 3 of an odd one, and what there is of a smaller one."""
    model = small_model(image_size=4 * grid).eval()
    images = sky(2, 3, 4 * grid)
    tokens = model.encoder.tokens(images)
    expected = tokens[:, central].flatten(1)
    torch.testing.assert_close(embed(model.encoder, images, NEUTRAL), expected)
    assert embedding_dim(model.config) == expected.shape[1]


def test_poolings_are_what_their_names_say(small_model: Make, sky: Sky) -> None:
    """Each pooling equals its own definition on the tokens of an 8 x 8 grid."""
    model, images = small_model(image_size=32, cls_token=True).eval(), sky(2, 3, 32)
    tokens = model.encoder.tokens(images)
    patches = tokens[:, 1:]
    middle = patches.view(2, 8, 8, 32)[:, 2:6, 2:6].reshape(2, 16, 32)
    central = patches.view(2, 8, 8, 32)[:, 3:5, 3:5].flatten(1)
    expected = {
        "mean": patches.mean(1),
        "max": patches.max(1).values,
        "central16": middle.mean(1),
        "cls": tokens[:, 0],
        "mean+central": torch.cat([patches.mean(1), central], 1),
    }
    for pooling, value in expected.items():
        out = embed(model.encoder, images, NEUTRAL, pooling)
        torch.testing.assert_close(out, value)
        assert out.shape[1] == embedding_dim(model.config, pooling)


def test_tokens_of_several_blocks_lie_side_by_side(small_model: Make, sky: Sky) -> None:
    """Each is what its block puts out, brought to mean 0 and deviation 1; places stay."""
    model, images = small_model(depth=3, token_blocks=(1, 3)).eval(), sky(2)
    seen: dict[int, torch.Tensor] = {}
    for number, block in enumerate(model.encoder.blocks, start=1):
        block.register_forward_hook(lambda _m, _x, out, n=number: seen.__setitem__(n, out))
    model.encoder(model.encoder._patches(images))
    outputs = [x - x.mean(dim=-1, keepdim=True) for x in (seen[1], seen[3])]
    scales = [x.std(dim=-1, keepdim=True, correction=0) for x in outputs]
    expected = torch.cat([x / s for x, s in zip(outputs, scales, strict=True)], dim=-1)
    torch.testing.assert_close(model.encoder.tokens(images), expected, rtol=1e-3, atol=1e-3)
    statistics = token_statistics(model.encoder, [images])
    assert statistics.mean.shape == (64,)
    embedded = embed(model.encoder, images, statistics)
    assert embedded.shape == (2, 4 * 64) == (2, embedding_dim(model.config))
    middle = (expected[:, [5, 6, 9, 10]] - statistics.mean) / statistics.std
    torch.testing.assert_close(embedded, middle.flatten(1), rtol=1e-3, atol=1e-3)


def test_chosen_blocks_do_not_change_the_training(small_model: Make, sky: Sky) -> None:
    """The loss is that of the last block; what lies behind a chosen block is not run to embed."""
    plain, chosen = small_model(depth=3), small_model(depth=3, token_blocks=(1, 2))
    mask = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(0)) < 0.5
    assert torch.equal(plain(sky(), mask)[0], chosen(sky(), mask)[0])
    before = chosen.encoder.tokens(sky())
    torch.nn.init.ones_(chosen.encoder.blocks[2].mlp.fc2.weight)
    assert torch.equal(chosen.encoder.tokens(sky()), before)
    assert not torch.equal(plain(sky(), mask)[0], chosen(sky(), mask)[0])


@pytest.mark.parametrize("pooling", ["cls", "attention"])
def test_own_vectors_are_those_of_the_last_block(small_model: Make, sky: Sky, pooling: str) -> None:
    """The class token and the attention pool are trained there, whatever blocks are chosen."""
    fields = {"depth": 3, "cls_token": True, "pool_weight": 1.0}
    plain, chosen = small_model(**fields), small_model(**fields, token_blocks=(1, 2))
    wide = TokenStatistics(mean=torch.zeros(64), std=torch.ones(64))
    expected = embed(plain.encoder, sky(), NEUTRAL, pooling)
    assert torch.equal(embed(chosen.encoder, sky(), wide, pooling), expected)
    assert expected.shape[1] == embedding_dim(chosen.config, pooling)


@pytest.mark.parametrize("turns", [4, 8])
@pytest.mark.parametrize("pooling", ["mean", "max", "central16", "cls", "attention"])
def test_turned_images_have_one_embedding(
    small_model: Make, sky: Sky, turns: int, pooling: str
) -> None:
    """Averaged over a group of turns, an image turned by any of them has the same embedding."""
    encoder, images = small_model(image_size=32, cls_token=True, pool_weight=1.0).encoder, sky(2, 3)
    images = torch.nn.functional.interpolate(images, 32)
    statistics = token_statistics(encoder, [images])
    wanted = embed(encoder, images, statistics, pooling, turns=turns)
    for way in range(turns):
        found = embed(encoder, turned(images, way), statistics, pooling, turns=turns)
        torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-4)
    assert (wanted - embed(encoder, images, statistics, pooling)).abs().max() > 0.01
    if turns == 4:  # a mirror image is no quarter turn
        other = embed(encoder, turned(images, 4), statistics, pooling, turns=4)
        assert (other - wanted).abs().max() > 1e-3


@pytest.mark.parametrize("grid", [4, 5])
def test_tokens_are_put_back_before_the_average(small_model: Make, sky: Sky, grid: int) -> None:
    """The tokens of a turned image are those of the image, turned with it."""
    encoder, images = small_model(image_size=4 * grid).encoder, sky(2, 3, 4 * grid)
    statistics = token_statistics(encoder, [images])
    plain = standard_tokens(encoder, images, statistics, turns=8)
    for way in range(8):
        found = standard_tokens(encoder, turned(images, way), statistics, turns=8)
        back = tokens_turned_back(found, way, (grid, grid))
        torch.testing.assert_close(back, plain, atol=2e-5, rtol=1e-4)
    ways = [
        tokens_turned_back(
            standard_tokens(encoder, turned(images, way), statistics), way, (grid, grid)
        )
        for way in range(8)
    ]
    torch.testing.assert_close(torch.stack(ways).mean(0), plain, atol=2e-5, rtol=1e-4)
    central = embed(encoder, images, statistics, turns=8)
    torch.testing.assert_close(central, pool_tokens(plain, encoder.config, "central"))


@pytest.mark.parametrize("grid", [1, 2, 5, 8, 11])
def test_rings_do_not_turn(small_model: Make, grid: int) -> None:
    """Tokens moved by turning the grid have the same rings; D is as said; no number is NaN."""
    config = small_model(image_size=4 * grid).config
    tokens = torch.randn(3, grid * grid, 32)
    rings = pool_tokens(tokens, config, "rings")
    assert rings.shape == (3, embedding_dim(config, "rings"))
    assert rings.isfinite().all()
    for way in range(8):
        moved = tokens_turned_back(tokens, way, config.grid)
        torch.testing.assert_close(pool_tokens(moved, config, "rings"), rings)


def test_rings_of_an_eleven_grid(small_model: Make) -> None:
    """The four rings hold the tokens nearer than 1.5, 2.9, 4.4 patches, and the rest."""
    step = torch.arange(11.0) - 5
    radius = torch.hypot(step[:, None], step).flatten()
    tokens = torch.randn(2, 121, 32)
    rings = pool_tokens(tokens, small_model(image_size=44).config, "rings")
    parts = rings.unflatten(1, (4, 2, 32))
    for number, (low, high) in enumerate([(0, 1.5), (1.5, 2.9), (2.9, 4.4), (4.4, 9)]):
        ring = tokens[:, (radius >= low) & (radius < high)]
        torch.testing.assert_close(parts[:, number, 0], ring.mean(1))
        torch.testing.assert_close(parts[:, number, 1], ring.std(1, correction=0))


def test_attention_pooling_is_the_pool_of_the_patches(small_model: Make, sky: Sky) -> None:
    """The pooled vector is that of the patches alone, as the network gives it."""
    model = small_model(cls_token=True, pool_weight=0.5).eval()
    out = embed(model.encoder, sky(), NEUTRAL, "attention")
    torch.testing.assert_close(out, model.encoder.pool(model.encoder.tokens(sky())[:, 1:]))
    assert out.shape[1] == embedding_dim(model.config, "attention")
    with pytest.raises(InputError, match="not one of the tokens"):
        pool_tokens(model.encoder.tokens(sky()), model.config, "attention")


def test_statistics_do_not_hang_on_the_batches(small_model: Make, sky: Sky) -> None:
    """One batch or many, with a number that never changes: the same finite statistics."""
    encoder, images = small_model().encoder, sky(9)
    with torch.no_grad():
        encoder.norm.weight[3] = 0
    one, many = token_statistics(encoder, [images]), token_statistics(encoder, images.split(2))
    torch.testing.assert_close(one.mean, many.mean)
    torch.testing.assert_close(one.std, many.std)
    assert (one.std > 0).all()
    assert embed(encoder, images, one).isfinite().all()


def test_no_gradient_no_change_of_mode(small_model: Make, sky: Sky) -> None:
    """An embedding is a plain float32 array, in bf16 too, and leaves the network as it was."""
    model = small_model(drop_path=0.5).train()
    with torch.autocast("cpu", torch.bfloat16):
        rows = embed(model.encoder, sky(), NEUTRAL)
        assert torch.equal(rows, embed(model.encoder, sky(), NEUTRAL))
    assert rows.dtype == torch.float32
    assert not rows.requires_grad
    assert model.encoder.training
    assert model.encoder.blocks[0].training


def test_mode_is_restored_after_an_error(small_model: Make, sky: Sky) -> None:
    """Images of the wrong size leave a network in training mode in training mode."""
    encoder = small_model().train().encoder
    with pytest.raises(InputError, match="the model takes"):
        embed(encoder, sky(1, 3, 8), NEUTRAL)
    assert encoder.training


def test_no_image_and_all_nan(small_model: Make, sky: Sky) -> None:
    """An empty batch gives no rows; an image without data gives a finite one."""
    encoder = small_model().encoder
    assert embed(encoder, sky(0), NEUTRAL).shape == (0, 4 * 32)
    assert embed(encoder, torch.full((1, 3, 16, 16), torch.nan), NEUTRAL).isfinite().all()


def test_refused(small_model: Make, sky: Sky) -> None:
    """Statistics of another network, none at all, and unknown poolings are named."""
    encoder = small_model().encoder
    other = TokenStatistics(mean=torch.zeros(8), std=torch.ones(8))
    with pytest.raises(InputError, match=r"statistics of shape \(8,\): .* tokens of 32"):
        embed(encoder, sky(), other)
    with pytest.raises(InputError, match="no image to measure"):
        token_statistics(encoder, [])
    with pytest.raises(InputError, match="pooling 'middle': allowed are central, mean"):
        embedding_dim(encoder.config, "middle")
    with pytest.raises(InputError, match="'attention': this model has no attention pool"):
        embed(encoder, sky(), NEUTRAL, "attention")
    with pytest.raises(InputError, match="turns 2: allowed are 1, 4, 8"):
        embed(encoder, sky(), NEUTRAL, turns=2)
