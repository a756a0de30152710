"""Which columns of a foreign table hold the position, the name and the size of its objects.

In: column names as surveys, VizieR, SExtractor, TOPCAT and people write them, with the units that
the file gives. Out: degrees, identifiers and arcseconds.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.sky.coords import parse_angles

_PAIRS = (
    ("ra", "dec"),
    ("ra", "de"),
    ("radeg", "decdeg"),
    ("radeg", "dedeg"),
    ("raicrs", "deicrs"),
    ("raicrs", "decicrs"),
    ("raj2000", "dej2000"),
    ("raj2000", "decj2000"),
    ("alphaj2000", "deltaj2000"),
    ("rightascension", "declination"),
    ("rightascensiondeg", "declinationdeg"),
    ("ramean", "decmean"),
    ("rastack", "decstack"),
    ("ra2000", "dec2000"),
    ("alphasky", "deltasky"),
    ("rahours", "decdeg"),
    ("rahours", "dec"),
)
_RA_WORDS = {"ra": ("dec", "de", "decl"), "alpha": ("delta",), "rightascension": ("declination",)}
# errors, proper motions and the like are named after the coordinate too
_OTHER_THINGS = re.compile(
    r"(?i)^(e|err|error|sigma|std|unc|ivar|var|rms|cov|corr|pm|offset|d|delta|n|flag|min|max)$"
)
_IDS = (
    *("id", "objectid", "objid", "sourceid", "designation", "iauname", "uniqueid", "key"),
    *("targetid", "coaddobjectid", "objname", "objectname", "name", "source", "number"),
)
_SIZES = ("re", "reff", "halflightradius", "rearcsec", "reffarcsec", "r50arcsec")
_ARCSEC = {"": 1.0, "arcsec": 1.0, "arcmin": 60.0, "deg": 3600.0, '"': 1.0, "'": 60.0}


def bare(name: object) -> str:
    """Strip a column name of case and of all but letters and digits."""
    return re.sub(r"[^a-z0-9]", "", str(name).lower())


def is_id(name: str) -> bool:
    """Say whether a column may hold identifiers, whose digits must not be changed."""
    return bare(name) in _IDS


def find_position(frame: pd.DataFrame) -> tuple[str, str] | None:
    """Find the columns of RA and Dec; of several pairs the first that holds numbers."""
    names = [str(name) for name in frame.columns]
    by_name: dict[str, list[str]] = {}
    # of names that differ in case alone the lower case comes first
    for name in sorted(names, key=lambda n: (n != n.lower(), names.index(n))):
        by_name.setdefault(bare(name), []).append(name)
    pairs = [(by_name[a][0], by_name[b][0]) for a, b in _PAIRS if a in by_name and b in by_name]
    pairs += _pairs_by_word(names)
    numeric = [p for p in pairs if all(_holds_numbers(frame[name]) for name in p)]
    return next(iter(numeric + pairs), None)


def _pairs_by_word(names: Sequence[str]) -> list[tuple[str, str]]:
    """Find pairs like `gaia_ra` and `gaia_dec`."""
    words = {tuple(re.findall(r"[a-z0-9]+", name.lower())): name for name in reversed(names)}
    found = []
    for key, name in reversed(words.items()):
        if any(_OTHER_THINGS.match(word) for word in key):
            continue
        for place, word in enumerate(key):
            for partner in _RA_WORDS.get(word, ()):
                other = (*key[:place], partner, *key[place + 1 :])
                if other in words:
                    found.append((name, words[other]))
    return found


def _holds_numbers(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype) and bool(column.notna().any())


def sexagesimal_parts(frame: pd.DataFrame) -> tuple[pd.Series, pd.Series] | None:
    """Join the columns RAh RAm RAs DE- DEd DEm DEs of printed catalogues into degrees."""
    needed = ("RAh", "RAm", "RAs", "DEd", "DEm", "DEs")
    sign = next((name for name in ("DE-", "DE_", "DEsign") if name in frame), None)
    if sign is None or not set(needed) <= set(frame.columns):
        return None
    h, m, s, d, dm, ds = (pd.to_numeric(frame[name], errors="coerce") for name in needed)
    south = frame[sign].astype(str).str.strip() == "-"
    size = d + dm / 60 + ds / 3600
    return 15 * (h + m / 60 + s / 3600), size.where(~south, -size)


def to_degrees(column: pd.Series, unit: str, *, right_ascension: bool) -> npt.NDArray[np.float64]:
    """Turn a column of angles (N,) into degrees; NaN where there is none.

    Raises:
        ValueError: text that is no angle.
    """
    parsed = pd.to_numeric(column, errors="coerce")
    numbers = parsed.to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        given = column.fillna("").astype(str).to_numpy()
        text = np.isnan(numbers) & (np.char.strip(given.astype(str)) != "")
        numbers[text] = parse_angles(given[text], hours=right_ascension)
        if text.any():
            return numbers
    in_hours = unit in ("h", "hr", "hour", "hourangle") or "hour" in str(column.name).lower()
    if unit in ("rad", "radian"):
        return np.degrees(numbers)
    return numbers * 15.0 if right_ascension and in_hours else numbers


def find_ids(frame: pd.DataFrame) -> str | None:
    """Find the column of identifiers."""
    by_name = {bare(name): str(name) for name in reversed(list(frame.columns))}
    return next((by_name[name] for name in _IDS if name in by_name), None)


def as_ids(column: pd.Series) -> npt.NDArray[np.object_]:
    """Write identifiers as text (N,); empty where there is none; 12.0 is 12."""
    whole = pd.api.types.is_float_dtype(column.dtype) and bool((column.dropna() % 1 == 0).all())
    return np.array(
        ["" if pd.isna(v) else str(int(v)) if whole else str(v).strip() for v in column],
        dtype=object,
    )


def find_size(frame: pd.DataFrame, units: Mapping[str, str]) -> tuple[str, float] | None:
    """Find a column of half-light radii under another name, with the factor to arcsec."""
    if "half_light_radius" in frame:
        return None
    by_name = {bare(name): str(name) for name in reversed(list(frame.columns))}
    for name in (by_name[size] for size in _SIZES if size in by_name):
        factor = _ARCSEC.get(units.get(name, ""))
        if factor is not None and pd.api.types.is_numeric_dtype(frame[name].dtype):
            return name, factor
    return None
