"""The rest of the family, trained as a user trains it: MAE, sky token, attention pool."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from sky_ssl.embedding.encode import EmbedOptions, embed_file
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.mae import MAE
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training.checkpoint import find_checkpoint, load_model, load_token_statistics
from sky_ssl.training.config import (
    Config,
    config_from_table,
    config_table,
    load_config,
    stored_table,
)
from sky_ssl.training.data import CutoutSource, placed_batches
from sky_ssl.training.log import read_metrics
from sky_ssl.training.order import BatchOrder

ROOT = Path(__file__).resolve().parents[2]
ALL = (
    "--model.objective", "mae", "--model.sky_token", "true", "--model.pool_weight", "0.5",
    "--model.sky_withheld", "0.5",
)  # fmt: skip
TINY = """
[model]
width = 16
depth = 1
heads = 2
image_size = 16
patch_size = 4
[train]
steps = 12
batch_size = 8
precision = "fp32"
checkpoint_steps = 6
token_sample = 16
threads = 1
[log]
every = 1
validate_every = 0
validation_size = 16
"""


@pytest.fixture(scope="module")
def cutouts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 cutouts in two bands over 20 degrees; every fifth without a position."""
    path = tmp_path_factory.mktemp("cutouts") / "a.h5"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[-8:8, -8:8]
    images = rng.normal(size=(120, 2, 16, 16)) + 30 * np.exp(-(x**2 + y**2) / 8)
    ra = 150 + np.arange(120) / 6
    ra[::5] = np.nan
    with CutoutWriter(path, CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0))) as writer:
        columns = {"id": [f"o{i}" for i in range(120)], "ra": ra, "dec": np.full(120, 2.0)}
        writer.append(images.astype(np.float32), columns)
    return path


