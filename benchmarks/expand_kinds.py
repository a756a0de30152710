"""What expanding a search by the best it finds gains, kind by kind, on mock skies.

    python benchmarks/expand_kinds.py --run RUN [--seeds 51 52] [--exemplars 1 3 5 10] [--json FILE]

Exemplars of each class are drawn from a sky in natural proportion and searched for in it, whitened,
as `sky-ssl search` does, without and with `--expand`. Given is the share of the class among the 25
nearest, and the mean gain with its standard error over draws.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from sky_ssl.errors import InputError
from sky_ssl.evaluate.networks import Network, open_trained
from sky_ssl.evaluate.retrieval import retrieve
from sky_ssl.explore.expanding import COUNT
from sky_ssl.explore.similarity import normalised
from sky_ssl.explore.whitening import fit_whitening
from sky_ssl.progress import terminal
from sky_ssl.sky.mock import generate, mock_info

TOP = 25


def sky_of(network: Network, seed: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give whitened embeddings (n, D) at unit length, and the classes (n,)."""
    show, values, kinds = terminal(f"mock sky {seed}", "cutout"), [], []
    for batch in generate(n, seed=seed, preset="native"):
        values.append(network(batch.images))
        kinds.append(batch.columns["class"].astype(str))
        show(sum(map(len, kinds)), n)
    x = np.concatenate(values)
    return normalised(fit_whitening(x, network.tokens).apply(x), 1), np.concatenate(kinds)


def purities(
    unit: np.ndarray, kinds: np.ndarray, kind: str, count: int, repeats: int
) -> np.ndarray:
    """Give the purity (repeats, 2) without and with expansion; half the sky gives exemplars."""
    pool, rest = np.arange(len(kinds)) % 2 == 0, np.arange(len(kinds)) % 2 == 1
    wanted = kinds == kind
    both = [
        retrieve(
            *(unit[rest], wanted[rest], unit[pool & wanted]),
            exemplars=count,
            top=TOP,
            repeats=repeats,
            expand=expand,
        ).purity
        for expand in (0, COUNT)
    ]
    return np.stack(both, axis=1)


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[51, 52])
    parser.add_argument("--n", type=int, default=12_000, help="objects of a sky")
    parser.add_argument("--exemplars", type=int, nargs="+", default=[1, 3, 5, 10])
    parser.add_argument("--repeats", type=int, default=30, help="draws of exemplars")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        trained = open_trained(args.run)
        trained.refuse(args.seeds)
        network = trained.network(mock_info("native"))
        skies = [sky_of(network, seed, args.n) for seed in args.seeds]
    except InputError as error:
        print(f"expand_kinds.py: {error}", file=sys.stderr)
        return 2
    for note in trained.notes:
        print(f"warning: {note}", file=sys.stderr)
    table, most = [], max(TOP, *args.exemplars)
    for kind in np.unique(np.concatenate([kinds for _, kinds in skies])):
        rarest = min(int((kinds[i::2] == kind).sum()) for _, kinds in skies for i in (0, 1))
        if rarest < most:
            print(f"{kind}: {rarest} on half of a sky, {most} are needed; take a larger --n")
            continue
        for count in args.exemplars:
            found = [purities(*sky, kind, count, args.repeats) for sky in skies]
            plain, expanded = np.concatenate(found).T
            gain = expanded - plain
            error = gain.std(ddof=1) / np.sqrt(len(gain))
            figures = {"plain": plain, "expanded": expanded, "gain": gain}
            means = {name: float(values.mean()) for name, values in figures.items()}
            table.append({"class": str(kind), "exemplars": count, **means, "error": float(error)})
            print(f"{kind:12}{count:4}  {plain.mean():.3f}  {expanded.mean():.3f}  "
                  f"{gain.mean():+.3f} ± {error:.3f}")  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
