"""The network: scaling, masks, loss, embedding, reconstruction."""

import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import embed, embedding_dim, token_statistics
from sky_ssl.model.encoder import patchify, unpatchify
from sky_ssl.model.masking import hidden_pixels, random_masks
from sky_ssl.model.reconstruct import reconstruct
from sky_ssl.model.scaling import Scaling
from sky_ssl.model.simmim import SimMIM


def make(C: int = 3, image: int = 16, patch: int = 4, **settings: object) -> SimMIM:
    torch.manual_seed(0)
    config = ModelConfig(
        width=16, depth=2, heads=2, image_size=image, patch_size=patch,
        **settings,  # type: ignore[arg-type]
    )  # fmt: skip
    return SimMIM(config, [1.0] * C)


def draw(model: SimMIM, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    C, size = model.encoder.n_bands, model.config.image_size
    images = 5 * torch.randn(n, C, size, size, generator=generator)
    images[0, 0, :3, :5] = torch.nan
    masks = random_masks(n, C, model.grid, config=model.config, generator=generator)
    return images, masks


@pytest.mark.parametrize("C", [1, 3, 5, 9])
@pytest.mark.parametrize(("image", "patch"), [(16, 4), (20, 4), (24, 8), (8, 8)])
def test_any_bands_and_grids(C: int, image: int, patch: int) -> None:
    """Shapes hold for any number of bands, even and odd grids, one token included."""
    model = make(C, image, patch)
    images, masks = draw(model, 4)
    loss, count = model(images, masks)
    assert torch.isfinite(loss)
    assert count == hidden_pixels(images, masks)
    assert model.predict(images, masks).shape == images.shape
    statistics = token_statistics(model.encoder, [images])
    for pooling in ("central", "mean", "max", "central16", "mean+central"):
        rows = embed(model.encoder, images, statistics, pooling)
        assert rows.shape == (4, embedding_dim(model.config, pooling))
        assert torch.isfinite(rows).all()


def test_patches_go_in_rows_and_come_back() -> None:
    """Patch 1 of a 2 x 3 grid is the one to the right; cutting and joining change nothing."""
    images = torch.arange(2 * 2 * 4 * 6, dtype=torch.float32).reshape(2, 2, 4, 6)
    patches = patchify(images, 2)
    assert torch.equal(patches[0, 1].flatten(), images[0, :, :2, 2:4].flatten())
    assert torch.equal(unpatchify(patches, 2, (2, 3)), images)


@pytest.mark.parametrize("loss", ["l1", "mse", "huber"])
@pytest.mark.parametrize("normalize", [False, True])
def test_loss_equals_plain_loops(loss: str, normalize: bool) -> None:
    """The loss is that of loops over hidden pixels with data, summed."""
    model = make(2, 8, 4, loss=loss, normalize_target=normalize, profile_weight=0)
    images, masks = draw(model, 2)
    prediction = model.predict(images, masks).detach()
    scaled = model.encoder.scaling(images)
    total, count = 0.0, 0
    for b in range(2):
        for c in range(2):
            for gy in range(2):
                for gx in range(2):
                    patch = scaled[b, c, 4 * gy : 4 * gy + 4, 4 * gx : 4 * gx + 4].flatten()
                    made = prediction[b, c, 4 * gy : 4 * gy + 4, 4 * gx : 4 * gx + 4].flatten()
                    valid = patch[~patch.isnan()]
                    if normalize and len(valid):
                        deviation = (valid.var(unbiased=False) + 1e-6).sqrt()
                        patch = (patch - valid.mean()) / deviation
                    for target, value in zip(patch, made, strict=True):
                        if masks[b, c, gy, gx] and not target.isnan():
                            d = abs(float(target - value))
                            huber = d * d / 2 if d < 1 else d - 0.5
                            total += {"l1": d, "mse": d * d, "huber": huber}[loss]
                            count += 1
    loss_sum, counted = model(images, masks)
    assert counted == count
    assert float(loss_sum.detach()) == pytest.approx(total, rel=1e-4)


def test_images_without_data_have_no_loss_and_no_gradient() -> None:
    """All NaN: a loss of 0 over 0 pixels and gradients of 0."""
    model = make()
    images = torch.full((2, 3, 16, 16), torch.nan)
    loss, count = model(images, torch.ones(2, 3, 4, 4, dtype=torch.bool))
    assert (float(loss.detach()), int(count)) == (0.0, 0)
    loss.backward()
    gradients = [w.grad for w in model.parameters() if w.grad is not None]
    assert all((g == 0).all() for g in gradients)


def test_masks_hide_the_same_share_in_each_band() -> None:
    """Equal counts per band, different places, shares uniform from 0 to the maximum."""
    config = ModelConfig(mask_ratio_max=0.8)
    generator = torch.Generator().manual_seed(0)
    masks = random_masks(4000, 5, (8, 8), config=config, generator=generator)
    counts = masks.flatten(2).sum(-1)
    assert (counts == counts[:, :1]).all()
    assert not (masks[:, 0] == masks[:, 1]).all()
    shares = counts[:, 0] / 64
    assert shares.max() <= 0.8 + 1 / 128
    assert shares.float().mean().item() == pytest.approx(0.4, abs=0.01)
    assert masks.float().mean((0, 1)).std() < 0.02  # no favourite place
    shared = random_masks(10, 5, (8, 8), config=ModelConfig(shared_mask=True), generator=generator)
    assert (shared == shared[:, :1]).all()


def test_whole_bands_are_hidden_as_often_as_asked() -> None:
    """With probability 0.3 one band, and one only, is hidden everywhere."""
    config = ModelConfig(mask_ratio_max=0.5, hide_band=0.3)
    generator = torch.Generator().manual_seed(0)
    masks = random_masks(4000, 5, (4, 4), config=config, generator=generator)
    whole = masks.flatten(2).all(-1).sum(-1)
    assert set(whole.tolist()) == {0, 1}
    assert whole.float().mean().item() == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("scaling", ["asinh", "clip"])
def test_scaling_has_an_inverse_and_no_unit(scaling: str) -> None:
    """Back and forth returns the pixels; a band and its sigma times 1e-12 give the same numbers."""
    config = ModelConfig(scaling=scaling)
    images = torch.linspace(-2, 500, 128).reshape(1, 2, 8, 8)
    plain, tiny = Scaling(config, [1.0, 2.0]), Scaling(config, [1e-12, 2.0])
    assert torch.allclose(plain.inverse(plain(images)), images, rtol=1e-4, atol=1e-4)
    small = images * torch.tensor([1e-12, 1.0])[:, None, None]
    assert torch.allclose(tiny(small), plain(images), rtol=1e-5)
    with pytest.raises(InputError, match="one value above 0 per band"):
        Scaling(config, [1.0, 0.0])


def test_embedding_of_an_image_does_not_depend_on_its_batch() -> None:
    """Alone or among others, in training mode or not, an image has one embedding."""
    model = make(drop_path=0.5)
    images, _ = draw(model, 6)
    statistics = token_statistics(model.encoder, images.split(4))
    model.train()
    together = embed(model.encoder, images, statistics)
    assert model.encoder.training
    alone = torch.cat([embed(model.encoder, image[None], statistics) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


def test_central_tokens_are_standardised() -> None:
    """The pooling takes the four tokens in the middle of a 4 x 4 grid; mean 0 over all patches."""
    model = make()
    images, _ = draw(model, 32)
    statistics = token_statistics(model.encoder, images.split(10))
    tokens = model.encoder.eval().tokens(images)
    standard = (tokens - tokens.mean((0, 1))) / tokens.var((0, 1), unbiased=False).sqrt()
    expected = standard[:, [5, 6, 9, 10]].flatten(1)
    assert torch.allclose(embed(model.encoder, images, statistics), expected, atol=1e-3)
    with pytest.raises(InputError, match="no class token"):
        embed(model.encoder, images, statistics, "cls")
    with pytest.raises(InputError, match="allowed are central"):
        embed(model.encoder, images, statistics, "centre")


@pytest.mark.parametrize("normalize", [False, True])
def test_reconstructions_do_not_see_the_truth(normalize: bool) -> None:
    """Whatever lies under the mask, the reconstruction is the same to the bit."""
    model = make(normalize_target=normalize)
    images, masks = draw(model, 3)
    several = torch.stack([masks, masks.flip(-1)], dim=1)  # (B, M, C, gh, gw)
    before = reconstruct(model, images, several)
    hidden_always = before.hidden.all(dim=1)
    changed = torch.where(hidden_always, 1e4 * torch.rand_like(images), images)
    after = reconstruct(model, changed, several)
    assert hidden_always.any()
    both = before.hidden
    assert torch.equal(before.filled[both], after.filled[both])
    assert torch.equal(before.mean.nan_to_num(), after.mean.nan_to_num())


def test_reconstruction_keeps_what_is_visible_and_fills_the_rest() -> None:
    """Visible pixels are as given; hidden ones and those without data are filled; residuals too."""
    model = make()
    model.set_sky_sigma(torch.tensor([2.0, 1.0, 1.0]))
    images, masks = draw(model, 2)
    result = reconstruct(model, images, masks[:, None])
    hidden = result.hidden[:, 0]
    visible = ~hidden & ~images.isnan()
    assert torch.equal(result.filled[:, 0][visible], images[visible])
    assert torch.isfinite(result.filled).all()
    expected = (result.filled[:, 0] - images)[0, 0] / 2
    where = hidden[0, 0] & ~images[0, 0].isnan()
    assert torch.allclose(result.residual[0, 0, 0][where], expected[where])
    assert result.residual[:, 0][~hidden].isnan().all()
    assert result.spread.isnan().all()  # one mask has no spread


def test_a_small_model_learns_one_batch_by_heart() -> None:
    """Sixty steps on four images bring the loss down by half."""
    model = make(drop_path=0.0)
    images, masks = draw(model, 4)
    images = images.nan_to_num() + 20
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss, count = model(images, masks)
        (loss / count).backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(loss.detach() / count))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 60}, "patch_size = 8 does not divide"),
        ({"size": "giant"}, "model.size = 'giant': allowed are nano"),
        ({"mask_ratio_max": 1.2}, "must be 0 to 1"),
        ({"width": 30, "heads": 4}, "divisible by 4"),
        ({"objective": "gan"}, "allowed are simmim"),
    ],
)
def test_impossible_networks_are_refused(settings: dict[str, object], message: str) -> None:
    """Each wrong setting is named with its value and what is allowed."""
    with pytest.raises(InputError, match=message):
        ModelConfig(**settings)  # type: ignore[arg-type]
