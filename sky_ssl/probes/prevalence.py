"""How frequent positives are in a sky: given by the user, or estimated from an audit.

In: a share, or counts of a random sample that somebody looked at. Out: a `Prevalence`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.bootstrap import Interval

_TINY = 1e-12


@dataclass(frozen=True)
class Prevalence:
    """The share of positives in a sky, as given, or from an audit of a random sample."""

    value: float
    hits: int | None = None  # positives in the audited sample
    of: int | None = None  # its size

    def __post_init__(self) -> None:
        if not 0 < self.value < 1:
            raise InputError(f"prevalence {self.value}: must be above 0 and below 1")

    @property
    def interval(self) -> Interval:
        """Mean and 95 % interval; no width where the prevalence was given."""
        if self.of is None or self.hits is None:
            return Interval(self.value, self.value, self.value)
        from scipy.stats import beta

        low, high = beta.ppf([0.025, 0.975], self.hits + 0.5, self.of - self.hits + 0.5)
        low, high = (0.0 if self.hits == 0 else low), (1.0 if self.hits == self.of else high)
        return Interval(self.value, float(low), float(high))

    def draw(self, count: int, rng: np.random.Generator) -> npt.NDArray[np.float64]:
        """Draw (count,) prevalences that the audit allows."""
        if self.of is None or self.hits is None:
            return np.full(count, self.value)
        drawn = rng.beta(self.hits + 0.5, self.of - self.hits + 0.5, count)
        return np.clip(drawn, _TINY, 1 - _TINY)


def audited(hits: int, of: int) -> Prevalence:
    """Estimate a prevalence from an audit: `hits` positives among `of` random objects.

    The value is the mean under Jeffreys' prior, (hits + 1/2) / (of + 1), so that none found is
    not taken for none there (Brown, Cai & DasGupta 2001, Statist. Sci. 16, 101).

    Raises:
        InputError: unless 0 <= hits <= of and of > 0.
    """
    if of < 1 or not 0 <= hits <= of:
        raise InputError(f"audit {hits}/{of}: give positives / objects looked at, such as 3/500")
    return Prevalence((hits + 0.5) / (of + 1), hits, of)


def parse_prevalence(text: str) -> Prevalence | None:
    """Read a share of true ones, such as 0.001 or 0.1%, or an audit, such as 3/500; None if empty.

    Raises:
        InputError: neither, or out of range.
    """
    text = text.strip()
    if not text:
        return None
    try:
        if "/" in text:
            hits, of = text.split("/")
            return audited(int(hits), int(of))
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except InputError:
        raise
    except ValueError:
        raise InputError(
            f"prevalence {text!r}: give a share such as 0.001 or 0.1%, or an audit such as 3/500"
        ) from None
    return Prevalence(share)


def logit(p: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Give log(p / (1 - p)), finite also at 0 and 1."""
    p = np.clip(np.asarray(p, dtype=np.float64), _TINY, 1 - _TINY)
    return np.asarray(np.log(p) - np.log1p(-p))
