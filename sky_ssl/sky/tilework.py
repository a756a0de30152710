"""Work on many tiles in several processes, in a fixed order and with bounded memory.

In: a function and its tasks, each of which names a tile. Out: the results in the order of the
tasks, a few computed ahead. Each process keeps the tile that it used last open.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tiles import Tile, TileFiles, open_tile

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")

_AHEAD = 3  # tasks handed to each process before the first result is taken


@dataclass(frozen=True)
class TileHandle:
    """All that a process needs to open a tile."""

    files: TileFiles
    survey: Survey
    reproject: bool = False


@dataclass(frozen=True)
class TileSummary:
    """What is known of a tile before its pixels are read; `error` if it cannot be opened."""

    handle: TileHandle
    shape: tuple[int, int] = (0, 0)
    bands: tuple[str, ...] = ()
    has_wcs: bool = False
    pixel_scale: float = float("nan")
    centre: tuple[float, float] = (float("nan"), float("nan"))  # RA, Dec
    corners: tuple[tuple[float, float], ...] = ()  # RA, Dec
    problems: tuple[str, ...] = ()
    error: str = ""


# the tile that this process used last; opening one may mean to decompress it
_kept: list[tuple[TileHandle, Tile]] = []


@contextmanager
def opened(handle: TileHandle) -> Iterator[Tile]:
    """Give an open tile, the one from before if it is the same."""
    if not _kept or _kept[0][0] != handle:
        close_kept()
        _kept.append((handle, open_tile(handle.files, handle.survey, reproject=handle.reproject)))
    yield _kept[0][1]


def close_kept() -> None:
    """Close the tile that this process keeps open."""
    while _kept:
        _kept.pop()[1].close()


def process_count(workers: int | None) -> int:
    """Turn a number of processes into one that can be used; 0 and None mean one per core."""
    if workers is not None and workers < 0:
        raise InputError(f"workers {workers}: must be 0 (one per core) or more")
    return workers or len(os.sched_getaffinity(0))


def run_tasks(
    function: Callable[[TaskT], ResultT],
    tasks: Iterable[TaskT],
    workers: int | None,
    report: Callable[[ResultT], None] | None = None,
) -> Iterator[ResultT]:
    """Run a function on tasks, in this process if one worker is asked for.

    Args:
        function: of a module, so that spawned processes find it.
        tasks: sent to the processes by pickling.
        workers: number of processes; 0 and None mean one per core.
        report: called with each result before it is given.

    Yields:
        The results, in the order of the tasks; at most a few per process wait to be taken.
    """
    count = process_count(workers)
    results = map(function, tasks) if count == 1 else _in_processes(function, tasks, count)
    try:
        for result in results:
            if report is not None:
                report(result)
            yield result
    finally:
        close_kept()


def _in_processes(
    function: Callable[[TaskT], ResultT], tasks: Iterable[TaskT], count: int
) -> Iterator[ResultT]:
    from concurrent.futures import Future, ProcessPoolExecutor

    waiting: deque[Future[ResultT]] = deque()
    # spawn: a fork would copy locks and threads of the libraries that are loaded
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"))
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= _AHEAD * count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def summarise(handle: TileHandle) -> TileSummary:
    """Open a tile and describe it."""
    try:
        with opened(handle) as tile:
            H, W = tile.shape
            x = np.array([(W - 1) / 2, -0.5, W - 0.5, -0.5, W - 0.5])
            y = np.array([(H - 1) / 2, -0.5, -0.5, H - 0.5, H - 0.5])
            ra, dec = tile.pixel_to_sky(x, y)
            places = [(float(a), float(d)) for a, d in zip(ra, dec, strict=True)]
            return TileSummary(
                handle,
                tile.shape,
                tile.bands,
                tile.wcs is not None,
                tile.pixel_scale,
                places[0],
                tuple(places[1:]),
                tuple(tile.problems),
            )
    except InputError as error:
        return TileSummary(handle, error=str(error))


def summarise_all(
    tiles: Iterable[TileFiles],
    survey: Survey,
    *,
    reproject: bool = False,
    workers: int | None = 1,
    progress: Progress | None = None,
) -> tuple[list[TileSummary], list[str]]:
    """Describe tiles; those that cannot be opened are left out with a line of report.

    Raises:
        InputError: no tile can be opened.
    """
    handles = [TileHandle(files, survey, reproject) for files in tiles]
    found: list[TileSummary] = []
    lines: list[str] = []
    few = min(process_count(workers), max(1, len(handles) // 8))
    for number, summary in enumerate(run_tasks(summarise, handles, few), start=1):
        lines.extend([summary.error] if summary.error else summary.problems)
        if not summary.error:
            found.append(summary)
        if progress is not None:
            progress(number, len(handles))
    if not found:
        raise InputError(lines[0] if lines else f"no tiles of {survey.name} given")
    return found, lines


def pieces(count: int, at_most: int) -> list[npt.NDArray[np.int64]]:
    """Split rows 0 to count - 1 into consecutive pieces of a size."""
    return [np.arange(i, min(i + at_most, count)) for i in range(0, count, at_most)]
