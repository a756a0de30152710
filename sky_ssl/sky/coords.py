"""Positions on the sky: from text, as names, distances between them, blocks of sky.

In: text as people write it, or arrays of degrees (ICRS, float64). Out: float64 degrees, names in
IAU style, arcseconds, numbers of blocks that depend on the position alone.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError

Degrees = npt.NDArray[np.float64]

_FORMS = '"12:34:56.7 -00:30:12", "188.736 -0.503" or "galactic 291.6 62.2"'
_NUMBER = r"\d+(?:\.\d*)?|\.\d+"
_SEXAGESIMAL = re.compile(
    rf"\s*(?P<sign>[+-]?)\s*(?P<a>\d+)(?:[hd:°]|\s+)\s*(?P<b>{_NUMBER})"
    rf"(?:(?:[m:'′]|\s+)\s*(?P<c>{_NUMBER})?\s*[s\"″]?)?\s*$"
)
_IAU = re.compile(
    r"(?:^|\s)J?(\d{2})(\d{2})(\d{2}(?:\.\d+)?)([+-])(\d{2})(\d{2})(\d{2}(?:\.\d+)?)$"
)
_FRAMES = {"icrs": "icrs", "j2000": "icrs", "fk5": "fk5", "fk4": "fk4", "b1950": "fk4"}
_FRAMES |= {"galactic": "galactic", "gal": "galactic"}


def parse_coordinate(text: str) -> tuple[float, float]:
    """Read one position: degrees, sexagesimal hours and degrees, an IAU name, other frames.

    Sexagesimal right ascension is in hours unless it says degrees (`d`); plain numbers are
    degrees. A word `galactic`, `fk4` or `fk5` names another frame than ICRS.

    Returns:
        RA in [0, 360) and Dec, degrees ICRS.

    Raises:
        InputError: the text is no position on the sky.
    """
    from astropy.coordinates import SkyCoord

    cleaned = text.strip().replace("\u2212", "-").replace("\u2013", "-")
    frame, rest = _split_frame(cleaned)
    name = _IAU.search(rest)
    if name and (rest[name.start() :].strip().startswith("J") or name.start() == 0):
        h, m, s, sign, d, dm, ds = name.groups()
        rest = f"{h}:{m}:{s} {sign}{d}:{dm}:{ds}"
    try:
        first, second = _halves(rest)
        lon = float(parse_angles([first], hours=frame != "galactic")[0])
        lat = float(parse_angles([second], hours=False)[0])
        if not (-180 <= lon <= 360 and -90 <= lat <= 90):
            raise ValueError("right ascension is -180 to 360, declination -90 to 90 degrees")
        if frame == "icrs":
            return lon % 360.0, lat
        sky = SkyCoord(lon, lat, unit="deg", frame=frame).icrs
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{text!r} is no position ({reason}); write it like {_FORMS}") from None
    return float(sky.ra.deg), float(sky.dec.deg)


def parse_angles(texts: Sequence[str] | npt.NDArray, *, hours: bool) -> Degrees:
    """Read angles from text (N,), each plain degrees or sexagesimal; (N,) degrees.

    Args:
        texts: empty text gives NaN.
        hours: sexagesimal ones are in hours unless they say degrees.

    Raises:
        ValueError: one of them is no angle.
    """
    from astropy.coordinates import Angle

    result = np.full(len(texts), np.nan)
    for row, given in enumerate(texts):
        text = str(given).strip().replace("\u2212", "-")
        match = _SEXAGESIMAL.match(text)
        if match:
            minutes, seconds = float(match["b"]), float(match["c"] or 0)
            if minutes >= 60 or seconds > 60:
                raise ValueError(f"{text!r} has more than 60 minutes or seconds")
            in_hours = "h" in text or (hours and not re.search("[d°]", text))
            if in_hours and int(match["a"]) > 24:
                raise ValueError(f"{text!r} has more than 24 hours")
            # the sign is a text of its own: -00:30 is half a degree south
            size = (int(match["a"]) + minutes / 60 + seconds / 3600) * (15 if in_hours else 1)
            result[row] = -size if match["sign"] == "-" else size
        elif text.lower() not in ("", "nan", "none", "null", "--"):
            try:
                result[row] = float(text)
            except ValueError:
                result[row] = Angle(text, unit="deg").deg
    return result


def _split_frame(text: str) -> tuple[str, str]:
    """Take the name of a frame, and labels like `ra =`, out of a text."""
    frame = "icrs"
    for word in re.findall(r"[A-Za-z]+\d*", text):
        if word.lower() in _FRAMES:
            frame = _FRAMES[word.lower()]
            text = text.replace(word, " ")
    text = re.sub(r"(?i)\b(ra|dec|de|l|b|alpha|delta)\s*[=:]\s*", " ", text)
    return frame, text.strip(" ()[];,")


def _halves(text: str) -> tuple[str, str]:
    """Split a text into its two angles."""
    pieces = [p for p in re.split(r"[,;]", text) if p.strip()]
    if len(pieces) == 2:
        return pieces[0], pieces[1]
    # a sign that is neither the first character nor part of an exponent starts the declination
    signs = [m.start() for m in re.finditer(r"(?<![eE])[+-]", text) if m.start() > 0]
    if signs:
        return text[: signs[-1]], text[signs[-1] :]
    words = text.split()
    if len(words) % 2 == 0 and words:
        middle = len(words) // 2
        return " ".join(words[:middle]), " ".join(words[middle:])
    raise ValueError("two angles are needed")


def iau_name(prefix: str, ra: npt.ArrayLike, dec: npt.ArrayLike) -> npt.NDArray[np.str_]:
    """Name positions in IAU style, `PREFIX J123456.78+123456.7`, digits cut off, not rounded.

    Args:
        prefix: of the survey; empty for none.
        ra, dec: (N,) degrees.

    Returns:
        (N,) names; empty text where a coordinate is not finite.
    """
    ra, dec = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    good = np.isfinite(ra) & np.isfinite(dec)
    # in units of the last digit; 1e-4 of it undoes the rounding of decimal degrees
    time = np.floor(np.where(good, ra % 360.0, 0.0) * 24000 + 1e-4).astype(np.int64) % 8_640_000
    arc = np.floor(np.where(good, np.abs(dec), 0.0) * 36000 + 1e-4).astype(np.int64)
    start = f"{prefix} J" if prefix else "J"
    names = [
        f"{start}{t // 360_000:02d}{t // 6000 % 60:02d}{t // 100 % 60:02d}.{t % 100:02d}"
        f"{'-' if south else '+'}{a // 36_000:02d}{a // 600 % 60:02d}{a // 10 % 60:02d}.{a % 10}"
        for t, a, south in zip(time.tolist(), arc.tolist(), (dec < 0).tolist(), strict=True)
    ]
    return np.where(good, np.array(names, dtype=str), "")


def separation_arcsec(
    ra1: npt.ArrayLike, dec1: npt.ArrayLike, ra2: npt.ArrayLike, dec2: npt.ArrayLike
) -> Degrees:
    """Measure the angular distance (haversine, exact at any distance), arcsec; they broadcast."""
    a1, d1, a2, d2 = (np.radians(np.asarray(v, dtype=np.float64)) for v in (ra1, dec1, ra2, dec2))
    h = np.sin((d2 - d1) / 2) ** 2 + np.cos(d1) * np.cos(d2) * np.sin((a2 - a1) / 2) ** 2
    return np.asarray(np.degrees(2 * np.arcsin(np.sqrt(np.clip(h, 0, 1)))) * 3600)


def unit_vectors(ra: npt.ArrayLike, dec: npt.ArrayLike) -> Degrees:
    """Give positions as vectors (N, 3) of length 1, for searches by distance."""
    a, d = np.radians(np.asarray(ra, np.float64)), np.radians(np.asarray(dec, np.float64))
    return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=-1)


def first_of_each(
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    arcsec: float,
    order: npt.NDArray[np.integer],
    groups: npt.NDArray | None = None,
) -> npt.NDArray[np.bool_]:
    """Choose objects so that none lies within a distance of one chosen before.

    Args:
        ra, dec: (N,) degrees; objects without a position are all kept.
        arcsec: the distance; 0 keeps all.
        order: (N,) row numbers, the best object first.
        groups: (N,) if given, objects of one group do not exclude each other.

    Returns:
        (N,) True = kept.
    """
    from scipy.spatial import cKDTree

    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    keep = np.ones(ra.size, dtype=bool)
    known = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if arcsec <= 0 or known.size < 2:
        return keep
    chord = 2 * np.sin(np.radians(arcsec / 3600) / 2)
    tree = cKDTree(unit_vectors(ra[known], dec[known]))
    rank = np.empty(ra.size, dtype=np.int64)
    rank[order] = np.arange(ra.size)
    # only objects with others near them can lose: as a rule few, so that a loop will do; pairs of
    # them would be as many as the square where thousands lie on one place
    near = tree.query_ball_point(tree.data, chord, return_length=True) > 1
    crowded = np.flatnonzero(near)
    for place in crowded[np.argsort(rank[known[crowded]])]:
        row = known[place]
        if not keep[row]:  # an object that was dropped itself drops no other
            continue
        others = known[tree.query_ball_point(tree.data[place], chord)]
        others = others[rank[others] > rank[row]]
        if groups is not None:
            others = others[groups[others] != groups[row]]
        keep[others] = False
    return keep


def sky_blocks(ra: npt.ArrayLike, dec: npt.ArrayLike, degrees: float) -> npt.NDArray[np.int64]:
    """Number the block of sky of each position; blocks are at least so wide and high everywhere.

    The sky is cut into rings of equal height and each ring into equal pieces, as many as leave its
    shorter edge long enough; a cap around a pole is one block. The number depends on the position
    alone.

    Args:
        ra, dec: (N,) degrees.
        degrees: size, above 0 and at most 90.

    Returns:
        (N,) numbers; -1 where there is no position.
    """
    ra, dec = np.asarray(ra, np.float64), np.asarray(dec, np.float64)
    good = np.isfinite(ra) & np.isfinite(dec)
    ring = ring_of(np.where(good, dec, 0.0), degrees)
    column = np.floor(np.where(good, ra, 0.0) % 360.0 / 360.0 * columns_of(ring, degrees))
    # rounding may bring 359.999... to the end of the last piece
    column = np.minimum(column.astype(np.int64), columns_of(ring, degrees) - 1)
    return np.where(good, block_number(ring, column), -1)


def ring_of(dec: npt.ArrayLike, degrees: float) -> npt.NDArray[np.int64]:
    """Number the ring of a declination, from the south pole."""
    if not 0 < degrees <= 90:
        raise InputError(f"blocks of {degrees} degrees: must be above 0 and at most 90")
    count = int(180.0 / degrees + 1e-9)
    ring = np.floor((np.asarray(dec, np.float64) + 90.0) / 180.0 * count).astype(np.int64)
    return np.clip(ring, 0, count - 1)


def columns_of(ring: npt.ArrayLike, degrees: float) -> npt.NDArray[np.int64]:
    """Count the blocks of each ring."""
    height = 180.0 / int(180.0 / degrees + 1e-9)
    edges = np.abs(np.stack([np.asarray(ring), np.asarray(ring) + 1]) * height - 90.0).max(axis=0)
    count = np.floor(360.0 * np.cos(np.radians(np.minimum(edges, 90.0))) / degrees + 1e-9)
    return np.maximum(count.astype(np.int64), 1)


def block_number(ring: npt.NDArray[np.int64], column: npt.NDArray[np.int64]) -> npt.NDArray:
    """Join ring and column into one number."""
    return ring * (1 << 24) + column
