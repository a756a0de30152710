"""Fit a predictor: a head on a frozen encoder, an encoder trained further, or one from scratch.

Everything random is a function of seed and step, so a fit that was stopped or killed goes on bit
for bit: repeat the call. It stops early where the loss on the validation sky no longer falls, and
the weights with the lowest are kept.
"""

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.predictor import Predictor
from sky_ssl.progress import Progress
from sky_ssl.training import distributed
from sky_ssl.training.augment import augment, draw_augmentation, turn
from sky_ssl.training.data import batches
from sky_ssl.training.fitscore import finish_fit, look_at, loss_of
from sky_ssl.training.fitstate import (
    FitState,
    Pretrained,
    build,
    choose_network,
    prepare_fit,
    take_weights,
)
from sky_ssl.training.layerwise import layered_optimizer
from sky_ssl.training.log import RunLog
from sky_ssl.training.order import BatchOrder, draw_for_share, step_seed
from sky_ssl.training.predictconfig import FitConfig
from sky_ssl.training.predictdata import Images, Labels, Part, Rows, divide, make_part, scaled
from sky_ssl.training.schedule import learning_rate

_REMEMBERED = 1 << 30  # bytes of what a frozen encoder makes of the training images


def fit(
    config: FitConfig,
    labels: Labels,
    images: Images,
    run: Path,
    pretrained: Pretrained | None = None,
    progress: Callable[[str, str], Progress] | None = None,
) -> dict[str, Any]:
    """Fit a predictor in the run directory `run`, or go on with it.

    Args:
        config: how.
        labels: of some of the images.
        images: in the photometric units of `pretrained`, where there is one.
        run: run directory.
        pretrained: where to start from. "frozen" and "finetune" need its weights; "scratch" and
            "cnn" take its network, bands and noise alone.
        progress: called with what is done beside training and its unit; gives what is called with
            (done, total).

    Returns:
        What `predictor.json` says (see `fitscore.finish_fit`); with "stopped" after a signal.

    Raises:
        InputError: labels, settings and images that do not go together.
    """
    device = _device(config)
    notes = list(labels.notes)
    index = divide(labels, config, notes)
    question = scaled(labels, index["train"])
    train, validation = (
        make_part(images, labels, index[name], question, config) for name in ("train", "validation")
    )
    network, info = choose_network(config, images, train, pretrained)
    model = build(config, network, info, question)
    if config.mode in ("frozen", "finetune"):
        assert pretrained is not None
        take_weights(model, pretrained)
    model.to(device)
    optimizer = layered_optimizer(
        model,
        depth=0 if config.mode == "cnn" else network.dimensions[1],
        lr=config.lr,
        decay=config.layer_decay,
        weight_decay=config.weight_decay,
    )
    about = {"labels": labels.fingerprint(), "pretrained": pretrained.sha256 if pretrained else ""}
    about |= {"places": labels.places(), "images": images.fingerprint()}
    state = FitState(run, config, network, info, question, model, optimizer, about)
    found = prepare_fit(run, state)
    start = state.restore(found) if found else 0
    done = _learn(state, train, validation, start, device, progress)
    if done < config.steps and not state.stopped:
        return {"stopped": done, "path": str(run), "notes": notes}
    measure = progress("measure", "cutout") if progress else None
    return finish_fit(state, labels, images, index, notes, done, measure)


def _device(config: FitConfig) -> torch.device:
    ranks = distributed.start(config.device)
    if ranks.world > 1:
        raise InputError(f"{ranks.world} ranks: a predictor is fitted by one process")
    if config.threads:
        torch.set_num_threads(config.threads)
    return ranks.device


