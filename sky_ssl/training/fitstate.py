"""The state of a fit on disk and in memory: the network, where it stands, what may go on.

A run directory of a predictor holds `config.toml`, `checkpoint/`, `metrics.jsonl` as one of
pre-training does, and `predictor.json` when it is finished.
"""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.convnet import ConvNet
from sky_ssl.model.embedding import TokenStatistics
from sky_ssl.model.encoder import Encoder
from sky_ssl.model.predictor import Predictor, TokenBody
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.noise import sky_sigma, usable_sigma
from sky_ssl.training import checkpoint
from sky_ssl.training.config import build_section, stored_table
from sky_ssl.training.order import step_seed
from sky_ssl.training.predictconfig import FitConfig, fit_table
from sky_ssl.training.predictdata import Images, Part, Question

# Settings that change neither the weights nor the figures
_FREE = {
    *("device", "threads", "workers", "checkpoint_minutes", "keep"),
    *("log_every", "wandb", "project"),
}

# What a fit was made from besides, in words
_ABOUT = {
    "labels": "labels",
    "places": "positions of the objects, by which the sky is divided",
    "images": "cutouts",
    "pretrained": "pre-trained weights",
}


@dataclass(frozen=True)
class Pretrained:
    """What a predictor starts from."""

    config: ModelConfig
    info: CutoutInfo  # photometric units and noise of the scaling
    encoder: Encoder | None = None  # None: its network alone is used, with random weights
    statistics: TokenStatistics | None = None
    sha256: str = ""
    path: str = ""


def load_pretrained(run: str | Path) -> Pretrained:
    """Load what `train.py` made.

    Raises:
        InputError: no checkpoint there, or a damaged one.
    """
    model, state = checkpoint.load_model(run)
    statistics = checkpoint.load_token_statistics(state.folder)
    return Pretrained(
        state.model_config, state.info, model.encoder, statistics, state.sha256(), str(run)
    )


def choose_network(
    config: FitConfig, images: Images, train: Part, pretrained: Pretrained | None
) -> tuple[ModelConfig, CutoutInfo]:
    """Choose the network and the units it works in; without a checkpoint from training images.

    Raises:
        InputError: settings or images that no network can be made for.
    """
    if pretrained is not None:
        for name in ("size", "patch_size"):
            if getattr(config, name):
                raise InputError(
                    f"predict.{name} = {getattr(config, name)!r}: the network is that of the "
                    "pre-trained run"
                )
        return pretrained.config, pretrained.info
    if config.mode in ("frozen", "finetune"):
        raise InputError(f"mode {config.mode}: give the pre-trained run to start from")
    _, H, W = images.shape
    if config.mode == "scratch" and H != W:
        raise InputError(f"cutouts of {H} x {W} pixels: mode scratch needs square ones")
    sample = np.unique(np.linspace(0, len(train) - 1, min(len(train), 512)).astype(int))
    sigma = usable_sigma(sky_sigma(train.read(sample)))
    info = replace(images.info, sky_sigma=tuple(float(s) for s in sigma), scale=None)
    patch = 1 if config.mode == "cnn" else config.patch_size or 8
    return ModelConfig(size=config.size or "nano", image_size=H, patch_size=patch), info


def build(
    config: FitConfig, network: ModelConfig, info: CutoutInfo, question: Question
) -> Predictor:
    """Make the network of a predictor with random weights, from the seed."""
    torch.manual_seed(step_seed(config.seed, 0, 0))
    sigma = info.sky_sigma or ()
    if config.mode == "cnn":
        return Predictor(ConvNet(sigma, network), question.outputs, config.dropout)
    width = network.token_width
    body = TokenBody(
        Encoder(network, sigma),
        TokenStatistics(torch.zeros(width), torch.ones(width)),
        head=config.head,
        pooling=config.pooling,
        heads=config.heads,
        frozen=config.mode == "frozen",
    )
    return Predictor(body, question.outputs, config.dropout)


def take_weights(model: Predictor, pretrained: Pretrained) -> None:
    """Give a predictor the weights of a pre-trained encoder, and its token statistics."""
    body = model.body
    assert isinstance(body, TokenBody)
    assert pretrained.encoder is not None
    assert pretrained.statistics is not None
    body.encoder.load_state_dict(pretrained.encoder.state_dict())
    body.token_mean.copy_(pretrained.statistics.mean)
    body.token_std.copy_(pretrained.statistics.std)


