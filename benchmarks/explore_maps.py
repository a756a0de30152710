"""Maps of embeddings: seconds, and how many neighbours stay neighbours, beside other packages.

    python benchmarks/explore_maps.py [--rows 10000] [--threads 0] [--only NAME ...]
                                      [--limit SECONDS] [--json FILE]

UMAP and t-SNE of this package (seeded; principal axes included in the time), of umap-learn (seeded,
which runs on one thread, and unseeded) and of scikit-learn, on the same made-up embeddings: clumps
of unequal size, each spread along a few directions of its own. The others are given the vectors
already projected onto 50 axes. Each package makes a map of 500 objects first, so that nothing is
compiled while the clock runs. Recall: the share of the 15 nearest among the embeddings (cosine,
all dimensions) that are among the 15 nearest in the map, over 2,000 objects spread evenly. With a
limit each package works in a process of its own, and one that takes longer is stopped and said to.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.graph import nearest, threads_or_all
from sky_ssl.explore.maps import MapOptions, make_map
from sky_ssl.explore.recall import recall
from sky_ssl.explore.similarity import normalised

NEIGHBOURS = 15
QUERIES = 2000
_LEAST = 200
Floats = npt.NDArray[np.float32]
Method = Callable[[Floats, Floats, int], Floats]
"""(embeddings (N, D), projected (N, P), threads) -> positions (N, 2)."""


def clumps(rows: int, dimensions: int = 512, seed: int = 0) -> Floats:
    """Make embeddings (rows, dimensions): 40 clumps, each along 6 directions, and noise."""
    rng = np.random.default_rng(seed)
    which = rng.choice(40, rows, p=rng.dirichlet(np.ones(40)))
    centres = rng.normal(0, 1, (40, dimensions))
    directions = rng.normal(0, 0.6, (40, 6, dimensions))
    values = rng.normal(0, 0.2, (rows, dimensions)).astype(np.float32)
    for number in range(40):
        members = np.flatnonzero(which == number)
        along = rng.normal(0, 1, (len(members), 6))
        values[members] += (centres[number] + along @ directions[number]).astype(np.float32)
    return values


def ours(method: str) -> Method:
    """Give the map of this package."""

    def make(values: Floats, _points: Floats, threads: int) -> Floats:
        return make_map(values, options=MapOptions(method=method), threads=threads).xy

    return make


def umap_learn(seed: int | None) -> Method:
    """Give the map of umap-learn, with a seed or without."""

    def make(_values: Floats, points: Floats, threads: int) -> Floats:
        from umap import UMAP

        jobs = threads_or_all(threads) if seed is None else 1
        model = UMAP(n_neighbors=15, min_dist=0.1, random_state=seed, n_jobs=jobs)
        return np.asarray(model.fit_transform(points), np.float32)

    return make


def scikit_tsne(_values: Floats, points: Floats, threads: int) -> Floats:
    """Give the t-SNE of scikit-learn."""
    from sklearn.manifold import TSNE

    model = TSNE(perplexity=30.0, random_state=0, n_jobs=threads_or_all(threads))
    return np.asarray(model.fit_transform(points), np.float32)


METHODS: dict[str, Method] = {
    "UMAP, seeded": ours("umap"),
    "umap-learn, seeded": umap_learn(0),
    "umap-learn, unseeded": umap_learn(None),
    "t-SNE, seeded": ours("tsne"),
    "t-SNE of scikit-learn, seeded": scikit_tsne,
}


def neighbours(points: Floats, rows: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Give the 15 nearest others of some rows."""
    found, _ = nearest(points[rows], points, NEIGHBOURS + 1)
    return [near[near != own][:NEIGHBOURS] for near, own in zip(found, rows, strict=True)]


def limited(rows: int, threads: int, names: list[str], limit: float) -> dict[str, Any]:
    """Make each map in a process of its own, stopped after so many seconds."""
    table: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            out = Path(folder) / "one.json"
            command = [sys.executable, __file__, "--rows", str(rows), "--threads", str(threads)]
            command += ["--only", name, "--json", str(out)]
            try:
                subprocess.run(command, check=True, timeout=limit, stdout=subprocess.DEVNULL)
                found = json.loads(out.read_text(encoding="utf-8"))["maps"][name]
                text = f"{found['seconds']:9.1f}{found['recall']:12.3f}"
            except subprocess.TimeoutExpired:
                found, text = {"longer_than": limit}, f"  not in {limit:.0f} s, all in"
            table[name] = found
            print(f"{name:32}{text}", flush=True)
    return {"rows": rows, "threads": threads_or_all(threads), "maps": table}


def measure(rows: int, threads: int, names: list[str]) -> dict[str, Any]:
    """Make each map once; give seconds and recall by method."""
    values = clumps(rows)
    points = principal_axes(values, 1, 50).project(values)
    queries = np.unique(np.linspace(0, rows - 1, min(rows, QUERIES)).astype(np.int64))
    exact = neighbours(normalised(values, 1), queries)
    table = {}
    for name in names:
        make = METHODS[name]
        few = slice(0, 500)
        make(values[few], points[few], threads)
        began = time.perf_counter()
        xy = make(values, points, threads)
        seconds = time.perf_counter() - began
        share = recall(neighbours(xy, queries), exact)
        table[name] = {"seconds": seconds, "recall": share}
        print(f"{name:32}{seconds:9.1f}{share:12.3f}", flush=True)
    return {"rows": rows, "threads": threads_or_all(threads), "maps": table}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    parser.add_argument("--only", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--limit", type=float, default=0, help="seconds a map may take; 0: any")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    try:
        if args.rows < _LEAST:
            raise InputError(f"--rows {args.rows}: must be {_LEAST} or more")
        print(f"{f'{args.rows} objects':32}{'seconds':>9}{'recall@15':>12}")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the other packages, on threads and seeds
            if args.limit > 0:
                result = limited(args.rows, args.threads, args.only, args.limit)
            else:
                result = measure(args.rows, args.threads, args.only)
    except InputError as error:
        print(f"explore_maps.py: {error}", file=sys.stderr)
        return 2
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
