"""Photometry, principal components and few-shot scores."""

import numpy as np
import pytest

from sky_ssl.evaluate.baselines import (
    photometry,
    pixel_features,
    principal_components,
    radial_features,
)
from sky_ssl.evaluate.fewshot import few_shot


def blob(width: float, flux: float) -> np.ndarray:
    """A round Gaussian of 64 pixels a side."""
    y, x = np.mgrid[:64, :64] - 31.5
    profile = np.exp(-0.5 * (x * x + y * y) / width**2)
    return flux * profile / profile.sum()


def test_photometry_measures_flux_colour_and_size() -> None:
    """A Gaussian: its flux over the noise, its colour, and 1.18 times its width as size."""
    image = np.stack([blob(4.0, 2e4), blob(4.0, 4e4)])
    found = photometry(image[None].astype(np.float32), [1.0, 1.0])[0]
    assert found.shape == (4,)
    y, x = np.mgrid[:64, :64] - 31.5
    noise = np.sqrt((np.hypot(x, y) <= 16).sum())
    assert np.sinh(found[:2]) * noise == pytest.approx([2e4, 4e4], rel=0.01)
    assert found[2] == pytest.approx(np.log(2), rel=0.01)
    assert found[3] == pytest.approx(4.0 * 1.177, rel=0.03)


def test_photometry_of_nothing_and_of_a_missing_band() -> None:
    """Empty sky has no size; a band without data gets the median of the others' objects."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(20, 2, 64, 64)).astype(np.float32)
    images[:15] += blob(3.0, 5e3)
    images[0, 1] = np.nan
    found = photometry(images, [1.0, 1.0])
    assert np.isfinite(found).all()
    assert (found[15:, -1] == 0).mean() >= 0.8
    assert (found[:15, -1] > 2).all()
    assert found[0, 1] == pytest.approx(np.median(found[1:, 1]), abs=0.3)


def test_principal_components_find_the_directions_that_vary() -> None:
    """Rows in a plane of 3 dimensions keep their distances; NaN pixels count as sky."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 50))
    train, test = principal_components(rows[:60], rows[60:], n=3)
    assert train.shape == (60, 3)
    assert np.linalg.norm(test[0] - test[1]) == pytest.approx(np.linalg.norm(rows[60] - rows[61]))
    images = np.full((1, 1, 2, 2), np.nan)
    images[0, 0, 0, 0] = 4.0
    assert pixel_features(images, [1.0], 2.0)[0] == pytest.approx([np.arcsinh(2), 0, 0, 0])


def test_few_shot_scores_what_can_and_cannot_be_told_apart() -> None:
    """Near 1 where the classes lie apart, near .5 for noise; too few labels are refused."""
    rng = np.random.default_rng(0)
    truth = rng.random(400) < 0.3
    x = rng.normal(size=(400, 4))
    noise = few_shot(x[:200], truth[:200], x[200:], truth[200:], labels=40, repeats=4)
    x[:, 0] += 6 * truth
    clear = few_shot(x[:200], truth[:200], x[200:], truth[200:], labels=40, repeats=4)
    assert clear.mean > 0.97
    assert 0.4 < noise.mean < 0.6
    with pytest.raises(ValueError, match="1000 labels: one side has only"):
        few_shot(x, truth, x, truth, labels=1000)


def test_average_precision_is_that_of_the_prevalence_asked_for() -> None:
    """For noise it is the prevalence, whatever the share in the test part."""
    rng = np.random.default_rng(3)
    truth = rng.random(4000) < 0.5
    x = rng.normal(size=(4000, 3))
    found = few_shot(
        x[:200], truth[:200], x[200:], truth[200:], labels=40, repeats=6, prevalence=0.02
    )
    assert found.average_precision.mean() == pytest.approx(0.02, abs=0.008)


def test_radial_features_of_a_picture_known_by_hand() -> None:
    """Flat rings give their value and no scatter; the last number is the colour."""
    y, x = np.ogrid[:70, :70]
    ring = np.floor(np.hypot(y - 34.5, x - 34.5) / 5)
    picture = np.stack([10 * ring, 20 * ring, np.full((70, 70), 4.0)])[None]
    found = radial_features(picture)
    assert found.shape == (1, 29)
    assert found[0, :21].reshape(7, 3)[:, 0] == pytest.approx(10 * np.arange(7))
    assert found[0, 21:28] == pytest.approx(0)
    inner = (ring * 10)[ring < 3.5].mean()
    assert found[0, 28] == pytest.approx(np.log((inner + 1) / 5))
