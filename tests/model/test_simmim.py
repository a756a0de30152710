"""The loss and its gradients, beside what test_model.py checks of them."""

from collections.abc import Callable

import pytest
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.encoder import patchify
from sky_ssl.model.loss import hidden_loss
from sky_ssl.model.masking import to_pixels
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]
Masks = Callable[..., torch.Tensor]


def gradients(model: SimMIM, images: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
    """Give the gradients of all weights; None would mean an unused one."""
    model.zero_grad(set_to_none=True)
    model(images, mask)[0].backward()
    return [weight.grad for weight in model.parameters()]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"cls_token": True},
        {"normalize_target": True},
        {"sky_token": True},
        {"pool_weight": 0.3, "cls_token": True},
    ],
)
def test_every_weight_has_a_gradient(
    small_model: Make, sky: Sky, masks: Masks, fields: dict[str, bool]
) -> None:
    """No weight is unused, so that ranks can train together; with nothing hidden either."""
    model = small_model(**fields)
    for mask in (masks(model), torch.zeros(4, 3, 4, 4, dtype=torch.bool)):
        assert all(g is not None and g.isfinite().all() for g in gradients(model, sky(), mask))


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
@pytest.mark.parametrize("normalize", [False, True])
def test_no_data_gives_no_gradient(small_model: Make, sky: Sky, loss: str, normalize: bool) -> None:
    """Hidden patches without data change no gradient by a bit, whatever lay there."""
    model = small_model(loss=loss, normalize_target=normalize)
    images = sky()
    mask = torch.zeros(4, 3, 4, 4, dtype=torch.bool)
    mask[:, 0, 1:3] = True
    images[:, 1, :4] = torch.nan
    partly = images.clone()
    partly[:, 0, 5, 5] = torch.inf
    partly[:, 0, 6, 6] = torch.nan
    before = gradients(model, images, mask)
    mask[:, 1, 0] = True
    assert all(
        torch.equal(a, b) for a, b in zip(before, gradients(model, images, mask), strict=True)
    )
    assert all(g.isfinite().all() for g in gradients(model, partly, mask))
    assert model(partly, mask)[1] == model(images, mask)[1] - 2 * 4


def test_visible_pixels_are_no_target(small_model: Make, sky: Sky) -> None:
    """The gradient of the prediction is zero outside the hidden patches."""
    model, images = small_model(), sky(1)
    mask = torch.zeros(1, 3, 4, 4, dtype=torch.bool)
    mask[0, 2, 1, 3] = True
    weight = gradients(model, images, mask)[
        [n for n, _ in model.named_parameters()].index("decoder.bias")
    ].view(3, 16)
    assert weight[2].abs().sum() > 0
    assert weight[:2].abs().sum() == 0


def test_loss_of_a_known_prediction(small_model: Make) -> None:
    """A decoder that says 0 on a flat image of asinh(x) / 2 = 1 loses 1 per hidden pixel."""
    model = small_model(profile_weight=0)
    for weight in model.decoder.parameters():
        torch.nn.init.zeros_(weight)
    images = torch.full((2, 3, 16, 16), torch.tensor(2.0).sinh().item())
    mask = torch.zeros(2, 3, 4, 4, dtype=torch.bool)
    mask[0, 1, 0, 0] = mask[1, 2, 3, 3] = True
    loss_sum, count = model(images, mask)
    assert count == 32
    assert loss_sum.item() == pytest.approx(32, rel=1e-5)


def test_pieces_add_up(small_model: Make, sky: Sky, masks: Masks) -> None:
    """Sums and counts of two halves of a batch are those of the whole."""
    model, images = small_model().eval(), sky()
    mask = masks(model)
    whole, halves = (
        model(images, mask),
        [model(images[i], mask[i]) for i in (slice(2), slice(2, 4))],
    )
    assert whole[1] == halves[0][1] + halves[1][1]
    torch.testing.assert_close(whole[0], halves[0][0] + halves[1][0])


def test_bf16_is_close_and_the_loss_is_float32(small_model: Make, sky: Sky, masks: Masks) -> None:
    """Under autocast the loss is within one percent, and summed in float32."""
    model = small_model(bands=5)
    mask, images = masks(model), sky(4, 5)
    exact = model(images, mask)[0]
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(images, mask)[0]
        assert model.predict(images, mask).dtype == torch.float32
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.01)


def test_the_pooled_vector_is_trained_by_what_is_hidden(
    small_model: Make, sky: Sky, masks: Masks
) -> None:
    """The loss is that of both predictions, weighted; the second hangs on the vector alone."""
    model = small_model(pool_weight=0.5, profile_weight=0)
    images, mask = sky(), masks(model)
    patches = patchify(model.encoder.scaling(images), 4)
    decoded, pooled, *_ = model.decoded(patches, mask)
    assert pooled.shape == (4, 32)
    parts = [
        hidden_loss(values, patches, mask, model.config)[0]
        for values in (decoded, model.pool_decoder(pooled))
    ]
    torch.testing.assert_close(model(images, mask)[0], parts[0] + 0.5 * parts[1])
    changed = torch.where(to_pixels(mask, 4), 50.0, images)
    again = model.decoded(patchify(model.encoder.scaling(changed), 4), mask).pooled
    assert torch.equal(again, pooled)


def test_units_do_not_matter(sky: Sky, masks: Masks) -> None:
    """A band in units 2^40 (1e12) times larger gives the same loss to the bit."""
    losses = []
    for unit in (1.0, 2.0**40):
        torch.manual_seed(0)
        config = ModelConfig(image_size=16, patch_size=4, width=32, depth=1, heads=2)
        model = SimMIM(config, [unit, 1.0, 2.0**-40])
        units = torch.tensor([unit, 1.0, 2.0**-40])[:, None, None]
        losses.append(model(sky() * units, masks(model))[0])
    assert torch.equal(*losses)


def test_weights_that_do_not_decay_exist(small_model: Make) -> None:
    """The names exempt from weight decay are names of weights."""
    model = small_model(cls_token=True, sky_token=True, pool_weight=1.0)
    assert model.no_weight_decay() == {
        "encoder.hidden_patch",
        "encoder.cls_token",
        "encoder.sky_token.absent",
        "encoder.pool.attention.latent",
    }
    assert "3 bands, 16 px, patch 4" in model.describe()
