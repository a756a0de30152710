"""What a predictor is fitted on: labels of cutouts, divided by sky, and drawn where few are wanted.

In: labels joined to rows of a cutout set. Out: three parts that share no piece of sky, with scaled
targets and weights, whose scales come from the training part alone.
"""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from sky_ssl.errors import InputError
from sky_ssl.probes.draws import draw_labels
from sky_ssl.sky.coords import sky_blocks
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.splits import split_by_sky
from sky_ssl.training.predictconfig import FitConfig

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

_BLOCKS = (1.0, 0.5, 0.25, 0.1)  # degrees
_ENOUGH_BLOCKS = 10
_MEMORY = 1 << 30  # bytes of images that are kept in memory
_BUFFER_DEG = 0.05
_FEW = 20  # labels to stop early on, below which their loss is mostly noise


class Images(Protocol):
    """Cutouts in the photometric units of the network."""

    info: CutoutInfo

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width."""

    def read(self, rows: Rows) -> npt.NDArray[np.float32]:
        """Read (n, C, H, W), NaN = no data."""

    def fingerprint(self) -> str:
        """Hash what identifies them."""


@dataclass(frozen=True)
class Question:
    """What is asked: one class of several, or one number or more."""

    targets: tuple[str, ...]  # columns
    classes: tuple[str, ...] = ()  # of a classification: sorted, or ("rest", one); else empty
    kinds: tuple[str, ...] = ()  # of each number: "regress" or "redshift"
    center: tuple[float, ...] = ()  # of numbers: mean over the training part
    spread: tuple[float, ...] = ()  # and deviation, which the network's answers are in units of

    @property
    def outputs(self) -> int:
        """Answers of the network."""
        return len(self.classes) or len(self.targets)


@dataclass(frozen=True)
class Labels:
    """What is known of n objects."""

    question: Question
    rows: Rows  # (n,) of the cutouts
    values: Floats  # (n, 1) numbers of classes, or (n, K) numbers, NaN = unknown
    errors: Floats | None  # (n, K) standard deviations of these numbers, or None
    ra: Floats  # (n,) degrees, NaN = unknown
    dec: Floats
    tile: npt.NDArray | None = None  # (n,) names
    notes: list[str] = field(default_factory=list)

    def fingerprint(self) -> str:
        """Hash what is asked, of which rows, with which answers."""
        digest = hashlib.sha256(repr((self.question.targets, self.question.classes)).encode())
        for array in (self.rows, self.values, self.errors):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def places(self) -> str:
        """Hash where the objects are, by which the sky is divided."""
        digest = hashlib.sha256()
        for array in (self.ra, self.dec):
            digest.update(np.ascontiguousarray(array, dtype=np.float64).tobytes())
        digest.update("\n".join([] if self.tile is None else map(str, self.tile)).encode())
        return digest.hexdigest()


@dataclass(frozen=True)
class Part:
    """Labelled images for training, validation or test; m of them."""

    images: Images
    rows: Rows  # (m,) of the images
    targets: torch.Tensor  # (m, 1) int64 classes, or (m, K) float32 scaled numbers
    weights: torch.Tensor  # (m, K) float32; 0 where a number is unknown
    index: Rows  # (m,) of the labels
    kept: npt.NDArray[np.float32] | None = None  # images, where they fit into memory

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, places: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Read images (n, C, H, W) by their place in this part."""
        return self.images.read(self.rows[places]) if self.kept is None else self.kept[places]


def divide(labels: Labels, config: FitConfig, notes: list[str]) -> dict[str, Rows]:
    """Divide labels (n,) into "train", "validation" and "test" by sky; draw few if few are wanted.

    Labels for validation count among those that are drawn. Nothing of the test part is drawn.

    Raises:
        InputError: a class that is not on the sky of the training part.
    """
    shares = {
        "train": 1 - config.validation - config.test,
        "validation": config.validation,
        "test": config.test,
    }
    names = _names_of_parts(labels, shares, config.split, notes)
    parts = {name: np.flatnonzero(names == name) for name in shares}
    kinds = labels.values[:, 0] if labels.question.classes else np.zeros(len(labels.rows))
    if config.labels:
        rng = np.random.default_rng([config.draw, 11])
        to_validate = round(config.labels * config.validation) if len(parts["validation"]) else 0
        wanted = {"train": config.labels - to_validate, "validation": to_validate}
        for name, count in wanted.items():
            # what tells when to stop may lack a kind: forced in, it would be too frequent
            as_they_come = config.natural and name == "validation"
            drawn = kinds if not as_they_come else np.zeros(len(kinds))
            parts[name] = _drawn(parts[name], drawn, count, config.natural, rng)
            if len(parts[name]) < count:
                notes.append(f"{name}: {len(parts[name])} of {count} labels found")
    _check_kinds(labels, parts, kinds, notes)
    return parts


