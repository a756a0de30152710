"""`sky-ssl candidates`: a stored selection rule on any embeddings, as a ranked list."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, add_labels, warn
from sky_ssl.errors import InputError

_SHOWN = 25


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(
        commands, "candidates", run, "apply a selection rule: a ranked list of objects", _table
    )
    p.add_argument("--selection", type=Path, required=True, metavar="S.json", help="the rule")
    p.add_argument("--embeddings", type=Path, required=True, metavar="E.h5", help="of any data")
    p.add_argument(
        "--out", type=Path, required=True, help="list to write: .csv .ecsv .fits .vot .reg (DS9)"
    )
    p.add_argument(
        "--prevalence",
        default="",
        metavar="P",
        help="share of true ones in this sky: 0.001 or 0.1%%, or HITS/OF of an audit such as 3/500",
    )
    p.add_argument("--top", type=int, metavar="N", help="at most so many")
    p.add_argument("--threshold", type=float, metavar="T", help="least score (default: the rule's)")
    p.add_argument(
        "--merge",
        type=float,
        default=1.0,
        metavar="ARCSEC",
        help="objects closer than this are one, the best is kept (default 1; 0 merges none)",
    )
    k = p.add_argument_group("what is known already")
    add_labels(k)
    k.add_argument(
        "--known", choices=("drop", "keep"), default="drop", help="labelled objects (default drop)"
    )
    k.add_argument(
        "--catalogue",
        type=Path,
        nargs="+",
        default=[],
        help="catalogues to name the nearest known object from",
    )
    k.add_argument(
        "--radius", type=float, default=10.0, metavar="ARCSEC", help="of that (default 10)"
    )
    k.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help="magnitudes, sizes and flags: cutouts or a catalogue (default: the cutouts embedded)",
    )
    o = p.add_argument_group("further output")
    o.add_argument("--moc", type=Path, metavar="FILE.fits", help="the area searched, as a MOC")
    o.add_argument(
        "--fov", type=float, default=0.0, metavar="ARCSEC", help="width of a cutout, for it"
    )
    o.add_argument(
        "--samp", action="store_true", help="send the list to TOPCAT, Aladin or DS9 by SAMP"
    )
    o.add_argument("--samp-to", default="", metavar="NAME", help="to that program alone")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make the list, write it, and send it on."""
    from sky_ssl.explore.candidatefiles import as_rows
    from sky_ssl.explore.candidates import ListOptions
    from sky_ssl.explore.listing import ListRequest, make_list
    from sky_ssl.probes.prevalence import parse_prevalence
    from sky_ssl.progress import terminal

    if args.fov < 0:
        raise InputError(f"--fov {args.fov}: must be above 0 arcsec")
    options = ListOptions(
        threshold=args.threshold,
        top=args.top,
        prevalence=parse_prevalence(args.prevalence),
        known=args.known,
        merge_arcsec=args.merge,
        radius_arcsec=args.radius,
    )
    request = ListRequest(
        selection=args.selection,
        embeddings=args.embeddings,
        out=args.out,
        labels=args.labels,
        label_column=args.label_column,
        task=args.task,
        catalogues=tuple(args.catalogue),
        columns=args.columns,
        fov_arcsec=args.fov,
        moc=args.moc,
    )
    found, summary = make_list(
        request, options, terminal("score", "object"), terminal("area", "field")
    )
    warn(summary["notes"])
    if args.samp or args.samp_to:
        summary["sent_to"] = _send(args, found, summary)
    return {"results": as_rows(found.frame, _SHOWN), **summary}


def _send(args: argparse.Namespace, found: Any, summary: dict[str, Any]) -> list[str]:
    """Send the list as a VOTable, which is written beside the list if that is of another kind."""
    from sky_ssl.explore.candidatefiles import check_ending, write_candidates
    from sky_ssl.explore.samp import send_table

    path = args.out
    if check_ending(path) != "votable":
        path = path.with_suffix(".vot")
        write_candidates(found.frame, path, summary["provenance"])
        summary["votable"] = str(path)
    return send_table(path, f"candidates {summary['selection']}", to=args.samp_to)


def _table(result: dict[str, Any]) -> list[str]:
    """Lay the first candidates out as a table, with what the whole list is expected to hold."""
    from sky_ssl.explore.expectation import expectation_lines

    names = [n for n in _COLUMNS if result["results"] and n in result["results"][0]]
    rows = [[_COLUMNS[n](row[n]) for n in names] for row in result["results"]]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in ([names, *rows] if rows else [])
    ]
    if result["listed"] > len(rows):
        lines.append(f"... and {result['listed'] - len(rows)} more")
    lines.append("")
    counts = ("scored", "passed", "known_left_out", "merged", "listed")
    lines.append(", ".join(f"{result[n]} {n.replace('_', ' ')}" for n in counts))
    of = result["provenance"].get("probability_of", "")
    if result["prevalence"] is not None:
        lines.append(f"at a prevalence of {result['prevalence']:.4g}:")
        lines += [f"  {line}" for line in expectation_lines(result["expected"], of)]
    lines += result["report"]
    written = [str(result[n]) for n in ("out", "votable", "moc") if n in result]
    lines.append(f"written: {', '.join(written)}")
    if "square_degrees" in result:
        lines.append(f"area searched: {result['square_degrees']:.4g} square degrees")
    if "sent_to" in result:
        lines.append(f"sent to: {', '.join(result['sent_to'])}")
    return lines


def _number(digits: int) -> Any:
    return lambda value: "-" if value is None else f"{value:.{digits}f}"


_COLUMNS: dict[str, Any] = {
    "rank": str,
    "id": lambda text: text if len(text) <= 40 else f"{text[:37]}...",
    "ra": _number(5),
    "dec": _number(5),
    "score": _number(3),
    "probability": _number(3),
    "mag_r": _number(2),
    "half_light_radius": _number(2),
    "nearest_known": lambda text: text[:30] or "-",
    "nearest_separation": _number(2),
    "twins": str,
}
