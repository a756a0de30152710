"""Pre-train a Vision Transformer on images of the sky by masked image modelling.

    python train.py configs/demo.toml --out runs/demo
    python train.py configs/demo.toml --out runs/demo --train.steps 500 --log.wandb offline
    torchrun --nproc_per_node 4 train.py configs/mock.toml --out runs/mock

A run that was stopped goes on where it stopped, on any number of ranks: repeat the command.
SIGTERM and SIGUSR1 write a checkpoint and leave.
"""

import argparse
import contextlib
import math
import signal
import sys
import time
from pathlib import Path

import torch
from torch.nn.parallel import DistributedDataParallel

from sky_ssl.errors import InputError
from sky_ssl.model.masking import batch_ratio, hidden_pixels, random_masks
from sky_ssl.model.objectives import make_model
from sky_ssl.training import checkpoint, distributed
from sky_ssl.training.augment import augment, draw_augmentation
from sky_ssl.training.config import Config, load_config
from sky_ssl.training.data import measured_info, open_source, placed_batches
from sky_ssl.training.described import setting_lines
from sky_ssl.training.log import RunLog
from sky_ssl.training.monitor import Monitor
from sky_ssl.training.order import MASK_RATIO, BatchOrder, draw_for_share, step_seed
from sky_ssl.training.run import Average, RunState, prepare_run
from sky_ssl.training.schedule import learning_rate, make_optimizer


def train(config: Config, run: Path) -> None:
    """Train, or go on training, in the run directory `run`."""
    t, ranks = config.train, distributed.start(config.train.device)
    device = ranks.device
    if t.threads:
        torch.set_num_threads(t.threads)
    source = open_source(config)
    found = prepare_run(run, config) if ranks.is_first else None
    distributed.wait_for_all()
    found = found or checkpoint.find_checkpoint(run)

    # Model, optimizer and moving average, new or as the last checkpoint has them
    info = checkpoint.read_checkpoint(found).info if found else measured_info(source)
    torch.manual_seed(step_seed(t.seed, 0, 0))
    model = make_model(config.model, info.sky_sigma).to(device)
    optimizer = make_optimizer(model, t)
    average = Average(model, t.ema) if t.ema else None
    state = RunState(run, config, info, model, optimizer, average, source)
    start = state.restore(found) if found else 0
    bf16 = t.precision == "bf16" or (t.precision == "auto" and distributed.has_bf16(device))
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=bf16)
    network: torch.nn.Module = torch.compile(model) if t.compile else model
    if ranks.world > 1:
        network = DistributedDataParallel(network, gradient_as_bucket_view=True)

    share = ranks.share(t.batch_size)
    rows = None if source.endless else source.train_rows
    order = BatchOrder(rows, t.batch_size, config.data.run_length, t.seed)
    loader = placed_batches(
        source,
        order,
        share=share,
        start=start,
        stop=t.steps,
        workers=config.data.workers,
        device=device,
        withheld=config.model.sky_withheld if config.model.sky_token else None,
    )
    log = monitor = None
    if ranks.is_first:
        log = RunLog(
            run,
            start=start,
            steps=t.steps,
            table=state.table,
            wandb=config.log.wandb,
            project=config.log.project,
        )
        monitor = Monitor(state, autocast)
        log.say(
            f"{run}: {model.describe()}, {len(source.train_rows)} images to train on and "
            f"{len(source.validation_rows)} to validate on, {device}, "
            f"{'bf16' if bf16 else 'fp32'}, {ranks.world} rank(s), from step {start}"
        )

    stopping: list[int] = []
    for name in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, lambda number, _: stopping.append(number))
    saved_at = time.monotonic()
    losses: list[torch.Tensor] = []
    # On a GPU a look at the loss waits for the device: only where a line is logged
    look_every = config.log.every if device.type == "cuda" else 1

    def draw(n: int, generator: torch.Generator) -> tuple[torch.Tensor, ...]:
        masks = random_masks(
            n, source.shape[0], model.grid, config=config.model, generator=generator, ratio=ratio
        )
        return masks, *draw_augmentation(n, source.shape, config.data, generator)

    model.train()
    for step, (images, sky) in enumerate(loader, start):
        # Schedule
        rate = learning_rate(step, t)
        for group in optimizer.param_groups:
            group["lr"] = rate

        # Forward and backward; the loss counts hidden, valid pixels of the whole global batch
        ratio = batch_ratio(config.model, step_seed(t.seed, step, MASK_RATIO))
        mask, *draws = draw_for_share(draw, seed=t.seed, step=step, share=share, device=device)
        images = augment(images, tuple(draws), config.data, model.sky_sigma)
        total = distributed.all_sum(hidden_pixels(images, mask).float()).clamp(min=1)
        torch.manual_seed(step_seed(t.seed, step, ranks.rank))  # stochastic depth
        step_loss = torch.zeros((), device=device)
        parts = (values.chunk(t.accumulate) for values in (images, mask, sky))
        pieces = list(zip(*parts, strict=True))
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            with contextlib.nullcontext() if last or ranks.world == 1 else network.no_sync():  # type: ignore[operator]
                with autocast:
                    loss_sum, _ = network(*piece)
                # DDP averages over ranks, the loss is a sum over them
                (loss_sum * (ranks.world / total)).backward()
            step_loss += loss_sum.detach()

        # Clip and step
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), t.clip or float("inf"))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        if average:
            average.update(model)
        losses.append(distributed.all_sum(step_loss) / total)

        # Log; what is not finite stops the run, with the last good checkpoint in place
        done = step + 1
        is_last = done == t.steps
        if done % look_every == 0 or is_last:
            values = torch.stack(losses[-look_every:]).tolist()
            for back, value in enumerate(reversed(values)):
                if not math.isfinite(value):
                    state.refuse(step - back, value, order.batch(step - back))
        logs = done % config.log.every == 0 or is_last
        if logs:
            if log:
                mean = torch.stack(losses).mean().item()
                log.step(done, t.batch_size, loss=mean, lr=rate, gradient_norm=norm.item())
            losses.clear()

        # Validate, checkpoint
        if not (logs or ranks.world == 1 or done % (t.checkpoint_steps or done + 1) == 0):
            continue  # ranks agree to stop at logged steps only: it takes a message
        leave = (
            distributed.all_sum(torch.tensor(float(bool(stopping)), device=device)) > 0
            if ranks.world > 1
            else bool(stopping)
        )
        every = config.log.validate_every
        if log and monitor:
            checks = is_last or (every and done % every == 0)
            by_step = t.checkpoint_steps and done % t.checkpoint_steps == 0
            by_time = time.monotonic() - saved_at > 60 * t.checkpoint_minutes
            best = False
            if checks:
                log.write(done, **(metrics := monitor.measure(done)))
                best = state.is_best(metrics)
            if checks or by_step or by_time or leave:
                state.save(done, best=best)
                saved_at = time.monotonic()
                log.forget_pause()
                model.train()
        if leave:
            break

    distributed.wait_for_all()
    if log:
        log.close()
        print(
            f"{run}: stopped by signal after step {done}; repeat the command to go on"
            if stopping
            else f"{run}: {t.steps} steps done",
            file=sys.stderr,
        )
    distributed.finish()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="settings, in the configuration or here, with their defaults:\n\n"
        + "\n".join(setting_lines()).replace("%", "%%"),
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", help="configuration (TOML)")
    parser.add_argument("--out", required=True, type=Path, help="run directory")
    known, overrides = parser.parse_known_args()
    try:
        train(load_config(known.config, overrides), known.out)
    except InputError as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
