"""An image to search by: a FITS cutout or larger image, a picture, or a file of cutouts.

In: files as a user has them. Out: images (n, C, H, W) in the bands, size, pixel scale and zero
points of a model, with positions. What had to be assumed is said; what cannot fit is refused.
"""

import re
from pathlib import Path

import numpy as np

from sky_ssl.embedding.encode import conversion
from sky_ssl.errors import InputError
from sky_ssl.explore.fitspictures import Pictures, Wanted, read_fits, square
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.pictures import SUFFIXES

__all__ = ["Pictures", "Wanted", "read_pictures"]

_AT_MOST = 256  # cutouts of a file that are exemplars


def read_pictures(text: str, wanted: Wanted) -> Pictures:
    """Read what a user names as an image.

    Args:
        text: a FITS file (a cube, one HDU per band, or one band of a one-band model), a PNG or
            JPEG picture, a cutout file (HDF5; each cutout is an image), or single-band FITS files
            as `g=FILE,r=FILE`.
        wanted: what the model takes.

    Raises:
        InputError: naming the file, what it holds and what the model takes.
    """
    named = re.findall(r"(?:^|,)([^,=/]+)=([^,]+)", text)
    if named and not Path(text).exists():
        return read_fits({band.strip(): Path(path) for band, path in named}, wanted)
    path = Path(text)
    if not path.is_file():
        raise InputError(f"{text}: no such file")
    if path.suffix.lower() in SUFFIXES:
        return _read_picture(path, wanted)
    if path.suffix.lower() in (".h5", ".hdf5"):
        return _read_cutouts(path, wanted)
    return read_fits({"": path}, wanted)


def _read_cutouts(path: Path, wanted: Wanted) -> Pictures:
    data = open_cutouts(path, bands=wanted.info.bands, size=wanted.size)
    if data.shape[1:] != (wanted.size, wanted.size) or not 0 < len(data) <= _AT_MOST:
        raise InputError(
            f"{path}: {len(data)} cutouts of {data.shape[1]} x {data.shape[2]} pixels; 1 to "
            f"{_AT_MOST} of {wanted.size} x {wanted.size} can be searched by"
        )
    factor = conversion(wanted.info, data.info, path, allow_pixel_scale=wanted.allow_pixel_scale)
    names, unknown = data.column_names, np.full(len(data), np.nan)
    ids = data.column("id") if "id" in names else [f"{path.stem} {i}" for i in range(len(data))]
    ra, dec = (data.column(c) if c in names else unknown for c in ("ra", "dec"))
    images = data.read(slice(None)) * factor[:, None, None]
    return Pictures(images, tuple(map(str, ids)), ra, dec, list(data.notes))


def _read_picture(path: Path, wanted: Wanted) -> Pictures:
    """Decode a PNG or JPEG for a model that was trained on such."""
    from PIL import Image

    bands = wanted.info.bands
    if set(bands) != set("rgb") or np.isfinite(wanted.info.zero_point).any():
        raise InputError(
            f"{path}: a picture holds colours r g b from 0 to 255, not fluxes; this model takes "
            f"{' '.join(bands)} of {wanted.info.survey}: give a FITS image"
        )
    if wanted.at:
        raise InputError(f"{path}: a picture has no positions, so --at means nothing in it")
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    except (OSError, SyntaxError, ValueError) as error:
        # PIL raises any of the three for a damaged file
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: a picture that cannot be decoded ({reason})") from None
    H, W, _ = pixels.shape
    rgb = pixels.transpose(2, 0, 1)[["rgb".index(band) for band in bands]]
    window, notes = square(
        lambda a, b, c, d: rgb[:, a:b, c:d], (H, W), (W - 1) / 2, (H - 1) / 2, wanted.size, path
    )
    unknown = np.array([np.nan])
    return Pictures(window[None], (path.stem,), unknown, unknown, notes)
