"""`sky-ssl cut`: images of objects, out of tiles."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import (
    add_command,
    add_tiles,
    draw_sheet,
    tiles_of,
    warn,
    without_problems,
)


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "cut", run, "cut images of objects out of tiles", without_problems)
    add_tiles(p)
    p.add_argument("--out", type=Path, required=True, help="cutout file to write")
    how = p.add_mutually_exclusive_group(required=True)
    how.add_argument("--random", type=int, metavar="N", help="N random windows per tile")
    how.add_argument("--grid", type=float, metavar="OVERLAP", help="a grid, overlap 0 to 0.9")
    how.add_argument("--catalogue", type=Path, help="objects: CSV, ECSV, FITS, VOTable, Parquet")
    p.add_argument("--fov", type=float, help="field of view, arcsec (default: SIZE native pixels)")
    p.add_argument("--size", type=int, default=64, help="pixels a side (default 64)")
    p.add_argument(
        "--edge",
        choices=("pad", "skip"),
        default="pad",
        help="objects at the edge: pad with no data (default), or skip",
    )
    p.add_argument("--min-coverage", type=float, help="least share of pixels with data in a window")
    p.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of the pixels"
    )
    p.add_argument("--seed", type=int, default=0, help="of random windows (default 0)")
    p.add_argument("--sheet", type=Path, help="also draw a contact sheet of the first 120 (PNG)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Cut windows out of tiles."""
    from sky_ssl.progress import terminal
    from sky_ssl.sky.catalogue import read_catalogue
    from sky_ssl.sky.cutting import CutConfig, cut_tiles

    survey, tiles = tiles_of(args)
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
    warn(report.problems)
    if args.sheet:
        draw_sheet(args.out, args.sheet, survey.rgb)
    return {"path": str(args.out), "tiles": len(tiles), "rows": report.cut, **vars(report)}
