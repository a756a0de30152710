"""The columns of a candidate list: units, UCDs and descriptions, and positions as text.

UCDs are of the IVOA's vocabulary UCD1+ 1.5, units as the VOUnits standard writes them.
"""

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class About(NamedTuple):
    """What a column holds."""

    unit: str  # empty for none
    ucd: str
    description: str


_COLUMNS = {
    "id": About("", "meta.id;meta.main", "Identifier of the object"),
    "ra": About("deg", "pos.eq.ra;meta.main", "Right ascension, ICRS"),
    "dec": About("deg", "pos.eq.dec;meta.main", "Declination, ICRS"),
    "ra_hms": About("", "pos.eq.ra", "Right ascension, ICRS, hours:minutes:seconds"),
    "dec_dms": About("", "pos.eq.dec", "Declination, ICRS, degrees:minutes:seconds"),
    "rank": About("", "stat.rank", "Place in the list, 1 = highest score"),
    "score": About("", "stat.likelihood", "Score by the selection rule, larger = more like it"),
    "probability": About("", "stat.probability", "Calibrated probability at the prevalence given"),
    "beyond": About(
        "",
        "meta.code.qual",
        "Score above that of every true object held out: as likely an oddity as a sure case",
    ),
    "half_light_radius": About("arcsec", "phys.angSize", "Half-light radius"),
    "mean_surface_brightness": About(
        "mag/arcsec2", "phot.mag.sb", "Mean surface brightness within the half-light radius, AB"
    ),
    "nearest_known": About("", "meta.id.cross", "Nearest known object within the search radius"),
    "nearest_separation": About(
        "arcsec", "pos.angDistance", "Distance of the nearest known object"
    ),
    "nearest_catalogue": About("", "meta.bib", "Catalogue of the nearest known object"),
    "twins": About("", "meta.number", "Further rows of the data within the merging radius"),
    "label": About("", "src.class", "Label that is known already"),
    "tile": About("", "meta.id.parent", "Tile of the survey"),
    "cluster": About("", "meta.id.parent", "Number of the cluster, 0 = largest, -1 = none"),
    "cluster_name": About("", "meta.title", "Name given to the cluster"),
    "membership": About("", "stat.probability", "Strength of belonging to the cluster, 0 to 1"),
    "anomaly": About("", "stat.rank", "How odd the object is, 0 to 1: rank among all objects"),
    "isolation": About("", "stat.likelihood", "Isolation forest, 0.5 = average, 1 = set apart"),
    "neighbour_distance": About(
        "", "stat.param", "Distance to the k-th nearest object along the principal axes"
    ),
    "reconstruction_error": About(
        "", "stat.error", "Mean |model - sky| over hidden pixels, in units of the sky noise"
    ),
    "unlike_artefacts": About("", "stat.value", "0 = as a labelled artefact, 1 = unlike all"),
    "link_legacy": About("", "meta.ref.url", "Position in the Legacy Surveys viewer"),
    "link_aladin": About("", "meta.ref.url", "Position in Aladin Lite"),
    "link_esasky": About("", "meta.ref.url", "Position in ESASky"),
}
# the optical bands of the vocabulary are those of Johnson: the nearest is named
_BANDS = {"u": "U", "g": "B", "r": "R", "i": "I", "z": "I", "v": "V", "b": "B"}
_BANDS |= {"j": "em.IR.J", "h": "em.IR.H", "k": "em.IR.K", "ks": "em.IR.K", "y": "em.IR.J"}
_MAGNITUDE = re.compile(r"mag_([A-Za-z0-9]+)$")
_FLAG = re.compile(r"flags?(_\w+)?$")


def about(name: str) -> About:
    """Describe a column by its name."""
    if name in _COLUMNS:
        return _COLUMNS[name]
    magnitude = _MAGNITUDE.match(name)
    if magnitude:
        word = _BANDS.get(magnitude[1].lower(), "em.opt")
        word = word if word.startswith("em.") else f"em.opt.{word}"
        return About("mag", f"phot.mag;{word}", f"Magnitude in band {magnitude[1]}, AB")
    if _FLAG.match(name):
        return About("", "meta.code.qual", "Flags of the measurement")
    return About("", "", "")


def measured_columns(names: list[str]) -> list[str]:
    """Choose, among the columns of a table, those that belong into a list: fluxes, sizes, flags."""
    magnitudes = [n for n in names if _MAGNITUDE.match(n)]
    sizes = [n for n in ("half_light_radius", "mean_surface_brightness") if n in names]
    return [*magnitudes, *sizes, *(n for n in names if _FLAG.match(n))]


def as_hms(ra: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """Write right ascensions (N,) as 12:34:56.789; empty where unknown."""
    good = np.isfinite(ra)
    units = np.round(np.where(good, ra, 0.0) % 360.0 * 240_000).astype(np.int64) % 86_400_000
    text = [
        f"{t // 3_600_000:02d}:{t // 60_000 % 60:02d}:{t // 1000 % 60:02d}.{t % 1000:03d}"
        for t in units.tolist()
    ]
    return np.where(good, np.array(text, dtype=str), "")


def as_dms(dec: npt.NDArray[np.float64]) -> npt.NDArray[np.str_]:
    """Write declinations (N,) as -00:30:12.34; empty where unknown."""
    good = np.isfinite(dec)
    units = np.round(np.abs(np.where(good, dec, 0.0)) * 360_000).astype(np.int64)
    text = [
        f"{'-' if south else '+'}{t // 360_000:02d}:{t // 6000 % 60:02d}"
        f":{t // 100 % 60:02d}.{t % 100:02d}"
        for t, south in zip(units.tolist(), (dec < 0).tolist(), strict=True)
    ]
    return np.where(good, np.array(text, dtype=str), "")
