"""MAE: what the encoder sees, what the decoder makes of it, and that it is used like SimMIM."""

from collections.abc import Callable

import pytest
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import embed, token_statistics
from sky_ssl.model.encoder import patchify
from sky_ssl.model.mae import MAE
from sky_ssl.model.masking import hidden_pixels, random_masks, to_pixels
from sky_ssl.model.objectives import make_model
from sky_ssl.model.reconstruct import reconstruct
from sky_ssl.model.simmim import SimMIM

Make = Callable[..., SimMIM]
Sky = Callable[..., torch.Tensor]
Masks = Callable[..., torch.Tensor]


def shared(places: list[list[int]], bands: int = 3, tokens: int = 16) -> torch.Tensor:
    """Hide the patches of these numbers in all bands of each image, on a square grid."""
    mask = torch.zeros(len(places), bands, tokens, dtype=torch.bool)
    for row, hidden in enumerate(places):
        mask[row, :, hidden] = True
    side = round(tokens**0.5)
    return mask.view(len(places), bands, side, side)


def test_the_objective_names_the_network() -> None:
    """`mae` gives MAE, and its first weights are those of the encoder of SimMIM."""
    made = []
    for objective in ("mae", "simmim"):
        torch.manual_seed(0)
        made.append(make_model(ModelConfig(objective=objective), [1.0] * 3))
    mae, simmim = made
    assert type(mae) is MAE
    assert type(simmim) is SimMIM
    assert mae.describe().startswith("mae nano (128 wide, 4 deep")
    own = make_model(ModelConfig(width=64), [1.0])
    assert own.describe().startswith("simmim (64 wide, 4 deep")
    a, b = (m.encoder.state_dict() for m in made)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("cls_token", [False, True])
def test_the_encoder_sees_visible_tokens_only(small_model: Make, sky: Sky, cls_token: bool) -> None:
    """What goes into the blocks is the visible tokens, no other, and the class token."""
    model = small_model(objective="mae", cls_token=cls_token).eval()
    seen = []
    model.encoder.blocks[0].register_forward_hook(lambda _, given, __: seen.append(given[0]))
    mask = shared([[0, 3, 7, 9, 12]] * 2)
    model(sky(2), mask)
    (given,) = seen
    assert given.shape == (2, 11 + cls_token, 32)
    model.encoder(patchify(model.encoder.scaling(sky(2)), 4))
    visible = [place for place in range(16) if place not in (0, 3, 7, 9, 12)]
    torch.testing.assert_close(given[:, cls_token:], seen[1][:, cls_token:][:, visible])


@pytest.mark.parametrize("fields", [{}, {"pool_weight": 1.0}, {"cls_token": True}])
def test_hidden_pixels_never_leak(small_model: Make, sky: Sky, fields: dict[str, object]) -> None:
    """Whatever lies under the mask, prediction and pooled vector are the same to the bit."""
    for training in (False, True):
        model = small_model(objective="mae", mask_ratio_min=0.5, mask_ratio_max=0.5, **fields)
        model.train(training)
        masks = [shared([[0, 1, 2], [5, 9, 14], [3, 4, 6], [7, 8, 15]])]
        masks += [shared([[0, 1, 2], [5], [], list(range(16))])]  # other shares than configured
        for mask in masks:
            changed = torch.where(to_pixels(mask, 4), 1e3 * torch.rand(4, 3, 16, 16), sky())
            assert torch.equal(model.predict(sky(), mask), model.predict(changed, mask))


def test_patches_are_predicted_in_their_places(small_model: Make, sky: Sky) -> None:
    """A decoder that passes tokens through puts each in its place, and the mask token elsewhere."""
    model = small_model(objective="mae", decoder_width=32).eval()
    decoder = model.decoder
    decoder.blocks, decoder.norm = torch.nn.ModuleList(), torch.nn.Identity()
    decoder.embedding = decoder.values = torch.nn.Identity()
    decoder.positions, decoder.n_bands = torch.zeros_like(decoder.positions), 2
    hidden = [[2, 5, 11], [0, 1, 15]]
    keep = torch.tensor([[p for p in range(16) if p not in row] for row in hidden])
    tokens = torch.randn(2, 13, 32)
    out = decoder(tokens, keep).flatten(2)
    for row in range(2):
        torch.testing.assert_close(out[row, keep[row]], tokens[row])
        for place in hidden[row]:
            torch.testing.assert_close(out[row, place], decoder.mask_token[0, 0])


@pytest.mark.parametrize("cls_token", [False, True])
def test_every_weight_has_a_gradient(
    small_model: Make, sky: Sky, masks: Masks, cls_token: bool
) -> None:
    """No weight is unused, so that ranks can train together; with nothing or all hidden either."""
    fields = {"cls_token": cls_token, "sky_token": True, "pool_weight": 0.5}
    model = small_model(objective="mae", **fields)
    nothing = torch.zeros(4, 3, 4, 4, dtype=torch.bool)
    for mask in (shared([[0, 5, 10]] * 4), masks(model), nothing, ~nothing):
        model.zero_grad(set_to_none=True)
        model(sky(), mask)[0].backward()
        for name, weight in model.named_parameters():
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name


