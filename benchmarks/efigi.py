"""Types of real galaxies from a probe on embeddings, beside features made by hand.

    python train.py configs/pictures.toml --out RUN --data.cutouts EFIGI,SDSS
    python benchmarks/efigi.py --pictures EFIGI --run RUN [--json FILE]

Pictures of galaxies with expert Hubble types T (EFIGI, Baillard et al. 2011, A&A 532, A74; the
column `T` of labels.csv). A logistic regression, its strength chosen by folds within the training
part, is scored in 5 folds on: five classes (E, S0, S0a-Sb, Sbc-Sdm, Sm-Im-dE; balanced
accuracy), and dwarfs (T = 10, 11) against all others (average precision). The network has seen the
pictures without their labels. Intervals are of 2,000 bootstrap draws of the galaxies, and
differences to the features made by hand are taken in the same draws.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sky_ssl.errors import InputError
from sky_ssl.evaluate.baselines import pixel_features, principal_components, radial_features
from sky_ssl.evaluate.goals import HAND_MADE
from sky_ssl.model.embedding import TokenStatistics, embed, token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.probes.crossval import cross_validate_classes
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training.checkpoint import load_model, load_token_statistics

VERSION = 1
"""Raised whenever the same run would give other figures."""
EDGES = (-3.5, -0.5, 3.5, 8.5)
"""Between the types of the five classes."""
_DRAWS = 2000
_FOLDS = 5


def embedded(
    model: SimMIM, statistics: TokenStatistics, images: np.ndarray, pooling: str, turns: int
) -> np.ndarray:
    """Embed images (N, C, H, W)."""
    parts = torch.from_numpy(images).split(128)
    found = [embed(model.encoder, part, statistics, pooling, turns=turns) for part in parts]
    return torch.cat(found).numpy()


def features_of(images: np.ndarray, run: str | None) -> dict[str, np.ndarray]:
    """Give the features (N, D) by name."""
    found = {HAND_MADE: radial_features(images)}
    pixels = pixel_features(images, np.full(3, 20.0))
    found["PCA-64"] = principal_components(pixels)[0]
    if run:
        model, state = load_model(run)
        torch.manual_seed(1)
        plain = SimMIM(state.model_config, state.info.sky_sigma or ()).eval()
        measured = token_statistics(plain.encoder, torch.from_numpy(images).split(128))
        trained = load_token_statistics(state.folder)
        for pooling, turns in (("central", 1), ("rings", 1), ("rings", 8)):
            how = f"{pooling}, {turns} turn{'s' * (turns > 1)}"
            found[f"untrained, {how}"] = embedded(plain, measured, images, pooling, turns)
            found[f"trained, {how}"] = embedded(model, trained, images, pooling, turns)
    return found


def out_of_fold(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Give decision values (N,) or (N, K) of each object, from probes that have not seen it.

    A logistic regression whose penalty is the one of least balanced log-loss on folds of the
    training part: that of `sky-ssl probe`, but without its prior and without softening, so that
    all features are seen in the same way.
    """
    return cross_validate_classes(x, y, folds=_FOLDS, seed=0).values


def score_draws(decision: np.ndarray, y: np.ndarray, draws: np.ndarray, kind: str) -> np.ndarray:
    """Score (1 + draws,): first all objects, then each bootstrap draw of row numbers."""
    from sklearn.metrics import average_precision_score, balanced_accuracy_score

    predicted = decision.argmax(axis=1) if kind == "types" else None
    scores = []
    for rows in (np.arange(len(y)), *draws):
        if predicted is not None:
            scores.append(balanced_accuracy_score(y[rows], predicted[rows]))
        else:
            scores.append(average_precision_score(y[rows], decision[rows]))
    return np.array(scores)


def measure(pictures: str, run: str | None) -> dict[str, Any]:
    """Score all features on both tasks."""
    size = load_model(run)[0].config.image_size if run else None
    cutouts = open_cutouts(pictures, size=size)
    types = cutouts.column("T").astype(float)
    images = cutouts.read(slice(0, len(cutouts)))
    rows = np.random.default_rng(0)
    draws = rows.integers(len(types), size=(_DRAWS, len(types)))
    tasks = {
        "types": np.digitize(types, EDGES),
        "dwarfs": (types >= 10).astype(int),
    }
    table: dict[str, Any] = {}
    features = features_of(images, run)
    for task, y in tasks.items():
        scores = {
            name: score_draws(out_of_fold(x, y), y, draws, task) for name, x in features.items()
        }
        for name, values in scores.items():
            gain = values - scores[HAND_MADE]
            table.setdefault(name, {})[task] = {**_summary(values), "gain": _summary(gain)}
    counts = {task: np.bincount(y).tolist() for task, y in tasks.items()}
    return {"pictures": len(types), "counts": counts, "run": run, "table": table}


def _summary(values: np.ndarray) -> dict[str, float]:
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return {"mean": float(values[0]), "low": float(low), "high": float(high)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", required=True, help="folder with pictures and labels.csv")
    parser.add_argument("--run", help="run directory of train.py")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        result = measure(args.pictures, args.run)
    except InputError as error:
        print(f"efigi.py: {error}", file=sys.stderr)
        return 2
    print(f"{result['pictures']} galaxies; of the classes {result['counts']}")
    for task, figure in (("types", "balanced accuracy, 5 classes"), ("dwarfs", "AP of dwarfs")):
        print(f"\n{figure:28}  value (95 %)              less {HAND_MADE}")
        for name, found in result["table"].items():
            f, g = found[task], found[task]["gain"]
            value = f"{f['mean']:.3f} ({f['low']:.3f} to {f['high']:.3f})"
            print(f"{name:28}  {value}    {g['mean']:+.3f} ({g['low']:+.3f} to {g['high']:+.3f})")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
