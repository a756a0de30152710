"""Do objects keep their rank when they lie off the centre of their cutout?

    python benchmarks/shifted.py --run RUN --tile FOLDER [--shifts 2 5 10] [--pooling mean]
                                 [--score tokens]

Sources of a real tile are cut at their centre and so many pixels beside it, and embedded. For
queries of 5 sources each (20 draws), sources are ranked by likeness when centred and when shifted,
the exemplars centred: Spearman's correlation of the scores, and the share of the first 25 and 100
that stays. Likeness is that of `sky-ssl search`: whitened, or by tokens. Beside it, as the measure
of what noise alone does, the same for cutouts with one more sky noise added to each pixel.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from sky_ssl.errors import InputError
from sky_ssl.explore.neighbours import normalised
from sky_ssl.explore.whitening import fit_whitening
from sky_ssl.model.embedding import embed
from sky_ssl.sky.cutting import cut_tile
from sky_ssl.sky.detect import detect
from sky_ssl.sky.survey import load_survey, parse_survey
from sky_ssl.sky.tiles import find_tiles, open_tile
from sky_ssl.training.checkpoint import load_model, load_token_statistics
from sky_ssl.training.config import config_from_table

LEAST_SNR = 20.0
"""Of the sources: fainter ones have no rank to keep."""
DEPTHS = (25, 100)


class Embedder:
    """The network of a run, from cutouts to embeddings."""

    def __init__(self, run: str, pooling: str) -> None:
        self.model, state = load_model(run)
        self.statistics = load_token_statistics(state.folder)
        self.config = config_from_table(state.table, source=run)
        self.sigma = np.array(state.info.sky_sigma, dtype=np.float32)[:, None, None]
        self.pooling, central = pooling, 4 if self.model.grid[0] % 2 == 0 else 9
        self.tokens = central if pooling == "central" else 1

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Embed images (N, C, H, W)."""
        parts = torch.from_numpy(images.astype(np.float32)).split(128)
        found = [embed(self.model.encoder, part, self.statistics, self.pooling) for part in parts]
        return torch.cat(found).numpy()


def agreement(
    centred: np.ndarray, other: np.ndarray, repeats: int, seed: int = 0
) -> dict[str, float]:
    """Compare the rankings of (N, q) rows of length 1 with those of the objects seen otherwise."""
    rng = np.random.default_rng(seed)
    rank, kept = [], {depth: [] for depth in DEPTHS}
    for _ in range(repeats):
        exemplars = rng.choice(len(centred), 5, replace=False)
        query = centred[exemplars].mean(axis=0)
        left = np.setdiff1d(np.arange(len(centred)), exemplars)
        a, b = centred[left] @ query, other[left] @ query
        rank.append(spearmanr(a, b).statistic)
        for depth in DEPTHS:
            first, second = np.argsort(-a)[:depth], np.argsort(-b)[:depth]
            kept[depth].append(len(np.intersect1d(first, second)) / depth)
    shares = {f"first {depth} kept": float(np.mean(kept[depth])) for depth in DEPTHS}
    return {"spearman": float(np.mean(rank)), **shares}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Cut, shift, embed and compare."""
    embedder = Embedder(args.run, args.pooling)
    table = embedder.config.survey_table
    name = args.survey or embedder.config.survey
    survey = parse_survey(table, "[survey]") if table and not args.survey else load_survey(name)
    tiles, report = find_tiles([args.tile], survey)
    if not tiles:
        raise InputError(f"{args.tile}: no tile of {survey.name} found {report}")
    size = embedder.model.config.image_size
    with open_tile(tiles[0], survey) as tile:
        sources = detect(tile)
        x, y = (np.rint(sources[c].to_numpy()).astype(int) for c in ("x", "y"))
        H, W = tile.shape
        room = size // 2 + max(args.shifts)
        use = (np.minimum(x, W - x) > room) & (np.minimum(y, H - y) > room)
        use &= sources["snr"].to_numpy() > LEAST_SNR
        x, y = x[use], y[use]
        seen = {s: cut_tile(tile, x + s, y, size=size, binning=1) for s in (0, *args.shifts)}
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(seen[0].shape, dtype=np.float32) * embedder.sigma
    plain = embedder(seen[0])
    whitening = fit_whitening(plain, embedder.tokens) if args.score == "whitened" else None

    def ready(values: np.ndarray) -> np.ndarray:
        if whitening is None:
            return normalised(values, embedder.tokens)
        return normalised(whitening.apply(values), 1)

    centred = ready(plain)
    rows = {"noise added": agreement(centred, ready(embedder(seen[0] + noise)), args.repeats)}
    for shift in args.shifts:
        other = ready(embedder(seen[shift]))
        rows[f"{shift} pixels beside"] = agreement(centred, other, args.repeats)
    return {"run": args.run, "sources": len(x), "size": size, "rows": rows}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", required=True)
    parser.add_argument("--tile", required=True, help="folder of one tile")
    parser.add_argument("--survey", help="default: that of the run")
    parser.add_argument("--shifts", type=int, nargs="+", default=[2, 5, 10])
    parser.add_argument("--pooling", default="central")
    parser.add_argument("--score", default="whitened", choices=("whitened", "tokens"))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        result = measure(args)
    except InputError as error:
        print(f"shifted.py: {error}", file=sys.stderr)
        return 2
    print(
        f"{result['sources']} sources above {LEAST_SNR:g} sigma, {result['size']} px cutouts, "
        f"pooling {args.pooling}, scored {args.score}"
    )
    names = list(next(iter(result["rows"].values())))
    print(f"{'':20}" + "".join(f"{name:>16}" for name in names))
    for row, figures in result["rows"].items():
        print(f"{row:20}" + "".join(f"{figures[name]:16.3f}" for name in names))
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
