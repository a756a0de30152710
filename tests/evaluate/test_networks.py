"""The network of a run, trained and untrained, on skies of its own pixels and of others."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.networks import Trained, open_trained
from sky_ssl.sky.mock import generate, mock_info


def test_skies_of_training_are_refused(trained: Trained) -> None:
    """Seed 7 is in its files; others are not."""
    trained.refuse([101, 102])
    with pytest.raises(InputError, match="seed 7; take others"):
        trained.refuse([101, 7])
    assert trained.describe()["skies"] == [7]


def test_a_folder_of_skies_and_skies_that_are_gone(run: Path, tmp_path: Path) -> None:
    """All files of a folder count; seeds that are given stand in for files that are gone."""
    found = open_trained(run, [1001, 1002])
    assert found.skies == {7, 1001, 1002}
    moved = tmp_path / "run"
    shutil.copytree(run / "checkpoint", moved / "checkpoint")
    state = next(moved.glob("checkpoint/step-*/state.json"))
    for path, seeds in ((run, {7}), (tmp_path / "gone", set())):
        record = json.loads(state.read_text())
        record["config"]["data"]["cutouts"] = [str(path)]
        state.write_text(json.dumps(record))
        assert open_trained(moved).skies == seeds
    assert open_trained(moved).describe()["skies_unknown"] == 1
    assert open_trained(moved, [1001]).describe()["skies_unknown"] == 0


def test_untrained_is_the_same_every_time_and_not_the_trained_one(trained: Trained) -> None:
    """Random weights come from a seed of their own, and the tokens have a mean of 0."""
    images = np.concatenate([b.images for b in generate(12, seed=3)])
    info = mock_info()
    first, again = (trained.untrained(info, images)(images) for _ in range(2))
    other = trained.network(info)(images)
    assert np.array_equal(first, again)
    assert first.shape == other.shape == (12, 64)
    assert not np.allclose(first, other)
    assert trained.network(info).tokens == 4


def test_noise_is_that_of_the_sky_where_its_pixels_have_another_size(trained: Trained) -> None:
    """As `sky-ssl embed --sigma file` does; of the same size, the noise of training."""
    mine, wide = trained.state.info, mock_info("wide")
    assert trained.sigma_for(wide) == wide.sky_sigma
    deeper = replace(mine, sky_sigma=(1.0,) * 5)
    assert trained.sigma_for(deeper) == mine.sky_sigma
