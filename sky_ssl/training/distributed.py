"""One process or many: who am I, on which device, and sums over all ranks."""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist

from sky_ssl.errors import InputError


@dataclass(frozen=True)
class Ranks:
    """This process among its fellows. `torchrun` sets the numbers; alone they are 0 of 1."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Only the first rank writes what is shared."""
        return self.rank == 0

    def share(self, n: int) -> slice:
        """Give this rank's part of `n` things, in order, sizes differing by one at most."""
        return slice(n * self.rank // self.world, n * (self.rank + 1) // self.world)


def start(device: str = "auto") -> Ranks:
    """Join the other ranks (NCCL between GPUs, gloo between CPUs) and choose the device.

    Raises:
        InputError: if a GPU is asked for and there is none.
    """
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    has_gpu = torch.cuda.is_available()
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"train.device = {device!r}: must be auto, cpu or cuda")
    if device == "cuda" and not has_gpu:
        raise InputError("train.device = 'cuda': no GPU found here; use auto or cpu")
    on_gpu = has_gpu and device != "cpu"
    chosen = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) if on_gpu else 0)
    if on_gpu:
        torch.cuda.set_device(chosen)
        torch.backends.cuda.matmul.allow_tf32 = True
    if world > 1 and not dist.is_initialized():
        dist.init_process_group("nccl" if on_gpu else "gloo")
    return Ranks(rank, world, chosen if on_gpu else torch.device("cpu"))


def all_sum(values: torch.Tensor) -> torch.Tensor:
    """Sum a tensor over all ranks, in place where there are several."""
    if dist.is_initialized():
        dist.all_reduce(values)
    return values


def wait_for_all() -> None:
    """Return when every rank has come here."""
    if dist.is_initialized():
        dist.barrier()


def finish() -> None:
    """Leave the other ranks."""
    if dist.is_initialized():
        dist.destroy_process_group()


def has_bf16(device: torch.device) -> bool:
    """Say whether the hardware multiplies bfloat16 faster than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
