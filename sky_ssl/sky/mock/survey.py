"""The mock survey: cutouts with truth columns, made to order from a seed.

Object number i of a seed is always the same, however many are asked for and by however many
processes: a generator is seeded with (version, seed, stream, i).
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.mock.camera import SIDE, Transfer, add_artefact, expose, transfer
from sky_ssl.sky.mock.conditions import (
    BANDS,
    DEPTH,
    N_TILES,
    ZERO_POINT,
    MockTile,
    Preset,
    draw_position,
    draw_tiles,
    find_preset,
    pixel_sigma,
)
from sky_ssl.sky.mock.distributions import Truth
from sky_ssl.sky.mock.foreground import add_cirrus, add_neighbours
from sky_ssl.sky.mock.populations import DRAW, LOOK_ALIKES, PRIOR
from sky_ssl.sky.mock.scene import Scene

MOCK_VERSION = 1
"""Raised whenever the same seed would give other pixels or other truth."""

BATCH = 64
_CIRRUS = 0.06  # share of cutouts with cirrus laid over them
_CLASSES = tuple(PRIOR)


@dataclass(frozen=True)
class MockBatch:
    """Some objects of the mock survey."""

    images: npt.NDArray[np.float32]  # (B, C, SIZE, SIZE) counts, NaN = no data
    columns: dict[str, npt.NDArray]  # truth, (B,) each


@dataclass(frozen=True)
class _Job:
    """Objects `first` to `first + n` of a stream; stream 0 is the survey, 1 + k class k alone."""

    seed: int
    preset: str
    stream: int
    first: int
    n: int


def mock_info(preset: str = "native") -> CutoutInfo:
    """Say what the pixels of a mock survey are: stored in units of the noise at nominal depth."""
    chosen = find_preset(preset)
    sigma = tuple(float(s) for s in pixel_sigma(DEPTH, chosen))
    zero_points = (ZERO_POINT,) * len(BANDS)
    return CutoutInfo("mock", BANDS, chosen.pixel_scale, zero_points, sigma, sigma)


def generate(
    n: int,
    *,
    seed: int = 0,
    preset: str = "native",
    enrich: Mapping[str, int] | None = None,
    start: int = 0,
) -> Iterator[MockBatch]:
    """Make objects `start` to `start + n` of the mock survey, then those of `enrich`.

    Args:
        n: number of objects in natural proportion.
        seed: of the sky; other seeds have other tiles too.
        preset: `native` (0.19 arcsec pixels, 12 arcsec) or `wide` (0.74 arcsec, 47.5 arcsec).
        enrich: more objects of a class, by its name.
        start: number of the first object.

    Returns:
        Batches of up to 64.
    """
    for job in _jobs(n, seed, preset, enrich or {}, start):
        yield _make(job)


def write_mock(
    path: str | Path,
    n: int,
    *,
    seed: int = 0,
    preset: str = "native",
    enrich: Mapping[str, int] | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a mock survey as a cutout file, float16 in units of the sky noise.

    Args:
        path: file to write.
        n: number of objects in natural proportion.
        seed: of the sky.
        preset: see `generate`.
        enrich: see `generate`.
        workers: processes; None = all cores. The file does not depend on it.
        progress: called with (done, total) cutouts.
    """
    jobs = _jobs(n, seed, preset, enrich or {}, 0)
    total = sum(job.n for job in jobs)
    attributes: dict[str, str | int | float] = {
        "mock_version": MOCK_VERSION,
        "mock_preset": preset,
        "n": n,
        "seed": seed,
        "enrich": " ".join(f"{name}={count}" for name, count in sorted((enrich or {}).items())),
    }
    with CutoutWriter(path, mock_info(preset), dtype="float16", attributes=attributes) as writer:
        for batch in _batches(jobs, workers or os.cpu_count() or 1):
            writer.append(batch.images, batch.columns)
            if progress:
                progress(writer.rows, total)


def _jobs(n: int, seed: int, preset: str, enrich: Mapping[str, int], start: int) -> list[_Job]:
    find_preset(preset)
    wrong = [name for name in enrich if name not in PRIOR]
    if wrong:
        raise InputError(f"class {wrong[0]!r} of the mock survey: allowed are {', '.join(PRIOR)}")
    if n < 0 or start < 0 or seed < 0 or any(count < 0 for count in enrich.values()):
        raise InputError(f"mock survey of n = {n}, seed = {seed}: give numbers from 0 up")
    if n + sum(enrich.values()) == 0:
        raise InputError("mock survey of 0 objects: ask for at least one")
    streams = [(0, start, n)]
    streams += [(1 + _CLASSES.index(name), 0, count) for name, count in sorted(enrich.items())]
    return [
        _Job(seed, preset, stream, first, min(BATCH, begin + count - first))
        for stream, begin, count in streams
        for first in range(begin, begin + count, BATCH)
    ]


