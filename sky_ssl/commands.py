"""What each subcommand of `sky-ssl` does: parsed arguments in, a result to print out.

What a subcommand needs is imported when it runs, so that the others start at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.progress import terminal


def _warn(lines: Sequence[str]) -> None:
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


def _find_tiles(args: argparse.Namespace) -> tuple[Any, Any]:
    """Give the survey and its tiles among the files and folders named."""
    from sky_ssl.sky.survey import load_survey
    from sky_ssl.sky.tiles import find_tiles

    survey = load_survey(args.survey)
    tiles, report = find_tiles(args.tiles, survey, min_bands=args.min_bands)
    _warn(report)
    if not tiles:
        raise InputError(f"{args.tiles[0]}: no tile of {survey.name} found here")
    return survey, tiles


def demo(args: argparse.Namespace) -> dict[str, Any]:
    """Build or complete a demo workspace."""
    from sky_ssl.demo import build_demo
    from sky_ssl.workspace import open_workspace

    workspace = open_workspace(args.workspace)
    return build_demo(workspace, n=args.n, seed=args.seed, steps=args.steps or None)


def mock(args: argparse.Namespace) -> dict[str, Any]:
    """Make a mock survey."""
    from sky_ssl.info import describe
    from sky_ssl.sky.mock import write_mock

    enrich = {}
    for item in args.enrich:
        name, _, count = item.partition("=")
        if not count.isdigit():
            raise InputError(f"--enrich {item}: give CLASS=N, for instance dwarf=2000")
        enrich[name] = int(count)
    write_mock(
        args.out,
        args.n,
        seed=args.seed,
        preset=args.preset,
        enrich=enrich,
        progress=terminal("mock sky", "cutout"),
        workers=args.workers or None,
    )
    if args.sheet:
        _sheet(args.out, args.sheet)
    return describe(args.out)


def detect(args: argparse.Namespace) -> dict[str, Any]:
    """Write the source catalogue of tiles."""
    from sky_ssl.sky.catalogue import write_catalogue
    from sky_ssl.sky.detect import DetectConfig, detect_tiles

    survey, tiles = _find_tiles(args)
    table, problems = detect_tiles(
        tiles,
        survey,
        config=DetectConfig(threshold=args.threshold),
        reproject=args.reproject,
        workers=args.workers,
        progress=terminal("detect", "tile"),
    )
    _warn(problems)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_catalogue(table, args.out)
    return {"path": str(args.out), "tiles": len(tiles), "rows": len(table), "problems": problems}


def cut(args: argparse.Namespace) -> dict[str, Any]:
    """Cut windows out of tiles."""
    from sky_ssl.sky.catalogue import read_catalogue
    from sky_ssl.sky.cutting import CutConfig, cut_tiles

    survey, tiles = _find_tiles(args)
    objects = read_catalogue(args.catalogue, prefix=survey.prefix) if args.catalogue else None
    options = {} if args.min_coverage is None else {"min_coverage": args.min_coverage}
    config = CutConfig(
        size=args.size,
        fov=args.fov,
        random=args.random,
        grid=args.grid,
        edge=args.edge,
        seed=args.seed,
        dtype=args.dtype,
        **options,
    )
    report = cut_tiles(
        tiles,
        survey,
        args.out,
        config,
        catalogue=objects,
        reproject=args.reproject,
        workers=args.workers,
        progress=terminal("cut", "cutout"),
    )
    _warn(report.problems)
    if args.sheet:
        _sheet(args.out, args.sheet, survey.rgb)
    return {"path": str(args.out), "tiles": len(tiles), "rows": report.cut, **vars(report)}


def _sheet(cutouts: Path, sheet: Path, rgb: Sequence[str] = ()) -> None:
    from sky_ssl.figures.contact import draw_cutouts
    from sky_ssl.sky.cutoutset import open_cutouts

    draw_cutouts(open_cutouts(cutouts), sheet, rgb=rgb)


def embed(args: argparse.Namespace) -> dict[str, Any]:
    """Embed cutouts."""
    from sky_ssl.embedding.encode import EmbedOptions, embed_file

    options = EmbedOptions(
        pooling=args.pooling,
        project=args.project,
        dtype=args.dtype,
        sigma=args.sigma,
        allow_pixel_scale=args.allow_pixel_scale,
        batch_size=args.batch_size,
        device=args.device,
    )
    result = embed_file(args.run_dir, args.cutouts, args.out, options, terminal("embed", "cutout"))
    _warn(result["notes"])
    return result


def info(args: argparse.Namespace) -> dict[str, Any]:
    """Say what is in a file or folder."""
    from sky_ssl.info import describe

    return describe(args.path)
