"""`sky-ssl anomalies`: the oddest objects, as a ranked list."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, add_labels, warn

_SHOWN = 25


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "anomalies", run, "rank objects by how odd they are", _table)
    p.add_argument("--embeddings", type=Path, required=True, metavar="E.h5", help="of any data")
    p.add_argument(
        "--out", type=Path, help="list to write, the oddest first: .csv .ecsv .fits .vot .reg (DS9)"
    )
    p.add_argument("--top", type=int, default=0, metavar="N", help="at most so many (default: all)")
    p.add_argument(
        "--run",
        type=Path,
        dest="run_dir",
        help="run of the model: how badly it foretells hidden parts of an object counts as well",
    )
    p.add_argument("--cutouts", type=Path, help="of the embeddings (default: as embedded)")
    p.add_argument("--draws", type=int, default=4, help="of hidden parts, for --run (default 4)")
    p.add_argument("--neighbour", type=int, default=10, help="whose distance counts (default 10)")
    p.add_argument("--components", type=int, default=50, help="principal axes used (default 50)")
    p.add_argument(
        "--merge",
        type=float,
        default=1.0,
        metavar="ARCSEC",
        help="objects closer than this are one (default 1; 0 merges none)",
    )
    p.add_argument("--seed", type=int, default=0, help="of what is drawn at random (0)")
    p.add_argument("--threads", type=int, default=0, help="default: all cores")
    k = p.add_argument_group("artefacts known already: they, and what is like them, lose rank")
    add_labels(k)
    k.add_argument(
        "--artefact",
        action="append",
        default=[],
        metavar="LABEL",
        help="label that means an artefact (default artefact); may be repeated",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Rank the objects, and write the list."""
    from sky_ssl.explore.anomalyjob import AnomalyRequest, anomaly_table
    from sky_ssl.explore.candidatefiles import as_rows
    from sky_ssl.progress import terminal

    request = AnomalyRequest(
        embeddings=args.embeddings,
        cutouts=args.cutouts,
        run=args.run_dir,
        draws=args.draws,
        labels=args.labels,
        label_column=args.label_column,
        task=args.task,
        artefacts=tuple(args.artefact) or ("artefact",),
        out=args.out,
        top=args.top,
        neighbour=args.neighbour,
        components=args.components,
        merge_arcsec=args.merge,
        seed=args.seed,
        threads=args.threads,
    )
    filling = terminal("reconstruct", "object") if args.run_dir else None
    table, summary = anomaly_table(request, terminal("anomalies", "‰"), filling)
    warn(summary["notes"])
    return {"results": as_rows(table, args.top or _SHOWN), **summary}


def _table(result: dict[str, Any]) -> list[str]:
    """Lay the oddest out as an aligned table."""
    rows = result["results"][:_SHOWN]
    names = [n for n in _FORMATS if rows and n in rows[0]]
    names = [n for n in names if any(row[n] not in (None, "") for row in rows)]
    cells = [["-" if row[n] is None else _FORMATS[n].format(row[n]) for n in names] for row in rows]
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    lines = [
        "  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True))
        for line in ([names, *cells] if rows else [])
    ]
    if result["listed"] > len(rows):
        lines.append(f"... and {result['listed'] - len(rows):,} more")
    measures = ", ".join(name.replace("_", " ") for name in result["measures"])
    lines.append(f"{result['objects']:,} objects by {measures}")
    lines.append(f"{result['artefacts']:,} labelled artefacts weigh down what is like them")
    lines += result["report"]
    return [*lines, *([f"written: {result['path']}"] if "path" in result else [])]


_FORMATS = {
    "rank": "{}",
    "id": "{}",
    "ra": "{:.5f}",
    "dec": "{:+.5f}",
    "anomaly": "{:.4f}",
    "isolation": "{:.3f}",
    "neighbour_distance": "{:.4f}",
    "reconstruction_error": "{:.3f}",
    "unlike_artefacts": "{:.2f}",
    "label": "{}",
    "mag_r": "{:.2f}",
}
