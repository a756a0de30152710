"""Links to pictures of a place on the sky: Legacy Surveys viewer, Aladin Lite, ESASky.

In: degrees. Out: addresses that show the object at a sensible size; nothing is fetched.
"""

import math
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt

SITES = ("legacy", "aladin", "esasky")
_LEGACY = "https://www.legacysurvey.org/viewer"
_ALADIN = "https://aladin.cds.unistra.fr/AladinLite/"
_ESASKY = "https://sky.esa.int/esasky/"
_VIEW = 4.0  # fields of a cutout across the view
_SCREEN = 800  # pixels of a view


def sky_links(
    ra: npt.NDArray[np.float64], dec: npt.NDArray[np.float64], fov_arcsec: float = 60.0
) -> dict[str, list[str]]:
    """Give links for positions (N,), degrees; empty text where a position is unknown.

    Args:
        fov_arcsec: width of a cutout; the view is four times as wide.

    Returns:
        For each of `SITES`, N addresses.
    """
    links: dict[str, list[str]] = {site: [] for site in SITES}
    for a, d in zip(ra.tolist(), dec.tolist(), strict=True):
        known = math.isfinite(a) and math.isfinite(d)
        found = _of_one(a % 360.0, d, fov_arcsec) if known else dict.fromkeys(SITES, "")
        for site in SITES:
            links[site].append(found[site])
    return links


def _of_one(ra: float, dec: float, fov: float) -> dict[str, str]:
    place, width = f"{ra:.6f} {dec:+.6f}", f"{max(fov * _VIEW, 20.0) / 3600:.4f}"
    north = dec > -30
    survey = "CDS/P/PanSTARRS/DR1/color-z-zg-g" if north else "CDS/P/DSS2/color"
    legacy = {
        "ra": f"{ra:.6f}",
        "dec": f"{dec:.6f}",
        "layer": "ls-dr10",
        "zoom": _zoom(dec, fov),
        "mark": f"{ra:.6f},{dec:.6f}",
    }
    aladin = {"target": place, "fov": width, "survey": survey}
    esasky = {"target": place, "fov": width, "cooframe": "J2000", "sci": "false", "lang": "en"}
    return {
        "legacy": f"{_LEGACY}?{urlencode(legacy)}",
        "aladin": f"{_ALADIN}?{urlencode(aladin)}",
        "esasky": f"{_ESASKY}?{urlencode(esasky)}",
    }


def _zoom(dec: float, fov: float) -> int:
    """Choose the viewer's zoom: 360 degrees over 256 x 2^zoom pixels, in Mercator's projection."""
    wanted = max(fov * _VIEW, 20.0) / _SCREEN  # arcsec per pixel
    scale = 360 * 3600 / 256 * max(math.cos(math.radians(dec)), 0.01)
    return int(np.clip(round(math.log2(scale / wanted)), 4, 16))
