"""The images of a run: cutout files, pictures, or random cutouts made from tiles on the fly.

A source gives batches of images for row numbers. Rows to train on and rows to validate on never
share a piece of sky.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.sky.noise import sky_sigma, usable_sigma
from sky_ssl.sky.splits import split_by_sky
from sky_ssl.training.config import Config
from sky_ssl.training.order import BatchOrder

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.integer]
Positions = npt.NDArray[np.float64]


class Source(Protocol):
    """Where images come from."""

    @property
    def info(self) -> CutoutInfo:
        """What the pixels are."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """C, H, W."""

    endless: bool  # every row number from 0 on is another image to train on
    train_rows: Integers
    validation_rows: Integers

    def read(self, rows: Integers) -> Floats:
        """Read images (n, C, H, W) in physical units, NaN = no data."""

    def read_placed(self, rows: Integers) -> tuple[Floats, Positions]:
        """Read images, and their RA and Dec (n, 2) in degrees, NaN = unknown."""

    def labels(self, name: str, rows: Integers) -> npt.NDArray | None:
        """Give a column for some rows, or None if there is none."""


@dataclass
class CutoutSource:
    """Images of cutout files, split into training and validation by sky."""

    cutouts: CutoutSet
    train_rows: Integers
    validation_rows: Integers
    endless: bool = False
    _sky: Positions | None = None

    @property
    def info(self) -> CutoutInfo:
        """What the pixels are."""
        return self.cutouts.info

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width."""
        return self.cutouts.shape

    def read(self, rows: Integers) -> Floats:
        """Read images (n, C, H, W)."""
        return self.cutouts.read(rows)

    def read_placed(self, rows: Integers) -> tuple[Floats, Positions]:
        """Read images, and their RA and Dec (n, 2) in degrees, NaN = unknown."""
        if self._sky is None:
            self._sky = sky_of(self.cutouts)
        return self.cutouts.read(rows), self._sky[rows]

    def labels(self, name: str, rows: Integers) -> npt.NDArray | None:
        """Give a column for some rows, or None if there is none."""
        return self.cutouts.column(name)[rows] if name in self.cutouts.column_names else None


def sky_of(cutouts: CutoutSet) -> Positions:
    """Give RA and Dec (N, 2) of all cutouts in degrees, NaN where the files do not say."""
    names, unknown = cutouts.column_names, np.full(len(cutouts), np.nan)
    columns = [cutouts.column(c) if c in names else unknown for c in ("ra", "dec")]
    return np.stack(columns, axis=1).astype(np.float64)


def open_source(config: Config) -> Source:
    """Open what the configuration names.

    Raises:
        InputError: if nothing or both are named, or the size does not fit the model.
    """
    data = config.data
    if bool(data.cutouts) == bool(data.tiles):
        raise InputError("data.cutouts, data.tiles: give one of them (files or folders)")
    if data.tiles:
        from sky_ssl.training.tilesource import open_tile_source

        return open_tile_source(config)
    cutouts = open_cutouts(
        data.cutouts,
        bands=data.bands or None,
        zero_point=data.zero_point or None,
        pixel_scale=data.pixel_scale or None,
        size=config.model.image_size,
    )
    size = config.model.image_size
    if cutouts.shape[1:] != (size, size):
        raise InputError(
            f"{cutouts.paths[0]}: cutouts of {cutouts.shape[1]} x {cutouts.shape[2]} pixels, but "
            f"model.image_size = {size}: set it to {cutouts.shape[1]}"
        )
    train, validation = _split(cutouts, data.validation, config.train.seed)
    return CutoutSource(cutouts, train, validation)


def _split(cutouts: CutoutSet, share: float, seed: int) -> tuple[Integers, Integers]:
    """Split by sky where there are coordinates, else by tile, else at random."""
    N = len(cutouts)
    if N == 0:
        raise InputError(f"{cutouts.paths[0]}: no cutouts in it")
    everything = np.arange(N)
    if not share:
        return everything, everything[:0]
    ra, dec = sky_of(cutouts).T
    tile = cutouts.column("tile") if "tile" in cutouts.column_names else None
    parts = split_by_sky(
        ra, dec, tile, fractions={"train": 1 - share, "validation": share}, seed=seed
    )
    train, validation = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "validation")
    # All in one block of sky: nothing to learn from would be worse than no validation.
    return (train, validation) if len(train) else (everything, everything[:0])


def measured_info(source: Source, rows: int = 1000) -> CutoutInfo:
    """Describe the pixels with the noise measured on training images, as the scaling uses it."""
    order = np.unique(np.linspace(0, len(source.train_rows) - 1, rows).astype(int))
    measured = sky_sigma(source.read(source.train_rows[order]))
    declared = source.info.sky_sigma or (np.nan,) * len(measured)
    sigma = usable_sigma(np.where(np.isfinite(measured) & (measured > 0), measured, declared))
    return replace(source.info, sky_sigma=tuple(float(s) for s in sigma), scale=None)


class _Batches(Dataset):
    """The share of one rank of each step's batch, as one item."""

    def __init__(
        self, source: Source, order: BatchOrder, share: slice, withheld: float | None
    ) -> None:
        self.source, self.order, self.share, self.withheld = source, order, share, withheld

    def __getitem__(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        rows = self.order.batch(step)[self.share]
        if self.withheld is None:
            images = self.source.read(rows)
            sky = np.full((len(rows), 2), np.nan)
        else:
            images, sky = self.source.read_placed(rows)
            # drawn for the global batch, so that it does not hang on the number of ranks
            rng = np.random.default_rng([self.order.seed, 4, step])
            gone = rng.random(self.order.batch_size)[self.share] < self.withheld
            sky = np.where(gone[:, None], np.nan, sky)
        return torch.from_numpy(images), torch.from_numpy(sky)


def batches(
    source: Source,
    order: BatchOrder,
    *,
    share: slice,
    start: int,
    stop: int,
    workers: int,
    device: torch.device,
) -> Iterator[torch.Tensor]:
    """Give the images (n, C, H, W) of this rank for the steps from `start` to `stop`.

    Args:
        source, order: the images and which of them make a batch.
        share: this rank's places in the batch.
        workers: reading processes; -1 = none on a CPU, 8 beside a GPU.
        device: where the images are sent.
    """
    for images, _ in _loader(
        _Batches(source, order, share, None), range(start, stop), workers, device
    ):
        yield images.to(device, non_blocking=True)


def placed_batches(
    source: Source,
    order: BatchOrder,
    *,
    share: slice,
    start: int,
    stop: int,
    workers: int,
    device: torch.device,
    withheld: float | None = None,
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Give images as `batches` does, and their RA and Dec (n, 2) in degrees, NaN = unknown.

    Args:
        source, order, share, start, stop, workers, device: see `batches`.
        withheld: share of the images whose position is not told; None = of all.
    """
    data = _Batches(source, order, share, withheld)
    for images, sky in _loader(data, range(start, stop), workers, device):
        yield images.to(device, non_blocking=True), sky.to(device, non_blocking=True)


def _loader(
    data: _Batches, steps: range, workers: int, device: torch.device
) -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
    on_gpu = device.type == "cuda"
    count = (8 if on_gpu else 0) if workers < 0 else workers
    return DataLoader(
        data,
        batch_size=None,
        sampler=steps,
        num_workers=count,
        pin_memory=on_gpu,
        prefetch_factor=4 if count else None,
        multiprocessing_context="spawn" if count else None,  # fork is unsafe beside threads
    )
