"""Search embeddings for objects like some exemplars.

In: open embeddings and a query. Out: the best objects, the exemplars left out and duplicates on the
sky merged, with their distance from the nearest exemplar.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.similarity import Floats, Rows, Vectors, normalised
from sky_ssl.explore.whitening import Whitening
from sky_ssl.sky.coords import first_of_each, separation_arcsec, unit_vectors

NEGATIVE_WEIGHT = 0.5
"""Weight of counter-examples against exemplars."""
Degrees = npt.NDArray[np.float64]
Neighbours = Callable[[int, Rows], tuple[Rows, Vectors]]
"""(k, rows to leave out) -> rows (k,) and scores (k,), the best first."""


@dataclass(frozen=True)
class Results:
    """What was found, K objects, the best first."""

    rows: Rows  # (K,) of the embeddings; -1 for what was found on tiles
    ids: npt.NDArray
    scores: Vectors
    ra: Degrees  # degrees, NaN if unknown
    dec: Degrees
    separation_arcsec: Degrees  # from the nearest exemplar; NaN if unknown
    tile: npt.NDArray
    x: Degrees | None = None  # pixels of the tile, 0-based, for what was found on tiles
    y: Degrees | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rank(self) -> Rows:
        """1, 2, ..."""
        return np.arange(1, len(self) + 1)

    def columns(self) -> dict[str, npt.NDArray]:
        """Give the columns of a table; those that say nothing are left out."""
        table: dict[str, npt.NDArray] = {
            "id": self.ids,
            "ra": self.ra,
            "dec": self.dec,
            "rank": self.rank,
            "score": self.scores,
            "separation_arcsec": self.separation_arcsec,
        }
        if (self.rows >= 0).any():
            table["row"] = self.rows
        if (self.tile != "").any():
            table["tile"] = self.tile
        if self.x is not None and self.y is not None:
            table |= {"x": self.x, "y": self.y}
        return table

    def records(self) -> list[dict[str, Any]]:
        """Give a dictionary per object; unknown numbers are None."""
        columns = self.columns()
        first = ("id", "rank", "score", "ra", "dec")
        names = [*first, *(n for n in columns if n not in first)]
        return [{name: _plain(columns[name][i]) for name in names} for i in range(len(self))]


def _plain(value: Any) -> Any:
    item = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, np.float32):
        item = round(float(value), 6)
    return None if isinstance(item, float) and not np.isfinite(item) else item


def query_vector(
    positive: Floats,
    negative: Floats | None,
    tokens: int,
    weight: float = NEGATIVE_WEIGHT,
    whitening: Whitening | None = None,
) -> Vectors:
    """Make one query of exemplars and counter-examples.

    Scores against it are the mean over exemplars of the cosine to each, less `weight` times the
    same over counter-examples: of whitened embeddings, or else the mean cosine per token.

    Args:
        positive: (M, D) exemplars, raw.
        negative: (K, D) counter-examples, or None.
        tokens: T.
        weight: of the counter-examples, 0 or more.
        whitening: to go through first; None: scored by tokens.

    Returns:
        (D,) for `similarity.top` and `similarity.scores`; (q,) for whitened vectors and T = 1.

    Raises:
        InputError: no exemplars, or numbers that are not finite.
    """
    if not weight >= 0 or not np.isfinite(weight):
        raise InputError(f"weight of counter-examples {weight}: must be 0 or more")
    if whitening is not None:
        positive, tokens = whitening.apply(np.atleast_2d(positive)), 1
        negative = None if negative is None else whitening.apply(np.atleast_2d(negative))
    query = _mean(positive, tokens, "exemplar")
    if negative is not None and len(negative):
        query = query - np.float32(weight) * _mean(negative, tokens, "counter-example")
    return query


def _mean(vectors: Floats, tokens: int, what: str) -> Vectors:
    unit = normalised(vectors, tokens)
    if not len(unit):
        raise InputError(f"a search needs at least one {what}")
    bad = np.flatnonzero(~np.isfinite(unit).all(axis=1))
    if bad.size:
        which = f"{what} {bad[0] + 1} of {len(unit)}"
        raise InputError(f"{which} has numbers that are not finite, or zeros alone")
    return np.asarray(unit.mean(axis=0), dtype=np.float32)


def search(
    e: Embeddings,
    neighbours: Neighbours,
    *,
    k: int = 25,
    exclude: npt.NDArray[np.integer] | None = None,
    exemplar_ra: npt.ArrayLike = (),
    exemplar_dec: npt.ArrayLike = (),
    merge_arcsec: float = 1.0,
) -> Results:
    """Find the k best objects.

    Args:
        e: the embeddings.
        neighbours: gives the nearest rows, for instance `partial` of `Index.search`.
        k: how many; fewer are given where there are not so many.
        exclude: rows of exemplars and counter-examples.
        exemplar_ra, exemplar_dec: (M,) degrees, where distances are measured from; objects within
            `merge_arcsec` of one are the exemplar itself, and left out.
        merge_arcsec: objects closer than this are one, and the best is kept; 0 keeps all.

    Raises:
        InputError: k below 1, or a negative distance.
    """
    if k < 1:
        raise InputError(f"top {k}: must be 1 or more")
    if not merge_arcsec >= 0:
        raise InputError(f"merge {merge_arcsec}: must be 0 arcsec or more")
    out = np.unique(np.asarray([] if exclude is None else exclude, dtype=np.int64))
    places = (np.atleast_1d(np.asarray(p, np.float64)) for p in (exemplar_ra, exemplar_dec))
    from_ra, from_dec = places
    wanted = k + 16
    while True:
        rows, found = neighbours(wanted, out)
        keep = distinct(e.ra[rows], e.dec[rows], from_ra, from_dec, merge_arcsec)
        if keep.sum() >= k or len(rows) < wanted:
            break
        wanted *= 4
    rows, found = rows[keep][:k], found[keep][:k]
    return Results(
        rows=rows,
        ids=e.id[rows],
        scores=found,
        ra=e.ra[rows],
        dec=e.dec[rows],
        separation_arcsec=nearest_arcsec(e.ra[rows], e.dec[rows], from_ra, from_dec),
        tile=e.tile[rows],
    )


def distinct(
    ra: Degrees,
    dec: Degrees,
    from_ra: Degrees,
    from_dec: Degrees,
    arcsec: float,
    from_arcsec: float | None = None,
) -> npt.NDArray[np.bool_]:
    """Say which objects (N,), the best first, are neither an exemplar nor a repeat of a better.

    Args:
        arcsec: objects closer than this are one; 0 keeps all.
        from_arcsec: objects closer than this to an exemplar are that; None: as `arcsec`.
    """
    keep = first_of_each(ra, dec, arcsec, np.arange(len(ra)))
    around = arcsec if from_arcsec is None else from_arcsec
    if around > 0:
        # of what is not known the distance is NaN, and no reason to leave it out
        keep &= ~(nearest_arcsec(ra, dec, from_ra, from_dec) <= around)
    return keep


def nearest_arcsec(ra: Degrees, dec: Degrees, to_ra: Degrees, to_dec: Degrees) -> Degrees:
    """Measure the distance (N,) of each position from the nearest of others; NaN if unknown."""
    from scipy.spatial import cKDTree

    result = np.full(len(ra), np.nan)
    there = np.isfinite(to_ra) & np.isfinite(to_dec)
    here = np.isfinite(ra) & np.isfinite(dec)
    if there.any() and here.any():
        tree = cKDTree(unit_vectors(to_ra[there], to_dec[there]))
        near = tree.query(unit_vectors(ra[here], dec[here]))[1]
        result[here] = separation_arcsec(
            ra[here], dec[here], to_ra[there][near], to_dec[there][near]
        )
    return result
