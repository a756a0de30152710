"""The page of masked reconstructions, and what it stands on: nothing leaks, figures are right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from app import darkroom
from app.state import Darkroom
from sky_ssl.errors import InputError
from sky_ssl.explore.hiding import (
    Hiding,
    agreement,
    agreement_by_band,
    choose_random,
    draw_masks,
    fill_hidden,
)
from sky_ssl.figures import masked
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.simmim import SimMIM
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]
BANDS = ("g", "r", "i")


@pytest.fixture
def model() -> SimMIM:
    torch.manual_seed(7)
    config = ModelConfig(image_size=16, patch_size=4, width=32, depth=2, heads=2)
    return SimMIM(config, [1.0, 2.0, 1.0]).eval()


@pytest.fixture
def images() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(3, 3, 16, 16)) * 3 + 2).astype(np.float32)


@pytest.mark.parametrize("hiding", [Hiding(0.5, draws=3), Hiding(0.3, shared=True, band="r")])
def test_hidden_pixels_are_not_looked_at(model: SimMIM, images: np.ndarray, hiding: Hiding) -> None:
    """Other values in the hidden part of the input leave the reconstruction as it is, to the bit.

    So do the pictures of what the model sees and makes.
    """
    rows = [4, 9, 2]
    one = replace(hiding, draws=1)
    found = fill_hidden(model, images, rows, one, bands=BANDS)
    hidden = found.hidden[:, 0]
    other = np.where(hidden, np.float32(500) - images * 7, images)
    again = fill_hidden(model, other, rows, one, bands=BANDS)
    assert hidden.any()
    assert (again.hidden == found.hidden).all()
    assert np.array_equal(again.filled, found.filled)
    for bands in ([1], [2, 1, 0]):
        for i in range(3):
            pair = [
                (
                    masked.draw_seen(x[i], hidden[i], f.sigma, bands),
                    masked.draw_made(x[i], f.filled[i, 0], hidden[i], f.sigma, bands),
                )
                for x, f in ((images, found), (other, again))
            ]
            assert np.array_equal(pair[0][0], pair[1][0])
            assert np.array_equal(pair[0][1], pair[1][1])


def test_the_mean_of_draws_is_the_models_alone(model: SimMIM, images: np.ndarray) -> None:
    """Draws in which a pixel is visible do not count, so that the truth does not shine through."""
    found = fill_hidden(model, images, [0, 1, 2], Hiding(0.5, draws=4), bands=BANDS)
    count = found.hidden.sum(axis=1)
    made = np.where(found.hidden, found.filled, 0).sum(axis=1) / np.maximum(count, 1)
    np.testing.assert_allclose(found.mean, np.where(count > 0, made, images), rtol=1e-4, atol=1e-4)
    assert np.isnan(found.spread[count < 2]).all()


def test_masks_hang_on_seed_object_and_draw(model: SimMIM) -> None:
    """Not on what stands beside it, nor on how many draws there are; the share is as asked for."""
    few = draw_masks(model, [5, 8], Hiding(0.5, draws=2), BANDS)
    more = draw_masks(model, [8, 1, 5], Hiding(0.5, draws=4), BANDS)
    assert torch.equal(few[0], more[2, :2])
    assert torch.equal(few[1], more[0, :2])
    assert not torch.equal(few[0, 0], few[0, 1])
    assert not torch.equal(few, draw_masks(model, [5, 8], Hiding(0.5, draws=2, seed=1), BANDS))
    assert (few.float().mean((-1, -2)) == 0.5).all()
    shared = draw_masks(model, [5], Hiding(0.5, shared=True), BANDS)
    assert (shared == shared[:, :, :1]).all()
    whole = draw_masks(model, [5], Hiding(0.0, band="i"), BANDS)
    assert whole[:, :, 2].all()
    assert not whole[:, :, :2].any()
    with pytest.raises(InputError, match="band 'y': the model has g r i"):
        draw_masks(model, [5], Hiding(band="y"), BANDS)


def test_agreement_of_a_perfect_model_is_one(model: SimMIM) -> None:
    """Where the model gives the true light, what is left is noise; a blank sky scores worse."""
    rng = np.random.default_rng(1)
    sigma = np.array([1.0, 2.0, 0.5])
    light = np.full((2, 3, 16, 16), 6.0) * sigma[:, None, None]
    images = (light + rng.normal(size=light.shape) * sigma[:, None, None]).astype(np.float32)
    images[0, 0, :3] = np.nan
    found = fill_hidden(model, images, [0, 1], Hiding(0.7), bands=BANDS, sigma=sigma)
    perfect = np.where(found.hidden, light[:, None], found.filled).astype(np.float32)
    found = replace(found, filled=perfect)
    said = agreement(found, 1)
    assert said.chi2 == pytest.approx(1, abs=4 * said.error)
    assert said.blank == pytest.approx(37, rel=0.1)
    assert said.pixels == found.hidden[1].sum()
    table = agreement_by_band(found)
    assert table["band"].tolist() == ["g", "r", "i", "all"]
    there = found.hidden[:, 0, 0] & np.isfinite(images[:, 0])
    assert table["hidden pixels"].iat[0] == there.sum()
    nothing = agreement(replace(found, hidden=np.zeros_like(found.hidden)), 0)
    assert nothing.pixels == 0
    assert np.isnan(nothing.chi2)


def test_pictures_mark_hidden_and_missing_pixels(model: SimMIM, images: np.ndarray) -> None:
    """In colours of their own, north up, each pixel repeated."""
    images[0, :, 0, :] = np.nan
    found = fill_hidden(model, images[:1], [0], Hiding(1.0), bands=BANDS)
    seen = masked.draw_seen(images[0], found.hidden[0, 0], found.sigma, [2, 1, 0])
    assert (seen[1:] == masked.HIDDEN).all()
    assert (seen[0] == masked.NO_DATA).all()
    residual = masked.draw_residual(found.residual[0, 0], images[0], [1])
    assert (residual[0] == masked.NO_DATA).all()
    large = masked.enlarge(seen, 48)
    assert large.shape == (48, 48, 3)
    assert (large[-3:] == masked.NO_DATA).all()
    tinted = masked.draw_made(images[0], found.filled[0, 0], found.hidden[0, 0], found.sigma, [1])
    plain = masked.draw_made(
        images[0], found.filled[0, 0], found.hidden[0, 0], found.sigma, [1], tint=False
    )
    assert (tinted[1:] != plain[1:]).any()


def test_random_objects_are_the_same_for_a_seed() -> None:
    """Without repeats, and no more than there are."""
    assert choose_random(100, 6, 3) == choose_random(100, 6, 3) != choose_random(100, 6, 4)
    assert sorted(choose_random(4, 9, 0)) == [0, 1, 2, 3]


def test_the_page_says_what_is_missing(
    open_page: Open,
    words: Words,
    tmp_path: Path,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cutouts, and with none that come along, a model."""
    assert "No cutouts in this workspace yet" in words(open_page(tmp_path, "reconstructions"))
    monkeypatch.setattr(darkroom, "MODELS", tmp_path)
    assert "No trained model in this workspace yet" in words(open_page(tmp_path, "reconstructions"))


