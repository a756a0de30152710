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
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import r2_score

from sky_ssl.errors import InputError
from sky_ssl.evaluate.baselines import photometry, pixel_features, principal_components
from sky_ssl.evaluate.fewshot import few_shot
from sky_ssl.evaluate.retrieval import retrieve, unit_rows
from sky_ssl.explore.axes import principal_axes
from sky_ssl.explore.neighbours import normalised
from sky_ssl.model.embedding import TokenStatistics, embed, token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.probes.crossval import tune_values
from sky_ssl.progress import terminal
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.sky.mock import LOOK_ALIKES, PRIOR, generate, mock_info
from sky_ssl.training.checkpoint import load_model, load_token_statistics
from sky_ssl.training.config import config_from_table

PREVALENCE = 0.02
FIGURES = ("A@200", "AP@200", "B@200", "nearest 25", "whitened 25", "z R2")
_AXES = 32  # chosen on the sky of seed 0
_PIXEL_SOFTENING = 2.0  # sigma; benchmarks/mock_difficulty.py finds the others no better


class Network:
    """A network with the statistics of its tokens, and the tokens an embedding has."""

    def __init__(self, model: SimMIM, statistics: TokenStatistics, turns: int = 1) -> None:
        self.encoder, self.statistics, self.turns = model.encoder, statistics, turns
        self.tokens = 4 if model.grid[0] % 2 == 0 else 9

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed images (B, C, H, W)."""
        x = torch.from_numpy(images)
        return embed(self.encoder, x, self.statistics, turns=self.turns).numpy()


def networks(run: str, preset: str, turns: int) -> tuple[dict[str, Network], set[int], str]:
    """Give the trained network and an untrained one, the skies trained on, a description."""
    model, state = load_model(run)
    config = config_from_table(state.table, source=run)
    skies = set()
    for path in config.data.cutouts:
        try:
            skies.add(int(open_hdf5(Path(path).resolve()).attrs.get("seed", -1)))
        except InputError:
            print(f"warning: {path} is gone; its sky is not known", file=sys.stderr)
    torch.manual_seed(1)
    plain = SimMIM(state.model_config, state.info.sky_sigma or ()).eval()
    sample = np.concatenate([b.images for b in generate(512, seed=0, preset=preset)])
    measured = token_statistics(plain.encoder, torch.from_numpy(sample).split(64))
    trained = Network(model, load_token_statistics(state.folder))
    found = {"trained": trained, "untrained": Network(plain, measured)}
    if turns > 1:
        found[f"{turns} turns"] = Network(model, trained.statistics, turns)
    return found, skies, f"{model.describe()}, step {state.step}"


def features_of(
    seed: int, n: int, preset: str, nets: dict[str, Network]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Give features by name, and the truth, of a sky with more dwarfs and look-alikes."""
    enrich = {"dwarf": n // 5}
    enrich |= {name: int(n / 5 * PRIOR[name] / 0.12) for name in LOOK_ALIKES}
    sigma, total = mock_info(preset).sky_sigma, n + sum(enrich.values())
    rows: dict[str, list[np.ndarray]] = {name: [] for name in ("photometry", "pixels", *nets)}
    columns, done = [], 0
    show = terminal(f"mock sky {seed}", "cutout")
    for batch in generate(n, seed=seed, preset=preset, enrich=enrich):
        rows["photometry"].append(photometry(batch.images, sigma))
        pixels = pixel_features(batch.images, sigma, _PIXEL_SOFTENING)
        rows["pixels"].append(pixels.astype(np.float16))
        for name, net in nets.items():
            rows[name].append(net(batch.images))
        columns.append(batch.columns)
        done += len(batch.images)
        show(done, total)
    truth = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    truth["natural"] = np.arange(total) < n
    found = {name: np.concatenate(parts) for name, parts in rows.items()}
    pixels = found.pop("pixels").astype(np.float32)
    found["PCA-64"] = principal_components(pixels[truth["natural"] & is_train(truth)], pixels)[1]
    return found, truth


def is_train(truth: dict[str, np.ndarray]) -> np.ndarray:
    """Take the odd tiles for training."""
    return truth["tile"].astype(int) % 2 == 1


def whitened(x: np.ndarray, tokens: int) -> np.ndarray:
    """Bring features to principal axes of deviation 1, and rows to length 1."""
    projected = principal_axes(x, tokens, _AXES).project(x)
    return unit_rows(projected)


def measure(
    x: np.ndarray, tokens: int | None, truth: dict[str, np.ndarray], repeats: int
) -> dict[str, np.ndarray]:
    """Give the draws of each figure for one kind of features on one sky.

    Args:
        tokens: T side by side in x; None for features that are no tokens.
    """
    train, dwarf, natural = is_train(truth), truth["is_dwarf"], truth["natural"]
    raw, x = x, normalised(x, tokens) if tokens else x  # as probes see embeddings
    found = {}
    for task, use in (("A", natural | dwarf), ("B", truth["is_look_alike"] | dwarf)):
        a, b = train & use, ~train & use
        score = few_shot(
            x[a], dwarf[a], x[b], dwarf[b], labels=200, repeats=repeats, prevalence=PREVALENCE
        )
        found[f"{task}@200"] = score.balanced_accuracy
        if task == "A":
            found["AP@200"] = score.average_precision
    standard = raw if tokens else unit_rows(x)
    units = {
        "nearest 25": x if tokens else standard,
        "whitened 25": whitened(standard, tokens or 1),
    }
    for figure, unit in units.items():
        near = retrieve(unit[natural], dwarf[natural], unit[dwarf & ~natural], repeats=repeats)
        found[figure] = near.purity * near.top
    known = natural & np.isfinite(truth["zspec"])
    a, b = known & train, known & ~train
    z = truth["zspec"]
    model = tune_values(x[a], z[a], groups=truth["tile"][a], seed=0)[0]
    found["z R2"] = np.array([r2_score(z[b], model.predict(x[b]))])
    return found


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """Measure all skies and put the draws together."""
    nets, skies, description = networks(args.run, args.preset, args.turns)
    seen = skies & set(args.seeds)
    if seen:
        raise InputError(f"{args.run}: was trained on the mock sky of seed {seen}; take others")
    draws: dict[str, dict[str, list[np.ndarray]]] = {}
    for seed in args.seeds:
        features, truth = features_of(seed, args.n, args.preset, nets)
        for name, x in features.items():
            tokens = nets[name].tokens if name in nets else None
            for figure, values in measure(x, tokens, truth, args.repeats).items():
                draws.setdefault(name, {}).setdefault(figure, []).append(values)
    table = {
        name: {figure: _summary(np.concatenate(v)) for figure, v in figures.items()}
        for name, figures in draws.items()
    }
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
    print(f"{'':12}" + "".join(f"{figure:>22}" for figure in FIGURES))
    for name, figures in result["table"].items():
        cells = [figures[figure] for figure in FIGURES]
        texts = [f"{c['mean']:.3f} ({c['low']:.3f}-{c['high']:.3f})" for c in cells]
        print(f"{name:12}" + "".join(f"{text:>22}" for text in texts))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
