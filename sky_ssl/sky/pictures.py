"""A folder of PNG or JPEG pictures as cutouts of three bands (r, g, b), values 0 to 255.

A table `index.csv` or `labels.csv` beside the pictures (or one folder up) gives ids, coordinates
and labels through the column that holds the file names, with or without their ending; without such
a table, all pictures in the folder are taken by name.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo

SUFFIXES = (".png", ".jpg", ".jpeg")
_TABLES = ("index.csv", "labels.csv")


def holds_pictures(folder: Path) -> bool:
    """Say whether a folder, or its folder `images`, holds pictures."""
    return bool(_pictures(folder))


def _pictures(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES]
    if not found and (folder / "images").is_dir():
        found = [p for p in (folder / "images").iterdir() if p.suffix.lower() in SUFFIXES]
    return sorted(found)


class PicturePart:
    """A folder of pictures, see `cutoutset.Part`.

    A picture that cannot be decoded is given as NaN and named in `notes` when it is read.

    Args:
        folder: the folder, or one whose folder `images` holds the pictures.
        size: side of the central square to cut, in pixels; None if all have one size.
        pixel_scale: arcsec per pixel, if known.

    Raises:
        InputError: if there are no pictures, or they differ in size and `size` is not given.
    """

    def __init__(
        self, folder: Path, *, size: int | None = None, pixel_scale: float | None = None
    ) -> None:
        self.path = folder.resolve()
        self.notes = ["a picture, not a measurement: values 0 to 255 without zero point"]
        files = _pictures(folder)
        self._table, self._files = _match_table(folder, files)
        shapes = {_size(f) for f in self._files[:: max(1, len(self._files) // 64)]}
        if size is None and len(shapes) > 1:
            raise InputError(f"{folder}: pictures of several sizes {sorted(shapes)}: give `size`")
        height, width = (size, size) if size else next(iter(shapes))
        if size and size > min(map(min, shapes)):
            raise InputError(f"{folder}: size {size} is larger than a picture {min(shapes)}")
        self.shape = (3, height, width)
        self.columns = tuple(self._table)
        self.info = CutoutInfo(
            survey="pictures",
            bands=("r", "g", "b"),
            pixel_scale=pixel_scale or float("nan"),
            zero_point=(float("nan"),) * 3,
        )

    def __len__(self) -> int:
        return len(self._files)

    def column(self, name: str) -> npt.NDArray:
        """Give one column (N,) of the table."""
        return self._table[name]

    def read_run(self, start: int, stop: int, bands: Sequence[int]) -> npt.NDArray[np.float32]:
        """Decode consecutive pictures (n, C, H, W)."""
        from PIL import Image

        _, H, W = self.shape
        out = np.full((stop - start, 3, H, W), np.nan, dtype=np.float32)
        for row, file in enumerate(self._files[int(start) : int(stop)]):
            try:
                with Image.open(file) as image:
                    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
            except (OSError, SyntaxError, ValueError) as error:
                # PIL raises any of the three for a damaged file
                self._note(f"{file.name} cannot be decoded ({error}), given as no data")
                continue
            top, left = (pixels.shape[0] - H) // 2, (pixels.shape[1] - W) // 2
            if min(top, left) < 0:
                raise InputError(f"{file}: {pixels.shape[:2]} pixels, smaller than {(H, W)}")
            out[row] = pixels[top : top + H, left : left + W].transpose(2, 0, 1)
        return out[:, list(bands)]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _size(file: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{file}: not a picture that can be opened ({error})") from error


def _match_table(folder: Path, files: Sequence[Path]) -> tuple[dict[str, npt.NDArray], list[Path]]:
    """Join the table beside the pictures with the files that are there."""
    import pandas as pd

    by_name = {key: f for f in files for key in (f.stem, f.name)}
    for table in [d / name for d in (folder, folder.parent) for name in _TABLES]:
        if not table.is_file():
            continue
        frame = pd.read_csv(table)
        matches = {str(c): frame[c].map(lambda v: str(v) in by_name) for c in frame}
        best = max(matches, key=lambda c: int(matches[c].sum()), default=None)
        if best is None or not matches[best].any():
            continue
        frame = frame[matches[best]]
        chosen = [by_name[str(value)] for value in frame[best]]
        columns = {str(name): _plain(frame[name]) for name in frame}
        columns.setdefault("id", np.array([f.stem for f in chosen]))
        for name in ("ra", "dec"):
            columns.setdefault(name, np.full(len(chosen), np.nan))
        return columns, chosen
    unknown = np.full(len(files), np.nan)
    return {"id": np.array([f.stem for f in files]), "ra": unknown, "dec": unknown}, list(files)


def _plain(series: "object") -> npt.NDArray:
    """Give a pandas column as numbers, or as text."""
    values = np.asarray(series)
    return values if values.dtype.kind in "iufb" else values.astype(str)
