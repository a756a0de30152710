"""How a predictor is fitted: one flat set of settings, stored in the run and in its checkpoints."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.training.config import DataConfig, TrainConfig, build_section

MODES = ("frozen", "finetune", "scratch", "cnn")
# Steps, learning rate and factor per layer; chosen on mock surveys
_ATTENTIVE = {"lr": 3e-4}  # frozen: at the rate of a linear head it overfits within 40 steps
_BY_MODE: Mapping[str, Mapping[str, Any]] = {
    "frozen": {"steps": 1500, "lr": 1e-3, "layer_decay": 1.0, "patience": 15},
    "finetune": {"steps": 400, "lr": 1e-3, "layer_decay": 0.6, "patience": 8},
    "scratch": {"steps": 800, "lr": 1e-3, "layer_decay": 1.0, "patience": 8},
    "cnn": {"steps": 800, "lr": 2e-3, "layer_decay": 1.0, "patience": 8},
}


@dataclass(frozen=True)
class FitConfig:
    """What is fitted, on which labels, and how."""

    mode: str = "frozen"  # frozen, finetune, scratch (the same network, random), cnn (baseline)
    head: str = "linear"  # "linear" on pooled tokens, or "attentive": pooling that is learned
    pooling: str = "central"  # of the linear head, as for embeddings
    heads: int = 0  # attention heads of the attentive pooling; 0 = as the encoder
    dropout: float = 0.0  # share of the features dropped while training
    size: str = ""  # of a network from scratch without a run: nano, small, ... ("" = nano)
    patch_size: int = 0  # and the pixels a side of its patches; 0 = 8

    labels: int = 0  # labels in all, those to validate on among them; 0 = all there are
    natural: bool = False  # kinds as frequent as they are; else each kind weighs the same
    draw: int = 0  # seed of the choice of labels
    split: int = 0  # seed of the division of the sky
    validation: float = 0.2  # share of the labels, and of the sky, to stop early on; 0 = none
    test: float = 0.2  # share of the sky to measure on at the end; 0 = none

    loss: str = "mse"  # of numbers: "mse" or "huber" (linear beyond one deviation)
    error_floor: float = 0.0  # added to label errors in quadrature, in the unit of the target
    smoothing: float = 0.0  # of class labels

    steps: int = 1500  # at most; fewer where validation does not improve
    batch_size: int = 64  # images per step
    lr: float = 1e-3  # peak learning rate, of the head
    layer_decay: float = 1.0  # factor per layer down from the head
    min_lr: float = 1e-6  # at the last step
    warmup: float = 0.1  # share of the steps with a rising learning rate
    weight_decay: float = 0.05  # not on biases, norms and learned patches
    clip: float = 1.0  # largest norm of the gradient; 0 = no clipping
    validate_every: int = 20  # steps between looks at the validation set
    patience: int = 15  # looks without a lower loss before it stops; 0 = never
    seed: int = 0  # of weights, order and augmentation

    flips: bool = True  # random flips and quarter turns
    crop: float = 1.0  # smallest side of a random crop, as a share of the image; 1 = none
    brightness: float = 0.0  # random factor exp(N(0, brightness)) for all bands of an image
    noise: float = 0.0  # added noise, in units of the sky noise, up to this much
    drop_band: float = 0.0  # probability that a band of an image is dropped

    precision: str = "auto"  # "bf16", "fp32"; "auto" = bf16 where it is faster
    device: str = "auto"  # "cpu", "cuda"; "auto" = a GPU if there is one
    threads: int = 0  # CPU threads; 0 = leave as it is
    workers: int = 0  # reading processes
    checkpoint_minutes: float = 5.0  # between checkpoints, beside one at each lower loss
    keep: int = 1  # latest checkpoints kept, beside the best
    log_every: int = 10  # steps between lines of metrics.jsonl
    wandb: str = "disabled"  # "disabled", "offline" or "online"
    project: str = "sky_ssl"  # W&B project

    def __post_init__(self) -> None:
        _among("mode", self.mode, MODES)
        _among("head", self.head, ("linear", "attentive"))
        _among("loss", self.loss, ("mse", "huber"))
        _among("wandb", self.wandb, ("disabled", "offline", "online"))
        for name in ("steps", "batch_size", "validate_every", "keep", "log_every"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in (
            "heads",
            "patch_size",
            "patience",
            "error_floor",
            "weight_decay",
            "clip",
            "noise",
            "brightness",
            "workers",
            "threads",
            "seed",
            "draw",
            "split",
        ):
            _require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        for name in ("dropout", "smoothing", "drop_band", "validation", "test"):
            _require(0 <= getattr(self, name) < 1, name, getattr(self, name), "from 0 to below 1")
        _require(self.labels == 0 or self.labels >= 2, "labels", self.labels, "0 (all), or 2 up")
        _require(0 < self.layer_decay <= 1, "layer_decay", self.layer_decay, "above 0, at most 1")
        _require(self.lr > 0, "lr", self.lr, "above 0")
        _require(0 < self.crop <= 1, "crop", self.crop, "above 0 and at most 1")
        _require(0 <= self.warmup < 1, "warmup", self.warmup, "from 0 to below 1")
        _among("precision", self.precision, ("auto", "bf16", "fp32"))
        share = self.validation + self.test
        _require(share < 1, "validation + test", share, "below 1")
        if self.mode == "cnn" and self.head != "linear":
            raise InputError(f"head = {self.head!r}: mode cnn has no tokens to attend to")

    @property
    def schedule(self) -> TrainConfig:
        """What `learning_rate` needs."""
        return TrainConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            lr=self.lr,
            min_lr=self.min_lr,
            warmup=self.warmup,
            precision=self.precision,
        )

    @property
    def augmentation(self) -> DataConfig:
        """What `augment` needs."""
        return DataConfig(
            flips=self.flips,
            crop=self.crop,
            brightness=self.brightness,
            noise=self.noise,
            drop_band=self.drop_band,
        )

    @property
    def turns_alone(self) -> bool:
        """Say whether flips and turns are all that is done to the images."""
        return self.crop == 1 and not (self.brightness or self.noise or self.drop_band)


def fit_config(mode: str = "frozen", **values: Any) -> FitConfig:
    """Make settings; steps, rates and patience that are not given are those that suit the mode.

    Args:
        mode: see FitConfig.
        values: other fields; texts of the command line are brought to their type.

    Raises:
        InputError: an unknown name or a value out of range.
    """
    usual = {**_BY_MODE.get(mode, {}), "mode": mode}
    if mode == "frozen" and values.get("head") == "attentive":
        usual |= _ATTENTIVE
    return build_section(FitConfig, "predict", {**usual, **values})


def fit_table(config: FitConfig) -> dict[str, Any]:
    """Give the settings as plain values."""
    return dataclasses.asdict(config)


def _among(name: str, value: str, allowed: tuple[str, ...]) -> None:
    _require(value in allowed, name, value, f"one of {', '.join(allowed)}")


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"predict.{name} = {value!r}: must be {allowed}")
