"""Networks that answer: shapes, what is frozen, and that they see what embeddings see."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.convnet import ConvNet
from sky_ssl.model.embedding import TokenStatistics, embed
from sky_ssl.model.predictor import Predictor, TokenBody
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]
STATISTICS = TokenStatistics(torch.linspace(-1, 1, 32), torch.linspace(1, 2, 32))


@pytest.mark.parametrize("pooling", ["central", "mean", "max", "central16", "mean+central", "cls"])
def test_a_linear_head_sees_the_embedding(small_model: Make, sky: Sky, pooling: str) -> None:
    """Features under a linear head are what `embed` gives, whatever the pooling."""
    model, images = small_model(cls_token=True).eval(), sky(3)
    body = TokenBody(model.encoder, STATISTICS, pooling=pooling)
    features = body.finish(body.begin(images))
    torch.testing.assert_close(features, embed(model.encoder, images, STATISTICS, pooling))
    assert features.shape == (3, body.dimensions)


@pytest.mark.parametrize("head", ["linear", "attentive"])
def test_tokens_of_several_blocks_are_seen(small_model: Make, sky: Sky, head: str) -> None:
    """Heads see them side by side, and train the network as far as they reach."""
    encoder = small_model(depth=3, token_blocks=(1, 2)).encoder
    body = TokenBody(encoder, TokenStatistics(torch.zeros(64), torch.ones(64)), head=head)
    model = Predictor(body, 2).train()
    assert body.finish(body.begin(sky(3))).shape == (3, 256 if head == "linear" else 64)
    model(sky(3)).square().sum().backward()
    assert all(w.grad is not None for w in encoder.blocks[1].parameters())
    assert all(w.grad is None for w in encoder.blocks[2].parameters())


def test_a_pool_of_the_encoder_can_be_used(small_model: Make, sky: Sky) -> None:
    """Pooling "attention" of a model that has one; refused of one that has none."""
    model, images = small_model(pool_weight=0.5).eval(), sky(3)
    body = TokenBody(model.encoder, STATISTICS, pooling="attention")
    features = body.finish(body.begin(images))
    torch.testing.assert_close(features, embed(model.encoder, images, STATISTICS, "attention"))
    with pytest.raises(InputError, match="no attention pool"):
        TokenBody(small_model().encoder, STATISTICS, pooling="attention")


def test_a_frozen_encoder_gets_no_gradient(small_model: Make, sky: Sky) -> None:
    """Frozen: gradients in the pooling and the head alone, and no dropped paths; else in all."""
    for frozen in (True, False):
        encoder = small_model(drop_path=0.5).encoder
        body = TokenBody(encoder, STATISTICS, head="attentive", frozen=frozen)
        model = Predictor(body, 2).train()
        model(sky(4)).square().sum().backward()
        reached = any(w.grad is not None for w in encoder.parameters())
        assert reached is not frozen
        assert encoder.training is not frozen
        assert all(w.grad is not None for w in body.attention.parameters())  # type: ignore[union-attr]


def test_class_tokens_are_no_place_to_attend_to(small_model: Make, sky: Sky) -> None:
    """The attentive head sees the tokens of patches, with or without a class token beside."""
    for cls_token in (False, True):
        body = TokenBody(small_model(cls_token=cls_token).encoder, STATISTICS, head="attentive")
        assert body.begin(sky(2)).shape == (2, 16, 32)
        assert body.finish(body.begin(sky(2))).shape == (2, 32)


@pytest.mark.parametrize(("bands", "size"), [(1, 16), (3, 16), (5, 33), (9, 64)])
def test_the_baseline_takes_any_bands_and_size(sky: Sky, bands: int, size: int) -> None:
    """(B, K) answers for all; pixels without data are as good as sky."""
    torch.manual_seed(0)
    model = Predictor(ConvNet([1.0] * bands), 4).eval()
    images = sky(2, bands, size)
    assert model(images).shape == (2, 4)
    holes, zeros = images.clone(), images.clone()
    holes[:, :, :3], zeros[:, :, :3] = torch.nan, 0.0
    assert torch.equal(model(holes), model(zeros))
    assert not torch.equal(model(holes), model(images))


def test_the_baseline_learns_what_a_gap_is(sky: Sky) -> None:
    """A fresh one takes a gap as sky; where gaps were trained on, an empty band is no zero flux."""
    torch.manual_seed(0)
    body = Predictor(ConvNet([1.0, 1.0]), 2)
    zero, gone = sky(2, 2, 16), sky(2, 2, 16)
    zero[:, 1], gone[:, 1] = 0.0, torch.nan
    assert torch.equal(body(zero), body(gone))
    body(gone).square().sum().backward()
    with torch.no_grad():
        for weight in body.parameters():
            weight -= 1e-3 * weight.grad
    assert not torch.allclose(body(zero), body(gone))


def test_a_baseline_of_before_gaps_is_the_same_network(sky: Sky) -> None:
    """Its weights, which have no channels for gaps, are read, and answer as they did."""
    torch.manual_seed(0)
    model = Predictor(ConvNet([1.0] * 3), 2).eval()
    stored = model.state_dict()
    (name,) = (n for n, weight in stored.items() if weight.shape[1:] == (6, 3, 3))
    again = Predictor(ConvNet([1.0] * 3), 2).eval()
    again.load_state_dict({**stored, name: stored[name][:, :3]})
    images = sky(2, 3, 16)
    images[:, 1] = torch.nan
    assert torch.equal(again(images), model(images))


def test_how_the_baseline_lies_in_memory_changes_nothing(sky: Sky) -> None:
    """Maps and gradients of channels first; its own lie channels last, weights and maps alike."""
    torch.manual_seed(0)
    body, images = ConvNet([1.0] * 3), sky(2, 3, 20)
    seen = torch.cat([body.scaling(images), torch.zeros_like(images)], dim=1)
    first = deepcopy(body.layers).to(memory_format=torch.contiguous_format)
    last = torch.channels_last
    weights = [w for w in body.parameters() if w.ndim == 4]
    assert all(w.is_contiguous(memory_format=last) for w in weights)
    assert not all(w.is_contiguous() for w in weights)
    maps, plain = body.begin(images), first(seen)
    assert maps.is_contiguous(memory_format=last)
    assert not maps.is_contiguous()
    torch.testing.assert_close(maps, plain)
    maps.square().sum().backward()
    plain.square().sum().backward()
    for mine, other in zip(body.layers.parameters(), first.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=1e-4, atol=1e-4)


def test_the_unit_of_the_images_does_not_matter() -> None:
    """Images and noise a million times larger: the same answers of the baseline."""
    answers = []
    for unit in (1.0, 1e6):
        torch.manual_seed(0)
        model = Predictor(ConvNet([unit, unit], ModelConfig()), 2).eval()
        images = torch.randn(2, 2, 16, 16, generator=torch.Generator().manual_seed(1)) * unit
        answers.append(model(images))
    torch.testing.assert_close(*answers)


def test_an_unknown_head_is_refused(small_model: Make) -> None:
    """The name and what is allowed; heads that do not divide the width."""
    with pytest.raises(InputError, match="head 'mlp': allowed are linear, attentive"):
        TokenBody(small_model().encoder, STATISTICS, head="mlp")
    with pytest.raises(InputError, match="5"):
        TokenBody(small_model().encoder, STATISTICS, head="attentive", heads=5)
