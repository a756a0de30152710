"""What moves the needle: one thing changed at a time, on mock skies that no result is reported on.

    python benchmarks/needle.py --out DIR [--steps 1500] [--only NAME ...] [--list]

Networks are trained by train.py on one mock sky (seed 7) with the settings of configs/demo.toml,
each variant with one change, and measured on two others (seeds 51, 52): dwarf probes and redshift
as benchmarks/mock_probes.py does, and the search as `sky-ssl search` does by default. What only
changes how a network is used is measured on the first one, "as it is". The gain is the mean
difference to that one over the same draws on the same skies, with its standard error over draws:
the luck of one training is not in it, so that gains below .01 of an accuracy say little. The work
is kept in DIR; the same command goes on where it was stopped. DIR/needle.json is what `evidence.py
--needle` takes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mock_probes import measure

from sky_ssl.errors import InputError
from sky_ssl.evaluate.measures import class_draws, prior_of_sky, redshift_draws, search_draws
from sky_ssl.evaluate.testsky import Truth, enrichment, read_truth
from sky_ssl.explore.features import softened
from sky_ssl.explore.similarity import normalised
from sky_ssl.explore.whitening import fit_whitening
from sky_ssl.model.embedding import embed
from sky_ssl.progress import terminal
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.sky.mock import write_mock
from sky_ssl.training.checkpoint import load_model, load_token_statistics

ROOT = Path(__file__).resolve().parents[1]
BASE = "as it is"
TRAIN_SKY, TRAIN_CUTOUTS = 7, 24_000
SKIES, OBJECTS = (51, 52), 12_000
NAMES = {
    "A@200": "A@200",
    "AP@200": "AP@200",
    "B@200": "B@200",
    "whitened 25": "nearest 25",
    "z R2": "redshift R2",
}
"""Figures that the table shows, of those that mock_probes measures."""
Draws = dict[str, np.ndarray]


@dataclass(frozen=True)
class Variant:
    """One thing that is different."""

    name: str
    what: str
    settings: dict[str, str] = field(default_factory=dict)  # of the training
    pooling: str = "central"
    turns: int = 1
    use: str = ""  # how embeddings are seen, where that is what differs; see `_used`
    winner: bool = False  # is the default


VARIANTS = (
    Variant(BASE, "SimMIM 128 wide, 4 deep, patch 8; all defaults", winner=True),
    Variant("no profile", "hidden patches alone", {"model.profile_weight": "0"}),
    Variant("profile x 3", "profile loss weighed 3", {"model.profile_weight": "3"}),
    Variant("larger", "192 wide, 6 deep", {"model.width": "192", "model.depth": "6"}),
    Variant("longer", "three times the steps", {"train.steps": "x3"}),
    Variant("8 turns", "averaged over turns and mirror images", turns=8),
    Variant("unit tokens", "probes see tokens at unit length", use="unit"),
    Variant("raw tokens", "probes see tokens as they are", use="raw"),
    Variant("no prior", "probes without what the unlabelled survey says", use="no prior"),
    Variant("blocks 1 and 3", "tokens of two blocks side by side", {"model.token_blocks": "1,3"}),
    Variant("averaged", "weights averaged, decay .999", {"train.ema": "0.999"}),
    Variant("whitening 0", "search on axes as they are", use="power 0"),
    Variant("whitening 1", "search on axes of equal variance", use="power 1"),
    Variant("expanded", "search expanded by the 20 best", use="expanded"),
    Variant("mean+central", "pooling mean+central", pooling="mean+central"),
    Variant("rings", "pooling rings", pooling="rings"),
    Variant("MAE", "MAE instead of SimMIM", {"model.objective": "mae"}),
    Variant("shared masks", "the same patches in all bands", {"model.shared_mask": "true"}),
    Variant(
        "ratio .6",
        "mask ratio fixed at .6",
        {"model.mask_ratio_min": "0.6", "model.mask_ratio_max": "0.6"},
    ),
    Variant("hidden bands", "a whole band hidden in 30 % of images", {"model.hide_band": "0.3"}),
    Variant("normalised", "each target patch normalised", {"model.normalize_target": "true"}),
    Variant("softening 3", "asinh bends at 3 sigma", {"model.softening": "3"}),
    Variant("clipped", "pixels clipped, not asinh", {"model.scaling": "clip"}),
    Variant("patch 4", "patches of 4 pixels", {"model.patch_size": "4"}),
)


def sky(out: Path, seed: int, n: int, enrich: bool) -> CutoutSet:
    """Open a mock sky, made where it is missing."""
    path = out / "skies" / f"sky-{seed}-{n}.h5"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        more = enrichment(n) if enrich else {}
        show = terminal(f"mock sky {seed}", "cutout")
        write_mock(path, n, seed=seed, enrich=more, workers=1, progress=show)
    return open_cutouts(path)


def train(out: Path, variant: Variant, steps: int) -> Path:
    """Train a variant, or go on, or find it done; those with no settings share a run."""
    name = variant.name.replace(" ", "-") if variant.settings else "base"
    run = out / "runs" / f"{name}-{steps}"
    settings = {"train.steps": str(steps), **variant.settings}
    if settings["train.steps"].startswith("x"):
        settings["train.steps"] = str(steps * int(settings["train.steps"][1:]))
    sky(out, TRAIN_SKY, TRAIN_CUTOUTS, enrich=False)
    words = [word for key, value in settings.items() for word in (f"--{key}", value)]
    cutouts = str(out / "skies" / f"sky-{TRAIN_SKY}-{TRAIN_CUTOUTS}.h5")
    command = [sys.executable, str(ROOT / "train.py"), str(ROOT / "configs" / "demo.toml")]
    command += ["--out", str(run), "--data.cutouts", cutouts, "--log.validate_every", "0", *words]
    if subprocess.run(command, check=False, stdout=2).returncode:
        raise InputError(f"{run}: training did not end well; see the lines above")
    return run


def embedded(out: Path, run: Path, variant: Variant, seed: int) -> tuple[np.ndarray, Truth]:
    """Embed a sky, once for each run, pooling and number of turns."""
    cutouts = sky(out, seed, OBJECTS, enrich=True)
    truth = read_truth(cutouts.column, OBJECTS)
    kept = out / "features" / f"{run.name}-{variant.pooling}-{variant.turns}-{seed}.npy"
    if kept.exists():
        return np.load(kept), truth
    model, state = load_model(run, "latest")
    statistics = load_token_statistics(state.folder)
    show, parts = terminal(f"embed {seed}", "cutout"), []
    for start in range(0, len(truth.natural), 256):
        rows = np.arange(start, min(start + 256, len(truth.natural)))
        images = torch.from_numpy(cutouts.read(rows))
        how = {"turns": variant.turns}
        with torch.autocast("cpu", torch.bfloat16):
            found = embed(model.encoder, images, statistics, variant.pooling, **how)  # type: ignore[arg-type]
        parts.append(found.float().numpy())
        show(int(rows[-1]) + 1, len(truth.natural))
    kept.parent.mkdir(parents=True, exist_ok=True)
    values = np.concatenate(parts)
    partial = kept.with_name(f".{kept.name}")
    np.save(partial.with_suffix(".partial.npy"), values)
    partial.with_suffix(".partial.npy").replace(kept)
    return values, truth


def draws_of(x: np.ndarray, truth: Truth, variant: Variant, tokens: int, repeats: int) -> Draws:
    """Measure a variant on one sky."""
    if not variant.use:
        found = measure(x, tokens, truth, repeats)
        return {name: found[figure] for figure, name in NAMES.items()}
    return _used(x, truth, variant.use, tokens, repeats)


def _used(x: np.ndarray, truth: Truth, use: str, tokens: int, repeats: int) -> Draws:
    """Measure what changes where only the use of embeddings differs."""
    seen: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "unit": lambda values: normalised(values, tokens),
        "raw": lambda values: values,
        "no prior": softened,
    }
    found: dict[str, Any] = {}
    if use in seen:
        values = seen[use](x)
        prior = None if use == "no prior" else prior_of_sky(values, truth)
        how: dict[str, Any] = {"labels": 200, "repeats": repeats, "prior": prior}
        score = class_draws(values, truth, "A", **how)
        found["A@200"], found["AP@200"] = score["balanced_accuracy"], score["average_precision"]
        score = class_draws(values, truth, "B", **how)
        found["B@200"] = score["balanced_accuracy"]
        found["redshift R2"] = redshift_draws(values, truth, labels=0, repeats=1)["r2"]
    elif use == "expanded":
        near = search_draws(x, truth, tokens, exemplars=(5,), top=(25,), repeats=repeats)
        found["nearest 25"] = 25 * np.array(near["expanded"]["5"]["25"])
    else:
        power = float(use.removeprefix("power "))
        whitening = fit_whitening(x[truth.natural], tokens, power=power)
        # whitened already: a search by "tokens" with one token is a cosine
        near = search_draws(
            whitening.apply(x), truth, 1, exemplars=(5,), top=(25,), repeats=repeats
        )
        found["nearest 25"] = 25 * np.array(near["tokens"]["5"]["25"])
    return {name: np.array(values) for name, values in found.items()}


def measured(out: Path, variant: Variant, steps: int, repeats: int) -> list[Draws]:
    """Measure a variant on all skies, or read what was measured."""
    key = f"{variant.name.replace(' ', '-')}-{steps}-{repeats}"
    kept = out / "measured" / f"{key}.json"
    if not kept.exists():
        run, found = train(out, variant, steps), []
        for seed in SKIES:
            x, truth = embedded(out, run, variant, seed)
            tokens = 4 if variant.pooling == "central" else 0
            draws = draws_of(x, truth, variant, tokens, repeats)
            found.append({name: values.tolist() for name, values in draws.items()})
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(found), encoding="utf-8")
        partial.replace(kept)
    read = json.loads(kept.read_text(encoding="utf-8"))
    return [{name: np.array(values) for name, values in draws.items()} for draws in read]


def entry_of(variant: Variant, mine: list[Draws], base: list[Draws]) -> dict[str, Any]:
    """Give an entry of the table: figures, and gains over the same draws."""
    figures, gain = {}, {}
    for name in mine[0]:
        figures[name] = _summary(np.concatenate([d[name] for d in mine]))
        if variant.name != BASE:
            pairs = zip(mine, base, strict=True)
            gain[name] = _summary(np.concatenate([a[name] - b[name] for a, b in pairs]))
    return {
        **{"name": variant.name, "what": variant.what, "figures": figures},
        **({"gain": gain} if gain else {}),
        "winner": variant.winner,
    }


def _summary(values: np.ndarray) -> dict[str, float]:
    return {
        "mean": float(values.mean()),
        "error": float(values.std(ddof=1) / np.sqrt(len(values))),
    }


def main() -> int:
    """Measure variants and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="skies, runs, features, needle.json")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these variants alone")
    parser.add_argument("--list", action="store_true", help="name the variants and stop")
    args = parser.parse_args()
    if args.list or not args.out:
        print("\n".join(f"{v.name:16}{v.what}" for v in VARIANTS))
        return 0 if args.list else 2
    wanted = args.only or [v.name for v in VARIANTS]
    unknown = sorted(set(wanted) - {v.name for v in VARIANTS})
    if unknown:
        print(f"needle.py: no variant {unknown[0]!r}; --list names them", file=sys.stderr)
        return 2
    try:
        base = measured(args.out, VARIANTS[0], args.steps, args.repeats)
        for variant in VARIANTS:
            if variant.name in wanted:
                measured(args.out, variant, args.steps, args.repeats)
    except InputError as error:
        print(f"needle.py: {error}", file=sys.stderr)
        return 2
    table = []
    for variant in VARIANTS:  # also those of an earlier time
        key = f"{variant.name.replace(' ', '-')}-{args.steps}-{args.repeats}"
        if (args.out / "measured" / f"{key}.json").exists():
            mine = measured(args.out, variant, args.steps, args.repeats)
            table.append(entry_of(variant, mine, base))
    for entry in table:
        shown = entry.get("gain", entry["figures"])
        cells = [f"{n} {c['mean']:+.3f} ({c['error']:.3f})" for n, c in shown.items()]
        print(f"{entry['name']:16}" + "  ".join(cells))
    text = json.dumps(table, indent=1) + "\n"
    (args.out / "needle.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
