"""The configuration of a training run: TOML in, frozen dataclasses out, and back.

Sections are [survey] [data] [model] [train] [log]; every field can be overridden on the command
line as `--section.key value`. The configuration is stored in the run and in every checkpoint.
"""

import dataclasses
import json
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig

T = TypeVar("T")


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"{name} = {value!r}: must be {allowed}")


@dataclass(frozen=True)
class DataConfig:
    """Where the images come from. Give `cutouts` or `tiles`."""

    cutouts: tuple[str, ...] = ()  # cutout files, folders of them, or folders of pictures
    tiles: tuple[str, ...] = ()  # FITS tiles or folders of them: random cutouts on the fly
    bands: tuple[str, ...] = ()  # bands to use, in this order; empty = all of the survey or file
    zero_point: tuple[float, ...] = ()  # for files that do not say it, AB mag per band
    pixel_scale: float = 0.0  # for files that do not say it, arcsec/pixel
    fov: float = 0.0  # field of view of cutouts from tiles, arcsec; 0 = image_size native pixels
    rows: tuple[float, ...] = ()  # from tiles: only this share of the rows, e.g. [0.0, 0.75]
    min_valid: float = 0.5  # from tiles: least share of pixels with data in a cutout
    run_length: int = 8  # consecutive cutouts read together; 1 = every cutout on its own
    validation: float = 0.1  # share of the sky kept for validation
    workers: int = -1  # reading processes per rank; -1 = none on a CPU, 8 beside a GPU
    flips: bool = True  # random flips and quarter turns
    crop: float = 1.0  # smallest side of a random crop, as a share of the image; 1 = none
    brightness: float = 0.0  # random factor exp(N(0, brightness)) for all bands of an image
    noise: float = 0.0  # added noise, in units of the sky noise, up to this much
    drop_band: float = 0.0  # probability that a band of an image is dropped (given as no data)

    def __post_init__(self) -> None:
        _require(0 < self.crop <= 1, "data.crop", self.crop, "above 0 and at most 1")
        _require(0 <= self.validation < 1, "data.validation", self.validation, "0 to 1")
        _require(0 <= self.drop_band < 1, "data.drop_band", self.drop_band, "0 to 1")
        _require(self.run_length >= 1, "data.run_length", self.run_length, "at least 1")
        ordered = len(self.rows) == 2 and 0 <= self.rows[0] < self.rows[1] <= 1
        _require(not self.rows or ordered, "data.rows", self.rows, "two shares such as [0.0, 0.75]")


@dataclass(frozen=True)
class TrainConfig:
    """How the weights are learned."""

    steps: int = 2000  # optimizer steps
    schedule: int = 0  # steps that the learning rate is planned for; 0 = `steps`
    batch_size: int = 64  # images per step, over all ranks
    accumulate: int = 1  # pieces a rank's share of the batch is worked through in
    lr: float = 1e-3  # peak learning rate
    min_lr: float = 1e-6  # learning rate at the end of the cosine
    warmup: float = 0.05  # share of the steps with a rising learning rate
    weight_decay: float = 0.05  # not on biases, norms and learned patches
    beta1: float = 0.9  # AdamW
    beta2: float = 0.95  # AdamW
    clip: float = 1.0  # largest norm of the gradient; 0 = no clipping
    ema: float = 0.0  # decay of an exponential moving average of the weights; 0 = none
    seed: int = 0  # of weights, data order, masks and augmentation
    precision: str = "auto"  # "bf16", "fp32"; "auto" = bf16 where the hardware has it
    compile: bool = False  # torch.compile
    device: str = "auto"  # "cpu", "cuda"; "auto" = a GPU if there is one
    threads: int = 0  # CPU threads per rank; 0 = leave as it is
    checkpoint_minutes: float = 5.0  # between checkpoints, by time
    checkpoint_steps: int = 0  # and by steps; 0 = by time alone
    keep: int = 2  # latest checkpoints kept, beside the best
    token_sample: int = 512  # training cutouts that the statistics of the tokens are taken from

    def __post_init__(self) -> None:
        _require(self.steps >= 1, "train.steps", self.steps, "at least 1")
        planned = self.schedule == 0 or self.schedule >= self.steps
        _require(planned, "train.schedule", self.schedule, f"0, or {self.steps} (steps) or more")
        _require(self.batch_size >= 1, "train.batch_size", self.batch_size, "at least 1")
        _require(self.accumulate >= 1, "train.accumulate", self.accumulate, "at least 1")
        _require(self.lr > 0, "train.lr", self.lr, "above 0")
        _require(0 <= self.warmup < 1, "train.warmup", self.warmup, "0 to 1")
        _require(0 <= self.ema < 1, "train.ema", self.ema, "0 to 1")
        _require(
            self.precision in ("auto", "bf16", "fp32"),
            "train.precision",
            self.precision,
            "auto, bf16 or fp32",
        )
        for name in ("seed", "threads"):
            _require(getattr(self, name) >= 0, f"train.{name}", getattr(self, name), "0 or more")
        _require(self.keep >= 1, "train.keep", self.keep, "at least 1")


