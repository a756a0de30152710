"""`sky-ssl mock`: a simulated survey with its truth."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, draw_sheet
from sky_ssl.errors import InputError


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "mock", run, "make mock survey cutouts with truth columns")
    p.add_argument("--out", type=Path, required=True, help="cutout file to write")
    p.add_argument("--n", type=int, default=12_000, help="cutouts (default 12000)")
    p.add_argument("--seed", type=int, default=0, help="of the mock sky (default 0)")
    p.add_argument(
        "--preset",
        default="native",
        metavar="native|wide",
        help="64 pixels of 0.19 arcsec, or of 0.74 arcsec (binned 4 x 4)",
    )
    p.add_argument(
        "--enrich",
        action="append",
        default=[],
        metavar="CLASS=N",
        help="N more objects of a class; may be repeated",
    )
    p.add_argument("--workers", type=int, default=0, help="processes (default: all cores)")
    p.add_argument("--sheet", type=Path, help="also draw a contact sheet of the first 120 (PNG)")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make a mock survey."""
    from sky_ssl.info import describe
    from sky_ssl.progress import terminal
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
        draw_sheet(args.out, args.sheet)
    return describe(args.out)
