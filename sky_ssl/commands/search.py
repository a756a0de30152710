"""`sky-ssl search`: the objects most like some exemplars, among embeddings or straight on tiles."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command

_INDEXES = ("auto", "exact", "ivf", "ivfpq")
_SCORES = ("whitened", "tokens", "cosine", "mse", "mae")


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "search", run, "find the objects most like some exemplars", _table)
    p.add_argument("--embeddings", type=Path, help="embeddings file to search, or of the exemplars")
    p.add_argument("--run", dest="run_dir", help="run of the model, for --image and --tiles")
    _add_query(p)
    _add_tiles(p)
    how = p.add_argument_group("how to search")
    how.add_argument("--top", type=int, default=25, help="how many to find (default 25)")
    how.add_argument(
        "--merge",
        type=float,
        default=1.0,
        metavar="ARCSEC",
        help="objects closer than this are one, the best is kept (default 1)",
    )
    how.add_argument(
        "--score",
        choices=_SCORES,
        default="whitened",
        help="whitened: cosine along the principal axes of the survey, the wide ones brought "
        "nearer to the others (default); tokens: mean cosine of the tokens of the embeddings; "
        "cosine, mse, mae: patch by patch, see below",
    )
    how.add_argument(
        "--index",
        choices=_INDEXES,
        default="auto",
        help="of --score tokens: exact, or approximate for many millions; auto chooses by size",
    )
    how.add_argument(
        "--index-folder",
        type=Path,
        help="where the whitened vectors or an index are kept (default: beside the embeddings)",
    )
    how.add_argument(
        "--expand",
        type=int,
        default=0,
        metavar="K",
        help="search again with the K best added to the exemplars, each by its score (default 0: "
        "do not); good where the first K are right, 10 to 30, and bad where they are not, as for "
        "kinds that look in many ways",
    )
    _add_older_recipe(p)
    out = p.add_argument_group("what to write")
    out.add_argument("--out", type=Path, help="also write the list: .csv .ecsv .fits .vot .parquet")
    out.add_argument("--save", type=Path, metavar="S.json", help="also write a selection rule")
    out.add_argument("--threshold", type=float, help="least score of the rule (cosine, up to 1)")
    out.add_argument("--name", default="", help="of the rule")


def _add_query(p: argparse.ArgumentParser) -> None:
    q = p.add_argument_group("exemplars (each may be repeated)")
    q.add_argument("--like", action="append", default=[], metavar="ID[,ID]", help="objects by id")
    q.add_argument(
        "--unlike", action="append", default=[], metavar="ID[,ID]", help="counter-examples by id"
    )
    q.add_argument(
        "--at",
        action="append",
        default=[],
        metavar='"RA DEC"',
        help="the object at a position; with --image the place in that image",
    )
    q.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="FILE",
        help="FITS image (or BAND=FILE,BAND=FILE), picture or cutout file; needs --run",
    )
    q.add_argument(
        "--radius", type=float, default=3.0, metavar="ARCSEC", help="of --at (default 3)"
    )
    q.add_argument(
        "--unlike-weight",
        type=float,
        default=0.5,
        metavar="W",
        help="weight of counter-examples against exemplars (default 0.5)",
    )
    q.add_argument("--zero-point", default="", metavar="Z[,Z]", help="of --image, AB mag")
    q.add_argument(
        "--allow-pixel-scale", action="store_true", help="of --image, take another pixel scale"
    )
    q.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_tiles(p: argparse.ArgumentParser) -> None:
    t = p.add_argument_group(
        "straight on tiles, instead of embeddings",
        "Whitened by --embeddings where that is given; --dense, and without it, by tokens.",
    )
    t.add_argument("--tiles", nargs="+", type=Path, help="FITS files or folders; needs --run")
    t.add_argument("--survey", help="unions, hsc, legacy, mock or a TOML file")
    t.add_argument(
        "--dense", action="store_true", help="everywhere, not at detections only; by tokens"
    )
    t.add_argument("--min-bands", type=int, default=1, help="leave out tiles with fewer bands (1)")
    t.add_argument("--reproject", action="store_true", help="bring bands to one pixel grid")
    t.add_argument("--workers", type=int, default=0, help="processes (default: all cores)")


def _add_older_recipe(p: argparse.ArgumentParser) -> None:
    s = p.add_argument_group("patch by patch (--score cosine, mse or mae)")
    s.add_argument(
        "--weights",
        choices=("none", "inverse-variance"),
        default="none",
        help="of the numbers of a token, by how much they differ among exemplars",
    )
    s.add_argument("--combine", choices=("min", "mean", "max"), default="mean", help="over patches")
    s.add_argument(
        "--patches",
        choices=("central", "all"),
        default="all",
        help="all (default): needs --run, and the cutouts; central: those in the embeddings",
    )
    s.add_argument(
        "--cutouts",
        type=Path,
        help="of --embeddings, for --patches all and --dense (default: as embedded)",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Search, write what was asked for, and give the list."""
    from sky_ssl.commands.searchwork import search

    return search(args)


def _table(result: dict[str, Any]) -> list[str]:
    """Lay the list out as an aligned table, with a line on how it was made."""
    formats = {"score": "{:.4f}", "ra": "{:.6f}", "dec": "{:+.6f}", "separation_arcsec": "{:.1f}"}
    formats |= {"x": "{:.1f}", "y": "{:.1f}"}
    rows = result["results"]
    names = [n for n in (rows[0] if rows else {"id": 0}) if n != "row"]
    names = [n for n in names if any(r[n] is not None for r in rows)]
    cells = [
        ["" if row[n] is None else formats.get(n, "{}").format(row[n]) for n in names]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(
            text.ljust(w) if name in ("id", "tile") else text.rjust(w)
            for text, w, name in zip(line, widths, names, strict=True)
        ).rstrip()
        for line in [names, *cells]
    ]
    how = {k: v for k, v in result.items() if k not in ("results", "exemplars", "notes")}
    summary = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in how.items())
    return [*lines, f"{len(rows)} objects like {len(result['exemplars'])} exemplars: {summary}"]
