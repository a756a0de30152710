"""`sky-ssl clusters`: the clusters of a map, with a card each, and names for them."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, add_labels, warn
from sky_ssl.errors import InputError

_LABELS, _COLUMNS = 4, 6  # shown of each cluster


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "clusters", run, "find clusters, with a card of each", _cards)
    p.add_argument("--map", type=Path, metavar="M.h5", help="map to find them on")
    p.add_argument(
        "--embeddings",
        type=Path,
        metavar="E.h5",
        help="of the map (default: those it was made from); without a map, clusters along their "
        "principal axes",
    )
    p.add_argument("--cutouts", type=Path, help="whose columns the cards tell (default: as said)")
    add_labels(p)
    p.add_argument("--min-size", type=int, default=0, metavar="N", help="least members (root of N)")
    p.add_argument("--members", type=int, default=9, help="typical and odd ones to list (9)")
    p.add_argument("--components", type=int, default=10, help="principal axes, without a map (10)")
    p.add_argument("--seed", type=int, default=0, help="of the sample of more than 25,000 objects")
    p.add_argument(
        "--name",
        action="append",
        default=[],
        metavar='N="lens arcs"',
        help="name cluster N; kept beside the map, and follows its objects; may be repeated",
    )
    p.add_argument(
        "--out", type=Path, help="cluster of every object: .csv .ecsv .fits .vot, or .reg (DS9)"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Find clusters, name some, and describe each."""
    from sky_ssl.explore.clusterjob import ClusterRequest, cluster_file
    from sky_ssl.progress import terminal

    names = dict(_named(text) for text in args.name)
    request = ClusterRequest(
        map=args.map,
        embeddings=args.embeddings,
        cutouts=args.cutouts,
        labels=args.labels,
        label_column=args.label_column,
        task=args.task,
        out=args.out,
        min_size=args.min_size,
        components=args.components,
        members=args.members,
        seed=args.seed,
    )
    result = cluster_file(request, names, terminal("clusters", "object"))
    warn(result["notes"])
    return result


def _named(text: str) -> tuple[int, str]:
    """Read `3=lens arcs`."""
    number, sign, name = text.partition("=")
    if not sign or not number.strip().isdigit():
        raise InputError(f'--name {text}: give NUMBER=NAME, such as 3="lens arcs"')
    return int(number), name.strip().strip("\"'")


def _cards(result: dict[str, Any]) -> list[str]:
    """Lay the cards out, a few lines each."""
    lines = []
    for card in result["clusters"]:
        share = 100 * card["size"] / max(result["objects"], 1)
        title = f"cluster {card['number']}" + (f" ({card['name']})" if card["name"] else "")
        lines.append(f"{title}: {card['size']:,} objects, {share:.1f} %")
        if card["labels"]:
            counts = [f"{name} {n:,}" for name, n in card["labels"].items()]
            more = f" and {len(counts) - _LABELS} others" if len(counts) > _LABELS else ""
            lines.append(f"  labels   {', '.join(counts[:_LABELS])}{more}")
        if card["medians"]:
            told = [f"{name} {_short(value)}" for name, value in _chosen(card["medians"])]
            lines.append(f"  median   {', '.join(told)}")
        lines.append(f"  typical  {', '.join(card['typical'][:3])}")
        lines.append(f"  odd      {', '.join(card['odd'][:3])}")
    alone = f"{result['alone']:,} of {result['objects']:,} objects are in none"
    lines.append(f"{len(result['clusters'])} clusters; {alone}")
    lines += result["report"]
    lines += [f"{word}: {result[key]}" for key, word in _WRITTEN if key in result]
    return lines


_WRITTEN = (("names", "names kept in"), ("path", "written"))


def _chosen(medians: dict[str, float]) -> list[tuple[str, float]]:
    """Choose colours and sizes first: magnitudes are longer lists, and say less of a kind."""
    colours = [item for item in medians.items() if " - " in item[0]]
    others = [item for item in medians.items() if " - " not in item[0]]
    sizes = [i for i in others if i[0] in ("half_light_radius", "mean_surface_brightness", "mag_r")]
    rest = [item for item in others if item not in sizes]
    return [*colours, *sizes, *rest][:_COLUMNS]


def _short(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1000 else f"{value:.4g}"