def test_a_gradient_reaches_all_parts(small_model: Make, sky: Sky) -> None:
    """Each weight that can matter moves: the first block and the mask token as well as the last."""
    model = small_model(objective="mae")
    images = sky()
    images[:, 1, 2:6] = torch.nan  # the learned patch of values is needed
    model(images, shared([[1, 6, 11]] * 4))[0].backward()
    still = [n for n, w in model.named_parameters() if not w.grad.abs().sum() > 0]
    assert still == []


def test_images_do_not_hang_on_their_batch(small_model: Make, sky: Sky) -> None:
    """Images with as many visible tokens go together; each comes out as if it were alone."""
    model = small_model(objective="mae", pool_weight=1.0).eval()
    mask = shared([[0, 1], list(range(16)), [4, 5], []])
    mask[3, 0, 1:3] = True  # hidden in one band alone: filled by the learned patch
    images = sky()
    together, alone = (
        model(images, mask),
        [model(images[i : i + 1], mask[i : i + 1]) for i in range(4)],
    )
    assert together[1] == sum(count for _, count in alone)
    torch.testing.assert_close(together[0], sum(loss for loss, _ in alone))
    apart = torch.cat([model.predict(images[i : i + 1], mask[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(model.predict(images, mask), apart, atol=1e-5, rtol=1e-4)
    assert model.predict(images[:0], mask[:0]).shape == (0, 3, 16, 16)


def test_one_fixed_ratio_gives_the_same_in_training(small_model: Make, sky: Sky) -> None:
    """With one ratio the count is not read off the masks; losses are those of the general way."""
    model = small_model(objective="mae", mask_ratio_min=0.7, mask_ratio_max=0.7)
    generator = torch.Generator().manual_seed(0)
    mask = random_masks(4, 3, (4, 4), config=model.config, generator=generator, ratio=0.7)
    trained = model.train()(sky(), mask)
    general = model.eval()(sky(), mask)
    torch.testing.assert_close(trained, general)
    assert trained[1] == hidden_pixels(sky(), mask) == 4 * 3 * 11 * 16


def test_a_hidden_band_is_predicted_from_the_others(small_model: Make, sky: Sky) -> None:
    """Tokens of which one band is hidden stay visible; the loss counts that band everywhere."""
    model = small_model(objective="mae", hide_band=1.0).eval()
    generator = torch.Generator().manual_seed(0)
    mask = random_masks(4, 3, (4, 4), config=model.config, generator=generator, ratio=0.5)
    assert (mask.flatten(2).all(2).sum(1) == 1).all()
    images = sky()
    assert model(images, mask)[1] == mask.sum() * 16
    changed = torch.where(to_pixels(mask, 4), -7.0, images)
    assert torch.equal(model.predict(changed, mask), model.predict(images, mask))


@pytest.mark.parametrize("normalize", [False, True])
def test_reconstruction_and_embedding_are_those_of_any_model(
    small_model: Make, sky: Sky, normalize: bool
) -> None:
    """Reconstructions fill hidden and missing pixels; embeddings see all tokens."""
    model, images = small_model(objective="mae", normalize_target=normalize), sky()
    images[0, 0, :3, :5] = torch.nan
    several = torch.stack([shared([[0, 1]] * 4), shared([list(range(16))] * 4)], dim=1)
    result = reconstruct(model, images, several)
    assert result.filled.isfinite().all()
    visible = ~result.hidden & ~images.isnan()[:, None]
    assert torch.equal(result.filled[visible], images[:, None].expand_as(result.filled)[visible])
    statistics = token_statistics(model.encoder, [images])
    rows = embed(model.encoder, images, statistics)
    simmim = small_model(normalize_target=normalize)
    simmim.encoder.load_state_dict(model.encoder.state_dict())
    torch.testing.assert_close(rows, embed(simmim.encoder, images, statistics))


def test_it_learns_one_batch_by_heart(small_model: Make, sky: Sky) -> None:
    """Sixty steps on four images bring the loss down by half."""
    model, images = small_model(objective="mae"), sky() + 20
    mask = shared([[0, 5, 10, 15]] * 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss, count = model(images, mask)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach() / count))
    assert losses[-1] < 0.5 * losses[0]


def test_bf16_is_close(small_model: Make, sky: Sky) -> None:
    """Under autocast the loss is within a few percent, summed in float32."""
    model = small_model(objective="mae", pool_weight=1.0, cls_token=True, sky_token=True)
    mask = shared([[1, 2, 3, 9]] * 4)
    exact = model(sky(), mask)[0]
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(sky(), mask)[0]
        loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.03)
