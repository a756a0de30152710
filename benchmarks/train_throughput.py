"""Images a second, from file to optimizer step, of train.py and of a plain trainer.

    python benchmarks/train_throughput.py --size nano --batch 64 --seconds 60 [--json FILE]
    python benchmarks/train_throughput.py --size base --batch 32 --seconds 120
    python benchmarks/train_throughput.py --memory

The plain trainer is of the kind that research codes use: float32, the HDF5 file opened for each
sample, masks drawn per sample and band in Python. Both train the same network on the same file, in
turns, each in a process of its own, so that what else the machine does falls on both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training.log import read_metrics
from sky_ssl.training.order import BatchOrder

ROOT = Path(__file__).resolve().parents[1]
BANDS = ("u", "g", "r", "i", "z")


def write_noise(path: Path, n: int, size: int) -> None:
    """Write cutouts of noise: the speed does not depend on what is in them."""
    info = CutoutInfo("noise", BANDS, 0.2, (30.0,) * 5, sky_sigma=(1.0,) * 5)
    rng = np.random.default_rng(0)
    piece = rng.normal(size=(min(n, 2000), 5, size, size)).astype(np.float32)
    with CutoutWriter(path, info, dtype="float16") as writer:
        for start in range(0, n, len(piece)):
            part = piece[: min(len(piece), n - start)]
            ids = np.char.mod("%d", np.arange(start, start + len(part)))
            zeros = np.full(len(part), np.nan)
            writer.append(part, {"id": ids, "ra": zeros, "dec": zeros})


def plain_trainer(path: Path, size: str, batch: int, seconds: float) -> float:
    """Train the plain way for some seconds; give images a second after the first two steps."""
    torch.manual_seed(0)
    model = SimMIM(ModelConfig(size=size), (1.0,) * 5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    rng = np.random.default_rng(0)
    grid = model.grid

    class Samples(torch.utils.data.Dataset):
        def __len__(self) -> int:
            with h5py.File(path, "r") as file:
                return len(file["cutouts"])

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            with h5py.File(path, "r") as file:
                image = file["cutouts"][index].astype(np.float32)
            mask = np.zeros((5, grid[0] * grid[1]), dtype=bool)
            count = int(rng.uniform(0, 0.9) * mask.shape[1])
            for band in range(5):
                for place in rng.permutation(mask.shape[1])[:count]:
                    mask[band, place] = True
            return torch.from_numpy(image), torch.from_numpy(mask.reshape(5, *grid))

    loader = torch.utils.data.DataLoader(Samples(), batch_size=batch, shuffle=True, drop_last=True)
    started, steps, begun = time.perf_counter(), 0, 0.0
    while time.perf_counter() - started < seconds:
        for image, mask in loader:
            loss_sum, count = model(image, mask)
            (loss_sum / count.clamp(min=1)).backward()
            optimizer.step()
            optimizer.zero_grad()
            steps += 1
            if steps == 2:
                begun = time.perf_counter()
            if steps > 4 and time.perf_counter() - started > seconds:
                break
    return batch * (steps - 2) / (time.perf_counter() - begun)


def our_trainer(path: Path, size: str, batch: int, seconds: float, extra: list[str]) -> float:
    """Train with train.py for some seconds; give images a second from its own log."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.toml"
        config.write_text(
            f'[data]\ncutouts = ["{path}"]\nvalidation = 0.0\n[model]\nsize = "{size}"\n'
        )
        run = Path(folder) / "run"
        command = [
            sys.executable,
            str(ROOT / "train.py"),
            str(config),
            "--out",
            str(run),
            "--train.steps",
            "1000000",
            "--train.batch_size",
            str(batch),
            "--train.warmup",
            "0",
            "--train.lr",
            "1e-4",
            "--log.every",
            "1",
            "--log.validate_every",
            "0",
            *extra,
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(read_metrics(run)) < 3 and process.poll() is None:
            time.sleep(0.2)
        started = time.monotonic()  # what comes before is not counted: imports, the first steps
        while time.monotonic() - started < seconds and process.poll() is None:
            time.sleep(0.5)
        process.kill()
        process.wait()
        lines = read_metrics(run)
    if len(lines) < 5:
        raise RuntimeError(f"train.py did only {len(lines)} steps in {seconds} s")
    times = [line["time"] for line in lines[2:]]
    return batch * (len(times) - 1) / (times[-1] - times[0])


def loading(path: Path, batch: int) -> float:
    """Give seconds to read one batch, as train.py does."""
    cutouts = open_cutouts(path)
    order = BatchOrder(np.arange(len(cutouts)), batch, 8, seed=0)
    started = time.perf_counter()
    for step in range(30):
        torch.from_numpy(cutouts.read(order.batch(step)))
    return (time.perf_counter() - started) / 30


def matrix_rate(dtype: torch.dtype, seconds: float = 3.0) -> float:
    """Give 1e9 operations a second of a product of matrices as they occur in `base`.

    The network is almost all such products: the ratio of two such rates bounds the gain of bf16.
    """
    a, b = torch.randn(2048, 768).to(dtype), torch.randn(768, 3072).to(dtype)
    for _ in range(3):
        a @ b
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        a @ b
        count += 1
    return 2e-9 * 2048 * 768 * 3072 * count / (time.perf_counter() - started)


def compare(args: argparse.Namespace) -> dict[str, float | str]:
    """Run both trainers in turns and give the medians."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noise.h5"
        write_noise(path, 4000, 64)
        ours, plain = [], []
        for _ in range(args.rounds):
            command = [
                sys.executable,
                __file__,
                "--plain",
                str(path),
                "--size",
                args.size,
                "--batch",
                str(args.batch),
                "--seconds",
                str(args.seconds),
            ]
            plain.append(float(subprocess.run(command, check=True, capture_output=True).stdout))
            extra = ["--train.compile", "true"] if args.compile else []
            ours.append(our_trainer(path, args.size, args.batch, args.seconds, extra))
            print(f"round: plain {plain[-1]:.2f}, train.py {ours[-1]:.2f} images/s", flush=True)
        seconds = loading(path, args.batch)
    rate, base = float(np.median(ours)), float(np.median(plain))
    return {
        "size": args.size,
        "batch": args.batch,
        "threads": torch.get_num_threads(),
        "compiled": str(args.compile),
        "plain_images_per_second": round(base, 2),
        "train_images_per_second": round(rate, 2),
        "ratio": round(rate / base, 2),
        "loading_share_of_step": round(seconds * rate / args.batch, 4),
        "matrix_rate_float32_gflops": round(matrix_rate(torch.float32), 1),
        "matrix_rate_bf16_gflops": round(matrix_rate(torch.bfloat16), 1),
    }


def memory() -> dict[str, float | str]:
    """Give peak memory of train.py on 10^4 and on 10^6 small cutouts."""
    result: dict[str, float | str] = {}
    for n in (10_000, 1_000_000):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "small.h5"
            write_noise(path, n, 16)
            config = Path(folder) / "config.toml"
            config.write_text(
                f'[data]\ncutouts = ["{path}"]\n[model]\nsize = "nano"\n'
                "image_size = 16\npatch_size = 4\n"
            )
            command = [
                sys.executable,
                str(ROOT / "train.py"),
                str(config),
                "--out",
                str(Path(folder) / "run"),
                "--train.steps",
                "60",
            ]
            environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
            process = subprocess.Popen(
                command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(process.pid, 0)
            if status:
                raise RuntimeError(f"train.py ended with status {status}")
            result[f"peak_MiB_{n}"] = round(usage.ru_maxrss / 1024, 1)
            result[f"file_MiB_{n}"] = round(path.stat().st_size / 2**20, 1)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="nano")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.plain:
        print(plain_trainer(args.plain, args.size, args.batch, args.seconds))
        return
    result = memory() if args.memory else compare(args)
    for name, value in result.items():
        print(f"{name:28} {value}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
