"""Reading FITS images: every way of storing them gives the same pixels; damage is refused."""

import bz2
import gzip
import lzma
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from astropy.io import fits

from sky_ssl.errors import InputError
from sky_ssl.sky import fitsplane
from sky_ssl.sky.fitsio import FitsFile, list_images, read_image
from sky_ssl.sky.fitsplane import StripCache

IMAGE = np.random.default_rng(1).normal(10, 3, (150, 90)).astype(np.float32)


def stored(path: Path, kind: str) -> npt.NDArray[np.generic]:
    """Write IMAGE in one of the ways files come; return the pixels it stands for."""
    whole = np.rint(IMAGE * 100).astype(np.int16)
    if kind in ("gz", "bz2", "xz"):
        plain = path.with_suffix(".plain")
        fits.PrimaryHDU(IMAGE).writeto(plain)
        opener = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open}[kind]
        with opener(path, "wb") as file:
            file.write(plain.read_bytes())
        return IMAGE
    if kind in ("RICE_1", "GZIP_2", "PLIO_1", "HCOMPRESS_1"):
        packed = fits.CompImageHDU(np.abs(whole), compression_type=kind)
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
        return np.abs(whole)
    if kind == "blocks":
        packed = fits.CompImageHDU(whole, compression_type="RICE_1", tile_shape=(40, 32))
        fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
        return whole
    hdu = fits.PrimaryHDU(IMAGE if kind == "float" else whole)
    if kind == "double":
        hdu = fits.PrimaryHDU(IMAGE.astype(np.float64) * 1e-12)
    if kind == "unsigned":
        hdu = fits.PrimaryHDU(whole.astype(np.uint16))
    if kind == "degenerate":
        hdu = fits.PrimaryHDU(IMAGE[None, None])
    hdu.writeto(path)
    if kind == "scaled":
        for key, value in (("BSCALE", 0.01), ("BZERO", -3.0), ("BLANK", int(whole[3, 4]))):
            fits.setval(path, key, value=value)
        values = whole * np.float32(0.01) + np.float32(-3.0)
        return np.where(whole == whole[3, 4], np.float32(np.nan), values)
    pixels = hdu.data
    return np.asarray(pixels).reshape(IMAGE.shape)


KINDS = (
    "float double int scaled unsigned degenerate gz bz2 xz RICE_1 GZIP_2 PLIO_1 HCOMPRESS_1 blocks"
)


@pytest.mark.parametrize("kind", KINDS.split())
def test_windows_equal_the_whole(tmp_path: Path, kind: str) -> None:
    """However an image is stored, all of it and any window of it have the pixels written."""
    path = tmp_path / "image.fits"
    wanted = stored(path, kind)
    pixels = read_image(path)
    np.testing.assert_array_equal(pixels, wanted)
    assert pixels.dtype.isnative
    rng = np.random.default_rng(2)
    with FitsFile(path) as file:
        plane = file.plane(list_images(path)[0].hdu)
        assert plane.shape == IMAGE.shape
        for _ in range(20):
            y0, y1 = np.sort(rng.integers(0, 151, 2))
            x0, x1 = np.sort(rng.integers(0, 91, 2))
            np.testing.assert_array_equal(plane.read(y0, y1, x0, x1), wanted[y0:y1, x0:x1])


def test_compressed_floats_keep_missing_pixels(tmp_path: Path) -> None:
    """Quantised floats come back within the quantisation, NaN as NaN and 0 as 0."""
    path = tmp_path / "image.fits.fz"
    image = IMAGE.copy()
    image[5:9, :] = np.nan
    image[20:30, 20:30] = 0
    packed = fits.CompImageHDU(image, compression_type="RICE_1", quantize_method=2)
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(path)
    pixels = read_image(path)
    np.testing.assert_array_equal(np.isnan(pixels), np.isnan(image))
    np.testing.assert_allclose(pixels, image, atol=0.5)
    assert np.all(pixels[20:30, 20:30] == 0)


