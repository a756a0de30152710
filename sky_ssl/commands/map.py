"""`sky-ssl map`: a two-dimensional map of embeddings."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, warn
from sky_ssl.errors import InputError


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "map", run, "lay embeddings out in two dimensions")
    source = p.add_mutually_exclusive_group(required=True)
    source.add_argument("--embeddings", type=Path, help="embeddings file, ours or own vectors")
    source.add_argument("--coordinates", type=Path, help="table with positions of your own")
    p.add_argument("--out", type=Path, required=True, help="map file to write")
    p.add_argument("--method", choices=("umap", "tsne", "pca"), default="umap", help="default umap")
    p.add_argument("--seed", type=int, default=0, help="the same seed, the same map (0)")
    p.add_argument("--neighbours", type=int, default=15, help="of UMAP")
    p.add_argument("--min-dist", type=float, default=0.1, help="of UMAP")
    p.add_argument("--perplexity", type=float, default=30.0, help="of t-SNE")
    p.add_argument("--components", type=int, default=50, help="principal axes used")
    p.add_argument("--epochs", type=int, default=0, help="passes (default: as many as needed)")
    p.add_argument(
        "--sample",
        type=int,
        default=200_000,
        help="of more objects, so many make the map and the rest are placed into it",
    )
    p.add_argument("--warm", type=Path, metavar="MAP", help="start from this map: no jump")
    p.add_argument("--onto", type=Path, metavar="MAP", help="place new objects into this map")
    p.add_argument("--reference", type=Path, help="embeddings of --onto, if they were moved")
    p.add_argument("--x", help="column of --coordinates")
    p.add_argument("--y", help="column of --coordinates")
    p.add_argument("--threads", type=int, default=0, help="default: all cores")
    p.add_argument("--force", action="store_true", help="make it anew although it is current")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Make a map."""
    from sky_ssl.explore.mapjob import MapSources, map_file, own_map_file
    from sky_ssl.explore.maps import MapOptions
    from sky_ssl.progress import terminal

    if args.coordinates is not None:
        result = own_map_file(args.coordinates, args.out, x=args.x, y=args.y)
        warn(result["notes"])
        return result
    if args.x or args.y:
        raise InputError("--x and --y name columns of --coordinates, which is not given")
    options = MapOptions(
        method=args.method,
        seed=args.seed,
        neighbours=args.neighbours,
        min_dist=args.min_dist,
        perplexity=args.perplexity,
        components=args.components,
        epochs=args.epochs,
        sample=args.sample,
    )
    return map_file(
        args.embeddings,
        args.out,
        options,
        MapSources(args.warm, args.onto, args.reference),
        force=args.force,
        threads=args.threads,
        progress=terminal(f"map {args.method}", "‰"),
    )