def _names_of_parts(
    labels: Labels, shares: Mapping[str, float], seed: int, notes: list[str]
) -> npt.NDArray[np.str_]:
    """Name the part (n,) of each label; blocks of sky are smaller where there is little sky."""
    known = np.isfinite(labels.ra) & np.isfinite(labels.dec)
    size = _BLOCKS[0]
    for size in _BLOCKS if known.any() else ():
        if len(np.unique(sky_blocks(labels.ra[known], labels.dec[known], size))) >= _ENOUGH_BLOCKS:
            break
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        parts = split_by_sky(
            labels.ra,
            labels.dec,
            labels.tile,
            fractions=shares,
            seed=seed,
            block_deg=size,
            buffer_deg=min(_BUFFER_DEG, size / 4),
        )
    notes += [str(warning.message) for warning in caught]
    return parts


def _drawn(
    pool: Rows, kinds: npt.NDArray, count: int, natural: bool, rng: np.random.Generator
) -> Rows:
    if not count or not len(pool):
        return pool[:0]
    return np.sort(draw_labels(pool, kinds, count, natural=natural, rng=rng))


def _check_kinds(
    labels: Labels, parts: dict[str, Rows], kinds: npt.NDArray, notes: list[str]
) -> None:
    if len(parts["train"]) < 2:
        raise InputError(f"labels: {len(parts['train'])} to train on; at least 2 are needed")
    classes = labels.question.classes
    there = np.unique(kinds[parts["train"]]).astype(int)
    missing = [name for k, name in enumerate(classes) if k not in there]
    if missing:
        raise InputError(
            f"labels: no {missing[0]!r} on the sky to train on; give more labels, another "
            "division of the sky, or less sky to validation and test"
        )
    of_validation = set(np.unique(kinds[parts["validation"]]).astype(int).tolist())
    if len(parts["validation"]) and classes and len(of_validation) < 2:
        notes.append("one kind alone on the sky to validate on: trained to the last step")
        parts["validation"] = parts["validation"][:0]
    if 0 < len(parts["validation"]) < _FEW:
        notes.append(
            f"{len(parts['validation'])} labels to stop early on: when to stop is guesswork; "
            "--validation 0 trains to the last step on all of them"
        )


def scaled(labels: Labels, train: Rows) -> Question:
    """Add the mean and deviation of the training part to what is asked."""
    q = labels.question
    if q.classes:
        return q
    center, spread = [], []
    for name, values in zip(q.targets, labels.values[train].T, strict=True):
        known = values[np.isfinite(values)]
        if len(known) < 2 or not known.std() > 0:
            raise InputError(
                f"target {name!r}: {len(known)} numbers to train on; at least two "
                "different ones are needed"
            )
        center.append(float(known.mean()))
        spread.append(float(known.std()))
    return replace(q, center=tuple(center), spread=tuple(spread))


def make_part(
    images: Images,
    labels: Labels,
    index: Rows,
    question: Question,
    config: FitConfig,
) -> Part:
    """Give the images, scaled targets and weights of some labels.

    Classes weigh the same, whatever their number, unless the draw is natural. Numbers weigh as
    1 / (error^2 + floor^2). Weights have a mean of 1 over what is known.
    """
    values, m = labels.values[index], len(index)
    if question.classes:
        targets = torch.from_numpy(values.astype(np.int64))
        weights = np.ones((m, 1))
        if not config.natural and m:
            kinds, place, count = np.unique(values, return_inverse=True, return_counts=True)
            weights = (m / len(kinds) / count)[place.reshape(-1, 1)]
    else:
        known = np.isfinite(values)
        z = (values - np.array(question.center)) / np.array(question.spread)
        targets = torch.from_numpy(np.where(known, z, 0.0).astype(np.float32))
        weights = known.astype(np.float64)
        if labels.errors is not None:
            variance = labels.errors[index] ** 2 + config.error_floor**2
            weights = np.where(known, 1 / variance, 0.0)
        count = known.sum(axis=0)
        total = weights.sum(axis=0)
        weights = weights * np.where(total > 0, count / np.where(total > 0, total, 1.0), 0.0)
    size = 4 * m * int(np.prod(images.shape))
    rows = labels.rows[index]
    kept = images.read(rows) if size <= _MEMORY else None
    return Part(images, rows, targets, torch.from_numpy(weights.astype(np.float32)), index, kept)