def test_choosing_an_image(tmp_path: Path) -> None:
    """Images are chosen by number, by name or as a plane of a cube."""
    path = tmp_path / "many.fits"
    cube = np.arange(24.0).reshape(2, 3, 4)
    table = fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1, 2])])
    images = [fits.ImageHDU(cube, name="CUBE"), fits.ImageHDU(IMAGE, name="SCI"), table]
    fits.HDUList([fits.PrimaryHDU(), *images]).writeto(path)
    assert [(i.hdu, i.name, i.shape) for i in list_images(path)] == [(2, "SCI", (150, 90))]
    np.testing.assert_array_equal(read_image(path, "sci"), IMAGE)
    np.testing.assert_array_equal(read_image(path, 1, plane=1), cube[1])
    holds = "it holds HDU 0 PRIMARY without pixels, HDU 1 CUBE 2 x 3 x 4 image, HDU 2 SCI 150 x 90"
    for hdu, plane in (
        (1, None),
        (1, 2),
        (0, None),
        (3, None),
        (4, None),
        (-1, None),
        ("ERR", None),
    ):
        with pytest.raises(InputError, match=holds):
            read_image(path, hdu, plane)


def test_packed_primary_keeps_its_number(tmp_path: Path) -> None:
    """Packing moves HDU 0 to 1; the number declared for the file before packing still works."""
    path = tmp_path / "packed.fits"
    packed = fits.CompImageHDU(np.ones((4, 5), np.int16), name="SCI")
    mask = fits.CompImageHDU(np.full((4, 5), 7, np.int16), name="MASK")
    fits.HDUList([fits.PrimaryHDU(), packed, mask]).writeto(path)
    assert read_image(path, 0)[0, 0] == 1
    assert read_image(path, 1)[0, 0] == 1
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["ZSIMPLE"] = True
    assert read_image(path, 0)[0, 0] == 1
    assert read_image(path, 1)[0, 0] == 7


@pytest.mark.parametrize("kind", ["float", "RICE_1", "gz", "bz2", "xz"])
def test_half_a_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A file cut in half is refused in one line that names it."""
    path = tmp_path / "image.fits"
    stored(path, kind)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=r"cut short|cannot be decompressed") as refusal:
        read_image(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_damaged_bytes_are_refused(tmp_path: Path) -> None:
    """Compressed pixels overwritten with noise are refused, or read; never another exception."""
    path = tmp_path / "image.fits"
    stored(path, "GZIP_2")
    whole = bytearray(path.read_bytes())
    whole[-9000:-3000] = bytes(np.random.default_rng(0).integers(0, 256, 6000, np.uint8))
    path.write_bytes(whole)
    with pytest.raises(InputError, match=r"image.fits: HDU 1: rows .* cannot be decompressed"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"not a FITS file \(it is empty"),
        (b"not at all", r"not a FITS file \(it begins with b'not at'"),
        (b"\x1f\x8bnonsense", "cannot be decompressed"),
        (b"SIMPLE  = nonsense" * 200, "not a readable FITS file|no two-dimensional image"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    """Empty files and files of other kinds are refused in one line."""
    path = tmp_path / "image.fits"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_image(path)


def test_missing_file() -> None:
    """A file that is not there is named."""
    with pytest.raises(InputError, match=r"nowhere.fits: cannot be opened \(No such file"):
        read_image("nowhere.fits")


def test_cache_is_bounded_in_bytes() -> None:
    """The strips kept never exceed the limit, and the one used last stays longest."""
    cache = StripCache(1000)
    for index in range(5):
        cache.put(1, index, np.zeros(300, np.uint8))
        cache.get(1, 0)
    assert cache.bytes == 900
    assert cache.get(1, 0) is not None
    assert cache.get(1, 2) is None
    cache.drop(1)
    assert cache.bytes == 0


def test_strips_are_decompressed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows in the same rows decompress them once, even with a cache too small for a strip."""
    path = tmp_path / "image.fits"
    stored(path, "RICE_1")
    monkeypatch.setattr(fitsplane, "CACHE", StripCache(10))
    with FitsFile(path) as file:
        plane = file.plane(1)
        assert isinstance(plane, fitsplane.CompressedPlane)
        calls = []
        compute = plane.compute
        monkeypatch.setattr(plane, "compute", lambda *rows: (calls.append(rows), compute(*rows))[1])
        for x in range(0, 64, 16):
            plane.read(10, 20, x, x + 16)
    assert calls == [(0, 64)]


@pytest.mark.parametrize("packed", [True, False])
def test_blank_may_be_zero(tmp_path: Path, packed: bool) -> None:
    """A BLANK of 0 makes zeros NaN, in plain and in compressed images."""
    path = tmp_path / "image.fits"
    image = np.arange(-5, 15, dtype=np.int32).reshape(4, 5)
    hdu = fits.CompImageHDU(image) if packed else fits.ImageHDU(image)
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    with fits.open(path, mode="update", disable_image_compression=True) as hdus:
        hdus[1].header["BLANK"] = 0
    np.testing.assert_array_equal(read_image(path), np.where(image == 0, np.nan, image))