def train(cutouts: Path, run: Path, *settings: str, ranks: int = 1) -> Path:
    config = run.with_suffix(".toml")
    config.write_text(f'[data]\ncutouts = ["{cutouts}"]\n' + TINY)
    start = [sys.executable]
    if ranks > 1:
        start += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    done = subprocess.run(
        [*start, str(ROOT / "train.py"), str(config), "--out", str(run), *settings],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return run


def losses(run: Path) -> list[float]:
    return [line["loss"] for line in read_metrics(run) if "loss" in line]


def weights(run: Path) -> dict[str, np.ndarray]:
    folder = find_checkpoint(run)
    assert folder is not None
    return load_file(folder / "model.safetensors")


@pytest.fixture(scope="module")
def whole(cutouts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of MAE with a sky token and an attention pool, 12 steps without a break."""
    return train(cutouts, tmp_path_factory.mktemp("runs") / "whole", *ALL)


def test_it_trains_with_the_objective_alone(cutouts: Path, tmp_path: Path) -> None:
    """`--model.objective mae` needs no other setting; the checkpoint is that of an MAE."""
    run = train(cutouts, tmp_path / "mae", "--model.objective", "mae")
    model, state = load_model(run)
    assert type(model) is MAE
    assert state.model_config.shared_mask is True
    values = losses(run)
    assert np.mean(values[-3:]) < np.mean(values[:3])
    assert len(list((run / "reconstructions").glob("*.png"))) == 1


def test_an_mae_may_embed_with_several_blocks(cutouts: Path, tmp_path: Path) -> None:
    """Its tokens lie side by side, and their statistics are of both; training is as with one."""
    deeper = ("--model.objective", "mae", "--model.depth", "2")
    plain = train(cutouts, tmp_path / "plain", *deeper)
    run = train(cutouts, tmp_path / "mae", *deeper, "--model.token_blocks", "1,2")
    assert losses(run) == losses(plain)
    model, state = load_model(run)
    statistics = load_token_statistics(state.folder)
    assert statistics.mean.shape == (2 * 16,)
    images = torch.randn(3, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    both, last = model.encoder.tokens(images), model.encoder.last_tokens(images)
    assert both.shape == (3, 16, 32)
    assert last.shape == (3, 16, 16)


def test_resuming_is_bit_for_bit(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """Twelve steps from the checkpoint of the sixth are those without a break."""
    run = tmp_path / "again"
    shutil.copytree(whole, run)
    shutil.rmtree(run / "checkpoint" / "step-00000012")
    (run / "checkpoint" / "best").unlink(missing_ok=True)
    train(cutouts, run, *ALL)
    a, b = weights(whole), weights(run)
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert losses(run) == losses(whole)


def test_ranks_and_pieces_change_nothing(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """Two ranks, or a batch in two pieces, have the masks and withheld positions of one."""
    two = train(cutouts, tmp_path / "two", *ALL, ranks=2)
    np.testing.assert_allclose(losses(two), losses(whole), rtol=1e-5)
    pieces = train(cutouts, tmp_path / "pieces", *ALL, "--train.accumulate", "2")
    np.testing.assert_allclose(losses(pieces), losses(whole), rtol=1e-5)


def test_positions_reach_the_embedding(cutouts: Path, whole: Path, tmp_path: Path) -> None:
    """Embeddings of cutouts with a position are not those of the same cutouts without one."""
    images = open_cutouts(cutouts).read(slice(None))
    info = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0))
    with CutoutWriter(tmp_path / "b.h5", info) as writer:
        nowhere = np.full(120, np.nan)
        writer.append(images, {"id": [f"o{i}" for i in range(120)], "ra": nowhere, "dec": nowhere})
    rows = []
    for name, path in (("a", cutouts), ("b", tmp_path / "b.h5")):
        embed_file(whole, path, tmp_path / f"{name}.e", EmbedOptions(pooling="attention"))
        rows.append(open_embeddings(tmp_path / f"{name}.e").values)
    apart = np.abs(rows[0] - rows[1]).max(1)
    assert (apart[::5] < 1e-6).all()
    assert (np.delete(apart, np.s_[::5]) > 1e-5).all()
    assert rows[0].shape == (120, 16)


def test_withheld_positions_hang_on_the_step_alone(cutouts: Path) -> None:
    """Any share of a batch gets the positions of the whole; about as many are withheld as asked."""
    data = open_cutouts(cutouts)
    rows = np.arange(120)
    source = CutoutSource(data, rows, rows[:0])
    order = BatchOrder(rows, 100, 8, seed=3)

    def sky(share: slice, withheld: float | None) -> list[torch.Tensor]:
        found = placed_batches(
            source, order, share=share, start=2, stop=6, workers=0,
            device=torch.device("cpu"), withheld=withheld,
        )  # fmt: skip
        return [sky for _, sky in found]

    whole, half = sky(slice(0, 100), 0.5), sky(slice(50, 100), 0.5)
    assert all(
        torch.equal(a[50:].nan_to_num(-9), b.nan_to_num(-9))
        for a, b in zip(whole, half, strict=True)
    )
    known = torch.stack(whole).isfinite().all(-1).float().mean()
    assert abs(known - 0.8 * 0.5) < 0.08
    assert not torch.stack(sky(slice(0, 100), None)).isfinite().any()
    all_known = torch.stack(sky(slice(0, 100), 0.0))[..., 0]
    place = torch.from_numpy(order.batch(2))
    expected = torch.where(place % 5 == 0, torch.nan, 150 + place.double() / 6)
    torch.testing.assert_close(all_known[0], expected, equal_nan=True)


def test_configurations_come_back_as_they_were() -> None:
    """What is stored in a run is read back the same, also where a setting was left open."""
    mae = {"objective": "mae", "sky_token": True, "pool_weight": 0.2, "token_blocks": (1, 3)}
    for fields in ({}, mae):
        config = Config(model=ModelConfig(**fields))
        table = config_table(config)
        assert None not in table["model"].values()  # TOML has no word for it
        assert config_from_table(table) == config
    before = config_table(Config())
    for name in ("pool_weight", "sky_token", "sky_degree", "sky_withheld", "decoder_width"):
        del before["model"][name]  # as stored by an earlier version
    assert config_from_table(before) == Config()
    assert config_from_table({"model": {"token_blocks": 3}}).model.token_blocks == (3,)
    made = config_from_table({}, {"model.objective": "mae", "model.shared_mask": "none"})
    assert made.model.shared_mask is True


def test_runs_of_an_earlier_version_have_no_profile() -> None:
    """Newer settings are off in what was stored before them, and at their default in new files."""
    before = config_table(Config())
    del before["model"]["profile_weight"]
    assert config_from_table(stored_table(before)).model.profile_weight == 0
    assert config_from_table(before).model.profile_weight == 1
    assert config_from_table(stored_table(config_table(Config()))) == Config()


def test_a_run_of_an_earlier_version_goes_on(cutouts: Path, tmp_path: Path) -> None:
    """From its own configuration or from that it began with, without the profile."""
    run = train(cutouts, tmp_path / "old", "--model.profile_weight", "0", "--train.steps", "6")
    for file in (run / "config.toml", *run.glob("checkpoint/*/state.json")):
        kept = [line for line in file.read_text().splitlines() if "profile_weight" not in line]
        file.write_text("\n".join(kept) + "\n")
    assert load_config(run / "config.toml").model.profile_weight == 0
    done = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), str(run / "config.toml"), "--out", str(run),
         "--train.steps", "12"], capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(losses(run)) == 12
