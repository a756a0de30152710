"""Tables of objects, in and out of files, with `id`, `ra` and `dec` under these names.

In: any CSV, ECSV, FITS, VOTable or Parquet table with positions. Out: a pandas DataFrame whose
first columns are `id` (text, unique), `ra` and `dec` (float64, degrees ICRS), then all others.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.sky.columns import (
    as_ids,
    find_ids,
    find_position,
    find_size,
    is_id,
    sexagesimal_parts,
    to_degrees,
)
from sky_ssl.sky.coords import iau_name
from sky_ssl.sky.tablefiles import plain_columns, read_table, write_table

__all__ = ["plain_columns", "read_catalogue", "write_catalogue"]


def read_catalogue(path: str | Path, *, prefix: str = "") -> pd.DataFrame:
    """Read a catalogue.

    RA and Dec are found under any usual name, in degrees, radians, hours or sexagesimal. Rows
    without a valid position are dropped, unless `tile`, `x` and `y` (pixels, 0-based) say where
    the object lies: then `ra` and `dec` are NaN. Ids that are missing are made from the position;
    ids that several objects share get the position added. A half-light radius [arcsec] under
    another name (`re`) is copied to `half_light_radius`. Unnamed columns are left out.

    Args:
        prefix: of the survey, for ids made from positions.

    Returns:
        The table; `attrs["dropped"]` counts the rows dropped, `attrs["notes"]` has a line for
        each thing that was assumed.

    Raises:
        InputError: no table, no rows, no columns with positions, or no valid position.
    """
    path = Path(path)
    frame, units = read_table(path, is_id)
    frame = frame.loc[:, [not _unnamed(name) for name in frame.columns]].reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    if not len(frame):
        raise InputError(f"{path}: a catalogue without rows (columns {_some(frame)})")
    notes: list[str] = []
    ra, dec, used = _position(frame, units, path)
    good = np.isfinite(ra) & np.isfinite(dec) & (ra >= -180) & (ra <= 360) & (np.abs(dec) <= 90)
    ra, dec = np.where(good, ra % 360.0, np.nan), np.where(good, dec, np.nan)
    keep = good | _has_pixel(frame)
    if not keep.any():
        raise InputError(
            f"{path}: none of {len(frame)} rows has a valid position in {' '.join(used)} "
            "(RA -180 to 360, Dec -90 to 90 degrees)"
        )
    dropped = int((~keep).sum())
    if dropped:
        first = int(np.flatnonzero(~keep)[0])
        notes.append(f"{dropped} rows without a valid position dropped, the first is row {first}")
    ids = _ids(frame, ra, dec, prefix, path, notes)
    size = find_size(frame, units)
    others = frame.drop(columns=list(used)).rename(columns=_keep_aside)
    if size is not None:
        others["half_light_radius"] = frame[size[0]].astype(np.float64) * size[1]
        notes.append(f"half_light_radius [arcsec] taken from column {size[0]}")
    if "id" in others:
        others = others.drop(columns="id")
    canonical = pd.DataFrame({"id": ids, "ra": ra, "dec": dec}, index=frame.index)
    result = pd.concat([canonical, others], axis=1)[keep].reset_index(drop=True)
    result.attrs = {"dropped": dropped, "notes": [f"{path}: {note}" for note in notes]}
    return result


def write_catalogue(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table as .csv, .ecsv, .fits, .vot (.votable, .xml) or .parquet (.pq).

    Raises:
        InputError: another ending.
    """
    units: Mapping[str, str] = {"ra": "deg", "dec": "deg", "half_light_radius": "arcsec"}
    write_table(frame, Path(path), units)


def _position(
    frame: pd.DataFrame, units: Mapping[str, str], path: Path
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], tuple[str, ...]]:
    """Read RA and Dec in degrees, and name the columns that they replace."""
    pair = find_position(frame)
    if pair is None:
        parts = sexagesimal_parts(frame)
        if parts is not None:
            return parts[0].to_numpy(np.float64), parts[1].to_numpy(np.float64), ()
        if _has_pixel(frame).any():
            unknown = np.full(len(frame), np.nan)
            return unknown, unknown, ()
        raise InputError(
            f"{path}: no columns with RA and Dec among {_some(frame)}; "
            "name them ra and dec (or tile, x and y for pixels of tiles)"
        )
    try:
        ra = to_degrees(frame[pair[0]], units.get(pair[0], ""), right_ascension=True)
        dec = to_degrees(frame[pair[1]], units.get(pair[1], ""), right_ascension=False)
    except ValueError as error:
        raise InputError(f"{path}: columns {' '.join(pair)}: {error}") from None
    return ra, dec, pair


def _has_pixel(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Say which rows (N,) name a tile and a pixel of it."""
    if not {"tile", "x", "y"} <= set(frame.columns):
        return np.zeros(len(frame), dtype=bool)
    pixels = [pd.to_numeric(frame[name], errors="coerce").notna() for name in ("x", "y")]
    return np.asarray(pixels[0] & pixels[1] & frame["tile"].notna())


def _ids(
    frame: pd.DataFrame,
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    prefix: str,
    path: Path,
    notes: list[str],
) -> npt.NDArray:
    """Take the ids of the table, fill in what is missing and tell apart what is shared."""
    column = find_ids(frame)
    ids = np.full(len(frame), "", dtype=object) if column is None else as_ids(frame[column])
    names = iau_name(prefix, ra, dec).astype(object)
    pixels = _has_pixel(frame) & (names == "")
    if pixels.any():
        names[pixels] = pixel_names(*(frame[c][pixels] for c in ("tile", "x", "y")))
    names = np.where(names == "", [f"{path.stem} {row}" for row in range(len(frame))], names)
    missing = ids == ""
    ids = np.where(missing, names, ids)
    if column is None:
        notes.append("no column with ids: made from the positions")
    elif missing.any():
        notes.append(f"{missing.sum()} empty ids in column {column}: made from the positions")
    shared = pd.Series(ids).duplicated(keep=False).to_numpy()
    if column is not None and (shared & ~missing).any():
        notes.append(f"{shared.sum()} rows share their id in column {column}: position added")
        ids = np.where(shared & ~missing, ids + " " + names, ids)
    return number_repeats(ids)


def pixel_names(tile: pd.Series, x: pd.Series, y: pd.Series) -> npt.NDArray:
    """Name objects (N,) by tile and pixel, `tile:x,y`, where there are no coordinates."""
    places = zip(tile, pd.to_numeric(x), pd.to_numeric(y), strict=True)
    return np.array([f"{name}:{px:.1f},{py:.1f}" for name, px, py in places], dtype=object)


def number_repeats(ids: npt.NDArray) -> npt.NDArray:
    """Make ids (N,) unique: the second of a kind gets " #2"."""
    series = pd.Series(ids, dtype=object)
    count = series.groupby(series).cumcount().to_numpy()
    numbered = [f"{name} #{n + 1}" if n else name for name, n in zip(ids, count, strict=True)]
    taken = len(set(numbered)) < len(numbered)
    return number_repeats(np.array(numbered, dtype=object)) if taken else np.array(numbered, object)


def _keep_aside(name: str) -> str:
    """Rename columns, not used as the position, that would stand in the way of ours."""
    return f"{name}_original" if name in ("ra", "dec") else name


def _unnamed(name: object) -> bool:
    return not str(name).strip() or bool(
        re.fullmatch(r"Unnamed: \d+|__index_level_\d+__", str(name))
    )


def _some(frame: pd.DataFrame) -> str:
    """List the first columns."""
    names = [str(name) for name in frame.columns]
    return " ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