def _learn(
    state: FitState,
    train: Part,
    validation: Part,
    start: int,
    device: torch.device,
    progress: Callable[[str, str], Progress] | None,
) -> int:
    """Train from step `start`; give the steps done."""
    config, model = state.config, state.model
    if start >= config.steps or state.stopped:
        return start
    B = config.batch_size
    order = BatchOrder(np.arange(len(train)), B, 1, config.seed)
    encoding = progress("encode", "cutout") if progress else None
    memory = _remember(model, train, config, device, encoding)
    known = _remember(model, validation, replace(config, flips=False), device)
    schedule, augmentation = config.schedule, config.augmentation
    sigma = torch.tensor(state.info.sky_sigma, device=device)
    # convolutions gain nothing from bf16 on a CPU (benchmarks/convolutions.py)
    slower = config.mode == "cnn" and device.type == "cpu"
    bf16 = config.precision == "bf16" or (
        config.precision == "auto" and distributed.has_bf16(device) and not slower
    )
    # a frozen encoder works as it does for embeddings, in float32
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16 and not model.frozen)
    log = RunLog(
        state.run,
        start=start,
        steps=config.steps,
        table=state.table,
        wandb=config.wandb,
        project=config.project,
    )
    loader: Iterator[torch.Tensor | None] = iter([None] * (config.steps - start))
    if memory is None:
        loader = batches(
            train,  # type: ignore[arg-type]
            order,
            share=slice(0, B),
            start=start,
            stop=config.steps,
            workers=config.workers,
            device=device,
        )
    losses: list[torch.Tensor] = []
    saved_at, done = time.monotonic(), start

    def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        return draw_augmentation(n, train.images.shape, augmentation, generator)

    with _signals() as stopping, contextlib.closing(log):
        model.train()
        for step, batch in enumerate(loader, start):
            # Schedule
            rate = learning_rate(step, schedule)
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["scale"]

            # Forward and backward
            places = order.batch(step)
            draws = draw_for_share(
                draw, seed=config.seed, step=step, share=slice(0, B), device=device
            )
            torch.manual_seed(step_seed(config.seed, step, 0))  # dropout
            with autocast:
                if memory is None:
                    answers = model(augment(batch, draws, augmentation, sigma))  # type: ignore[arg-type]
                else:
                    way = draws[0] % memory.shape[1]
                    answers = model.finish(memory[torch.from_numpy(places).to(device), way])
            loss = loss_of(
                answers,
                train.targets[places].to(device),
                train.weights[places].to(device),
                state.question,
                config,
            ).mean()
            loss.backward()

            # Clip and step
            weights = [w for w in model.parameters() if w.requires_grad]
            norm = torch.nn.utils.clip_grad_norm_(weights, config.clip or float("inf"))
            state.optimizer.step()
            state.optimizer.zero_grad(set_to_none=True)
            losses.append(loss.detach())

            # Log, validate, checkpoint
            done = step + 1
            is_last = done == config.steps
            logs = done % config.log_every == 0 or is_last
            if logs or device.type == "cpu":  # on a GPU a look at the loss waits for the device
                _refuse(state, losses, train.rows[places], done)
            if logs:
                mean = torch.stack(losses).mean().item()
                log.step(done, B, loss=mean, lr=rate, gradient_norm=norm.item())
                losses.clear()
            best = False
            if len(validation) and (done % config.validate_every == 0 or is_last):
                metrics = look_at(model, validation, known, state.question, config)
                log.write(done, **metrics)
                best = state.look(done, metrics)
                log.forget_pause()
                model.train()
            leave = bool(stopping) or state.stopped
            by_time = time.monotonic() - saved_at > 60 * config.checkpoint_minutes
            if best or is_last or leave or by_time:
                state.save(done, best=best)
                saved_at = time.monotonic()
                log.forget_pause()
            if leave:
                break
    return done


def _refuse(state: FitState, losses: list[torch.Tensor], rows: Rows, done: int) -> None:
    """Stop on a loss that is not a number; `rows` are those of the last step.

    Raises:
        InputError: naming the step.
    """
    last = float(losses[-1])
    if not math.isfinite(last):
        first = " ".join(map(str, rows[:4]))
        raise InputError(
            f"{state.run}: loss {last} at step {done}, cutouts {first} ...; look at these "
            "images, or lower the learning rate"
        )


@torch.no_grad()
def _remember(
    model: Predictor,
    part: Part,
    config: FitConfig,
    device: torch.device,
    progress: Progress | None = None,
) -> torch.Tensor | None:
    """Run a frozen body once over a part, in all ways that an image can be turned.

    Returns:
        (m, 8 or 1, ...) on the device; None if the body is trained, images are changed in other
        ways too, or it would not fit into memory.
    """
    ways = 8 if config.flips else 1
    if not model.frozen or not config.turns_alone or not len(part):
        return None
    model.eval()
    found: list[torch.Tensor] = []
    for first in range(0, len(part), 64):
        places = np.arange(first, min(first + 64, len(part)))
        images = torch.from_numpy(part.read(places)).to(device)
        n = len(images)
        turned = [
            model.begin(turn(images, torch.full((n,), way, device=device))) for way in range(ways)
        ]
        found.append(torch.stack(turned, dim=1))
        if len(part) * found[0][0].numel() * 4 > _REMEMBERED:
            return None
        if progress:
            progress(first + n, len(part))
    return torch.cat(found)


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGUSR1, so that a checkpoint is written before the process leaves."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught  # only the main thread hears signals
        return
    before = {}
    for name in (signal.SIGTERM, signal.SIGUSR1):
        before[name] = signal.signal(name, lambda number, _: caught.append(number))
    try:
        yield caught
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
