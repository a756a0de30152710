"""Models to give away: what is in the folder, and what is not."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sky_ssl.cli import main
from sky_ssl.errors import InputError
from sky_ssl.figures.printed.training import draw_training
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import embed, token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.mock import write_mock
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, DataConfig, config_table
from sky_ssl.training.sharing import Words, mock_skies, share_model

INFO = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 27.0), (1.0, 2.0))
WORDS = Words("tiny", "For tests.\n", "MIT", "python train.py tiny.toml --out run")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run as train.py leaves it, with the paths of somebody's machine."""
    run = tmp_path / "run"
    torch.manual_seed(0)
    model = SimMIM(ModelConfig(width=16, depth=1, heads=2, image_size=16, patch_size=4), (1.0, 2.0))
    data = DataConfig(cutouts=("/home/somebody/secret/skies",))
    table = config_table(Config(data=data, model=model.config))
    state = checkpoint.Checkpoint(run, 5, INFO, table, {"validation_loss": 0.5})
    found = token_statistics(model.encoder, [torch.randn(8, 2, 16, 16)])
    tensors = {"model": model.state_dict(), "tokens": {"mean": found.mean, "std": found.std}}
    checkpoint.save_checkpoint(run, state, {**tensors, "optimizer": {"0.step": torch.ones(1)}})
    (run / "config.toml").write_text("")
    records = [{"step": i, "time": 1.0, "loss": 3 / i} for i in range(1, 9)]
    records[4] |= {"validation_loss": 0.7, "probe_zspec_r2": 0.25}
    (run / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return run


def test_it_embeds_as_the_run_does(run: Path, tmp_path: Path) -> None:
    """The same weights to the bit, the same hash, the same statistics of tokens."""
    said = share_model(run, tmp_path / "models" / "tiny", WORDS)
    images = torch.randn(3, 2, 16, 16)
    found = []
    for path in (run, tmp_path / "models" / "tiny"):
        model, state = checkpoint.load_model(path)
        found.append(embed(model.encoder, images, checkpoint.load_token_statistics(state.folder)))
        assert state.sha256() == said["sha256"]
    assert torch.equal(*found)
    assert main(["info", str(tmp_path / "models" / "tiny")]) == 0


def test_of_averaged_weights_only_these_go_along(run: Path, tmp_path: Path) -> None:
    """The average is what embeddings are made with; the others would double the size."""
    folder = next((run / "checkpoint").glob("step-*"))
    weights = checkpoint.read_tensors(folder / "model.safetensors")
    save_file({k: v + 1 for k, v in weights.items()}, folder / "ema.safetensors")
    said = share_model(run, tmp_path / "tiny", WORDS)
    assert not list((tmp_path / "tiny").rglob("ema.safetensors"))
    model, state = checkpoint.load_model(tmp_path / "tiny")
    assert state.sha256() == said["sha256"] == checkpoint.load_model(run)[1].sha256()
    assert torch.equal(model.state_dict()["decoder.bias"], weights["decoder.bias"] + 1)


def test_the_same_weights_with_other_blocks_are_another_model(run: Path) -> None:
    """Since they make other embeddings; without blocks it is the hash of the file."""
    folder = next((run / "checkpoint").glob("step-*"))
    record = json.loads((folder / "state.json").read_text())
    plain = checkpoint.read_checkpoint(folder).sha256()
    assert plain == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    found = {plain}
    for blocks in ([1], [1, 2]):
        record["config"]["model"]["token_blocks"] = blocks
        (folder / "state.json").write_text(json.dumps(record))
        found.add(checkpoint.read_checkpoint(folder).sha256())
    assert len(found) == 3


def test_no_optimizer_and_no_path_goes_along(run: Path, tmp_path: Path) -> None:
    """In no file; the data keep their last name."""
    share_model(run, tmp_path / "tiny", WORDS)
    files = [p for p in (tmp_path / "tiny").rglob("*") if p.is_file()]
    assert not any("optimizer" in p.name for p in files)
    assert all(b"somebody" not in p.read_bytes() for p in files)
    assert checkpoint.load_model(tmp_path / "tiny")[1].table["data"]["cutouts"] == ["skies"]
    assert {"README.md", "config.toml", "metrics.jsonl", "training.png"} < {p.name for p in files}


def test_the_card_says_what_it_is(run: Path, tmp_path: Path) -> None:
    """Bands, steps, views, hash, licence, command, and what was measured by then, not after."""
    said = share_model(run, tmp_path / "tiny", WORDS)
    card = (tmp_path / "tiny" / "README.md").read_text()
    for words in ("# tiny", "For tests.", "g r", "320 views", said["sha256"], "MIT", "0.250"):
        assert words in card
    assert "python train.py tiny.toml" in card
    assert len((tmp_path / "tiny" / "metrics.jsonl").read_text().splitlines()) == 5


def test_an_older_model_is_replaced_and_nothing_else(run: Path, tmp_path: Path) -> None:
    """A second time is fine; a folder with other things in it is left alone."""
    for licence in ("one", "two"):
        share_model(run, tmp_path / "tiny", replace(WORDS, licence=licence))
    assert "two" in (tmp_path / "tiny" / "README.md").read_text()
    assert not list(tmp_path.glob(".tiny*"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="holds something else"):
        share_model(run, tmp_path / "mine", WORDS)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "precious"


def test_no_run_is_written_over(run: Path, tmp_path: Path) -> None:
    """Neither another, nor the one that is shared, nor a folder around it, nor a file."""
    other = tmp_path / "other"
    shutil.copytree(run, other)
    (other / "README.md").write_text("my notes")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    for target in (other, run, tmp_path, run / "config.toml"):
        with pytest.raises(InputError, match="name a new folder"):
            share_model(run, target, WORDS)
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
    share_model(run, tmp_path / "tiny", WORDS)
    with pytest.raises(InputError, match="holds the run itself"):
        share_model(tmp_path / "tiny", tmp_path / "tiny", WORDS)


def test_the_mock_skies_it_was_trained_on_go_along(run: Path, tmp_path: Path) -> None:
    """Their seeds, while the files are there; so that it is never measured on one of them."""
    skies = tmp_path / "skies"
    skies.mkdir()
    for seed in (5, 6):
        write_mock(skies / f"{seed}.h5", 4, seed=seed, workers=1)
    state = checkpoint.load_model(run)[1]
    assert mock_skies(state) == ([], ["/home/somebody/secret/skies"])
    file = state.folder / "state.json"
    file.write_text(file.read_text().replace("/home/somebody/secret/skies", str(skies)))
    share_model(run, tmp_path / "tiny", WORDS)
    shutil.rmtree(skies)
    assert mock_skies(checkpoint.load_model(tmp_path / "tiny")[1]) == ([5, 6], [])


def test_the_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Says what it wrote; a run without a checkpoint is one line."""
    (tmp_path / "about.md").write_text("Made for **tests**.")
    options = ["--out", str(tmp_path / "tiny"), "--about", str(tmp_path / "about.md"), "--json"]
    assert main(["share", "--run", str(run), *options]) == 0
    assert json.loads(capsys.readouterr().out)["step"] == 5
    assert "Made for **tests**." in (tmp_path / "tiny" / "README.md").read_text()
    assert main(["share", "--run", str(tmp_path / "none"), *options]) == 2
    assert "no checkpoint here" in capsys.readouterr().err


def test_curves_hold_what_was_logged() -> None:
    """Loss, validation and a line for each probe; a run without probes has one panel."""
    records = [{"step": i, "loss": 1 / i} for i in range(1, 40)]
    assert len(draw_training(records, "t", "n").axes) == 1
    records[20] |= {"validation_loss": 0.2, "probe_class_balanced_accuracy": 0.7}
    losses, probes = draw_training(records, "t", "n").axes
    assert [len(line.get_xdata()) for line in losses.lines] == [39, 39, 1]
    assert probes.lines[0].get_label() == "class, balanced accuracy"
    assert np.asarray(probes.lines[0].get_ydata()).tolist() == [0.7]
