"""The sheet of reconstructions."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from sky_ssl.figures.reconstruction import TITLES, draw_reconstructions, save_reconstructions

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def arrays() -> Arrays:
    """Two images of three bands, their hidden pixels and what fills them."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 3, 16, 16)).astype(np.float32)
    hidden = np.zeros(images.shape, dtype=bool)
    hidden[:, :, 4:8, :4] = True
    images[1, :, :3] = np.nan
    filled = np.where(hidden | np.isnan(images), 0.5, images).astype(np.float32)
    return images, hidden, filled


def test_residual_is_in_sky_noise_and_of_hidden_pixels_only(arrays: Arrays) -> None:
    """The last column is (reconstruction - image) / sigma where hidden, nothing elsewhere."""
    images, hidden, filled = arrays
    figure = draw_reconstructions(*arrays, bands="gri", sky_sigma=[1.0, 0.25, 1.0], band=1)
    shown = np.ma.filled(figure.axes[3].images[0].get_array().astype(float), np.nan)
    expected = np.where(hidden, (filled - images) / 0.25, np.nan)[0, 1]
    np.testing.assert_allclose(shown, expected, rtol=1e-5)
    assert figure.axes[0].get_title() == "image, r"
    assert [axis.get_title() for axis in figure.axes[1:4]] == list(TITLES[1:])


def test_what_the_model_sees_has_no_hidden_pixel(arrays: Arrays) -> None:
    """The second column is empty where hidden and the image elsewhere, at one stretch."""
    images, hidden, _ = arrays
    figure = draw_reconstructions(*arrays, bands="gri", sky_sigma=[1, 1, 1], band=2)
    image, seen, made = (figure.axes[i].images[0] for i in range(3))
    shown = np.ma.filled(seen.get_array().astype(float), np.nan)
    np.testing.assert_allclose(
        np.sinh(shown), np.where(hidden, np.nan, images)[0, 2], rtol=1e-5, atol=1e-6
    )
    assert image.get_clim() == seen.get_clim() == made.get_clim()


def test_no_data_is_marked_in_every_column(arrays: Arrays) -> None:
    """The second image lacks three rows: a tint over them, and over nothing else."""
    figure = draw_reconstructions(*arrays, bands="gri", sky_sigma=[1, 1, 1])
    for axis in figure.axes[4:8]:
        tint = np.ma.getmaskarray(axis.images[1].get_array())
        assert not tint[:3].any()
        assert tint[3:].all()
    assert len(figure.axes[0].images) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1e30])
def test_odd_images_can_be_drawn(tmp_path: Path, value: float) -> None:
    """One band, one image, no data at all: a PNG, and no warning."""
    images = np.full((1, 1, 8, 8), value, dtype=np.float32)
    hidden = np.ones(images.shape, dtype=bool)
    save_reconstructions(
        tmp_path / "sheet.png", images, hidden, np.zeros_like(images), bands="r", sky_sigma=[1.0]
    )
    assert imread(tmp_path / "sheet.png").shape[1] == 880


def test_needs_no_torch_and_no_screen() -> None:
    """Importing the module loads neither torch nor matplotlib, drawing no pyplot."""
    code = (
        "import sys, numpy as np; from sky_ssl.figures import reconstruction as r;"
        "assert not {'torch', 'matplotlib'} & set(sys.modules);"
        "x = np.zeros((1, 1, 4, 4)); r.draw_reconstructions(x, x > 0, x, bands='r', sky_sigma=[1]);"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
