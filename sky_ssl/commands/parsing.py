"""Arguments that subcommands share, and warnings."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError

Run = Callable[[argparse.Namespace], dict[str, Any]]
Show = Callable[[dict[str, Any]], list[str]]


def lay_out(result: dict[str, Any]) -> list[str]:
    """Lay a result out for reading, a line for each value."""
    lines = []
    for name, value in result.items():
        if isinstance(value, list) and any(len(str(v)) > 30 for v in value):
            lines += [f"{name}:", *(f"  {v}" for v in value)]
        elif value not in ([], {}, None, ""):
            text = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"{name.replace('_', ' ')}: {text}")
    return lines


def without_problems(result: dict[str, Any]) -> list[str]:
    """Lay a result out whose problems were said as warnings already."""
    return lay_out({name: value for name, value in result.items() if name != "problems"})


def add_command(
    commands: Any, name: str, run: Run, description: str, show: Show = lay_out
) -> argparse.ArgumentParser:
    """Add a subcommand with `--json`.

    Args:
        commands: of the parser.
        name: of the subcommand.
        run: does its work, and gives the result, which `--json` prints as it is.
        description: a few words.
        show: lays the result out for reading.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=description, description=description[0].upper() + description[1:] + "."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run, show=show)
    return parser


def add_tiles(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name tiles and say how to read them."""
    parser.add_argument("tiles", nargs="+", type=Path, help="FITS files or folders")
    parser.add_argument("--survey", required=True, help="unions, hsc, legacy, mock or a TOML file")
    parser.add_argument(
        "--min-bands", type=int, default=1, help="leave out tiles with fewer bands (1)"
    )
    parser.add_argument(
        "--reproject",
        action="store_true",
        help="bring bands on other pixel grids to that of the first",
    )
    parser.add_argument("--workers", type=int, default=0, help="processes (default: all cores)")


def add_labels(parser: Any) -> None:
    """Add the arguments that say where labels of objects are."""
    parser.add_argument("--labels", default="", help="label ledger (file or URL), or any catalogue")
    parser.add_argument(
        "--label-column", default="", help="of that file; rows without a value have no label"
    )
    parser.add_argument("--task", default="", help="of the ledger (default: all)")


def warn(lines: Sequence[str]) -> None:
    """Print warnings, a line each, to standard error."""
    for line in lines:
        print(f"warning: {line}", file=sys.stderr)


def tiles_of(args: argparse.Namespace) -> tuple[Any, Any]:
    """Give the survey and its tiles among the files and folders of `add_tiles`."""
    from sky_ssl.sky.survey import load_survey
    from sky_ssl.sky.tiles import find_tiles

    survey = load_survey(args.survey)
    tiles, report = find_tiles(args.tiles, survey, min_bands=args.min_bands)
    warn(report)
    if not tiles:
        raise InputError(f"{args.tiles[0]}: no tile of {survey.name} found here")
    return survey, tiles


def draw_sheet(cutouts: Path, sheet: Path, rgb: Sequence[str] = ()) -> None:
    """Draw the contact sheet of a cutout file."""
    from sky_ssl.figures.contact import draw_cutouts
    from sky_ssl.sky.cutoutset import open_cutouts

    draw_cutouts(open_cutouts(cutouts), sheet, rgb=rgb)
