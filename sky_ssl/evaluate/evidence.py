"""The evidence: parts put together into one JSON document, from which results are written.

    {"schema": "sky_ssl evidence 1",
     "settings": {...},                      as `settings.Settings`
     "models": {preset: {"network", "step", "sha256", "skies"}},
     "presets": {preset: {
        "skies": {what: FIGURE},             objects, test_A, ..., redshift_low, redshift_high
        "fewshot": {TASK: {FEATURES: {LABELS: {figure: FIGURE}}}},
        "search": {FEATURES: {SCORING: {exemplars: {top: FIGURE}}}},
        "calibration": {FEATURES: {prevalence: {figure: FIGURE, "bins": BINS}}},
        "ceiling": {TASK: {"cnn" | "scratch": {figure: FIGURE}}}}},
     "pictures": {...}, "tile": {...}, "needle": [...],    where they were measured
     "missing": [names of parts that are not done]}

TASK: "A" dwarfs against all, "B" dwarfs against look-alikes, "C" star, galaxy or quasar, "Z"
redshift. FEATURES: "trained", "trained, 8 turns", "untrained", "PCA-64", "photometry",
"photometry, trees"; for A and B also the networks "cnn", "scratch", "finetune", "attentive".
LABELS: "10" to "1000"; of Z also "all". Figures of A and B: "balanced_accuracy" and
"average_precision" (at 2 % prevalence); of C "balanced_accuracy"; of Z "r2", "nmad",
"outlier_fraction", "bias"; of a search the share of dwarfs among the nearest. SCORING: "tokens",
"whitened" (as `sky-ssl search` does), "expanded" (whitened, the best found added to the exemplars).
FIGURE: {"mean", "low", "high", "error", "n"}: over all draws of all skies the mean, the range that
holds the central 95 % of draws, the standard error of the mean (that of skies or of draws, the
larger one; null for one draw) and the number of draws.
BINS: {"edges", "share", "promised", "found"} by bins of probability; share of the sky in each, and
shares of dwarfs in the bin.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sky_ssl.errors import InputError
from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.parts import rounded, write_whole
from sky_ssl.evaluate.plan import Part
from sky_ssl.evaluate.promises import EDGES
from sky_ssl.progress import Progress

SCHEMA = "sky_ssl evidence 1"
FILE = "evidence.json"
_BESIDE = ("pictures", "tile", "needle")  # measured on other data than mock skies

Draws = dict[int, list[Any]]  # by sky


def run_parts(bench: Bench, parts: list[Part], progress: Progress | None = None) -> int:
    """Do the parts that are not done yet; give how many these were.

    Args:
        bench: where results are kept.
        parts: in order.
        progress: called with (parts done, parts).
    """
    made = 0
    for number, part in enumerate(parts):
        if bench.store.result(part.key) is None:
            bench.store.keep(part.key, part.make())
            made += 1
        if progress:
            progress(number + 1, len(parts))
    return made


def assemble(bench: Bench, parts: list[Part]) -> dict[str, Any]:
    """Put together what is done of some parts."""
    leaves: dict[tuple[str, ...], Draws] = {}
    missing = []
    for part in parts:
        result = bench.store.result(part.key)
        if result is None:
            missing.append(f"{part.key.kind} {part.key.name}")
            continue
        for path, draws in _walk(result, (part.preset, *part.place)):
            leaves.setdefault(path, {}).setdefault(part.seed, []).extend(draws)
    presets: dict[str, Any] = {}
    for path, by_sky in leaves.items():
        at = presets
        for name in path[:-1]:
            at = at.setdefault(name, {})
        at[path[-1]] = _bins(by_sky) if path[-1] == "bins" else figure(by_sky)
    models = {name: trained.describe() for name, trained in bench.trained.items()}
    found = {"schema": SCHEMA, "settings": bench.settings.table(), "models": models}
    whole: dict[str, Any] = rounded({**found, "presets": presets, "missing": missing})
    return whole


def _walk(
    value: Mapping[str, Any], path: tuple[str, ...]
) -> list[tuple[tuple[str, ...], list[Any]]]:
    """Give the lists in nested tables with the path to each."""
    found: list[tuple[tuple[str, ...], list[Any]]] = []
    for name, inner in value.items():
        here = (*path, name)
        found += _walk(inner, here) if isinstance(inner, Mapping) else [(here, inner)]
    return found


def figure(by_sky: Mapping[int, list[float]]) -> dict[str, float | int | None]:
    """Summarise the draws (each sky its own list) of a figure."""
    values = np.concatenate([np.asarray(draws, dtype=np.float64) for draws in by_sky.values()])
    low, high = np.percentile(values, [2.5, 97.5])
    errors = []
    means = [np.mean(draws) for draws in by_sky.values()]
    for sample in (values, np.array(means)):
        if len(sample) > 1:
            errors.append(float(sample.std(ddof=1) / np.sqrt(len(sample))))
    return {
        **{"mean": float(values.mean()), "low": float(low), "high": float(high)},
        **{"error": max(errors, default=None), "n": len(values)},
    }


def _bins(by_sky: Mapping[int, list[Any]]) -> dict[str, list[float | None]]:
    """Average the bins (draws, bins, 3) of a calibration over draws and skies."""
    share, promised, found = np.concatenate([np.array(b) for b in by_sky.values()]).mean(axis=0).T
    there = share > 0
    of = np.where(there, share, 1.0)
    return {
        **{"edges": list(EDGES), "share": share.tolist()},
        "promised": [
            p if t else None for p, t in zip((promised / of).tolist(), there, strict=True)
        ],
        "found": [f if t else None for f, t in zip((found / of).tolist(), there, strict=True)],
    }


def read_evidence(folder: str | Path) -> dict[str, Any]:
    """Read the evidence in a folder.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = Path(folder) / FILE
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: not there; give --run to measure a model first") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    if found.get("schema") != SCHEMA:
        raise InputError(f"{path}: schema {found.get('schema')!r}, expected {SCHEMA!r}")
    return found


def keep_evidence(
    folder: str | Path, evidence: Mapping[str, Any], beside: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the evidence, with what was measured beside it, now (`beside`) or before.

    Returns:
        What was written.
    """
    path, before = Path(folder) / FILE, {}
    if path.is_file():
        before = {k: v for k, v in read_evidence(folder).items() if k in _BESIDE}
    whole: dict[str, Any] = {**evidence, **before, **rounded(dict(beside))}
    write_whole(path, (json.dumps(whole, indent=1) + "\n").encode())
    return whole


def read_needle(path: str | Path) -> list[dict[str, Any]]:
    """Read a table of what was tried.

    Args:
        path: JSON list of {"name", "what", "figures": {figure: {"mean", "error"}}, "gain": {figure:
            {"mean", "error"}}, "winner": true or false}.

    Raises:
        InputError: it cannot be read, or an entry lacks something.
    """
    try:
        found: list[dict[str, Any]] = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    wanted = {"name", "what", "figures"}
    for number, entry in enumerate(found if isinstance(found, list) else [None]):
        lacks = wanted - set(entry) if isinstance(entry, dict) else wanted
        if lacks:
            raise InputError(f"{path}: entry {number + 1} lacks {', '.join(sorted(lacks))}")
    return found