@dataclass
class FitState:
    """All that a checkpoint of a fit is made of."""

    run: Path
    config: FitConfig
    network: ModelConfig
    info: CutoutInfo
    question: Question
    model: Predictor
    optimizer: torch.optim.Optimizer
    about: dict[str, str]  # fingerprint of the labels, hash of the pre-trained weights
    lowest: float = math.inf  # validation loss of the best weights so far
    best_step: int = 0
    looks: int = 0  # at the validation set since then
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def table(self) -> dict[str, Any]:
        """What the checkpoint says: plain tables."""
        table: dict[str, Any] = {
            "predict": fit_table(self.config),
            "model": asdict(self.network),
            "question": asdict(self.question),
            "about": self.about,
        }
        plain: dict[str, Any] = json.loads(json.dumps(table))  # as it comes back from a file
        return plain

    @property
    def stopped(self) -> bool:
        """Say whether validation has not improved for long enough."""
        return bool(self.config.patience) and self.looks >= self.config.patience

    def look(self, step: int, metrics: dict[str, float]) -> bool:
        """Take in a look at the validation set; say whether its loss is the lowest so far."""
        loss = metrics["validation_loss"]
        better = loss < self.lowest
        self.looks = 0 if better else self.looks + 1
        if better:
            self.lowest, self.best_step = loss, step
        self.metrics = metrics
        return better

    def save(self, step: int, *, best: bool = False) -> None:
        """Write a checkpoint after `step` steps.

        Raises:
            InputError: a weight that is not finite; nothing is written then.
        """
        broken = [n for n, w in self.model.named_parameters() if not torch.isfinite(w).all()]
        if broken:
            raise InputError(
                f"{self.run}: weights {broken[0]} are not finite after step {step}; lower the "
                "learning rate"
            )
        stands = {"best_step": float(self.best_step), "looks": float(self.looks)}
        if self.best_step:
            stands["lowest"] = self.lowest
        state = checkpoint.Checkpoint(
            self.run, step, self.info, self.table, {**self.metrics, **stands}
        )
        tensors = {
            "model": self.model.state_dict(),
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
        }
        checkpoint.save_checkpoint(self.run, state, tensors, keep=self.config.keep, best=best)

    def restore(self, folder: Path) -> int:
        """Fill weights, optimizer and counters from a checkpoint; give the steps it has done."""
        state = checkpoint.read_checkpoint(folder)
        checkpoint.load_weights(self.model, folder / "model.safetensors")
        tensors = checkpoint.read_tensors(folder / "optimizer.safetensors")
        checkpoint.restore_optimizer(self.optimizer, tensors)
        stands = dict(state.metrics)
        self.lowest = stands.pop("lowest", math.inf)
        self.best_step, self.looks = int(stands.pop("best_step")), int(stands.pop("looks"))
        self.metrics = stands
        if state.step == self.best_step:  # killed before it could be marked as the best
            self.save(state.step, best=True)
        return state.step

    def take_best(self) -> None:
        """Fill in the best weights."""
        folder = checkpoint.find_checkpoint(self.run, "best")
        assert folder is not None
        checkpoint.load_weights(self.model, folder / "model.safetensors")


def prepare_fit(run: Path, state: FitState) -> Path | None:
    """Make the run directory, or find the checkpoint to go on from.

    Raises:
        InputError: it holds another fit.
    """
    found, table = checkpoint.find_checkpoint(run), state.table
    if found is not None:
        _, network, _, before_state = read_state(found)
        # the network with what an earlier version had no word for
        before = {**before_state.table, "model": json.loads(json.dumps(asdict(network)))}
        for section in ("predict", "model", "about"):
            old, new = before.get(section, {}), table[section]
            for name in new:
                free = section == "predict" and name in _FREE
                # what an earlier version did not note cannot be compared
                free |= section == "about" and name not in old
                if not free and old.get(name) != new[name]:
                    if section == "about":
                        raise InputError(
                            f"{run}: this fit was started with other {_ABOUT[name]}; use another "
                            "--out"
                        )
                    raise InputError(
                        f"{run}: this fit was started with {section}.{name} = "
                        f"{old.get(name)!r}, not {new[name]!r}; use another --out"
                    )
    run.mkdir(parents=True, exist_ok=True)
    temporary = run / "config.partial"
    temporary.write_text(tomli_w.dumps(table), encoding="utf-8")
    temporary.replace(run / "config.toml")
    return found


def read_state(folder: Path) -> tuple[FitConfig, ModelConfig, Question, checkpoint.Checkpoint]:
    """Read what a checkpoint of a fit says.

    Raises:
        InputError: it is no predictor.
    """
    state = checkpoint.read_checkpoint(folder)
    table = stored_table(state.table)
    if not {"predict", "model", "question"} <= set(table):
        raise InputError(f"{folder}: no predictor here; expected what `sky-ssl predict fit` made")
    question = Question(**{name: tuple(value) for name, value in table["question"].items()})
    config = build_section(FitConfig, "predict", table["predict"], str(folder))
    return config, build_section(ModelConfig, "model", table["model"], str(folder)), question, state
