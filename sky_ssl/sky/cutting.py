"""Cut images out of tiles, into a cutout file.

In: tiles, and centres at random, on a grid or from a catalogue. Out: square images of any field of
view, and a report of what was cut and what was not.
"""

import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress
from sky_ssl.sky.centres import (
    catalogue_centres,
    field_of_view,
    grid_centres,
    positions,
    random_centres,
)
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutplan import Plan, plan_catalogue, plan_grid, plan_random
from sky_ssl.sky.cutsink import Sink
from sky_ssl.sky.cutwindows import CutConfig, bin_images, cut_tile, cut_windows
from sky_ssl.sky.survey import Survey
from sky_ssl.sky.tiles import TileFiles
from sky_ssl.sky.tilework import TileSummary, run_tasks, summarise_all

__all__ = [
    "CutConfig",
    "CutReport",
    "bin_images",
    "catalogue_centres",
    "cut_tile",
    "cut_tiles",
    "field_of_view",
    "grid_centres",
    "random_centres",
]

_TASK_BYTES = 16 * 1024 * 1024
_MOST_FOLDERS = 200  # that a cutout file names; of more of them the one that holds all


@dataclass
class CutReport:
    """What became of the windows and objects."""

    fov: float  # arcsec, the true one
    pixel_scale: float  # arcsec per pixel of the cutouts
    binning: int
    cut: int = 0
    at_edge: int = 0  # skipped: their window reaches beyond the tile
    outside: int = 0  # on none of the tiles
    duplicates: int = 0  # rows of the catalogue with the id or place of an earlier one
    several: int = 0  # objects on several tiles, cut once
    empty: int = 0  # without data, or with less than asked for
    problems: list[str] = field(default_factory=list)


def cut_tiles(
    tiles: Sequence[TileFiles],
    survey: Survey,
    out: str | Path,
    config: CutConfig | None = None,
    *,
    catalogue: pd.DataFrame | None = None,
    reproject: bool = False,
    workers: int | None = 1,
    progress: Progress | None = None,
    attributes: Mapping[str, str | int | float] | None = None,
) -> CutReport:
    """Cut images out of tiles and write them to a cutout file.

    The file holds `id`, `ra`, `dec` (of the object, or of the centre of a random or grid window;
    NaN on a tile without WCS), `tile`, `x`, `y` (its position in native pixels, 0-based),
    `n_bands` (with any data), `coverage` (share of pixels with data over all bands), and the
    columns of the catalogue; those that would be one of these get `_catalogue` added.

    Args:
        tiles: as `find_tiles` gives them.
        out: the cutout file.
        catalogue: as `read_catalogue` gives it. On tiles without WCS its `tile`, `x`, `y` count.
        reproject: bring bands on other pixel grids to the finest one.
        workers: processes; 0 and None mean one per core.
        progress: called with windows done and in all.
        attributes: more attributes for the file.

    Raises:
        InputError: bad parameters, no tile can be opened, or nothing is left to be cut.
    """
    config = config or CutConfig()
    if (catalogue is None) == (config.random is None and config.grid is None):
        raise InputError("give one of random, grid and a catalogue")
    binning, fov = field_of_view(config.fov, config.size, survey.pixel_scale)
    report = CutReport(fov, survey.pixel_scale * binning, binning)
    found, report.problems = summarise_all(tiles, survey, reproject=reproject, workers=workers)
    plan = _plan(found, config, catalogue, workers, report)
    report.at_edge, report.outside, report.several = plan.at_edge, plan.outside, plan.several
    if not len(plan):
        raise InputError(_nothing(report, len(found), survey))
    info = CutoutInfo(
        survey.name, survey.band_names, report.pixel_scale, (survey.zero_point,) * len(survey.bands)
    )
    how = "catalogue" if catalogue is not None else "grid" if config.random is None else "random"
    notes: dict[str, str | int | float] = {"centres": how, "fov": fov, "binning": binning}
    notes |= _origin(tiles, survey, reproject)
    notes |= {"seed": config.seed} if how == "random" else {}
    sink = Sink(
        Path(out),
        info,
        dtype=config.dtype,
        attributes={**notes, **(attributes or {})},
        prefix=survey.prefix,
        catalogue=catalogue,
    )
    tasks = [(windows, config, binning) for windows in plan.windows]
    done = 0
    with ExitStack() as stack:
        for task, piece in zip(tasks, run_tasks(cut_windows, tasks, workers), strict=True):
            report.problems += [p for p in piece.problems if p not in report.problems]
            report.empty += len(task[0]) - len(piece.x)
            report.cut += len(piece.x)
            if len(piece.x):
                sink.write(piece, stack)
            done += len(task[0])
            if progress is not None:
                progress(done, len(plan))
    if not report.cut:
        raise InputError(_nothing(report, len(found), survey))
    many, known, largest = sink.too_large(fov)
    if many:
        report.problems.append(
            f"{many} of {known} objects have a half-light radius above a quarter of the field of "
            f"{fov:.3g} arcsec; for the largest, {largest:.3g} arcsec, use fov {4 * largest:.0f}"
        )
    return report


def _plan(
    tiles: Sequence[TileSummary],
    config: CutConfig,
    catalogue: pd.DataFrame | None,
    workers: int | None,
    report: CutReport,
) -> Plan:
    """Plan the windows."""
    side = config.size * report.binning
    per_window = len(tiles[0].handle.survey.bands) * config.size**2 * 4
    at_most = max(1, min(256, _TASK_BYTES // per_window))
    if config.fov is not None and abs(report.fov / config.fov - 1) > 0.01:
        report.problems.append(
            f"field of {report.fov:.4g} arcsec instead of {config.fov:.4g}: {config.size} pixels "
            f"of {report.binning} x {report.binning} native ones"
        )
    if config.random is not None:
        return plan_random(tiles, config.random, config.seed, at_most)
    if config.grid is not None:
        return plan_grid(tiles, config.grid, side, at_most)
    assert catalogue is not None
    objects, report.duplicates = positions(catalogue, config.merge_arcsec)
    pad = config.edge == "pad"
    return plan_catalogue(tiles, objects, side=side, pad=pad, at_most=at_most, workers=workers)


def _origin(
    tiles: Sequence[TileFiles], survey: Survey, reproject: bool
) -> dict[str, str | int | float]:
    """Say where the tiles lie and how they are read, so that wider views can be cut later."""
    paths = [path.absolute() for tile in tiles for path, _ in tile.files.values()]
    folders = sorted({str(path.parent) for path in paths})
    if len(folders) > _MOST_FOLDERS:
        folders = [os.path.commonpath(folders)]
    return {
        "tile_folders": json.dumps(folders),
        "survey_definition": json.dumps(asdict(survey)),
        "reproject": int(reproject),
    }


def _nothing(report: CutReport, tiles: int, survey: Survey) -> str:
    """Say why nothing was cut."""
    counts = {
        "outside": report.outside,
        "at the edge": report.at_edge,
        "without enough data": report.empty,
    }
    reasons = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return f"nothing to cut from {tiles} tiles of {survey.name}: {reasons or 'no objects'}"