def _batches(jobs: list[_Job], workers: int) -> Iterator[MockBatch]:
    """Make batches in order, some ahead of the writer but never all at once."""
    if workers == 1 or len(jobs) < 4:
        yield from map(_make, jobs)
        return
    ahead = 2 * workers
    with ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn")) as pool:
        pending = [pool.submit(_make, job) for job in jobs[:ahead]]
        for number in range(len(jobs)):
            yield pending.pop(0).result()
            if number + ahead < len(jobs):
                pending.append(pool.submit(_make, jobs[number + ahead]))


@lru_cache(maxsize=2)
def _sky(seed: int, preset: Preset) -> tuple[tuple[MockTile, ...], Transfer]:
    """Draw the tiles of a seed and the transfer functions (tiles, C, SIDE, SIDE/2+1) of each."""
    tiles = draw_tiles(seed)
    return tiles, np.stack([transfer(tile, preset) for tile in tiles])


def _make(job: _Job) -> MockBatch:
    preset = find_preset(job.preset)
    tiles, transfers = _sky(job.seed, preset)
    numbers = range(job.first, job.first + job.n)
    rngs = [np.random.default_rng([MOCK_VERSION, job.seed, job.stream, i]) for i in numbers]
    scenes = np.empty((job.n, len(BANDS), SIDE, SIDE), dtype=np.float32)
    rows: list[dict[str, object]] = []
    where: list[int] = []
    for scene, number, rng in zip(scenes, numbers, rngs, strict=True):
        name = _draw_class(job.stream, rng)
        where.append(int(rng.integers(N_TILES)))
        ra, dec = draw_position(tiles[where[-1]], rng)
        scene[:], truth = _draw_scene(name, rng, preset)
        identity = {"id": _identity(job, number), "ra": ra, "dec": dec}
        rows.append({**identity, "tile": tiles[where[-1]].name, **_truth_columns(name, truth)})
    taken = [tiles[w] for w in where]
    images = expose(scenes, transfers[where], taken, preset, rngs)
    for image, row, tile, rng in zip(images, rows, taken, rngs, strict=True):
        if row["class"] == "artefact":
            add_artefact(image, pixel_sigma(tile.depth, preset), rng)
    return MockBatch(images, {name: np.array([row[name] for row in rows]) for name in rows[0]})


def _identity(job: _Job, number: int) -> str:
    stream = f"-{_CLASSES[job.stream - 1]}" if job.stream else ""
    return f"MOCK-{job.seed}{stream}-{number:06d}"


def _draw_class(stream: int, rng: np.random.Generator) -> str:
    if stream:
        return _CLASSES[stream - 1]
    share = np.cumsum(list(PRIOR.values()))
    return _CLASSES[int(np.searchsorted(share, rng.random() * share[-1], side="right"))]


def _draw_scene(
    name: str, rng: np.random.Generator, preset: Preset
) -> tuple[npt.NDArray[np.float32], Truth]:
    scene = Scene(len(BANDS), SIDE)
    truth = DRAW[name](scene, rng, preset)
    add_neighbours(scene, rng, preset)
    if rng.random() < _CIRRUS:
        add_cirrus(scene, rng, preset)
    return scene.pixels, truth


def _truth_columns(name: str, truth: Truth) -> dict[str, object]:
    magnitudes = np.full(len(BANDS), np.nan) if truth.magnitudes is None else truth.magnitudes
    return {
        "class": name,
        "is_dwarf": name == "dwarf",
        "is_look_alike": name in LOOK_ALIKES,
        "zspec": truth.redshift if name != "star" else np.nan,
        **{f"mag_{band}": float(m) for band, m in zip(BANDS, magnitudes, strict=True)},
        "half_light_radius": truth.half_light_radius,
        "mean_surface_brightness": truth.mean_surface_brightness,
        "axis_ratio": truth.axis_ratio,
        "sersic_index": truth.sersic_index,
    }
