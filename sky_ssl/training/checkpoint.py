"""Checkpoints of a run: written atomically, read without unpickling.

    RUN/checkpoint/step-00000200/   model.safetensors  optimizer.safetensors  ema.safetensors
                                    tokens.safetensors  state.json
    RUN/checkpoint/best             name of the folder to use, the newest where there is none

A folder is written under another name and renamed when complete, so each that is there is whole: a
kill at any instant leaves the last good checkpoint. All randomness is a function of seed and step,
so the step is the state of the schedule, of the sampler and of the random numbers.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from sky_ssl.errors import InputError
from sky_ssl.model.embedding import TokenStatistics
from sky_ssl.model.objectives import make_model
from sky_ssl.model.simmim import SimMIM
from sky_ssl.training.checkpointfolder import (
    Checkpoint,
    find_checkpoint,
    read_checkpoint,
    weights_file,
)

__all__ = [
    "SCHEMA",
    "Checkpoint",
    "find_checkpoint",
    "load_model",
    "load_token_statistics",
    "load_weights",
    "optimizer_tensors",
    "read_checkpoint",
    "read_tensors",
    "restore_optimizer",
    "save_checkpoint",
]

SCHEMA = "sky_ssl checkpoint 1"


def save_checkpoint(
    run: Path,
    state: Checkpoint,
    tensors: Mapping[str, Mapping[str, torch.Tensor]],
    *,
    keep: int = 2,
    best: bool = False,
) -> Path:
    """Write a checkpoint and let go of older ones.

    Args:
        run: the run directory.
        state: what to say; its `folder` is not used.
        tensors: by file name without suffix: "model", "optimizer", "tokens", perhaps "ema".
        keep: how many of the latest to keep; the best is kept besides.
        best: also make it the one to use.

    Returns:
        The folder of the checkpoint.
    """
    home = run / "checkpoint"
    home.mkdir(parents=True, exist_ok=True)
    name = f"step-{state.step:08d}"
    folder, partial = home / name, home / f".partial-{os.getpid()}-{name}"
    if not folder.exists():
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        for stem, values in tensors.items():
            plain = {k: v.detach().cpu().contiguous() for k, v in values.items()}
            _write(partial / f"{stem}.safetensors", save(plain))
        record = {
            "schema": SCHEMA,
            "step": state.step,
            "config": state.table,
            "info": {**vars(state.info)},
            "metrics": state.metrics,
        }
        _write(partial / "state.json", json.dumps(record, indent=1).encode())
        os.replace(partial, folder)
        _sync_folder(home)
    if best:
        _write(home / f".best-{os.getpid()}", name.encode())
        os.replace(home / f".best-{os.getpid()}", home / "best")
        _sync_folder(home)
    _prune(home, keep)
    return folder


def _write(path: Path, content: bytes) -> None:
    """Write a file down to the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last; some network file systems cannot, and need not."""
    handle = os.open(folder, os.O_RDONLY)
    with contextlib.suppress(OSError):
        os.fsync(handle)
    os.close(handle)


def _prune(home: Path, keep: int) -> None:
    pointed = {(home / "best").read_text().strip()} if (home / "best").exists() else set()
    steps = sorted(p.name for p in home.glob("step-*"))
    for name in set(steps[:-keep]) - pointed:
        shutil.rmtree(home / name, ignore_errors=True)
    for rest in home.glob(".partial-*"):  # of runs that were killed while writing
        shutil.rmtree(rest, ignore_errors=True)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file; anything else, a pickle included, is refused unread.

    Raises:
        InputError: naming the file.
    """
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; the checkpoint is not complete") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a complete safetensors file ({error})") from error


def load_model(path: str | Path, which: str = "best") -> tuple[SimMIM, Checkpoint]:
    """Load the network of a run, in evaluation mode on the CPU.

    Args:
        path: run directory or checkpoint folder.
        which: "best" or "latest".

    Raises:
        InputError: if there is no checkpoint, or it is damaged.
    """
    folder = find_checkpoint(path, which)
    if folder is None:
        raise InputError(f"{path}: no checkpoint here; expected a run made by train.py")
    state = read_checkpoint(folder)
    if "question" in state.table:
        raise InputError(f"{path}: a predictor; expected a run made by train.py")
    model = make_model(state.model_config, state.info.sky_sigma or ())
    load_weights(model, weights_file(folder))
    return model.eval(), state


def load_weights(model: nn.Module, path: Path) -> None:
    """Fill a network from a safetensors file.

    Raises:
        InputError: if the weights are of another network.
    """
    try:
        model.load_state_dict(read_tensors(path))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: weights of another network ({reason})") from error


def load_token_statistics(folder: Path) -> TokenStatistics:
    """Read the mean and deviation of the tokens that embeddings are standardised with."""
    tensors = read_tensors(folder / "tokens.safetensors")
    return TokenStatistics(mean=tensors["mean"], std=tensors["std"])


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """Give the state of an optimizer as named tensors."""
    return {
        f"{index}.{name}": value
        for index, entry in optimizer.state_dict()["state"].items()
        for name, value in entry.items()
    }


def restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Set the state of an optimizer from `optimizer_tensors`.

    Raises:
        InputError: if it is of another network.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    for place, entry in state.items():
        shape = entry["exp_avg"].shape if "exp_avg" in entry else None
        if place >= len(weights) or shape not in (None, weights[place].shape):
            raise InputError(
                "optimizer.safetensors: of another network, or an earlier version of it, which "
                "cannot be gone on with; start anew in another folder"
            )
    optimizer.load_state_dict({"state": state, "param_groups": groups})
