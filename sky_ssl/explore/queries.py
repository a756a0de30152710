"""Exemplars of a search: objects by id, by place on the sky, or vectors made of images.

In: text as a user types it, and open embeddings. Out: vectors (M, D), raw, with ids and positions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.similarity import Floats, Rows
from sky_ssl.sky.coords import parse_coordinate, separation_arcsec
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts

if TYPE_CHECKING:
    from sky_ssl.explore.embedder import Embedder
    from sky_ssl.explore.fitspictures import Pictures

Degrees = npt.NDArray[np.float64]
_SHOWN = 3


@dataclass(frozen=True)
class Exemplars:
    """M objects to search by."""

    vectors: Floats  # (M, D) raw embeddings
    ids: tuple[str, ...]
    rows: Rows  # (M,) of the embeddings; -1 for images
    ra: Degrees  # (M,) degrees, NaN if unknown
    dec: Degrees
    notes: list[str] = field(default_factory=list)  # what was assumed, a line each
    images: npt.NDArray[np.float32] | None = None  # (M, C, H, W) where they are images

    def __len__(self) -> int:
        return len(self.ids)


def exemplars_of_rows(e: Embeddings, rows: npt.ArrayLike) -> Exemplars:
    """Take exemplars from rows of the embeddings.

    Raises:
        InputError: an object without finite numbers.
    """
    index = np.asarray(rows, dtype=np.int64).reshape(-1)
    vectors = np.asarray(e.values[index], dtype=np.float32)
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if bad.size:
        raise InputError(
            f"{e.path}: the embedding of {str(e.id[index[bad[0]]])!r} has numbers that are not "
            "finite, so nothing is like it"
        )
    return Exemplars(vectors, tuple(map(str, e.id[index])), index, e.ra[index], e.dec[index])


def join(parts: Sequence[Exemplars]) -> Exemplars:
    """Put exemplars together, those with images last."""
    images = [p.images for p in parts if p.images is not None]
    return Exemplars(
        np.concatenate([p.vectors for p in parts]),
        tuple(name for p in parts for name in p.ids),
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.ra for p in parts]),
        np.concatenate([p.dec for p in parts]),
        [note for p in parts for note in p.notes],
        np.concatenate(images) if images else None,
    )


def rows_of_ids(e: Embeddings, texts: Sequence[str]) -> Rows:
    """Find objects by id.

    Args:
        texts: each one id, or several with commas between them. Ids may hold commas and spaces: a
            text that is an id as a whole is taken as that.

    Returns:
        Rows; each once, in the order given. Of an id that several rows share, all of them.

    Raises:
        InputError: naming what is no id.
    """
    rows: list[int] = []
    for text in texts:
        rows += _rows_of_text(e, text)
    return np.array(list(dict.fromkeys(rows)), dtype=np.int64)


def _rows_of_text(e: Embeddings, text: str) -> list[int]:
    whole = _rows_of_id(e, text)
    if whole:
        return whole
    pieces, rows = text.split(","), []
    while pieces:
        # the longest run of pieces that is an id
        for count in range(len(pieces), 0, -1):
            found = _rows_of_id(e, ",".join(pieces[:count]))
            if found:
                rows += found
                pieces = pieces[count:]
                break
        else:
            some = ", ".join(repr(str(name)) for name in e.id[:_SHOWN])
            raise InputError(
                f"{e.path}: no object {pieces[0].strip()!r} among its {len(e.id)}; ids there look "
                f"like {some or 'nothing, it is empty'}"
            )
    return rows


def _rows_of_id(e: Embeddings, text: str) -> list[int]:
    exact = np.flatnonzero(e.id == text)
    found = exact if exact.size else np.flatnonzero(e.id == text.strip())
    return [int(row) for row in found]


def row_at(e: Embeddings, text: str, radius_arcsec: float) -> int:
    """Find the object nearest to a position.

    Args:
        text: a position in any usual form; see `coords.parse_coordinate`.
        radius_arcsec: the object must be within this distance.

    Raises:
        InputError: no position, or no object there; the distance of the nearest is said.
    """
    if not radius_arcsec > 0:
        raise InputError(f"radius {radius_arcsec}: must be above 0 arcsec")
    ra, dec = parse_coordinate(text)
    distance = separation_arcsec(e.ra, e.dec, ra, dec)
    known = np.flatnonzero(np.isfinite(distance))
    if not known.size:
        raise InputError(f"{e.path}: its objects have no positions; name them by id (--like)")
    nearest = int(known[np.argmin(distance[known])])
    if distance[nearest] > radius_arcsec:
        raise InputError(
            f"{e.path}: no object within {radius_arcsec:g} arcsec of {text!r} (RA {ra:.5f}, Dec "
            f"{dec:+.5f} degrees); the nearest, {str(e.id[nearest])!r}, is "
            f"{_distance(distance[nearest])} away"
        )
    return nearest


def _distance(arcsec: float) -> str:
    """Write a distance in the unit that reads best."""
    if arcsec < 120:
        return f"{arcsec:.1f} arcsec"
    return f"{arcsec / 60:.1f} arcmin" if arcsec < 7200 else f"{arcsec / 3600:.1f} degrees"


def exemplars_of_pictures(embedder: "Embedder", pictures: "Pictures") -> Exemplars:
    """Embed images on the spot."""
    none = np.full(len(pictures.ids), -1, dtype=np.int64)
    vectors = embedder.embed(pictures.images)
    return Exemplars(
        vectors, pictures.ids, none, pictures.ra, pictures.dec, pictures.notes, pictures.images
    )


def exemplar_images(
    e: Embeddings | None, like: Exemplars, embedder: "Embedder", cutouts: Path | None = None
) -> npt.NDArray[np.float32]:
    """Read the cutouts of exemplars again, at the zero points of the model.

    Args:
        e: embeddings that the exemplars are rows of; None if all are images.
        cutouts: that were embedded; None: where they lay then.

    Returns:
        (M, C, S, S).

    Raises:
        InputError: the cutouts are not there, or not those that were embedded.
    """
    parts = []
    rows = like.rows[like.rows >= 0]
    if len(rows) and e is not None:
        data, factor = embedded_cutouts(e, embedder, cutouts)
        parts.append(data.read(rows) * factor)
    if like.images is not None:
        parts.append(like.images)
    return np.concatenate(parts)


def embedded_cutouts(
    e: Embeddings, embedder: "Embedder", cutouts: Path | None = None
) -> tuple[CutoutSet, npt.NDArray[np.float32]]:
    """Open the cutouts that embeddings were made of, with the factor (C, 1, 1) to the model."""
    from sky_ssl.embedding.encode import conversion

    path = cutouts or Path(str(e.attributes.get("cutouts", "")))
    try:
        data = open_cutouts(path, bands=embedder.info.bands, size=embedder.size)
    except InputError as error:
        raise InputError(f"{error}; this search needs the cutouts again: --cutouts FILE") from error
    if data.fingerprint() != e.attributes.get("cutouts_fingerprint"):
        raise InputError(f"{path}: not the cutouts that {e.path} was made of")
    factor = conversion(embedder.info, data.info, path, allow_pixel_scale=True)
    return data, factor[:, None, None]
