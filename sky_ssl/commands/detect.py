"""`sky-ssl detect`: the source catalogue of tiles."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, add_tiles, tiles_of, warn, without_problems


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "detect", run, "detect sources on tiles", without_problems)
    add_tiles(p)
    p.add_argument(
        "--out", type=Path, required=True, help="catalogue: .csv .ecsv .fits .vot .parquet"
    )
    p.add_argument("--threshold", type=float, default=1.5, help="per pixel, in sigma (default 1.5)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the source catalogue of tiles."""
    from sky_ssl.progress import terminal
    from sky_ssl.sky.catalogue import write_catalogue
    from sky_ssl.sky.detect import DetectConfig, detect_tiles
    from sky_ssl.sky.tablefiles import check_ending

    check_ending(args.out)
    survey, tiles = tiles_of(args)
    table, problems = detect_tiles(
        tiles,
        survey,
        config=DetectConfig(threshold=args.threshold),
        reproject=args.reproject,
        workers=args.workers,
        progress=terminal("detect", "tile"),
    )
    warn(problems)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_catalogue(table, args.out)
    return {"path": str(args.out), "tiles": len(tiles), "rows": len(table), "problems": problems}
