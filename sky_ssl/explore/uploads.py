"""Files that come from a browser: images to search by, catalogues to compare with.

In: a name and bytes. Out: exemplars or a table. Errors name the file as the user knows it.
"""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import Embedder
from sky_ssl.explore.objects import read_objects
from sky_ssl.explore.pictures import Wanted, read_pictures
from sky_ssl.explore.queries import Exemplars, exemplars_of_pictures

IMAGES = ("fits", "fit", "fits.gz", "fz", "png", "jpg", "jpeg", "h5", "hdf5")
"""Endings of images to search by."""
CATALOGUES = ("csv", "ecsv", "fits", "fit", "vot", "votable", "xml", "parquet", "pq", "tsv", "txt")
"""Endings of catalogues."""


def embed_upload(
    embedder: Embedder,
    name: str,
    content: bytes,
    *,
    at: str = "",
    allow_pixel_scale: bool = False,
) -> Exemplars:
    """Embed an uploaded image.

    Args:
        embedder: of the embeddings that are to be searched.
        name: of the file; its ending says what it is.
        content: of the file.
        at: position in a larger image; empty: its centre.
        allow_pixel_scale: take an image of another pixel scale as it is.

    Raises:
        InputError: a file that cannot be read, or does not fit the model.
    """
    with _kept(name, content) as (path, folder):
        try:
            wanted = Wanted(embedder.info, embedder.size, at, (), allow_pixel_scale)
            pictures = read_pictures(str(path), wanted)
        except InputError as error:
            raise InputError(_as_known(str(error), folder)) from None
        if not (pictures.images == pictures.images).any():
            raise InputError(f"{path.name}: no pixel with data")
        notes = [_as_known(note, folder) for note in pictures.notes]
        return exemplars_of_pictures(embedder, replace(pictures, notes=notes))


def read_upload(name: str, content: bytes, *, need_positions: bool = True) -> pd.DataFrame:
    """Read an uploaded catalogue, see `objects.read_objects`.

    Args:
        name, content: of the file.
        need_positions: refuse one where ids alone say which objects are meant.

    Raises:
        InputError: not a catalogue, or none with positions where these are needed.
    """
    with _kept(name, content) as (path, folder):
        try:
            table = read_objects(path)
        except InputError as error:
            raise InputError(_as_known(str(error), folder)) from None
    table.attrs["notes"] = [_as_known(note, folder) for note in table.attrs.get("notes", [])]
    if need_positions and not (table["ra"].notna() & table["dec"].notna()).any():
        raise InputError(f"{path.name}: no object in it has a position")
    return table


@contextmanager
def _kept(name: str, content: bytes) -> Iterator[tuple[Path, str]]:
    """Keep the bytes in a file while they are read."""
    safe = re.sub(r"[^\w.+-]", "_", Path(name).name)[-100:].lstrip(".") or "upload"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / safe
        path.write_bytes(content)
        yield path, folder


def _as_known(text: str, folder: str) -> str:
    """Name the file as the user knows it."""
    return text.replace(f"{folder}/", "")
