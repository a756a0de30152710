"""The model that comes along: small, readable, what its card says, and better than none."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sky_ssl.cli import main
from sky_ssl.evaluate.fewshot import few_shot
from sky_ssl.explore.features import softened
from sky_ssl.model.embedding import embed, token_statistics
from sky_ssl.model.objectives import make_model
from sky_ssl.sky.mock import generate
from sky_ssl.training.checkpoint import load_model, load_token_statistics
from sky_ssl.training.sharing import mock_skies
from sky_ssl.workspace import MODELS

MOCK = MODELS / "mock"


@pytest.mark.parametrize(("name", "skies", "scale"), [("mock", 10, 0.1857), ("wide", 3, 0.7428)])
def test_it_is_small_and_its_card_is_of_these_weights(name: str, skies: int, scale: float) -> None:
    """At most 15 MB, no optimizer, the hash of the card, so many skies of 12,000 cutouts."""
    folder = MODELS / name
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert sum(p.stat().st_size for p in files) < 15e6
    assert not any(p.name == "optimizer.safetensors" for p in files)
    _, state = load_model(folder)
    card = (folder / "README.md").read_text()
    assert state.sha256() in card
    assert state.info.bands == tuple("ugriz")
    assert state.info.pixel_scale == pytest.approx(scale)
    seeds, gone = mock_skies(state)
    assert (len(seeds), gone) == (skies, [])
    assert (folder / "training.png").is_file()


def test_its_tokens_tell_dwarfs_better_than_those_of_a_network_that_learnt_nothing() -> None:
    """On a sky it never saw, from 60 labels."""
    model, state = load_model(MOCK)
    torch.manual_seed(1)
    plain = make_model(state.model_config, state.info.sky_sigma or ()).eval()
    batches = list(generate(500, seed=77, enrich={"dwarf": 150}))
    images = torch.from_numpy(np.concatenate([b.images for b in batches]))
    dwarf = np.concatenate([b.columns["is_dwarf"] for b in batches])
    train = np.arange(len(dwarf)) % 2 == 0
    reached = []
    for network, statistics in (
        (model, load_token_statistics(state.folder)),
        (plain, token_statistics(plain.encoder, images[:128].split(64))),
    ):
        parts = [embed(network.encoder, part, statistics) for part in images.split(64)]
        x = softened(torch.cat(parts).numpy())
        score = few_shot(x[train], dwarf[train], x[~train], dwarf[~train], labels=60, repeats=5)
        reached.append(score.mean)
    assert reached[0] > reached[1] + 0.02
    assert reached[0] > 0.85


def test_the_demo_takes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without training: no run in the workspace, and embeddings of its weights."""
    argv = ["demo", "--workspace", str(tmp_path / "w"), "--n", "150", "--json"]
    assert main(argv) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["run"] == str(MOCK)
    assert "150 x 1536" in said["embeddings"]  # two blocks of 192, four places
    assert not (tmp_path / "w" / "runs").exists()
