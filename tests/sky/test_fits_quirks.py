"""Real odd files: what astropy reads as a two-dimensional image opens with the same pixels."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsio import FitsFile, list_images, read_image
from sky_ssl.sky.tilegrid import read_grid

FOLDERS = ("fits_quirks", "legacypipe_grz_exposures")


def fits_files(realsky: Path) -> list[Path]:
    """List the FITS files of the folders of odd ones."""
    files = [path for folder in FOLDERS for path in sorted((realsky / folder).rglob("*.fits*"))]
    assert len(files) > 40
    return files


def astropy_images(path: Path) -> dict[int, npt.NDArray[np.generic]]:
    """Read every two-dimensional image with astropy alone; none if it fails."""
    images = {}
    with warnings.catch_warnings():
        # the reference; what it says about headers is not what is tested
        warnings.simplefilter("ignore")
        with fits.open(path) as hdus:
            for index in range(len(hdus)):
                hdu = hdus[index]
                image = isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU)
                if image and not isinstance(hdu, fits.GroupsHDU) and len(hdu.shape) == 2:
                    images[index] = np.array(hdu.data)
    return {index: image for index, image in images.items() if image.size}


def test_every_image_has_the_pixels_astropy_reads(realsky: Path) -> None:
    """All images of all files agree with astropy; files without one are refused in one line."""
    count = refused = 0
    for path in fits_files(realsky):
        wanted = astropy_images(path)
        assert [image.hdu for image in list_images(path)] == list(wanted), path
        for index, image in wanted.items():
            np.testing.assert_array_equal(read_image(path, index), image, err_msg=str(path))
            count += 1
        if not wanted:
            with pytest.raises(InputError, match="no two-dimensional image; it holds") as refusal:
                read_image(path)
            assert str(path) in str(refusal.value)
            assert "\n" not in str(refusal.value)
            refused += 1
    assert count > 40
    assert refused > 4


def test_every_header_gives_a_grid_or_a_reason(realsky: Path) -> None:
    """TPV, swapped and missing axes never fail: there is a WCS on the sky, or a reason."""
    with_wcs = 0
    for path in fits_files(realsky):
        with FitsFile(path) as file:
            for image in file.images():
                grid = read_grid(file, image.hdu, image.shape)
                assert (grid.wcs is None) == bool(grid.problem), path
                with_wcs += grid.wcs is not None
    assert with_wcs > 25


def test_nothing_but_fits_is_read(realsky: Path) -> None:
    """Pictures, tables and texts are refused as no FITS files."""
    folder = realsky / "fits_quirks"
    others = [p for p in folder.rglob("*") if p.is_file() and p.suffix in (".rst", ".jpg", ".JPG")]
    assert others
    for path in others:
        with pytest.raises(InputError, match="not a FITS file"):
            read_image(path)
