"""Which object of a data set each row of a table means: by id, else by position.

In: a table of objects (`read_objects`), and the ids and positions of a data set. Out: a row number
for each row of the table, what it was found by, and a report to read. Ids are compared exactly, as
text: nothing is guessed from their prefixes or leading zeros.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.mismatch import find_mismatch
from sky_ssl.explore.objects import read_objects
from sky_ssl.sky.coords import separation_arcsec, unit_vectors

__all__ = ["Match", "match_objects", "read_objects"]

_Rows = npt.NDArray[np.int64]
_Degrees = npt.NDArray[np.float64]
_Flags = npt.NDArray[np.bool_]
# one id at two places farther apart than this [arcsec] is two objects with one number
FAR_ARCSEC = 60.0


@dataclass(frozen=True)
class Match:
    """What was found for each of the M rows of a table."""

    rows: _Rows  # (M,) row of the data set, the best one where ambiguous; -1 = unmatched
    by: npt.NDArray[np.str_]  # (M,) "id", "position" or "" (unmatched)
    ambiguous: _Flags  # (M,) another object, or another row of the table, has as good a claim
    shared: _Flags  # (M,) ambiguous only because another row claims the object
    separation_arcsec: _Degrees  # (M,) from table to data set; NaN if unknown or unmatched
    report: list[str]  # to read, one line for each thing


def match_objects(
    table: pd.DataFrame,
    ids: npt.ArrayLike,
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    *,
    radius_arcsec: float = 1.0,
) -> Match:
    """Find the object of a data set that each row of a table means: by id first, then by position.

    An id counts unless the two positions are known and lie more than a minute of arc (or ten
    radii) apart: running numbers of two catalogues agree without meaning anything. A position
    counts within the radius, the nearest object first. Where a second object is at comparable
    distance (within the radius and less than twice as far plus a tenth of the radius), or another
    row of the table claims the same object as well as this one does, the row is ambiguous.

    Args:
        table: columns `id`, and `ra`, `dec` (degrees, NaN if unknown); M rows.
        ids: (N,) text.
        ra, dec: (N,) degrees, NaN if unknown.
        radius_arcsec: for positions.

    Raises:
        InputError: a radius that is not above 0, or that is more than a degree.
    """
    if not 0 < radius_arcsec <= 3600:
        raise InputError(f"radius {radius_arcsec} arcsec: must be above 0 and at most 3600")
    there = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    here = (
        table["ra"].to_numpy(np.float64) if "ra" in table else np.full(len(table), np.nan),
        table["dec"].to_numpy(np.float64) if "dec" in table else np.full(len(table), np.nan),
    )
    known_ids = _as_text(ids)
    rows, repeated, far = _by_id(_as_text(table["id"]), known_ids, here, there, radius_arcsec)
    by = np.where(rows >= 0, "id", "").astype("U8")
    left = np.flatnonzero((rows < 0) & np.isfinite(here[0]) & np.isfinite(here[1]))
    nearest, crowded = _by_position(here[0][left], here[1][left], *there, radius_arcsec)
    rows[left] = nearest
    by[left[nearest >= 0]] = "position"
    ambiguous = repeated.copy()
    ambiguous[left] |= crowded
    distance = np.full(len(table), np.nan)
    hit = rows >= 0
    distance[hit] = separation_arcsec(
        here[0][hit], here[1][hit], there[0][rows[hit]], there[1][rows[hit]]
    )
    shared = _claimed_twice(rows, by, distance, radius_arcsec) & ~ambiguous
    ambiguous |= shared
    match = Match(rows, by, ambiguous, shared, distance, [])
    match.report.extend(_report(match, table, far, radius_arcsec))
    lost = (rows < 0) & np.isfinite(here[0]) & np.isfinite(here[1])
    match.report.extend(find_mismatch(here[0][lost], here[1][lost], *there, radius_arcsec))
    return match


def _as_text(ids: npt.ArrayLike) -> npt.NDArray[np.object_]:
    values = np.asarray(ids, dtype=object)
    return np.array([v.decode() if isinstance(v, bytes) else str(v) for v in values], dtype=object)


def _by_id(
    wanted: npt.NDArray[np.object_],
    ids: npt.NDArray[np.object_],
    here: tuple[_Degrees, _Degrees],
    there: tuple[_Degrees, _Degrees],
    radius: float,
) -> tuple[_Rows, _Flags, int]:
    """Give rows (M,), where an id is there more than once, and how many were too far apart."""
    series = pd.Series(ids, dtype=object)
    first = ~series.duplicated().to_numpy()
    where = np.flatnonzero(first)
    found = (
        pd.Index(ids[first]).get_indexer(pd.Index(wanted))
        if where.size
        else -np.ones(len(wanted), dtype=np.int64)
    )
    rows = np.where(found >= 0, where[found] if where.size else -1, -1).astype(np.int64)
    again = set(series[series.duplicated()])
    repeated = np.array([name in again for name in wanted], dtype=bool) & (rows >= 0)
    distance = np.full(len(wanted), np.nan)
    hit = rows >= 0
    distance[hit] = separation_arcsec(
        here[0][hit], here[1][hit], there[0][rows[hit]], there[1][rows[hit]]
    )
    # of several objects with this id the position chooses, below
    placed = np.isfinite(distance)
    far = placed & ~repeated & (distance > max(FAR_ARCSEC, 10 * radius))
    rows[far | (repeated & placed)] = -1
    return rows, repeated & ~placed, int(far.sum())


def _by_position(
    ra: _Degrees, dec: _Degrees, to_ra: _Degrees, to_dec: _Degrees, radius: float
) -> tuple[_Rows, _Flags]:
    """Give the nearest row within the radius (m,), -1 if none, and where a second is as near."""
    from scipy.spatial import cKDTree

    rows, crowded = np.full(len(ra), -1, dtype=np.int64), np.zeros(len(ra), dtype=bool)
    known = np.flatnonzero(np.isfinite(to_ra) & np.isfinite(to_dec))
    if not known.size or not len(ra):
        return rows, crowded
    tree = cKDTree(unit_vectors(to_ra[known], to_dec[known]))
    # a hair more, so that rounding loses nothing at the edge; the distance itself is checked
    chord = 2 * np.sin(np.radians(radius / 3600) / 2) * (1 + 1e-6) + 1e-15
    _, near = tree.query(unit_vectors(ra, dec), k=2, distance_upper_bound=chord)
    there = near < known.size
    index = known[np.where(there, near, 0)]
    distance = separation_arcsec(ra[:, None], dec[:, None], to_ra[index], to_dec[index])
    distance[~there | (distance > radius * (1 + 1e-6))] = np.inf
    rows = np.where(np.isfinite(distance[:, 0]), index[:, 0], -1)
    crowded = np.isfinite(distance[:, 1]) & _comparable(distance[:, 0], distance[:, 1], radius)
    return rows, crowded


def _comparable(
    near: npt.NDArray[np.float64], other: npt.NDArray[np.float64], radius: float
) -> _Flags:
    """Say where the farther of two is less than twice as far, plus a tenth of the radius."""
    reach = np.where(np.isfinite(near), 2 * near, np.inf) + 0.1 * radius
    return np.asarray(other < reach)


def _claimed_twice(
    rows: _Rows, by: npt.NDArray[np.str_], distance: _Degrees, radius: float
) -> _Flags:
    """Flag the rows (M,) whose object is claimed by another row as well or better.

    An id is a better claim than a position, and a position much nearer than the other a better one.
    """
    hit = np.flatnonzero(rows >= 0)
    shared = np.zeros(len(rows), dtype=bool)
    claims = pd.DataFrame({"row": rows[hit], "by_id": by[hit] == "id", "far": distance[hit]})
    claims = claims[claims["row"].duplicated(keep=False)]
    if not len(claims):
        return shared
    cost = np.where(claims["by_id"], 0.0, claims["far"].fillna(np.inf) + 1e-9)
    groups = pd.Series(cost, index=claims.index).groupby(claims["row"])
    rank = groups.rank(method="first").to_numpy()
    ordered = groups.transform(lambda costs: np.partition(costs.to_numpy(), 1)[1]).to_numpy()
    best_is_clear = np.where(claims["by_id"], ordered > 0, ~_comparable(cost, ordered, radius))
    shared[hit[claims.index.to_numpy()]] = (rank > 1) | ~best_is_clear
    return shared


def _report(match: Match, table: pd.DataFrame, far: int, radius: float) -> list[str]:
    total, by = len(table), match.by
    unmatched = match.rows < 0
    lines = [
        f"{int((~unmatched).sum())} of {total} rows matched: {int((by == 'id').sum())} by id, "
        f"{int((by == 'position').sum())} by position within {radius:g} arcsec"
    ]
    distance = match.separation_arcsec[np.isfinite(match.separation_arcsec)]
    if distance.size:
        lines.append(
            f"separation: median {np.median(distance):.2f}, largest {distance.max():.2f} arcsec"
        )
    if match.ambiguous.any():
        lines.append(
            f"{int(match.ambiguous.sum())} ambiguous (two objects as near, or two rows for one "
            f"object): {_some(table, match.ambiguous)}"
        )
    if unmatched.any():
        lines.append(f"{int(unmatched.sum())} unmatched: {_some(table, unmatched)}")
    if far:
        limit = max(FAR_ARCSEC, 10 * radius)
        lines.append(
            f"{far} ids agree although the positions lie over {limit:g} arcsec apart: numbers of "
            "another catalogue? Those rows were looked for by position instead"
        )
    return lines


def _some(table: pd.DataFrame, chosen: _Flags) -> str:
    names = [str(name)[:60] for name in table["id"].to_numpy()[np.flatnonzero(chosen)[:5]]]
    return ", ".join(names) + (", ..." if chosen.sum() > 5 else "")
