"""The `sky-ssl` command: one subcommand per stage of the flow.

Results go to standard output (one JSON document under --json), progress and warnings to standard
error. Bad input ends with one line and status 2.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sky_ssl import __version__
from sky_ssl import commands as work
from sky_ssl.errors import InputError

Command = Callable[[argparse.Namespace], dict[str, Any]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    args = build_parser().parse_args(arguments)
    try:
        result = args.run(args)
    except InputError as error:
        print(f"sky-ssl {args.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"sky-ssl {args.command}: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"sky-ssl {args.command}: stopped; repeat the command to go on", file=sys.stderr)
        return 130
    broken = result.get("kind") == "unreadable"
    if os.environ.get("RANK", "0") != "0":  # under torchrun one rank speaks for all
        return 0
    if args.json:
        print(json.dumps(result, indent=1, default=str))
    elif broken:
        print(f"sky-ssl {args.command}: {result['problems'][0]}", file=sys.stderr)
    else:
        if args.command in ("detect", "cut"):
            result.pop("problems")  # said as warnings
        print("\n".join(_lines(result)))
    return 2 if broken else 0


def _lines(result: dict[str, Any]) -> list[str]:
    """Lay a result out for reading."""
    lines = []
    for name, value in result.items():
        if isinstance(value, list) and any(len(str(v)) > 30 for v in value):
            lines += [f"{name}:", *(f"  {v}" for v in value)]
        elif value not in ([], {}, None, ""):
            text = " ".join(map(str, value)) if isinstance(value, list | tuple) else value
            lines.append(f"{name.replace('_', ' ')}: {text}")
    return lines


def build_parser() -> argparse.ArgumentParser:
    """Describe all subcommands."""
    parser = argparse.ArgumentParser(
        prog="sky-ssl", description="Self-supervised learning on multi-band sky surveys."
    )
    parser.add_argument("--version", action="version", version=f"sky_ssl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    p = _command(commands, "demo", work.demo, "build a demo workspace: mock sky, model, embeddings")
    p.add_argument("--workspace", type=Path, help="folder (default: workspace/ here)")
    p.add_argument("--n", type=int, default=12_000, help="mock cutouts (default 12000)")
    p.add_argument("--seed", type=int, default=0, help="of the mock sky (default 0)")
    p.add_argument("--steps", type=int, default=0, help="training steps (default: as configured)")

    p = _command(commands, "mock", work.mock, "make mock survey cutouts with truth columns")
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

    p = _command(commands, "detect", work.detect, "detect sources on tiles")
    _tiles(p)
    p.add_argument(
        "--out", type=Path, required=True, help="catalogue: .csv .ecsv .fits .vot .parquet"
    )
    p.add_argument("--threshold", type=float, default=1.5, help="per pixel, in sigma (default 1.5)")

    p = _command(commands, "cut", work.cut, "cut images of objects out of tiles")
    _tiles(p)
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
    p.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    p.add_argument("--seed", type=int, default=0, help="of random windows (default 0)")
    p.add_argument("--sheet", type=Path, help="also draw a contact sheet of the first 120 (PNG)")

    p = _command(commands, "embed", work.embed, "embed cutouts with a trained model")
    p.add_argument("--run", required=True, dest="run_dir", help="run directory or checkpoint")
    p.add_argument("--cutouts", type=Path, required=True, help="cutout file or folder")
    p.add_argument("--out", type=Path, required=True, help="embeddings file to write")
    p.add_argument(
        "--pooling",
        default="central",
        help="central (default), mean, max, central16, cls, mean+central",
    )
    p.add_argument("--project", type=int, default=0, metavar="D", help="PCA to D numbers")
    p.add_argument("--dtype", choices=("float32", "float16"), default="float32")
    p.add_argument(
        "--sigma",
        choices=("checkpoint", "file"),
        default="checkpoint",
        help="whose noise the scaling uses",
    )
    p.add_argument("--allow-pixel-scale", action="store_true")
    p.add_argument("--batch-size", type=int, default=256)
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")

    p = _command(commands, "info", work.info, "say what is in a file or folder, or what is wrong")
    p.add_argument("path", type=Path, help="any file or folder of ours, or FITS")
    return parser


def _command(commands: Any, name: str, run: Command, description: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=description, description=description[0].upper() + description[1:] + "."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.set_defaults(run=run)
    return parser


def _tiles(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tiles", nargs="+", type=Path, help="FITS files or folders")
    parser.add_argument("--survey", required=True, help="unions, hsc, legacy, mock or a TOML file")
    parser.add_argument("--min-bands", type=int, default=1)
    parser.add_argument(
        "--reproject",
        action="store_true",
        help="bring bands on other pixel grids to that of the first",
    )
    parser.add_argument("--workers", type=int, default=0, help="processes (default: all cores)")
