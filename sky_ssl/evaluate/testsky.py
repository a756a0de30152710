"""A mock sky to measure on: who is on it, which half is for training, and what is asked of it.

In: the truth columns of a mock survey that has more dwarfs, look-alikes and quasars than nature.
Out: the rows of each task, and features that need no network. Odd tiles are for training, even
ones for testing.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.evaluate.baselines import photometry, pixel_features, principal_components
from sky_ssl.sky.mock import LOOK_ALIKES, PRIOR

Features = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]
Columns = Mapping[str, npt.NDArray]

GALAXIES = ("elliptical", "spiral", "irregular", "lsb_spiral", "dwarf")
"""Classes of the mock survey that are one galaxy."""
SIMPLE = ("photometry", "PCA-64")
"""Features without a network."""
_SOFTENING = 2.0  # sigma; benchmarks/mock_difficulty.py finds others no better for the pixels


def enrichment(n: int) -> dict[str, int]:
    """Say how many more of the rare classes a sky of n objects gets, so that 1,000 labels exist."""
    rare = sum(PRIOR[name] for name in LOOK_ALIKES)
    more = {name: int(n / 5 * PRIOR[name] / rare) for name in LOOK_ALIKES}
    return {"dwarf": n // 5, **more, "qso": n // 10}


@dataclass(frozen=True)
class Task:
    """Rows (N,) that take part, and the class of each as text or truth value."""

    use: Flags
    kinds: npt.NDArray

    def halves(self, train: Flags) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Give the rows to train on and the rows to test on."""
        return np.flatnonzero(self.use & train), np.flatnonzero(self.use & ~train)


@dataclass(frozen=True)
class Truth:
    """The truth columns of a sky whose first `n` objects are in natural proportion."""

    columns: Columns
    n: int

    @property
    def natural(self) -> Flags:
        """Objects (N,) in natural proportion."""
        flags: Flags = np.arange(len(self.columns["tile"])) < self.n
        return flags

    @property
    def train(self) -> Flags:
        """Objects (N,) on odd tiles."""
        flags: Flags = self.columns["tile"].astype(int) % 2 == 1
        return flags

    @property
    def dwarf(self) -> Flags:
        """Dwarfs (N,)."""
        return np.asarray(self.columns["is_dwarf"], dtype=bool)

    @property
    def with_redshift(self) -> Flags:
        """Objects (N,) in natural proportion that have a redshift."""
        flags: Flags = self.natural & np.isfinite(self.columns["zspec"])
        return flags

    def task(self, name: str) -> Task:
        """Give a classification task.

        Args:
            name: "A", dwarfs against all others in natural proportion; "B", dwarfs against their
                look-alikes; "C", star, galaxy or quasar.

        Raises:
            InputError: another name.
        """
        if name == "A":
            return Task(self.natural | self.dwarf, self.dwarf)
        if name == "B":
            return Task(np.asarray(self.columns["is_look_alike"], bool) | self.dwarf, self.dwarf)
        if name != "C":
            raise InputError(f"task {name!r}: must be A, B or C")
        kind = np.asarray(self.columns["class"], dtype=str)
        galaxy = np.isin(kind, GALAXIES)
        use = (kind == "qso") | (self.natural & ((kind == "star") | galaxy))
        return Task(use, np.where(galaxy, "galaxy", kind))


def read_truth(column: Callable[[str], npt.NDArray], n: int) -> Truth:
    """Read the truth of a sky, `n` of it in natural proportion, with a function by column name."""
    names = ("id", "ra", "dec", "tile", "class", "is_dwarf", "is_look_alike", "zspec")
    return Truth({name: column(name) for name in names}, n)


def simple_features(
    batches: Iterable[npt.NDArray[np.float32]],
    sigma: npt.ArrayLike,
    choose: Callable[[], Flags],
) -> dict[str, Features]:
    """Measure features without a network: photometry, and 64 principal components of the pixels.

    Args:
        batches: images (B, C, H, W), N in all.
        sigma: (C,) noise of a pixel.
        choose: gives the rows (N,) that the components are found on, when all batches were read;
            no labels are used.
    """
    flux, rows = [], []
    for images in batches:
        flux.append(_with_gaps(images, sigma))
        rows.append(pixel_features(images, sigma, _SOFTENING).astype(np.float16))
    pixels = np.concatenate(rows).astype(np.float32)
    rows.clear()
    fit = choose()
    count = min(64, int(fit.sum()) - 1)
    projected = principal_components(pixels[fit], pixels, n=count)[1]
    return {"photometry": _filled(np.concatenate(flux), fit), "PCA-64": projected}


def _with_gaps(images: npt.NDArray[np.float32], sigma: npt.ArrayLike) -> Features:
    """Give photometry (B, 2 C) with NaN for the flux of a band without data."""
    found = photometry(images, sigma)
    C = images.shape[1]
    found[:, :C][~np.isfinite(images).any(axis=(2, 3))] = np.nan
    return found


def _filled(values: Features, fit: Flags) -> Features:
    """Fill gaps with the median of `fit`: one of a batch that is all dwarfs would tell on them."""
    C = values.shape[1] // 2
    flux = values[:, :C]
    flux = np.where(np.isnan(flux), np.nanmedian(flux[fit], axis=0), flux)
    return np.column_stack([flux, np.diff(flux, axis=1), values[:, -1]])
