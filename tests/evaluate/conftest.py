"""A tiny network that was trained on nothing, as a run on disk, and the smallest bench."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.networks import Trained, open_trained
from sky_ssl.evaluate.parts import Store
from sky_ssl.evaluate.settings import Settings
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.mock import generate, mock_info, write_mock
from sky_ssl.training.checkpoint import Checkpoint, save_checkpoint
from sky_ssl.training.config import Config, DataConfig, config_table

SMALL = Settings(
    presets=("native",),
    skies=(101, 102),
    objects=200,
    repeats=2,
    labels=(10,),
    turns=4,
    exemplars=(1, 2),
    top=(2, 100),
    calibrated=20,
    prevalences=(0.02,),
    ways=("attentive",),
    fit_labels=(40,),
    fit_draws=1,
    fit_steps=4,
    ceiling_objects=200,
    ceiling_steps=4,
    ceiling_ways=("scratch",),
)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the mock sky of seed 7, in as far as its config says so."""
    folder = tmp_path_factory.mktemp("run")
    write_mock(folder / "sky.h5", 2, seed=7, workers=1)
    torch.manual_seed(0)
    network = ModelConfig(width=16, depth=1, heads=2, image_size=64, patch_size=16)
    config = Config(data=DataConfig(cutouts=(str(folder / "sky.h5"),)), model=network)
    info = mock_info()
    model = SimMIM(network, info.sky_sigma or ())
    images = np.concatenate([batch.images for batch in generate(16, seed=7)])
    statistics = token_statistics(model.encoder, [torch.from_numpy(images)])
    tensors = {
        "model": model.state_dict(),
        "tokens": {"mean": statistics.mean, "std": statistics.std},
    }
    save_checkpoint(folder, Checkpoint(folder, 3, info, config_table(config), {}), tensors)
    return folder


@pytest.fixture
def trained(run: Path) -> Trained:
    """The network of the run."""
    return open_trained(run)


@pytest.fixture(scope="session")
def small_bench(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two skies of 300 objects."""
    store = Store(tmp_path_factory.mktemp("evidence"))
    return Bench(SMALL, store, {"native": open_trained(run)})
