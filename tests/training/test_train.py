"""train.py as a user runs it: learning, resuming, ranks, kills, bad input."""

import json
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.training.checkpoint import find_checkpoint
from sky_ssl.training.log import read_metrics

ROOT = Path(__file__).resolve().parents[2]
TINY = """
[model]
width = 16
depth = 1
heads = 2
image_size = 16
patch_size = 4
[train]
steps = 20
batch_size = 8
precision = "fp32"
checkpoint_steps = 10
token_sample = 16
threads = 1
[log]
every = 1
validate_every = 0
validation_size = 16
"""


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 cutouts in two bands, on 20 degrees of sky, with a class to probe."""
    path = tmp_path_factory.mktemp("cutouts") / "a.h5"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-8:8, -8:8]
    width = rng.choice([1.5, 4.0], 200)
    blob = 30 * np.exp(-(x**2 + y**2) / (2 * width[:, None, None] ** 2))
    images = rng.normal(size=(200, 2, 16, 16)) + blob[:, None]
    images[::7, 0, :, :4] = np.nan
    info = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0))
    with CutoutWriter(path, info) as writer:
        columns = {
            "id": [f"o{i}" for i in range(200)],
            "ra": 150 + np.arange(200) / 10,
            "dec": np.zeros(200),
            "class": np.where(width > 2, "extended", "point"),
        }
        writer.append(images.astype(np.float32), columns)
    return path


def command(cutouts: Path, run: Path, *settings: str, ranks: int = 1) -> list[str]:
    config = run.with_suffix(".toml")
    config.write_text(f'[data]\ncutouts = ["{cutouts}"]\n' + TINY)
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    return [*start, str(ROOT / "train.py"), str(config), "--out", str(run), *settings]


def train(cutouts: Path, run: Path, *settings: str, ranks: int = 1) -> str:
    done = subprocess.run(
        command(cutouts, run, *settings, ranks=ranks), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(run) if "loss" in line]


def weights(run: Path) -> dict[str, np.ndarray]:
    folder = find_checkpoint(run)
    assert folder is not None
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def whole(cutouts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 steps without a break."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    train(cutouts, run)
    return run


def test_it_learns_and_writes_what_it_says(whole: Path) -> None:
    """Losses fall; metrics, configuration, reconstructions and checkpoints are there."""
    values = losses(whole)
    assert len(values) == 20
    assert np.mean(values[-5:]) < 0.95 * np.mean(values[:3])
    last = read_metrics(whole)[-1]
    assert last["validation_loss"] > 0
    assert (whole / "config.toml").exists()
    assert len(list((whole / "reconstructions").glob("*.png"))) == 1
    state = json.loads((whole / "checkpoint" / "step-00000020" / "state.json").read_text())
    assert state["info"]["bands"] == ["g", "r"]


def test_kill_and_resume_is_bit_for_bit(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """Ten steps, kill -9, and the rest equal twenty steps without a break."""
    run = tmp_path / "killed"
    process = subprocess.Popen(command(cutouts, run), stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while find_checkpoint(run) is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    folder = find_checkpoint(run)
    assert folder is not None
    train(cutouts, run)
    a, b = weights(whole), weights(run)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert losses(run) == losses(whole)


def test_two_ranks_give_the_losses_of_one(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """The same global batch, masks and augmentation on two ranks: the same losses."""
    run = tmp_path / "two"
    train(cutouts, run, ranks=2)
    np.testing.assert_allclose(losses(run), losses(whole), rtol=1e-5)


def test_accumulation_changes_nothing(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """A batch in four pieces gives the losses of the batch in one."""
    run = tmp_path / "pieces"
    train(cutouts, run, "--train.accumulate", "4")
    np.testing.assert_allclose(losses(run), losses(whole), rtol=1e-5)


def test_a_signal_writes_a_checkpoint_and_leaves(cutouts: Path, tmp_path: Path) -> None:
    """SIGTERM in the middle: status 0, a checkpoint of that moment, and a resumed run goes on."""
    run = tmp_path / "stopped"
    process = subprocess.Popen(
        command(cutouts, run, "--train.steps", "100000"), stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while len(losses(run)) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert "repeat the command to go on" in errors
    folder = find_checkpoint(run)
    assert folder is not None
    assert int(folder.name.split("-")[1]) == len(losses(run))


def test_not_a_number_stops_the_run_and_names_the_batch(cutouts: Path, tmp_path: Path) -> None:
    """A learning rate beyond all reason: the run stops with the step and rows, status 2."""
    done = subprocess.run(
        command(cutouts, tmp_path / "bad", "--train.lr", "1e30", "--train.clip", "0"),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    assert "rows" in done.stderr
    assert "bad_batch" in done.stderr
    assert list((tmp_path / "bad").glob("bad_batch_step_*.txt"))


def test_another_model_in_the_same_run_is_refused(cutouts: Path, whole: Path) -> None:
    """The setting that differs is named with both values."""
    done = subprocess.run(
        command(cutouts, whole, "--model.width", "32"), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert "model.width = 16" in done.stderr
    assert "32" in done.stderr


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["--train.stepz", "3"], "unknown setting train.stepz"),
        (["--train.steps", "many"], "train.steps = 'many': must be a int"),
        (["--model.patch_size", "5"], "model.patch_size = 5 does not divide"),
        (["--data.bands", "q"], "no band q; it has g r"),
        (["--model.image_size", "32"], "set it to 16"),
    ],
)
def test_bad_settings_are_named(
    cutouts: Path, tmp_path: Path, settings: list[str], message: str
) -> None:
    """Each wrong setting ends with status 2 and one line."""
    done = subprocess.run(
        command(cutouts, tmp_path / "run", *settings), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def wandb_records(file: Path) -> list[bytes]:
    """Read the records of an offline run: a log of blocks of 32 KiB after a header of 7 bytes."""
    data, place, records, parts = file.read_bytes(), 7, [], b""
    while place + 7 <= len(data):
        if place % 32768 > 32768 - 7:  # no header fits into the rest of a block
            place += 32768 - place % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, place)
        parts += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            records.append(parts)
            parts = b""
    return records


def test_wandb_offline_can_be_read_back(cutouts: Path, tmp_path: Path) -> None:
    """An offline W&B run holds the losses of metrics.jsonl."""
    from wandb.proto import wandb_internal_pb2

    run = tmp_path / "logged"
    settings = ["--log.wandb", "offline", "--train.steps", "4"]
    train(cutouts, run, *settings)
    (file,) = run.glob("wandb/offline-run-*/*.wandb")
    read = []
    for content in wandb_records(file):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content)
        for item in record.history.item:
            if "loss" in (item.key, *item.nested_key):
                read.append(json.loads(item.value_json))
    assert len(read) == 4
    assert read == losses(run)
