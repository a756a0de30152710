"""Files from a browser: read, refused by the name the user knows, never left behind."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from sky_ssl.errors import InputError
from sky_ssl.explore.modelrun import find_run
from sky_ssl.explore.uploads import embed_upload, read_upload
from sky_ssl.sky.cutouts import CutoutInfo


def model(bands: tuple[str, ...] = ("g", "r")) -> Any:
    """Stands for a model that takes 8 x 8 pixels."""
    info = CutoutInfo("test", bands, 0.2, (30.0,) * len(bands), (1.0,) * len(bands))
    return SimpleNamespace(info=info, size=8, embed=lambda images: images.mean(axis=(2, 3)))


def cube(values: np.ndarray) -> bytes:
    """A FITS cube in memory."""
    import io

    file = io.BytesIO()
    hdu = fits.PrimaryHDU(values.astype(np.float32))
    hdu.header["BANDS"], hdu.header["MAGZERO"] = "g r", 30.0
    hdu.writeto(file)
    return file.getvalue()


def test_an_image_is_embedded() -> None:
    """Its notes name it as the user does."""
    values = np.stack([np.full((8, 8), 1.0), np.full((8, 8), 2.0)])
    found = embed_upload(model(), "../my dwarf.fits", cube(values))
    assert found.vectors.tolist() == [[1.0, 2.0]]
    assert found.rows.tolist() == [-1]
    assert any(note.startswith("my_dwarf.fits: ") for note in found.notes)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.fits", b"nonsense"), ("a.png", b"\x89PNG broken"), ("a.h5", b""), ("a", b""),
     ("nan.fits", cube(np.full((2, 8, 8), np.nan)))],
)  # fmt: skip
def test_bad_images_get_one_sentence(name: str, content: bytes) -> None:
    """Which names the file, and no folder of this machine."""
    with pytest.raises(InputError, match=rf"^{name}: ") as error:
        embed_upload(model(), name, content)
    assert "\n" not in str(error.value)
    assert "/tmp" not in str(error.value)


def test_a_catalogue_needs_positions() -> None:
    """Names alone cannot be compared on the sky."""
    assert read_upload("c.csv", b"id,ra,dec\na,1,2\n")["ra"].tolist() == [1.0]
    for content in (b"id,size\na,1\n", b"\x00\x01", b""):
        with pytest.raises(InputError, match=r"^c\.csv"):
            read_upload("c.csv", content)


def test_no_run_is_found_where_there_is_none(tmp_path: Any) -> None:
    """Folders that are no runs are passed over."""
    (tmp_path / "notes").mkdir()
    assert find_run("a" * 64, tmp_path) is None
    assert find_run("a" * 64, tmp_path / "none", tmp_path) is None
