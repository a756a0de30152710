"""What moves the needle: one thing changed at a time, on mock skies that no result is reported on.

    python benchmarks/needle.py --out DIR [--steps 1500] [--only NAME ...] [--list]

Networks are trained by train.py on one mock sky (seed 7) with the settings of configs/demo.toml,
each variant with one change, and measured on two others (seeds 51, 52): dwarf probes and redshift
as benchmarks/mock_probes.py does, and the search as `sky-ssl search` does by default. What only
changes how a network is used is measured on the first one, "as it is". The gain is the mean
difference to that one over the same draws on the same skies, with its standard error over draws:
the luck of one training is not in it, so that gains below .01 of an accuracy say little. What is
measured is kept in DIR/parts, the same command goes on where it was stopped; skies, runs and
features, 3 GB, lie in --scratch. DIR/needle.json is what `evidence.py --needle` takes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mock_probes import measure
from needle_variants import BASE, VARIANTS, Variant

from sky_ssl.errors import InputError
from sky_ssl.evaluate.measures import (
    SEARCH,
    class_draws,
    prior_of_sky,
    redshift_draws,
    search_draws,
)
from sky_ssl.evaluate.parts import Key, Store, write_whole
from sky_ssl.evaluate.tables import with_error
from sky_ssl.evaluate.testsky import Truth, enrichment, read_truth
from sky_ssl.explore.features import SOFTNESS, softened
from sky_ssl.explore.similarity import normalised
from sky_ssl.explore.whitening import fit_whitening
from sky_ssl.model.embedding import embed
from sky_ssl.probes.prior import POWER
from sky_ssl.progress import terminal
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.sky.mock import MOCK_VERSION, write_mock
from sky_ssl.training.checkpoint import load_model, load_token_statistics

ROOT = Path(__file__).resolve().parents[1]
VERSION = 1
"""Raised whenever the same variant would give other figures."""
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
class Work:
    """What all variants share."""

    store: Store
    config: Path  # of the training, TOML
    steps: int
    repeats: int  # draws
    skies: tuple[int, ...] = SKIES  # measured on
    objects: int = OBJECTS  # of each, in natural proportion
    cutouts: int = TRAIN_CUTOUTS  # trained on

    def key(self, variant: Variant) -> Key:
        """Say all that the figures of a variant depend on."""
        changed = {k: v for k, v in asdict(variant).items() if k not in ("name", "what", "winner")}
        said = {**self.learned(variant).settings, "skies": list(self.skies), **SEARCH}
        said |= {"objects": self.objects, "repeats": self.repeats}
        said |= {"softness": SOFTNESS, "prior": POWER, **changed}
        return Key("needle", variant.name.replace(" ", "-"), said)

    def sky(self, seed: int, n: int, enrich: bool = True) -> Path:
        """Give the path of a mock sky, made where it is missing."""
        more = enrichment(n) if enrich else {}

        def make(path: Path) -> None:
            show = terminal(f"mock sky {seed}", "cutout")
            write_mock(path, n, seed=seed, enrich=more, workers=1, progress=show)

        said = {"mock": MOCK_VERSION, "seed": seed, "objects": n, "enrich": more}
        return self.store.made(Key("sky", str(seed), said), ".h5", make)

    def learned(self, variant: Variant) -> Key:
        """Say all that the weights of a variant depend on; those with no settings share theirs."""
        name = variant.name.replace(" ", "-") if variant.settings else "base"
        said = {"needle": VERSION, "mock": MOCK_VERSION, "config": self.config.read_text("utf-8")}
        said |= {"train": [TRAIN_SKY, self.cutouts], "steps": self.steps}
        return Key("run", name, {**said, "settings": variant.settings})

    def train(self, variant: Variant) -> Path:
        """Train a variant, or go on, or find it done."""
        run = self.store.fit_folder(self.learned(variant))
        settings = {"train.steps": str(self.steps), **variant.settings}
        if settings["train.steps"].startswith("x"):
            settings["train.steps"] = str(self.steps * int(settings["train.steps"][1:]))
        words = [word for key, value in settings.items() for word in (f"--{key}", value)]
        command = [sys.executable, str(ROOT / "train.py"), str(self.config), "--out", str(run)]
        command += ["--data.cutouts", str(self.sky(TRAIN_SKY, self.cutouts, enrich=False))]
        command += ["--log.validate_every", "0", *words]
        if subprocess.run(command, check=False, stdout=2).returncode:
            raise InputError(f"{run}: training did not end well; see the lines above")
        return run

    def embedded(self, variant: Variant, seed: int) -> tuple[np.ndarray, Truth]:
        """Embed a sky, once for each run, pooling and number of turns."""
        cutouts = open_cutouts(self.sky(seed, self.objects))
        truth = read_truth(cutouts.column, self.objects)
        run = self.learned(variant)
        said = {"pooling": variant.pooling, "turns": variant.turns, "objects": self.objects}
        key = Key("features", f"{run.name}-{seed}", {**run.settings, **said, "seed": seed})
        found = self.store.features(key)
        if found is None:
            made = _embed(cutouts, self.train(variant), variant, f"embed {seed}")
            self.store.keep_features(key, made)
            found = self.store.features(key)
            assert found is not None
        return np.array(found), truth

    def measured(self, variant: Variant) -> list[Draws]:
        """Measure a variant on all skies, or read what was measured."""
        key = self.key(variant)
        if self.store.result(key) is None:
            found = {}
            for seed in self.skies:
                x, truth = self.embedded(variant, seed)
                tokens = 4 if variant.pooling == "central" else 0
                draws = draws_of(x, truth, variant, tokens, self.repeats)
                found[str(seed)] = {name: values.tolist() for name, values in draws.items()}
            self.store.keep(key, found)
        kept = self.store.result(key)
        assert kept is not None
        return [
            {name: np.array(values) for name, values in kept[str(seed)].items()}
            for seed in self.skies
        ]

    def table(self) -> list[dict[str, Any]]:
        """Give the entries of all variants that are measured, those of an earlier time too."""
        base = self.measured(VARIANTS[0])
        there = [v for v in VARIANTS if self.store.result(self.key(v)) is not None]
        return [entry_of(variant, self.measured(variant), base) for variant in there]


def _embed(cutouts: CutoutSet, run: Path, variant: Variant, label: str) -> np.ndarray:
    model, state = load_model(run, "latest")
    statistics = load_token_statistics(state.folder)
    show, parts, N = terminal(label, "cutout"), [], len(cutouts)
    for start in range(0, N, 256):
        rows = np.arange(start, min(start + 256, N))
        images = torch.from_numpy(cutouts.read(rows))
        how: Any = {"turns": variant.turns}
        with torch.autocast("cpu", torch.bfloat16):
            found = embed(model.encoder, images, statistics, variant.pooling, **how)  # type: ignore[arg-type]
        parts.append(found.float().numpy())
        show(int(rows[-1]) + 1, N)
    return np.concatenate(parts)


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


def _summary(values: np.ndarray) -> dict[str, float | None]:
    several = len(values) > 1
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if several else None
    return {"mean": float(values.mean()), "error": error}


def main() -> int:
    """Measure variants and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="what is measured: parts, needle.json")
    parser.add_argument("--scratch", type=Path, help="skies, runs, features (as --out)")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "demo.toml")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--repeats", type=int, default=20, help="draws")
    parser.add_argument("--objects", type=int, default=OBJECTS, help="of each sky measured on")
    parser.add_argument("--cutouts", type=int, default=TRAIN_CUTOUTS, help="to train on")
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
    if not args.config.is_file():
        print(f"needle.py: --config {args.config}: no such file", file=sys.stderr)
        return 2
    store = Store(args.out, args.scratch)
    work = Work(store, args.config, args.steps, args.repeats, SKIES, args.objects, args.cutouts)
    try:
        for variant in VARIANTS:
            if variant.name in (BASE, *wanted):
                work.measured(variant)
        table = work.table()
    except InputError as error:
        print(f"needle.py: {error}", file=sys.stderr)
        return 2
    for entry in table:
        shown = entry.get("gain", entry["figures"])
        cells = [f"{n} {with_error(c, sign='gain' in entry)}" for n, c in shown.items()]
        print(f"{entry['name']:16}" + "  ".join(cells))
    write_whole(args.out / "needle.json", (json.dumps(table, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
