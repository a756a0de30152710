"""The state of a run on disk and in memory: what is saved, restored, averaged and refused."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tomli_w
import torch
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.embedding import TokenStatistics, token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table, load_config
from sky_ssl.training.data import Source

# Settings that another start must share, since the weights or the order of the data hang on them.
_FIXED = {
    "model": None,
    "data": ("bands", "fov", "rows", "run_length", "validation"),
    "train": ("seed", "batch_size", "ema"),
}


class Average:
    """Exponential moving average of the weights (Polyak & Juditsky 1992).

    Args:
        model: the network that is trained.
        decay: weight of the past; it grows from 0 in the first steps, as (1 + n) / (10 + n).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in model.state_dict().items():
            average = self.weights[name]
            if average.is_floating_point():
                average.lerp_(value, 1 - decay)
            else:
                average.copy_(value)


@dataclass
class RunState:
    """All that a checkpoint is made of."""

    run: Path
    config: Config
    info: CutoutInfo
    model: SimMIM
    optimizer: torch.optim.Optimizer
    average: Average | None
    source: Source
    lowest: float = math.inf  # validation loss of the best checkpoint
    metrics: dict[str, float] = field(default_factory=dict)
    _sample: tuple[torch.Tensor, torch.Tensor] | None = None  # images, their RA and Dec

    @property
    def table(self) -> dict[str, Any]:
        """The configuration as plain tables."""
        return config_table(self.config)

    def restore(self, folder: Path) -> int:
        """Fill weights, optimizer and average from a checkpoint; give the steps it has done."""
        state = checkpoint.read_checkpoint(folder)
        checkpoint.load_weights(self.model, folder / "model.safetensors")
        tensors = checkpoint.read_tensors(folder / "optimizer.safetensors")
        checkpoint.restore_optimizer(self.optimizer, tensors)
        if self.average:
            weights = checkpoint.read_tensors(folder / "ema.safetensors")
            self.average.weights = {
                name: value.to(self.average.weights[name].device) for name, value in weights.items()
            }
            self.average.steps = state.step
        best = checkpoint.find_checkpoint(self.run, "best")
        if best is not None and (self.run / "checkpoint" / "best").exists():
            metrics = checkpoint.read_checkpoint(best).metrics
            self.lowest = metrics.get("validation_loss", math.inf)
        self.metrics = state.metrics
        return state.step

    def is_best(self, metrics: dict[str, float]) -> bool:
        """Remember the figures of a validation; say whether the loss is the lowest so far."""
        self.metrics = metrics
        loss = metrics.get("validation_loss", math.nan)
        if loss < self.lowest:
            self.lowest = loss
            return True
        return False

    def save(self, step: int, *, best: bool = False) -> Path:
        """Write a checkpoint after `step` steps.

        Raises:
            InputError: if a weight is not finite; nothing is written then.
        """
        broken = [n for n, w in self.model.named_parameters() if not torch.isfinite(w).all()]
        if broken:
            raise InputError(
                f"{self.run}: weights {broken[0]} are not finite after step {step}; the last good "
                "checkpoint is kept, lower train.lr and repeat the command"
            )
        statistics = self.token_statistics()
        tensors: dict[str, dict[str, torch.Tensor]] = {
            "model": self.model.state_dict(),
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
            "tokens": {"mean": statistics.mean, "std": statistics.std},
        }
        if self.average:
            tensors["ema"] = self.average.weights
        state = checkpoint.Checkpoint(self.run, step, self.info, self.table, self.metrics)
        return checkpoint.save_checkpoint(
            self.run, state, tensors, keep=self.config.train.keep, best=best
        )

    def token_statistics(self) -> TokenStatistics:
        """Measure the tokens of a fixed sample of training images, with the weights to be used."""
        rows = self.source.train_rows
        if self._sample is None:
            count = min(len(rows), self.config.train.token_sample)
            chosen = rows[np.unique(np.linspace(0, len(rows) - 1, count).astype(int))]
            images, sky = self.source.read_placed(chosen)
            self._sample = torch.from_numpy(images), torch.from_numpy(sky)
        device = next(self.model.parameters()).device
        pieces = zip(*(values.split(64) for values in self._sample), strict=True)
        with weights_to_use(self.model, self.average):
            return token_statistics(
                self.model.encoder, ((images.to(device), sky.to(device)) for images, sky in pieces)
            )

    def refuse(self, step: int, loss: float, rows: npt.NDArray[np.integer]) -> None:
        """Stop on a loss that is not a number, and name the batch.

        Raises:
            InputError: always.
        """
        file = self.run / f"bad_batch_step_{step:08d}.txt"
        np.savetxt(file, rows, fmt="%d")
        first = " ".join(map(str, rows[:4]))
        raise InputError(
            f"loss {loss} at step {step}, rows {first} ... (all in {file}); the last good "
            "checkpoint is kept: look at these images, or lower train.lr, and repeat the command"
        )


class weights_to_use:  # noqa: N801 - a context manager reads as a verb
    """Let a network carry its averaged weights inside a `with` block."""

    def __init__(self, model: nn.Module, average: Average | None) -> None:
        self.model, self.average = model, average

    def __enter__(self) -> None:
        if self.average:
            self._trained = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.model.load_state_dict(self.average.weights)

    def __exit__(self, *_: object) -> None:
        if self.average:
            self.model.load_state_dict(self._trained)


def prepare_run(run: Path, config: Config) -> Path | None:
    """Make the run directory, or find the checkpoint to go on from.

    Raises:
        InputError: if the directory holds a run that this configuration cannot go on with.
    """
    file, found = run / "config.toml", checkpoint.find_checkpoint(run)
    table = config_table(config)
    if found is not None and file.exists():
        before = config_table(load_config(file))
        for section, names in _FIXED.items():
            for name in names or table[section]:
                old, new = before[section].get(name), table[section].get(name)
                if old != new:
                    raise InputError(
                        f"{file}: this run was started with {section}.{name} = {old!r}, not "
                        f"{new!r}; use another --out, or the old value"
                    )
    run.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".partial")
    temporary.write_text(tomli_w.dumps(table), encoding="utf-8")
    temporary.replace(file)
    return found
