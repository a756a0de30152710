"""What a model's embeddings can do on mock skies that nothing was tuned on, beside simple features.

    python benchmarks/mock_probes.py --run RUN [--seeds 101 102 103] [--n 12000] [--json FILE]

Features: embeddings of the run, as they are and averaged over flips and turns; those of the same
network untrained, PCA-64 of the pixels, photometry (fluxes, colours, size). For each sky, train and
test on different tiles, 20 draws:
A: balanced accuracy of dwarfs against all others, from 200 labels, half of each side; AP:
average precision of the same probe at a prevalence of 2 %; B: dwarfs against their
look-alikes; nearest: dwarfs among the 25 nearest to 5 exemplars, of all objects in natural
proportion, by the mean cosine over tokens and by the cosine of whitened principal axes; z: R2 of
a ridge regression of the redshift, its penalty chosen by folds of the training part. Given are the
mean and the range of the central 95 % of draws and skies. A network that was trained on one of
these skies is refused.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sky_ssl.errors import InputError
from sky_ssl.evaluate.measures import class_draws, prior_of_sky, redshift_draws, search_draws
from sky_ssl.evaluate.networks import Network, Trained, open_trained
from sky_ssl.evaluate.testsky import Truth, enrichment, read_truth, simple_features
from sky_ssl.explore.features import softened
from sky_ssl.progress import terminal
from sky_ssl.sky.mock import generate, mock_info

FIGURES = ("A@200", "AP@200", "B@200", "nearest 25", "whitened 25", "z R2")


def networks(trained: Trained, preset: str, turns: int) -> dict[str, Network]:
    """Give the trained network, an untrained one, and the first averaged over turns."""
    info = mock_info(preset)
    sample = np.concatenate([b.images for b in generate(512, seed=0, preset=preset)])
    found = {
        "trained": trained.network(info),
        "untrained": trained.untrained(info, sample),
    }
    return found | ({f"{turns} turns": trained.network(info, turns)} if turns > 1 else {})


def features_of(
    seed: int, n: int, preset: str, nets: dict[str, Network]
) -> tuple[dict[str, np.ndarray], Truth]:
    """Give features by name, and the truth, of a sky with more dwarfs and look-alikes."""
    enrich = enrichment(n)
    total = n + sum(enrich.values())
    rows: dict[str, list[np.ndarray]] = {name: [] for name in nets}
    columns: list[dict[str, np.ndarray]] = []

    def images() -> Iterator[np.ndarray]:
        show, done = terminal(f"mock sky {seed}", "cutout"), 0
        for batch in generate(n, seed=seed, preset=preset, enrich=enrich):
            for name, net in nets.items():
                rows[name].append(net(batch.images))
            columns.append(batch.columns)
            yield batch.images
            done += len(batch.images)
            show(done, total)

    def column(name: str) -> np.ndarray:
        return np.concatenate([c[name] for c in columns])

    def fit() -> np.ndarray:
        return read_truth(column, n).natural & read_truth(column, n).train

    simple = simple_features(images(), mock_info(preset).sky_sigma or (), fit)
    return {
        **{name: np.concatenate(parts) for name, parts in rows.items()},
        **simple,
    }, read_truth(column, n)


def measure(x: np.ndarray, tokens: int, truth: Truth, repeats: int) -> dict[str, np.ndarray]:
    """Give the draws of each figure for one kind of features on one sky.

    Args:
        tokens: T side by side in x; 0 for features that are no tokens.
    """
    seen = softened(x) if tokens else x  # as probes see embeddings
    found: dict[str, Any] = {}
    prior = prior_of_sky(seen, truth)
    for task in "AB":
        score = class_draws(seen, truth, task, labels=200, repeats=repeats, prior=prior)
        found[f"{task}@200"] = score["balanced_accuracy"]
        if task == "A":
            found["AP@200"] = score["average_precision"]
    near = search_draws(x, truth, tokens, exemplars=(5,), top=(25,), repeats=repeats)
    if not near:
        raise InputError(f"--n {truth.n}: fewer than 25 dwarfs to be found; take more objects")
    for figure, scoring in (("nearest 25", "tokens"), ("whitened 25", "whitened")):
        found[figure] = 25 * np.array(near[scoring]["5"]["25"])
    found["z R2"] = redshift_draws(seen, truth, labels=0, repeats=1)["r2"]
    return {figure: np.array(values) for figure, values in found.items()}


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """Measure all skies and put the draws together."""
    trained = open_trained(args.run)
    trained.refuse(args.seeds)
    for note in trained.notes:
        print(f"warning: {note}", file=sys.stderr)
    nets = networks(trained, args.preset, args.turns)
    draws: dict[str, dict[str, list[np.ndarray]]] = {}
    for seed in args.seeds:
        features, truth = features_of(seed, args.n, args.preset, nets)
        for name, x in features.items():
            tokens = nets[name].tokens if name in nets else 0
            for figure, values in measure(x, tokens, truth, args.repeats).items():
                draws.setdefault(name, {}).setdefault(figure, []).append(values)
    table = {
        name: {figure: _summary(np.concatenate(v)) for figure, v in figures.items()}
        for name, figures in draws.items()
    }
    description = f"{trained.model.describe()}, step {trained.state.step}"
    return {"run": args.run, "model": description, "seeds": args.seeds, "n": args.n, "table": table}


def _summary(values: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return {"mean": values.mean(), "low": low, "high": high, "error": float(error)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True, help="run directory or checkpoint")
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--n", type=int, default=12_000, help="objects in natural proportion")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--turns", type=int, default=8, help="also averaged over so many; 1: not")
    parser.add_argument("--preset", default="native")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        result = run_all(args)
    except InputError as error:
        print(f"mock_probes.py: {error}", file=sys.stderr)
        return 2
    print(f"{result['model']}; mock skies {args.seeds}, {args.repeats} draws each")
    print(f"{'':12}" + "".join(f"{figure:>25}" for figure in FIGURES))
    for name, figures in result["table"].items():
        cells = [figures[figure] for figure in FIGURES]
        texts = [f"{c['mean']:.3f} ({c['low']:.3f}-{c['high']:.3f})" for c in cells]
        print(f"{name:12}" + "".join(f"{text:>25}" for text in texts))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
