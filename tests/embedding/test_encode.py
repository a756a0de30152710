"""Embedding a file: units, parts, ranks, resuming."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from sky_ssl.embedding import encode
from sky_ssl.embedding.encode import EmbedOptions, embed_file, noise_note
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import embed, token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table

INFO = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0), sky_sigma=(1.0, 2.0))


def write(path: Path, n: int = 50, factor: float = 1.0, **changes: object) -> Path:
    values = {**vars(INFO), "sky_sigma": None, **changes}
    images = np.random.default_rng(0).normal(0, 3, (n, 2, 16, 16)).astype(np.float32)
    with CutoutWriter(path, CutoutInfo(**values)) as writer:  # type: ignore[arg-type]
        ids = [f"o{i}" for i in range(n)]
        writer.append(images * factor, {"id": ids, "ra": np.arange(n), "dec": np.zeros(n)})
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a small network, never trained: its embeddings are as good for these tests."""
    folder = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    config = Config(model=ModelConfig(width=16, depth=1, heads=2, image_size=16, patch_size=4))
    model = SimMIM(config.model, INFO.sky_sigma or ())
    statistics = token_statistics(model.encoder, [torch.randn(20, 2, 16, 16)])
    state = checkpoint.Checkpoint(folder, 5, INFO, config_table(config), {})
    tensors = {
        "model": model.state_dict(),
        "tokens": {"mean": statistics.mean, "std": statistics.std},
    }
    checkpoint.save_checkpoint(folder, state, tensors)
    return folder


def test_rows_are_the_one_embedding(run: Path, tmp_path: Path) -> None:
    """Each row equals `embed` of its cutout, and the file says where it is from."""
    path = write(tmp_path / "a.h5")
    summary = embed_file(run, path, tmp_path / "e.h5", EmbedOptions(batch_size=7))
    e = open_embeddings(tmp_path / "e.h5")
    model, state = checkpoint.load_model(run)
    statistics = checkpoint.load_token_statistics(state.folder)
    images = torch.from_numpy(open_cutouts(path).read(slice(None)))
    np.testing.assert_allclose(e.values, embed(model.encoder, images, statistics), atol=1e-5)
    assert isinstance(e.values, np.memmap)
    assert e.id[3] == "o3"
    assert e.attributes["checkpoint_sha256"] == state.sha256()
    assert summary["rows"] == 50
    assert not list(tmp_path.glob(".e.h5*"))


def test_turns_are_averaged_and_recorded(run: Path, tmp_path: Path) -> None:
    """With 8 turns, turned cutouts have the embeddings of the cutouts; the file says so."""
    path = write(tmp_path / "a.h5", n=20)
    images = np.rot90(open_cutouts(path).read(slice(None)), 3, (2, 3)).copy()
    with CutoutWriter(tmp_path / "b.h5", INFO) as writer:
        columns = {"id": [f"o{i}" for i in range(20)], "ra": np.zeros(20), "dec": np.zeros(20)}
        writer.append(images, columns)
    found = []
    for turns in (1, 4, 8):
        for name in ("a", "b"):
            options = EmbedOptions(pooling="mean", turns=turns)
            embed_file(run, tmp_path / f"{name}.h5", tmp_path / "e.h5", options)
            e = open_embeddings(tmp_path / "e.h5")
            assert e.attributes["turns"] == turns
            found.append(np.array(e.values))
    assert np.abs(found[0] - found[1]).max() > 0.01
    np.testing.assert_allclose(found[2], found[3], atol=1e-5)
    np.testing.assert_allclose(found[4], found[5], atol=1e-5)
    with pytest.raises(InputError, match="turns 3: allowed are 1, 4, 8"):
        EmbedOptions(turns=3)


def test_other_zero_points_are_converted(run: Path, tmp_path: Path) -> None:
    """The same sky at zero point 27 (fewer counts by 10^1.2) has the same embeddings."""
    embed_file(run, write(tmp_path / "a.h5"), tmp_path / "ea.h5")
    other = write(tmp_path / "b.h5", factor=10**-1.2, zero_point=(27.0, 27.0))
    embed_file(run, other, tmp_path / "eb.h5")
    a, b = open_embeddings(tmp_path / "ea.h5"), open_embeddings(tmp_path / "eb.h5")
    np.testing.assert_allclose(a.values, b.values, atol=1e-4)


