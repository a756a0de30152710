"""`sky-ssl labels`: the ledger in and out, random samples to label, agreement between labellers."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sky_ssl.commands.parsing import add_command, lay_out, warn
from sky_ssl.errors import InputError

if TYPE_CHECKING:
    from sky_ssl.explore.labelmatch import DataSet
    from sky_ssl.explore.labels import Ledger, Origin


def add(commands: Any) -> None:
    """Describe the arguments."""
    parser = commands.add_parser(
        "labels", help="labels into the ledger and out of it, random samples to label"
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    p = add_command(
        parts, "import", _import, "write the labels of a table into the ledger", _show_import
    )
    p.add_argument("file", type=Path, help="catalogue, cutouts or another ledger")
    _add_place(p)
    labels = p.add_mutually_exclusive_group(required=True)
    labels.add_argument("--column", help="column of labels; empty cells are no labels")
    labels.add_argument("--label", help="one label for all rows, in place of a column")
    p.add_argument("--task", required=True, help="what the labels answer, such as dwarf")
    p.add_argument(
        "--source",
        choices=("import", "review", "audit"),
        default="import",
        help="what the labels come from: audit = a random sample, which purity can be measured on",
    )
    p.add_argument(
        "--ambiguous",
        choices=("skip", "nearest"),
        default="skip",
        help="what to do where two objects are as near",
    )
    _add_objects(p)
    p = add_command(parts, "export", _export, "write the labels in force as a table")
    p.add_argument("file", type=Path, help=".csv, .ecsv, .fits, .vot or .parquet")
    _add_place(p)
    p.add_argument("--task", help="only this one (default: all)")
    p.add_argument("--all", action="store_true", help="every event, undone ones as well")
    _add_objects(p)
    p = add_command(parts, "audit", _audit, "draw a random sample to label blind")
    p.add_argument("file", type=Path, help="list to write: id, ra, dec and an empty label")
    _add_place(p)
    p.add_argument("--n", type=int, default=200, help="objects to draw (default 200)")
    p.add_argument("--seed", type=int, default=0, help="of the sample (0)")
    p.add_argument("--task", default="class", help="what they will be labelled for (class)")
    _add_objects(p, required=True)
    p = add_command(parts, "agreement", _agreement, "compare labellers", _show_agreement)
    _add_place(p)
    p.add_argument("--task", help="only this one (default: all)")


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workspace", type=Path, help="its ledger is labels.db")
    parser.add_argument("--ledger", help="another file, or postgresql+psycopg://user@host/name")
    parser.add_argument("--labeller", help="default: SKY_SSL_LABELLER, else the login name")


def _add_objects(parser: argparse.ArgumentParser, required: bool = False) -> None:
    objects = parser.add_mutually_exclusive_group(required=required)
    objects.add_argument("--embeddings", type=Path, help="the objects that are meant")
    objects.add_argument("--cutouts", type=Path, help="the same, from a cutout file or folder")
    if not required:
        parser.add_argument("--radius", type=float, default=1.0, metavar="ARCSEC", help="(1)")


def _open(args: argparse.Namespace, *, to_read: bool = False) -> "Ledger":
    from sky_ssl.explore.labels import Ledger
    from sky_ssl.workspace import open_workspace

    place = args.ledger or open_workspace(args.workspace).labels
    if to_read and "://" not in str(place) and not Path(place).exists():
        raise InputError(f"{place}: no label ledger here yet")
    ledger = Ledger(place)
    warn(ledger.notes)
    return ledger


def _objects(args: argparse.Namespace) -> "DataSet | None":
    from sky_ssl.explore.labelmatch import open_data_set

    path = args.embeddings or args.cutouts
    return open_data_set(path) if path else None


def _origin(args: argparse.Namespace, source: str) -> "Origin":
    from sky_ssl.explore.labels import Origin, default_labeller

    return Origin(args.labeller or default_labeller(), source)


def _import(args: argparse.Namespace) -> dict[str, Any]:
    """Write the labels of a table into the ledger."""
    from sky_ssl.explore.labelfiles import import_labels

    data = _objects(args)
    ledger = _open(args)
    result = import_labels(
        ledger,
        args.file,
        task=args.task,
        origin=_origin(args, args.source),
        column=args.column,
        value=args.label,
        data=data,
        radius_arcsec=args.radius,
        take_nearest=args.ambiguous == "nearest",
    )
    return {**result, "ledger": ledger.name}


def _export(args: argparse.Namespace) -> dict[str, Any]:
    """Write the labels in force, or every event."""
    from sky_ssl.explore.labelfiles import export_labels

    data = _objects(args)
    ledger = _open(args, to_read=True)
    return export_labels(
        ledger,
        args.file,
        task=args.task,
        every_event=args.all,
        data=data,
        radius_arcsec=args.radius,
    )


def _audit(args: argparse.Namespace) -> dict[str, Any]:
    """Draw a random sample, remember it and write its list."""
    from sky_ssl.explore.audit import draw_audit
    from sky_ssl.sky.catalogue import write_catalogue
    from sky_ssl.sky.tablefiles import check_ending

    check_ending(args.file)
    data = _objects(args)
    assert data is not None  # one of the two is required
    ledger = _open(args)
    sample = draw_audit(
        ledger, data, args.n, task=args.task, origin=_origin(args, "audit"), seed=args.seed
    )
    write_catalogue(sample, args.file)
    return {
        "path": str(args.file),
        "rows": len(sample),
        "task": args.task,
        "of": len(data.id),
        "ledger": ledger.name,
        "next": f"fill in the column label, then: sky-ssl labels import {args.file} "
        f"--column label --task {args.task} --source audit "
        f"--{'embeddings' if args.embeddings else 'cutouts'} {args.embeddings or args.cutouts}",
    }


def _agreement(args: argparse.Namespace) -> dict[str, Any]:
    """Compare the labellers of each task."""
    return _open(args, to_read=True).agreement(task=args.task)


def _show_import(result: dict[str, Any]) -> list[str]:
    counts = ", ".join(f"{label} {n}" for label, n in result["labels"].items())
    more = result["different_labels"] - len(result["labels"])
    counts += f" and {more} others" if more else ""
    lines = lay_out({k: v for k, v in result.items() if k not in ("report", "labels")})
    return [*lines, *([f"labels: {counts}"] if counts else []), *result["report"]]


def _show_agreement(result: dict[str, Any]) -> list[str]:
    lines = []
    for task, found in result.items():
        percent = "-" if found["percent"] is None else f"{found['percent']:.1f} %"
        alpha = "-" if found["alpha"] is None else f"{found['alpha']:.3f}"
        lines.append(f"{task}: {found['objects']} objects, {percent} agree, alpha {alpha}")
        for pair in found["pairs"]:
            kappa = "-" if pair["kappa"] is None else f"{pair['kappa']:.3f}"
            lines.append(
                f"  {pair['first'][:20]:20s} {pair['second'][:20]:20s} "
                f"{pair['objects']:7d} objects {pair['percent']:6.1f} %  kappa {kappa}"
            )
    return lines or ["no labels"]
