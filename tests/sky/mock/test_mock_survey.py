"""The mock survey as it is written and read."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import zoom

from sky_ssl.errors import InputError
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.sky.mock import (
    BANDS,
    LOOK_ALIKES,
    MOCK_VERSION,
    PRIOR,
    generate,
    mock_info,
    write_mock,
)
from sky_ssl.sky.mock.camera import SIDE, transfer
from sky_ssl.sky.mock.conditions import PRESETS, draw_tiles
from sky_ssl.sky.mock.distributions import draw_diffuse
from sky_ssl.sky.mock.populations import DRAW
from sky_ssl.sky.noise import sky_sigma


def test_shares_add_up_and_every_population_can_be_drawn() -> None:
    """The prior is a probability, over exactly the populations that exist."""
    assert sum(PRIOR.values()) == pytest.approx(1.0)
    assert set(PRIOR) == set(DRAW)
    assert set(LOOK_ALIKES) < set(PRIOR)


def test_an_object_depends_on_seed_and_number_alone() -> None:
    """Same pixels and truth in another batch, with another n; other seeds give another sky."""
    (whole,) = generate(40, seed=5)
    (part,) = generate(10, seed=5, start=20)
    np.testing.assert_array_equal(part.images, whole.images[20:30])
    assert list(part.columns["id"]) == list(whole.columns["id"][20:30])
    np.testing.assert_array_equal(part.columns["zspec"], whole.columns["zspec"][20:30])
    (other,) = generate(10, seed=6)
    assert not np.array_equal(other.images, whole.images[:10], equal_nan=True)


def test_file_does_not_depend_on_the_processes(tmp_path: Path) -> None:
    """One process and two write the same cutouts, in the same order, with what they are."""
    for workers in (1, 2):
        write_mock(tmp_path / f"{workers}.h5", 260, seed=1, enrich={"dwarf": 20}, workers=workers)
    one, two = (open_cutouts(tmp_path / f"{w}.h5") for w in (1, 2))
    np.testing.assert_array_equal(one.read(slice(0, 280)), two.read(slice(0, 280)))
    assert list(one.column("id")) == list(two.column("id"))
    assert (one.column("class")[260:] == "dwarf").all()
    said = open_hdf5(tmp_path / "1.h5").attrs
    assert (said["n"], said["seed"], said["mock_version"]) == (260, 1, MOCK_VERSION)
    assert one.info.bands == BANDS
    assert one.info.pixel_scale == pytest.approx(0.1857)


def test_stored_values_are_physical_within_half_precision(tmp_path: Path) -> None:
    """What is read back is counts, to the precision of float16, bright stars included."""
    write_mock(tmp_path / "m.h5", 0, seed=2, enrich={"star": 60}, workers=1)
    (batch,) = generate(0, seed=2, enrich={"star": 60})
    read = open_cutouts(tmp_path / "m.h5").read(slice(0, 60))
    assert np.isfinite(read).sum() == np.isfinite(batch.images).sum()
    sigma = np.array(mock_info().sky_sigma)[:, None, None]
    error = np.abs(read - batch.images) / (sigma + np.abs(batch.images))
    assert np.nanmax(error) < 1e-3


def test_noise_and_flux_are_what_the_truth_says() -> None:
    """Blank sky has the nominal noise to 15 %; bright stars have their magnitude to 0.1 mag."""
    sky = np.concatenate([b.images for b in generate(0, seed=3, enrich={"blank": 200})])
    np.testing.assert_allclose(sky_sigma(sky), mock_info().sky_sigma, rtol=0.15)
    stars = list(generate(0, seed=3, enrich={"star": 200}))
    images = np.concatenate([b.images for b in stars])
    mag = np.concatenate([b.columns["mag_r"] for b in stars])
    whole = np.isfinite(images[:, 2]).all(axis=(1, 2)) & (mag > 17) & (mag < 20)
    found = 30 - 2.5 * np.log10(images[whole, 2, 17:47, 17:47].sum(axis=(1, 2)))
    assert np.abs(np.median(found - mag[whole])) < 0.1


def test_psf_is_normalised_and_as_wide_as_the_seeing() -> None:
    """Its transform is 1 at zero; half of the peak is reached at half of the width."""
    tile, preset = draw_tiles(0)[0], PRESETS["native"]
    kernels = np.fft.fftshift(np.fft.irfft2(transfer(tile, preset), (SIDE, SIDE)), axes=(1, 2))
    np.testing.assert_allclose(kernels.sum(axis=(1, 2)), 1.0, rtol=1e-4)
    for kernel, seeing in zip(kernels, tile.seeing, strict=True):
        fine = zoom(kernel[32:64, 32:64], 8)
        area = (fine > fine.max() / 2).sum() / 64
        width = 2 * np.sqrt(area / np.pi) * preset.pixel_scale
        assert width == pytest.approx(seeing, rel=0.08)  # the pixel widens it


def test_dwarfs_and_their_look_alikes_share_size_brightness_and_shape() -> None:
    """One function draws both: the distributions of the truth agree."""
    batches = list(generate(0, seed=4, enrich={"dwarf": 300, "lsb_spiral": 300}))
    columns = {
        name: np.concatenate([b.columns[name] for b in batches])
        for name in ("is_dwarf", "half_light_radius", "axis_ratio", "mean_surface_brightness")
    }
    for name in ("half_light_radius", "axis_ratio", "mean_surface_brightness"):
        a, b = columns[name][columns["is_dwarf"]], columns[name][~columns["is_dwarf"]]
        ordered = np.sort(np.concatenate([a, b]))
        steps = [np.searchsorted(np.sort(v), ordered, side="right") / len(v) for v in (a, b)]
        assert np.abs(steps[0] - steps[1]).max() < 0.14, name  # Kolmogorov-Smirnov, p = 0.005
    low, high = PRESETS["wide"].diffuse_limits
    rng = np.random.default_rng(0)
    radii = [draw_diffuse(rng, PRESETS["wide"])[0] for _ in range(500)]
    assert low <= min(radii) < max(radii) <= high
    assert np.median(radii) == pytest.approx(6.5, abs=0.5)


def test_missing_data_is_there() -> None:
    """Some cutouts lack a band, a few have an edge; all have data somewhere."""
    images = np.concatenate([b.images for b in generate(1500, seed=0)])
    empty = np.isnan(images).all(axis=(2, 3))
    assert 0.02 < empty.any(axis=1).mean() < 0.35
    assert not empty.all(axis=1).any()
    edge = np.isnan(images).any(axis=(1, 2, 3)) & ~empty.any(axis=1)
    assert 0.005 < edge.mean() < 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 5, "enrich": {"galaxy": 3}}, "class 'galaxy' of the mock survey: allowed are star"),
        ({"n": 5, "preset": "deep"}, "preset 'deep'"),
        ({"n": -1}, "give numbers from 0 up"),
        ({"n": 0}, "ask for at least one"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments: dict, message: str) -> None:
    """By name of what is wrong, before anything is written."""
    with pytest.raises(InputError, match=message):
        list(generate(**arguments))