def test_other_bands_and_pixel_scales_are_refused(run: Path, tmp_path: Path) -> None:
    """Both are named; the pixel scale can be insisted on."""
    wrong = write(tmp_path / "a.h5", bands=("g", "z"))
    with pytest.raises(InputError, match="no band r; it has g z"):
        embed_file(run, wrong, tmp_path / "e.h5")
    coarse = write(tmp_path / "b.h5", pixel_scale=0.4)
    with pytest.raises(InputError, match=r"0\.4 arcsec/pixel, but the model was trained at 0\.2"):
        embed_file(run, coarse, tmp_path / "e.h5")
    assert not (tmp_path / "e.h5").exists()
    embed_file(run, coarse, tmp_path / "e.h5", EmbedOptions(allow_pixel_scale=True))


def test_the_noise_of_the_file_can_be_used(run: Path, tmp_path: Path) -> None:
    """With --sigma file, a noisier survey is scaled by its own noise, and the file says so."""
    path = write(tmp_path / "a.h5", sky_sigma=(5.0, 5.0))
    first = embed_file(run, path, tmp_path / "e.h5")
    assert any("trained on: g 5, r 2.5; with --sigma file" in note for note in first["notes"])
    again = embed_file(run, path, tmp_path / "f.h5", EmbedOptions(sigma="file"))
    assert again["notes"] == []
    e, f = open_embeddings(tmp_path / "e.h5"), open_embeddings(tmp_path / "f.h5")
    assert np.abs(e.values - f.values).max() > 0.01
    assert (e.attributes["sigma"], f.attributes["sigma"]) == ("checkpoint", "file")


def test_noise_that_is_much_the_same_is_not_mentioned() -> None:
    """In the units of the model, from half to twice; unknown noise cannot be compared."""
    one, nan = np.ones(2, np.float32), float("nan")
    for sigma, factor, named in (
        ((0.6, 3.9), one, ""),
        ((0.4, 2.0), one, "g 0.4;"),
        ((100.0, 200.0), 0.01 * one, ""),
        ((nan, 9.0), one, "r 4.5;"),
        (None, one, ""),
    ):
        said = noise_note(INFO, replace(INFO, sky_sigma=sigma), factor)
        assert named in said
        assert bool(said) == bool(named)


def test_an_interrupted_job_goes_on(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts that are done are not done again; parts of another job are not used."""
    monkeypatch.setattr(encode, "PART_ROWS", 8)
    path, target = write(tmp_path / "a.h5"), tmp_path / "e.h5"

    def stop(done: int, total: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed_file(run, path, target, progress=stop)
    assert not target.exists()
    left: list[int] = []
    embed_file(run, path, target, progress=lambda done, total: left.append(total))
    assert left[0] == 50 - 16
    embed_file(run, path, tmp_path / "whole.h5")
    whole = open_embeddings(tmp_path / "whole.h5")
    np.testing.assert_array_equal(open_embeddings(target).values, whole.values)


def test_projection_keeps_distances_along_its_axes(run: Path, tmp_path: Path) -> None:
    """A PCA to all dimensions is a rotation; half precision halves the file."""
    path = write(tmp_path / "a.h5", n=100)
    embed_file(run, path, tmp_path / "e.h5")
    embed_file(run, path, tmp_path / "p.h5", EmbedOptions(project=8, dtype="float16"))
    e, p = open_embeddings(tmp_path / "e.h5"), open_embeddings(tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5") as file:
        expected = (e.values - file["projection_mean"][:]) @ file["projection_axes"][:].T
    assert p.values.dtype == np.float16
    np.testing.assert_allclose(p.values, expected, rtol=2e-3, atol=2e-3)


def test_two_ranks_give_the_file_of_one(run: Path, tmp_path: Path) -> None:
    """Under torchrun the parts are shared out; the joined file is the same."""
    path = write(tmp_path / "a.h5")
    embed_file(run, path, tmp_path / "one.h5")
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    arguments = ["--run", run, "--cutouts", path, "--out", tmp_path / "two.h5", "--json"]
    done = subprocess.run(
        [*start, "-m", "--", "sky_ssl", "embed", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    one, two = open_embeddings(tmp_path / "one.h5"), open_embeddings(tmp_path / "two.h5")
    np.testing.assert_allclose(one.values, two.values, atol=1e-5)
    assert json.loads(done.stdout)["rows"] == 50
