"""The training runs of a folder: how far each is, what it was told, which weights it has.

In: folders that train.py writes. Out: plain records and tables; nothing is changed.
"""

import contextlib
import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.training.checkpointfolder import find_checkpoint, read_checkpoint
from sky_ssl.training.config import config_from_table, config_table, stored_table
from sky_ssl.training.log import read_metrics

_RECENT = 20  # logged steps that the present speed is taken from


@dataclass(frozen=True)
class Weights:
    """One checkpoint of a run."""

    folder: Path
    step: int
    sha256: str  # of the weights that embeddings are made with
    is_best: bool
    bytes: int
    changed: float  # seconds since 1970
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """How a run stands."""

    path: Path
    table: dict[str, Any]  # its configuration, every setting; empty if it cannot be read
    metrics: pd.DataFrame  # one row per line of metrics.jsonl, "step" and "time" among the columns
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def steps(self) -> int:
        """Steps it is to do."""
        return int(self.table.get("train", {}).get("steps", 0))

    @property
    def done(self) -> int:
        """Steps it has done."""
        return int(self.metrics["step"].max()) if len(self.metrics) else 0

    def latest(self, name: str) -> float:
        """Give the last value of a column; NaN if there is none."""
        known = self.metrics[name].dropna().tolist() if name in self.metrics else []
        return float(known[-1]) if known else float("nan")

    def seconds_left(self) -> float:
        """Estimate what the rest takes, from the last logged steps; NaN if unknown."""
        lines = self.metrics.dropna(subset=["loss"]) if "loss" in self.metrics else self.metrics
        recent = lines.tail(_RECENT)
        if len(recent) < 2:
            return float("nan")
        steps = recent["step"].diff().iloc[1:]
        # the median passes over the pause of a run that was stopped
        pace = float((recent["time"].diff().iloc[1:] / steps)[steps > 0].median())
        return pace * max(0, self.steps - self.done)


def list_runs(*folders: Path) -> list[Path]:
    """List the runs of some folders, the one that was worked on last first."""
    found = []
    for folder in folders:
        for path in folder.glob("[!.]*"):
            is_run = path.is_dir() and ((path / "config.toml").is_file() or find_checkpoint(path))
            if is_run and not _is_predictor(path):
                found.append(path)
    return sorted(found, key=lambda path: -_changed(path))


def _is_predictor(path: Path) -> bool:
    """Say whether a folder is of `sky-ssl predict fit`, which has no masks to look behind."""
    try:
        return "\n[question]" in (path / "config.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _changed(run: Path) -> float:
    files = (run / "metrics.jsonl", run / "config.toml", run / "checkpoint")
    return max((f.stat().st_mtime for f in files if f.exists()), default=0.0)


def list_trained(*folders: Path) -> list[Path]:
    """List the runs that have weights, the one that was worked on last first."""
    return [run for run in list_runs(*folders) if find_checkpoint(run) is not None]


def read_run(path: Path) -> Run:
    """Read how a run stands; what cannot be read is named in `problem`."""
    problem, table = "", {}
    try:
        table = read_table(path)
    except InputError as error:
        problem = str(error)
    try:
        lines = read_metrics(path)
    except (OSError, UnicodeDecodeError) as error:
        lines, problem = [], problem or f"{path}/metrics.jsonl: cannot be read ({error})"
    metrics = pd.DataFrame([x for x in lines if isinstance(x, dict) and "step" in x])
    if not len(metrics):
        metrics = pd.DataFrame({"step": pd.Series(dtype=int), "time": pd.Series(dtype=float)})
    return Run(path, table, metrics, problem)


def read_table(run: Path) -> dict[str, Any]:
    """Read the configuration of a run, from its file or its newest checkpoint, in full.

    Raises:
        InputError: if there is neither, or it does not hold.
    """
    file = run / "config.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        folder = find_checkpoint(run)
        if folder is None:
            raise InputError(f"{run}: no config.toml and no checkpoint") from None
        table = read_checkpoint(folder).table
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be read as TOML ({error})") from error
    return config_table(config_from_table(stored_table(table), source=str(file)))


def list_weights(run: Path) -> tuple[list[Weights], list[str]]:
    """List the checkpoints of a run, the newest first, and what is wrong with others."""
    best, found, problems = find_checkpoint(run, "best"), [], []
    for folder in sorted((run / "checkpoint").glob("step-*"), reverse=True):
        try:
            state = read_checkpoint(folder)
            sha256 = state.sha256()
        except (InputError, OSError) as error:
            problems.append(str(error))
            continue
        files = [f.stat() for f in folder.iterdir()]
        size, changed = sum(f.st_size for f in files), max(f.st_mtime for f in files)
        found.append(
            Weights(folder, state.step, sha256, folder == best, size, changed, state.metrics)
        )
    return found, problems


def list_figures(run: Path) -> dict[int, Path]:
    """Give the figures of reconstructions of a run, by step."""
    found = {}
    for path in sorted((run / "reconstructions").glob("step-*.png")):
        number = path.stem.removeprefix("step-")
        if number.isdigit():
            found[int(number)] = path
    return found


def flatten(table: Mapping[str, Any]) -> dict[str, str]:
    """Give a configuration as "section.name": text."""
    flat = {}
    for section, values in table.items():
        if isinstance(values, Mapping):
            flat.update({f"{section}.{name}": json.dumps(v) for name, v in values.items()})
        else:
            flat[section] = json.dumps(values)
    return flat


def compare(runs: Sequence[Run]) -> pd.DataFrame:
    """Give the settings that differ between runs: a row each, a column for each run."""
    flat = {run.name: flatten(run.table) for run in runs}
    names = dict.fromkeys(name for values in flat.values() for name in values)
    rows = [n for n in names if len({values.get(n, "") for values in flat.values()}) > 1]
    columns = {run: [values.get(n, "") for n in rows] for run, values in flat.items()}
    return pd.DataFrame({"setting": rows, **columns})


def probe_names(runs: Sequence[Run]) -> list[str]:
    """Name the probes that some run was measured with while it trained."""
    names = dict.fromkeys(c for run in runs for c in run.metrics.columns)
    return [str(name) for name in names if str(name).startswith("probe_")]


def content_key(run: Path) -> str:
    """Name the content of a run's checkpoints: it changes when one comes or goes."""
    home = run / "checkpoint"
    names = []
    for place in sorted(home.glob("step-*/state.json")):
        with contextlib.suppress(OSError):  # let go of just now, by the run itself
            names.append((place.parent.name, place.stat().st_mtime_ns))
    best = (home / "best").read_text(encoding="utf-8") if (home / "best").is_file() else ""
    return hashlib.sha256(repr((names, best)).encode()).hexdigest()
