"""A small untrained model, cutouts of galaxies and their embeddings, for tests of searches."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sky_ssl.embedding.encode import embed_file
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table

SIZE, COUNT = 48, 30
INFO = CutoutInfo("two", ("g", "r"), 0.1857, (30.0, 30.0), sky_sigma=(1.0, 1.0))


def make_galaxies(seed: int = 0, count: int = COUNT) -> np.ndarray:
    """Make images (count, 2, 48, 48): lopsided blobs of several widths and colours, and noise."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    images = generator.normal(0, 1, (count, 2, SIZE, SIZE))
    for image in images:
        for _ in range(3):
            dx, dy = generator.normal(0, 2.5, 2)
            width, flux = generator.uniform(1, 4), generator.uniform(20, 200)
            blob = flux * np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 2 / width**2)
            image += blob * generator.uniform(0.3, 1, (2, 1, 1))
    return images.astype(np.float32)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network was never trained."""
    folder = tmp_path_factory.mktemp("small_run")
    torch.manual_seed(0)
    model_config = ModelConfig(width=32, depth=2, heads=2, image_size=SIZE, patch_size=8)
    config = Config(model=model_config)
    model = SimMIM(config.model, INFO.sky_sigma or ())
    statistics = token_statistics(model.encoder, [torch.from_numpy(make_galaxies(99))])
    state = checkpoint.Checkpoint(folder, 5, INFO, config_table(config), {})
    tokens = {"mean": statistics.mean, "std": statistics.std}
    checkpoint.save_checkpoint(folder, state, {"model": model.state_dict(), "tokens": tokens})
    return folder


@pytest.fixture(scope="session")
def galaxies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cutout file of 30 galaxies, g000 to g029, a degree apart; the last is g000 once more."""
    path = tmp_path_factory.mktemp("galaxies") / "galaxies.h5"
    images = make_galaxies()
    images[-1] = images[0]
    with CutoutWriter(path, INFO) as writer:
        ids = [f"g{i:03d}" for i in range(COUNT)]
        ra, dec = 10.0 + np.arange(COUNT), np.linspace(-2, 2, COUNT)
        ra[-1], dec[-1] = ra[0], dec[0] + 0.3 / 3600
        writer.append(images, {"id": ids, "ra": ra, "dec": dec})
    return path


@pytest.fixture(scope="session")
def embedded(small_run: Path, galaxies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embeddings of the galaxies."""
    path = tmp_path_factory.mktemp("embedded") / "e.h5"
    embed_file(small_run, galaxies, path)
    return path