def test_the_page_shows_objects_and_answers(
    open_page: Open, words: Words, trained: Workspace
) -> None:
    """As many rows as asked for, an agreement each; several draws; a band hidden; the inspected."""
    at = open_page(trained.root, "reconstructions")
    assert not at.exception
    assert at.text[0].value.startswith("MOCK-3-")
    assert len(at.text) == 6
    assert words(at).count("χ² **") == 6
    assert "blank sky" in words(at)
    at.number_input(key="darkroom count").set_value(2).run()
    at.number_input(key="darkroom draws").set_value(3).run()
    at.selectbox(key="darkroom hide").set_value("r").run()
    assert not at.exception
    assert len(at.text) == 2
    assert "spread of the draws" in words(at)
    assert at.session_state["sky"].darkroom.hide == "r"
    at.slider(key="darkroom ratio").set_value(0).run()
    at.selectbox(key="darkroom hide").set_value("none").run()
    assert "Nothing is hidden" in words(at)


def test_the_inspected_object_can_be_chosen(
    open_page: Open, words: Words, trained: Workspace
) -> None:
    """And stays chosen; a seed on another page comes back."""
    from app.state import State

    room = Darkroom(objects="inspected", show="g", seed=5)
    at = open_page(
        trained.root,
        "reconstructions",
        sky=State(object="MOCK-3-000007", darkroom=room, labeller="me"),
    )
    assert [t.value for t in at.text] == ["MOCK-3-000007"]
    assert at.number_input(key="darkroom seed").value == 5
    before = words(at)
    next(b for b in at.button if b.label == "Next seed").click().run()
    assert at.session_state["sky"].darkroom.seed == 6
    assert at.number_input(key="darkroom seed").value == 6
    assert words(at) != before
