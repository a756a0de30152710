"""Magnitudes of stars, galaxies and quasars in the bands of the mock survey.

Simple spectra, given as magnitudes at a few wavelengths, are shifted by the redshift and averaged
over each band; nothing here is meant to be a stellar population model. Colours at redshift zero
are those of SDSS galaxies (Fukugita et al. 1995, PASP 107, 945, table 3).
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CENTRES = np.array([372.0, 480.0, 640.0, 775.0, 890.0])  # nm, of u g r i z
_WITHIN = np.linspace(-0.09, 0.09, 7)  # of the central wavelength: samples of a band

_NM = [90, 115, 125, 150, 200, 250, 300, 355, 385, 410, 430, 475, 550, 620, 700, 760, 900, 1200]
_EARLY = [9, 7, 5.6, 5.2, 5, 4.5, 3.3, 2.55, 2.2, 1.3, 1.1, 0.77, 0.3, 0, -0.25, -0.4, -0.7, -1]
_SPIRAL = [6, 3.6, 2.9, 2.7, 2.5, 2.4, 2.1, 1.8, 1.55, 0.95, 0.82, 0.55, 0.2, 0, -0.19, -0.3]
_SPIRAL += [-0.5, -0.75]
_YOUNG = [5, 1.9, 1.5, 1.4, 1.35, 1.3, 1.25, 1.1, 0.9, 0.48, 0.4, 0.25, 0.08, 0, -0.06, -0.1]
_YOUNG += [-0.16, -0.2]
_TEMPLATES = np.array([_EARLY, _SPIRAL, _YOUNG])  # AB magnitudes relative to 620 nm

_LINES = np.array([[121.6, 1.3, 4.0], [154.9, 0.5, 3.5], [190.9, 0.3, 5.0], [279.8, 0.35, 4.5]])
_LINES = np.vstack([_LINES, [[486.1, 0.3, 6.0], [656.3, 0.9, 7.0]]])  # nm, strength, width in nm


def galaxy_magnitudes(kind: float, redshift: float, mag_r: float) -> Floats:
    """Give magnitudes (C,) of a galaxy.

    Args:
        kind: 0 early, 1 spiral, 2 young; between them the magnitudes are interpolated.
        redshift: of the galaxy.
        mag_r: AB, in r.
    """
    kind = float(np.clip(kind, 0.0, 2.0))
    low = min(int(kind), 1)
    spectrum = _TEMPLATES[low] + (kind - low) * (_TEMPLATES[low + 1] - _TEMPLATES[low])
    rest = CENTRES[:, None] * (1 + _WITHIN) / (1 + redshift)
    return _through_bands(np.interp(rest, _NM, spectrum), mag_r)


def quasar_magnitudes(redshift: float, slope: float, mag_r: float) -> Floats:
    """Give magnitudes (C,) of a quasar: a power law, broad lines, and absorption before Ly alpha.

    Args:
        redshift: of the quasar.
        slope: of f_nu with frequency, about -0.5.
        mag_r: AB, in r.
    """
    rest = CENTRES[:, None] * (1 + _WITHIN) / (1 + redshift)
    flux = rest ** (-slope)
    for centre, strength, width in _LINES:
        flux = flux * (1 + strength * np.exp(-0.5 * ((rest - centre) / (2 * width)) ** 2))
    # mean transmission of the forest, falling with redshift (Madau 1995, ApJ 441, 18)
    forest = np.exp(-0.0036 * (CENTRES[:, None] * (1 + _WITHIN) / 121.6) ** 3.46)
    flux = np.where(rest < 121.6, flux * forest, flux)
    flux = np.where(rest < 91.2, flux * 1e-3, flux)
    return _through_bands(-2.5 * np.log10(np.maximum(flux, 1e-12)), mag_r)


def star_magnitudes(g_minus_i: float, mag_r: float) -> Floats:
    """Give magnitudes (C,) of a star on the stellar locus (Covey et al. 2007, AJ 134, 2398).

    Args:
        g_minus_i: between 0.1 (hot) and 3 (cool).
        mag_r: AB, in r.
    """
    colour = [0.0, 0.3, 0.8, 1.5, 2.0, 2.5, 3.2]
    u_g = np.interp(g_minus_i, colour, [0.9, 1.0, 1.4, 2.3, 2.55, 2.6, 2.7])
    g_r = np.interp(g_minus_i, colour, [0.0, 0.24, 0.60, 1.10, 1.35, 1.42, 1.5])
    i_z = np.interp(g_minus_i, colour, [-0.05, 0.02, 0.11, 0.22, 0.36, 0.6, 0.95])
    r = 0.0
    g = r + g_r
    i = g - g_minus_i
    return mag_r + np.array([g + u_g, g, r, i, i - i_z])


def _through_bands(magnitudes: Floats, mag_r: float) -> Floats:
    """Average (C, samples) magnitudes over each band and bring r to its value."""
    bands = -2.5 * np.log10(np.mean(10 ** (-0.4 * magnitudes), axis=1))
    result: Floats = bands - bands[2] + mag_r
    return result
