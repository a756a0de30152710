"""Does a lasso, made a rule, keep its promise on a sky that was never mapped?

    python benchmarks/lasso_rule.py --run RUN [--seed 301] [--others 302 303 304] [--n 8000]
                                    [--enrich 0] [--method umap|tsne|pca] [--json FILE]

On the map of one mock sky a polygon is drawn around the island of the dwarfs, as a person would
who colours the map by class. The rule of that lasso is written to a file, read again and applied
to other skies. Printed are the purity and completeness that it promised for dwarfs, measured on
held-out folds of the first sky, and those found on each of the others, all with 95 % intervals; and
how many dwarfs its first 100 objects were expected to hold, and hold. A difference counts as
within the interval where it is smaller than both half widths added in quadrature.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from scipy.ndimage import gaussian_filter, label

from sky_ssl.embedding.encode import embed_file
from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidates import find_candidates
from sky_ssl.explore.heldout import share
from sky_ssl.explore.maps import MapOptions, make_map
from sky_ssl.explore.selection import lasso_selection, load_selection, save_selection
from sky_ssl.explore.similarity import token_count
from sky_ssl.progress import terminal
from sky_ssl.sky.coords import sky_blocks
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.mock import write_mock

CLASS = "dwarf"
GRID = 64  # cells across the map, to draw on
FIRST = 100


def draw_island(xy: np.ndarray, wanted: np.ndarray, part: float = 0.6) -> shapely.Polygon:
    """Draw a polygon around the densest region of the wanted objects on a map.

    Args:
        xy: (N, 2) the map.
        wanted: (N,) True = of the class.
        part: share of the wanted objects that the region of highest purity is grown to hold.

    Returns:
        The outline of its largest island.
    """
    low, high = xy.min(axis=0), xy.max(axis=0)
    cell = (high - low) / GRID
    place = np.minimum(((xy - low) / cell).astype(int), GRID - 1)
    counts = np.zeros((2, GRID, GRID))
    np.add.at(counts[0], (place[wanted, 0], place[wanted, 1]), 1)
    np.add.at(counts[1], (place[:, 0], place[:, 1]), 1)
    smooth = np.array([gaussian_filter(c, 1.0) for c in counts])
    purity = smooth[0] / np.maximum(smooth[1], 0.3)
    order = np.argsort(-purity, axis=None)
    held = np.cumsum(counts[0].ravel()[order])
    region = np.zeros(GRID * GRID, dtype=bool)
    region[order[: np.searchsorted(held, part * wanted.sum()) + 1]] = True
    islands, found = label(region.reshape(GRID, GRID))
    sizes = [counts[0][islands == i].sum() for i in range(1, found + 1)]
    cells = np.argwhere(islands == 1 + int(np.argmax(sizes)))
    corners = low + cells * cell
    squares = shapely.box(*corners.T, *(corners + cell).T)
    outline = shapely.union_all(squares).buffer(cell.max() * 0.3)
    return shapely.Polygon(outline.exterior)


def embedded(folder: Path, args: argparse.Namespace, seed: int) -> tuple[Embeddings, np.ndarray]:
    """Make and embed a mock sky; give its embeddings and classes (N,)."""
    cutouts, out = folder / f"{seed}.h5", folder / f"{seed}-embeddings.h5"
    enrich = {CLASS: args.enrich} if args.enrich else {}
    write_mock(cutouts, args.n, seed=seed, enrich=enrich, progress=terminal(f"sky {seed}"))
    embed_file(args.run, cutouts, out, progress=terminal(f"embed {seed}"))
    classes = open_cutouts(cutouts).column("class").astype(str)
    cutouts.unlink()
    return open_embeddings(out), classes


def run_all(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Draw on one sky, apply to the others."""
    e, classes = embedded(folder, args, args.seed)
    tokens = token_count(e.attributes, e.values.shape[1])
    options = MapOptions(method=args.method, seed=args.seed)
    made = make_map(e.values, tokens, options, progress=terminal("map"))
    outline = draw_island(made.xy.astype(np.float64), classes == CLASS)
    inside = np.asarray(shapely.contains_xy(outline, made.xy[:, 0], made.xy[:, 1]))
    origin = {"map": args.method, "polygon": [list(c) for c in outline.exterior.coords]}
    rule = lasso_selection(
        e, inside, name="island", labels=classes, positive=CLASS, origin=origin, seed=args.seed
    )
    save_selection(rule, folder / "island.json")
    stored = load_selection(folder / "island.json")
    drawn = {
        "objects": int(inside.sum()),
        "purity": float((classes[inside] == CLASS).mean()),
        "completeness": float(inside[classes == CLASS].mean()),
    }
    others = []
    for seed in args.others:
        other, truth = embedded(folder, args, seed)
        others.append({"seed": seed, **applied(stored, other, truth == CLASS)})
    return {
        "run": args.run, "seed": args.seed, "n": args.n, "enrich": args.enrich,
        "method": args.method, "drawn": drawn, "promised": rule.measured, "found": others,
    }  # fmt: skip


