"""A training run that is to be started, or to go on: from choices to the command.

In: a configuration file and what a user chose beside it. Out: the command, checked as train.py
will check it, so that what cannot work is refused before it starts.
"""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.explore.starting import CONFIGS, check_name, train_command
from sky_ssl.training.config import Config, config_table, load_config, parse_overrides
from sky_ssl.training.runs import list_runs
from sky_ssl.workspace import Workspace


@dataclass(frozen=True)
class RunPlan:
    """What a user chose."""

    config: Path
    name: str
    cutouts: tuple[Path, ...] = ()
    tiles: tuple[Path, ...] = ()  # instead of cutouts
    image_size: int = 0  # pixels a side of the cutouts; 0 = as the configuration has it
    size: str = ""  # of the model; empty = as the configuration has it
    steps: int = 0  # 0 = as the configuration has it; so are the next
    batch_size: int = 0
    lr: float = 0.0
    seed: int | None = None
    more: str = ""  # further settings, as on the command line: --section.name value


def list_configs(workspace: Workspace) -> dict[str, Path]:
    """List configurations to start from, by what they are called: shipped ones, then those of runs.

    Runs whose configuration cannot be read are left out.
    """
    found = {path.stem: path for path in sorted(CONFIGS.glob("*.toml"))}
    if "demo" in found:
        found = {"demo": found.pop("demo"), **found}
    for run in list_runs(workspace.runs):
        if (run / "config.toml").is_file():
            found[f"as run {run.name}"] = run / "config.toml"
    return found


def settings_of(plan: RunPlan) -> dict[str, str]:
    """Give the settings in which a plan differs from its configuration, as texts.

    Raises:
        InputError: the configuration or a further setting does not hold.
    """
    before = config_table(load_config(plan.config))
    chosen: dict[str, Any] = {
        "model.size": plan.size,
        "model.image_size": plan.image_size,
        "train.steps": plan.steps,
        "train.batch_size": plan.batch_size,
        "train.lr": plan.lr,
    }
    wanted = {name: value for name, value in chosen.items() if value}
    if plan.seed is not None:
        wanted["train.seed"] = plan.seed
    if plan.cutouts or plan.tiles:
        wanted["data.cutouts"] = [str(path) for path in plan.cutouts]
        wanted["data.tiles"] = [str(path) for path in plan.tiles]
    settings = {}
    for name, value in wanted.items():
        section, _, key = name.partition(".")
        if before[section][key] != value:
            settings[name] = _listed(value) if isinstance(value, list) else str(value)
    return {**settings, **parse_overrides(_words(plan.more))}


def check_plan(plan: RunPlan, workspace: Workspace) -> tuple[Config, Path, tuple[str, ...]]:
    """Check a plan, and give its configuration, its run directory and the command.

    Raises:
        InputError: a name that is taken or cannot be, no data, or a setting that does not hold.
    """
    run = workspace.runs / check_name(plan.name)
    if run.exists():
        raise InputError(f"run {plan.name!r} is there already: resume it, or choose another name")
    settings = settings_of(plan)
    words = [word for name, value in settings.items() for word in (f"--{name}", value)]
    config = load_config(plan.config, words)
    if not config.data.cutouts and not config.data.tiles:
        raise InputError("no data: choose cutouts of the workspace, or give a folder of tiles")
    for path in (*config.data.cutouts, *config.data.tiles):
        if not Path(path).exists():
            raise InputError(f"{path}: no such file or folder; choose the data of this run")
    return config, run, train_command(plan.config, run, settings)


def resume_command(run: Path, table: dict[str, Any], steps: int = 0) -> tuple[str, ...]:
    """Go on with a run as its own configuration says, up to `steps` if given."""
    now = int(table.get("train", {}).get("steps", 0))
    return train_command(
        run / "config.toml", run, {"train.steps": steps} if steps and steps != now else {}
    )


def _listed(values: list[str]) -> str:
    """Write a list of paths as a setting: one as it is, more or none in brackets."""
    plain = len(values) == 1 and not values[0].startswith("[") and "," not in values[0]
    return values[0] if plain else json.dumps(values)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise InputError(f"further settings {text!r}: {error}") from error
