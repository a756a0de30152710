"""Checkpoints: whole or not there, never unpickled."""

import os
import pickle
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import TokenStatistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table

INFO = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 27.0), sky_sigma=(1e-12, 2.0))
CONFIG = Config(model=ModelConfig(width=16, depth=1, heads=2, image_size=16, patch_size=4))


def save(run: Path, step: int, **settings: object) -> SimMIM:
    torch.manual_seed(step)
    model = SimMIM(CONFIG.model, INFO.sky_sigma or ())
    statistics = TokenStatistics(torch.zeros(16), torch.ones(16))
    tensors = {
        "model": model.state_dict(),
        "optimizer": {"0.step": torch.tensor(float(step))},
        "tokens": {"mean": statistics.mean, "std": statistics.std},
    }
    state = checkpoint.Checkpoint(run, step, INFO, config_table(CONFIG), {"validation_loss": 1.0})
    checkpoint.save_checkpoint(run, state, tensors, **settings)  # type: ignore[arg-type]
    return model


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    """Weights, bands, zero points, noise and statistics are those that were saved."""
    model = save(tmp_path, 7)
    loaded, state = checkpoint.load_model(tmp_path)
    assert state.info == INFO
    assert state.step == 7
    assert state.model_config == CONFIG.model
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert torch.equal(checkpoint.load_token_statistics(state.folder).std, torch.ones(16))


def test_the_last_few_and_the_best_are_kept(tmp_path: Path) -> None:
    """With keep=2, the best one stays besides; `best` and `latest` find theirs."""
    for step in range(1, 6):
        save(tmp_path, step, keep=2, best=step == 2)
    kept = sorted(p.name for p in (tmp_path / "checkpoint").glob("step-*"))
    assert kept == ["step-00000002", "step-00000004", "step-00000005"]
    assert checkpoint.load_model(tmp_path)[1].step == 2
    assert checkpoint.load_model(tmp_path, "latest")[1].step == 5


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    """A pickle named .safetensors is refused by name and its code does not run."""

    class Hostile:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "pwned",))

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(InputError, match=r"model\.safetensors: not a complete safetensors file"):
        checkpoint.read_tensors(tmp_path / "model.safetensors")
    assert not (tmp_path / "pwned").exists()


def test_damaged_checkpoints_are_named(tmp_path: Path) -> None:
    """Weights cut short, a foreign state and an empty folder each give a clear line."""
    with pytest.raises(InputError, match="no checkpoint here"):
        checkpoint.load_model(tmp_path)
    save(tmp_path, 1)
    folder = tmp_path / "checkpoint" / "step-00000001"
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"model\.safetensors"):
        checkpoint.load_model(tmp_path)
    (folder / "state.json").write_text("{}")
    with pytest.raises(InputError, match="not a checkpoint of this package"):
        checkpoint.load_model(tmp_path)


# One process has torch loaded and forks a writer for each line that it reads
WRITERS = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_checkpoint import save
import torch
torch.set_num_threads(1)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
run = Path(sys.argv[2])
for first in sys.stdin:
    child = os.fork()
    if child == 0:
        for step in range(int(first), 1_000_000):
            save(run, step)
            os.write(1, f"{step}\\n".encode())
    os.write(1, f"writer {child}\\n".encode())
"""


def test_kills_at_random_instants_lose_nothing(tmp_path: Path) -> None:
    """Fifty writers killed by SIGKILL: the last checkpoint announced is on the disk, whole."""
    rng = np.random.default_rng()
    code = [sys.executable, "-c", WRITERS, str(Path(__file__).parent), str(tmp_path)]
    partial = 0
    with subprocess.Popen(code, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        next_step, out = 1, process.stdout.fileno()
        for _ in range(50):
            process.stdin.write(f"{next_step}\n".encode())
            process.stdin.flush()
            said = b""
            while b"writer" not in said or said.count(b"\n") < 2:  # one checkpoint is announced
                said += os.read(out, 4096)
            time.sleep(float(rng.uniform(0, 0.02)))
            os.kill(int(said.split(b"writer ")[1].split()[0]), signal.SIGKILL)
            partial += bool(list((tmp_path / "checkpoint").glob(".partial-*")))
            while select.select([out], [], [], 0.02)[0]:
                said += os.read(out, 4096)
            announced = max(int(n) for n in said.replace(b"writer ", b"-").split())
            model, state = checkpoint.load_model(tmp_path, "latest")
            assert state.step >= announced
            torch.manual_seed(state.step)
            expected = SimMIM(CONFIG.model, INFO.sky_sigma or ())
            assert torch.equal(model.decoder.weight, expected.decoder.weight)
            next_step = state.step + 1
        process.stdin.close()
    assert partial > 5  # kills did fall into the writing
    save(tmp_path, 2_000_000)
    assert not list((tmp_path / "checkpoint").glob(".partial-*"))


def test_the_optimizer_of_another_network_is_refused() -> None:
    """A weight of another shape, or one more: what to do; those of the same network come back."""
    narrow, wide = torch.nn.Linear(2, 2), torch.nn.Linear(2, 3)
    narrow(torch.ones(1, 2)).sum().backward()
    of_narrow = torch.optim.AdamW(narrow.parameters())
    of_narrow.step()
    tensors = checkpoint.optimizer_tensors(of_narrow)
    with pytest.raises(InputError, match="start anew in another folder"):
        checkpoint.restore_optimizer(torch.optim.AdamW(wide.parameters()), tensors)
    with pytest.raises(InputError, match="start anew in another folder"):
        checkpoint.restore_optimizer(torch.optim.AdamW([narrow.weight]), tensors)
    again = torch.optim.AdamW(narrow.parameters())
    checkpoint.restore_optimizer(again, tensors)
    assert checkpoint.optimizer_tensors(again).keys() == tensors.keys()