def applied(rule: Any, e: Embeddings, truth: np.ndarray) -> dict[str, Any]:
    """Measure a rule on a sky whose truth is known."""
    chosen = rule.scores(e.values) >= rule.threshold
    blocks = sky_blocks(e.ra, e.dec, 1.0)
    found = {
        "class_purity": share(truth[chosen], blocks[chosen]),
        "class_completeness": share(chosen[truth], blocks[truth]),
    }
    within = {name: agrees(rule.measured[name], value) for name, value in found.items()}
    listed = find_candidates(rule, e)
    expected = next((x for x in listed.expected if x["top"] == FIRST), listed.expected[-1])
    hits = int(truth[listed.rows[: int(expected["top"])]].sum())
    inside = expected["low"] <= hits <= expected["high"]
    return {**found, "within": within, "expected": expected, "hits": hits, "hits_within": inside}


def agrees(promised: dict[str, float], found: dict[str, float]) -> bool:
    """Say whether two shares agree within their 95 % intervals."""
    apart = found["mean"] - promised["mean"]
    upwards = (promised["high"] - promised["mean"], found["mean"] - found["low"])
    downwards = (promised["mean"] - promised["low"], found["high"] - found["mean"])
    return bool(abs(apart) <= np.hypot(*(upwards if apart > 0 else downwards)))


def _text(value: dict[str, float]) -> str:
    return f"{value['mean']:.3f} ({value['low']:.3f}-{value['high']:.3f})"


def report(result: dict[str, Any]) -> list[str]:
    """Lay the figures out for reading."""
    drawn, promised = result["drawn"], result["promised"]
    lines = [
        f"lasso on the {result['method']} map of sky {result['seed']}: {drawn['objects']} objects, "
        f"{drawn['purity']:.3f} of them {CLASS}, {drawn['completeness']:.3f} of all {CLASS}",
        f"the rule against what was drawn: purity {_text(promised['purity'])}, completeness "
        f"{_text(promised['completeness'])}",
        f"{'':14}{'purity':>22}{'completeness':>22}   first {FIRST} hold",
        f"{'promised':14}{_text(promised['class_purity']):>22}"
        f"{_text(promised['class_completeness']):>22}",
    ]
    for row in result["found"]:
        x, within = row["expected"], row["within"]
        marks = ["" if within[name] else " !" for name in within]
        lines.append(
            f"sky {row['seed']:<10}{_text(row['class_purity']) + marks[0]:>22}"
            f"{_text(row['class_completeness']) + marks[1]:>22}   {row['hits']} of {x['top']}, "
            f"expected {x['mean']:.0f} ({x['low']:.0f}-{x['high']:.0f})"
            f"{'' if row['hits_within'] else ' !'}"
        )
    return [*lines, "(!: outside the interval)"]


def main() -> int:
    """Print promised and found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True, help="run directory or checkpoint")
    parser.add_argument("--seed", type=int, default=301, help="of the sky that is drawn on")
    parser.add_argument("--others", type=int, nargs="+", default=[302, 303, 304])
    parser.add_argument("--n", type=int, default=8000, help="objects in natural proportion")
    parser.add_argument("--enrich", type=int, default=0, help=f"more objects of class {CLASS}")
    parser.add_argument("--method", default="umap", choices=("umap", "tsne", "pca"))
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as folder:
            result = run_all(args, Path(folder))
    except InputError as error:
        print(f"lasso_rule.py: {error}", file=sys.stderr)
        return 2
    print("\n".join(report(result)))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