@dataclass(frozen=True)
class LogConfig:
    """What is written down while training."""

    every: int = 10  # steps between lines of metrics.jsonl
    validate_every: int = 500  # steps between validation loss, probes and figure; 0 = at the end
    validation_size: int = 512  # cutouts the validation loss is taken on
    probe_columns: tuple[str, ...] = ()  # label columns to probe; empty = class, zspec if there
    probe_size: int = 2000  # cutouts the probes are trained and scored on
    wandb: str = "disabled"  # "disabled", "offline" or "online"
    project: str = "sky_ssl"  # W&B project

    def __post_init__(self) -> None:
        _require(self.every >= 1, "log.every", self.every, "at least 1")
        _require(
            self.wandb in ("disabled", "offline", "online"),
            "log.wandb",
            self.wandb,
            "disabled, offline or online",
        )


@dataclass(frozen=True)
class Config:
    """A whole run."""

    survey: str = ""  # preset or TOML file; needed for tiles only
    survey_table: Mapping[str, Any] = field(default_factory=dict)  # the section [survey], if given
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    log: LogConfig = field(default_factory=LogConfig)


_BEFORE = {"model": {"profile_weight": 0.0}}
SECTIONS: dict[str, type] = {
    "data": DataConfig,
    "model": ModelConfig,
    "train": TrainConfig,
    "log": LogConfig,
}


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> Config:
    """Read a TOML configuration and apply `--section.key value` pairs.

    Relative paths in `data.cutouts`, `data.tiles` are taken from the current folder.

    Raises:
        InputError: if the file is not TOML, or a section, field or value is not known.
    """
    file = Path(path)
    table = _read(file)
    if (file.parent / "checkpoint").is_dir():  # a run's own, perhaps of an earlier version
        table = stored_table(table)
    return config_from_table(table, parse_overrides(overrides), source=str(file))


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not valid TOML ({error})") from error


def config_from_table(
    table: Mapping[str, Any], overrides: Mapping[str, str] | None = None, source: str = "config"
) -> Config:
    """Build a configuration from nested tables, texts of `overrides` last."""
    unknown = sorted(set(table) - set(SECTIONS) - {"survey"})
    if unknown:
        raise InputError(
            f"{source}: unknown section [{unknown[0]}]; allowed are survey {' '.join(SECTIONS)}"
        )
    values: dict[str, dict[str, Any]] = {name: dict(table.get(name, {})) for name in SECTIONS}
    survey = table.get("survey", "")
    for key, text in (overrides or {}).items():
        section, _, name = key.partition(".")
        if key == "survey":
            survey = text
        elif section not in SECTIONS or not name:
            raise InputError(
                f"--{key}: no such setting; they are --section.key, with section "
                f"one of {' '.join(SECTIONS)}"
            )
        else:
            values[section][name] = text
    sections: dict[str, Any] = {
        n: build_section(cls, n, values[n], source) for n, cls in SECTIONS.items()
    }
    is_table = isinstance(survey, Mapping)
    return Config(
        survey="" if is_table else str(survey),
        survey_table=dict(survey) if is_table else {},
        **sections,
    )


def stored_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Complete tables that an earlier version stored, with what it did without a word for it.

    A setting that is newer than a stored configuration is not at today's default there.
    """
    sections = {n: dict(v) if isinstance(v, Mapping) else v for n, v in table.items()}
    for name, values in _BEFORE.items():
        if isinstance(sections.get(name), dict):
            sections[name] = {**values, **sections[name]}
    return sections


def parse_overrides(arguments: Sequence[str]) -> dict[str, str]:
    """Turn `["--train.steps", "200", "--log.wandb=offline"]` into a table."""
    result: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or (not equals and not rest):
            raise InputError(f"{word!r}: settings are given as --section.key value")
        result[key] = value if equals else rest.pop(0)
    return result


def build_section(
    cls: type[T], section: str, values: Mapping[str, Any], source: str = "settings"
) -> T:
    """Make a dataclass of settings from TOML values or texts of the command line.

    Raises:
        InputError: an unknown name, or a value of another type or out of range.
    """
    kinds = typing.get_type_hints(cls)
    for name in values:
        if name not in kinds:
            raise InputError(
                f"{source}: unknown setting {section}.{name}; [{section}] has {' '.join(kinds)}"
            )
    return cls(**{n: _convert(f"{section}.{n}", v, kinds[n]) for n, v in values.items()})


def _convert(name: str, value: Any, kind: Any) -> Any:
    """Bring a TOML value or a text of the command line to the type of its field."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        kind = next(k for k in typing.get_args(kind) if k is not type(None))
        return None if value in (None, "none") else _convert(name, value, kind)
    if origin is tuple:
        item = typing.get_args(kind)[0]
        if isinstance(value, str):
            value = (
                [v for v in value.replace(",", " ").split() if v]
                if item is not str
                else (json.loads(value) if value.startswith("[") else value.split(","))
            )
        value = value if isinstance(value, list | tuple) else [value]
        return tuple(_convert(name, v, item) for v in value)
    if kind is bool:
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        _require(isinstance(value, bool), name, value, "true or false")
        return value
    try:
        number = kind(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} = {value!r}: must be a {kind.__name__}") from error
    if kind is int and not isinstance(value, str) and number != value:
        raise InputError(f"{name} = {value!r}: must be a whole number")
    return number


def config_table(config: Config) -> dict[str, Any]:
    """Give the configuration as nested plain tables (JSON and TOML can hold them)."""
    table: dict[str, Any] = {}
    if config.survey or config.survey_table:
        table["survey"] = config.survey or dict(config.survey_table)
    for name in SECTIONS:
        section = dataclasses.asdict(getattr(config, name))
        table[name] = {k: list(v) if isinstance(v, tuple) else v for k, v in section.items()}
    return table
