"""What lies at the centre of a mock cutout: twelve populations and how often each occurs.

Dwarfs and the spirals of low surface brightness draw size, surface brightness and axis ratio from
ONE function, so that only structure and a little colour tell them apart.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from sky_ssl.sky.mock.conditions import Preset
from sky_ssl.sky.mock.distributions import Truth
from sky_ssl.sky.mock.foreground import blank, cirrus, halo, qso, star
from sky_ssl.sky.mock.galaxies import dwarf, elliptical, group, irregular, lsb_spiral, spiral
from sky_ssl.sky.mock.scene import Scene

PRIOR: Mapping[str, float] = MappingProxyType(
    {
        "star": 0.22,
        "qso": 0.05,
        "elliptical": 0.16,
        "spiral": 0.28,
        "irregular": 0.08,
        "dwarf": 0.02,
        "cirrus": 0.02,
        "halo": 0.02,
        "lsb_spiral": 0.06,
        "group": 0.02,
        "artefact": 0.03,
        "blank": 0.04,
    }
)
LOOK_ALIKES = ("cirrus", "halo", "lsb_spiral", "group")


def under_artefact(scene: Scene, rng: np.random.Generator, preset: Preset) -> Truth:
    """Draw what an artefact falls on: a star or a galaxy as often as empty sky."""
    (blank, star, spiral)[rng.choice(3, p=[0.5, 0.25, 0.25])](scene, rng, preset)
    return Truth()


DRAW: Mapping[str, Callable[[Scene, np.random.Generator, Preset], Truth]] = MappingProxyType(
    {
        "star": star,
        "qso": qso,
        "elliptical": elliptical,
        "spiral": spiral,
        "irregular": irregular,
        "dwarf": dwarf,
        "cirrus": cirrus,
        "halo": halo,
        "lsb_spiral": lsb_spiral,
        "group": group,
        "artefact": under_artefact,
        "blank": blank,
    }
)
