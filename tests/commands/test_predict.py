"""`sky-ssl predict fit` and `apply`, as a user runs them."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from astropy.table import Table
from safetensors.numpy import load_file, save_file

from sky_ssl.cli import main
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table

BANDS = ("g", "r")
QUICK = ("--steps", "60", "--threads", "1", "--batch-size", "32", "--lr", "0.003")
N = 300


def write_sky(path: Path, n: int, seed: int, bands: tuple[str, ...] = BANDS, **more: Any) -> Path:
    """Write blobs, wide or narrow, with class, width and redshift beside them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-8:8, -8:8] + 0.5
    wide = rng.random(n) < 0.4
    width = np.where(wide, 3.0, 1.5) * rng.lognormal(0, 0.1, n)
    blob = 20 * np.exp(-(x**2 + y**2) / 2 / width[:, None, None] ** 2)
    images = blob[:, None] + rng.normal(size=(n, len(bands), 16, 16))
    columns = {
        "id": [f"s{seed}-{i}" for i in range(n)],
        "ra": (100 + np.arange(n) / 4) % 360,
        "dec": np.full(n, 1.0 + seed),
        "class": np.where(wide, "galaxy", np.where(rng.random(n) < 0.5, "star", "qso")),
        "zspec": width / 5,
        "width": width,
    }
    fields = {"pixel_scale": 0.2, "zero_point": (30.0,) * len(bands), **more}
    with CutoutWriter(path, CutoutInfo("test", bands, **fields)) as writer:
        writer.append(images.astype(np.float32), columns)
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cutouts of two skies and a run with random weights."""
    folder = tmp_path_factory.mktemp("predict")
    write_sky(folder / "a.h5", N, 0)
    write_sky(folder / "b.h5", 150, 1)
    config = ModelConfig(width=16, depth=2, heads=2, image_size=16, patch_size=4)
    info = CutoutInfo("test", BANDS, 0.2, (30.0, 30.0), sky_sigma=(1.0, 1.0))
    torch.manual_seed(0)
    model = SimMIM(config, info.sky_sigma or ())
    tensors = {
        "model": model.state_dict(),
        "tokens": {"mean": torch.zeros(16), "std": torch.ones(16)},
    }
    table = config_table(Config(model=config))
    state = checkpoint.Checkpoint(folder / "run", 1, info, table, {})
    checkpoint.save_checkpoint(folder / "run", state, tensors)
    return folder


def command(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    status = main(["predict", *map(str, words), "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    result: dict[str, Any] = json.loads(captured.out)
    return result


def fit(
    place: Path, out: Path, capsys: pytest.CaptureFixture[str], *more: object
) -> dict[str, Any]:
    start = ("fit", "--cutouts", place / "a.h5", "--run", place / "run", "--out", out)
    return command(capsys, *start, *QUICK, *more)


@pytest.fixture(scope="module")
def fitted(place: Path) -> Path:
    """A predictor of galaxies against the rest."""
    out = place / "galaxy"
    words = ["--cutouts", place / "a.h5", "--run", place / "run", "--out", out, *QUICK]
    asked = ["--target", "class", "--positive", "galaxy"]
    assert main(["predict", "fit", *map(str, words), *asked]) == 0
    return out


def test_classes_from_the_cutouts_themselves(
    place: Path, fitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fitted on one sky, applied to another, compared with its truth: far above chance."""
    words = ("--predictor", fitted, "--cutouts", place / "b.h5", "--out", place / "b.csv")
    result = command(capsys, "apply", *words, "--check", "--prevalence", "0.02")
    assert result["check"]["n"] == 150
    assert result["check"]["balanced_accuracy"]["low"] > 0.6
    assert 0 < result["check"]["average_precision_at_prevalence"]["mean"] <= 1
    table = pd.read_csv(place / "b.csv", comment="#")
    assert table["id"].tolist() == [f"s1-{i}" for i in range(150)]
    assert table["ra"].between(100, 140).all()
    np.testing.assert_allclose(table["probability_rest"] + table["probability_galaxy"], 1)
    chosen = table["probability_galaxy"] > 0.5
    assert (chosen == (table["prediction"] == "galaxy")).all()
    assert result["predicted"]["galaxy"] == chosen.sum()
    assert np.sum(result["check"]["confusion_matrix"]) == 150


def test_what_it_has_learnt_does_not_count(
    place: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A check on the cutouts it was fitted on is one on its test sky; so it is on copies of them.

    The copies have other rows and ids: the objects are known by where they are.
    """
    said = json.loads((fitted / "predictor.json").read_text())
    learnt = said["n_train"] + said["n_validation"]
    words = ("--predictor", fitted, "--out", tmp_path / "a.csv", "--check")
    result = command(capsys, "apply", "--cutouts", place / "a.h5", *words)
    assert result["check"]["n"] == N - learnt
    assert f"{learnt} labels of objects it was fitted on do not count" in result["notes"]
    cutouts = open_cutouts(place / "a.h5")
    back = np.arange(N)[::-1]
    columns = {n: cutouts.column(n)[back] for n in ("ra", "dec", "class")}
    columns["id"] = np.array([f"copy {i}" for i in range(N)])
    with CutoutWriter(tmp_path / "copy.h5", cutouts.info) as writer:
        writer.append(cutouts.read(back), columns)
    result = command(capsys, "apply", "--cutouts", tmp_path / "copy.h5", *words)
    assert result["check"]["n"] == N - learnt
    few = tmp_path / "few.h5"
    rows = np.sort(load_file(fitted / "learnt.safetensors")["rows"][:5])
    with CutoutWriter(few, cutouts.info) as writer:
        writer.append(cutouts.read(rows), {n: v[back][rows] for n, v in columns.items()})
    assert main(["predict", "apply", "--cutouts", str(few), *map(str, words)]) == 2
    assert "all are of objects that it was fitted on" in capsys.readouterr().err
    old = tmp_path / "old"
    shutil.copytree(fitted, old)
    words = ("--predictor", old, "--out", tmp_path / "a.csv", "--check")
    save_file({"x": np.zeros(1)}, old / "learnt.safetensors")
    said = refused(capsys, "apply", "--cutouts", place / "a.h5", *words)
    assert "learnt.safetensors: not what `sky-ssl predict fit` writes" in said
    (old / "learnt.safetensors").unlink()
    result = command(capsys, "apply", "--cutouts", place / "a.h5", *words)
    assert result["check"]["n"] == N
    assert any("fitted by an earlier version" in note for note in result["notes"])


@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".fits", ".vot"])
def test_every_format_says_where_it_comes_from(
    place: Path, fitted: Path, ending: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same numbers in all of them, and the predictor's hash in the header."""
    path = place / f"p{ending}"
    command(capsys, "apply", "--predictor", fitted, "--cutouts", place / "b.h5", "--out", path)
    best = (fitted / "checkpoint" / "best").read_text()
    weights = fitted / "checkpoint" / best / "model.safetensors"
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    assert digest.encode() in path.read_bytes()
    table = Table.read(path, comment="#") if ending == ".csv" else Table.read(path)
    assert len(table) == 150
    assert table["probability_galaxy"].min() >= 0
    assert table["ra"][4] == pytest.approx(101.0)


def test_turns_are_averaged(place: Path, fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --turns a picture and its mirror image get the same probability; without not."""
    images = open_cutouts(place / "b.h5").read(slice(0, 20))
    pairs = np.concatenate([images, images[..., ::-1]])
    info = CutoutInfo("test", BANDS, 0.2, (30.0, 30.0))
    with CutoutWriter(place / "pairs.h5", info) as writer:
        names = [f"o{i}" for i in range(40)]
        writer.append(pairs, {"id": names, "ra": np.arange(40.0), "dec": np.zeros(40)})
    found = {}
    for more in ((), ("--turns",)):
        out = place / f"turned{len(more)}.csv"
        words = ("--predictor", fitted, "--cutouts", place / "pairs.h5", "--out", out)
        command(capsys, "apply", *words, *more)
        p = pd.read_csv(out, comment="#")["probability_galaxy"].to_numpy()
        found[len(more)] = np.abs(p[:20] - p[20:]).max()
    assert found[1] < 1e-5 < found[0]


def test_numbers_with_errors_from_a_table(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two numbers by id from a table, errors as weights; ranges hold about what they promise."""
    from sky_ssl.explore.objects import read_objects

    frame = read_objects(place / "a.h5")[["id", "zspec", "width"]]
    rng = np.random.default_rng(0)
    frame["z_err"], frame["w_err"] = rng.uniform(0.01, 0.05, N), 0.1
    frame.loc[3, "z_err"] = -1
    frame.sample(frac=1, random_state=0).to_csv(tmp_path / "t.csv", index=False)
    words = ("--target", "zspec,width", "--errors", "z_err,w_err", "--table", tmp_path / "t.csv")
    result = fit(place, tmp_path / "p", capsys, *words, "--test", 0, "--validation", 0.3)
    assert "1 labels without an error above 0 left out" in result["notes"]
    assert result["n_test"] == 0
    assert {"r2[zspec]", "nmad[zspec]", "r2[width]"} <= set(result["validation"])
    assert "nmad[width]" not in result["validation"]
    out = tmp_path / "b.ecsv"
    said = command(
        capsys, "apply", "--predictor", tmp_path / "p", "--cutouts", place / "b.h5",
        "--out", out, "--check",
    )  # fmt: skip
    assert said["check"]["r2[width]"]["low"] > 0.3
    table, truth = Table.read(out), read_objects(place / "b.h5")["width"].to_numpy()
    inside = (table["width_low_95"] <= truth) & (truth <= table["width_high_95"])
    assert inside.mean() > 0.8
    assert (table["width_low_68"] >= table["width_low_95"]).all()


def test_three_classes_and_few_labels(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--labels 60`: all of three classes; a draw of another seed takes others."""
    results = [
        fit(place, tmp_path / f"p{draw}", capsys, "--target", "class", "--labels", 60,
            "--draw", draw, "--set", "dropout=0.1")
        for draw in (0, 1)
    ]  # fmt: skip
    assert results[0]["classes"] == ["galaxy", "qso", "star"]
    assert results[0]["n_train"] + results[0]["n_validation"] <= 60
    assert np.shape(results[0]["test"]["confusion_matrix"]) == (3, 3)
    assert results[0]["test"]["roc_auc_ovr"] != results[1]["test"]["roc_auc_ovr"]
    words = ("--cutouts", place / "b.h5", "--out", tmp_path / "b.csv", "--check")
    said = refused(capsys, "apply", "--predictor", tmp_path / "p0", *words, "--prevalence", 0.1)
    assert "--prevalence: is for predictors of one class against the rest" in said


def test_a_network_of_its_own_needs_no_run(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--mode cnn` without --run: bands and noise of the cutouts; applied to the same bands."""
    words = ("--cutouts", place / "a.h5", "--out", tmp_path / "p", "--target", "class")
    result = command(capsys, "fit", *words, *QUICK, "--mode", "cnn", "--positive", "galaxy")
    assert result["pretrained"] == ""
    out = tmp_path / "b.csv"
    command(
        capsys, "apply", "--predictor", tmp_path / "p", "--cutouts", place / "b.h5", "--out", out
    )
    assert "mode: cnn" in out.read_text()


def test_a_cutout_without_data_has_no_prediction(
    place: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All NaN: an empty prediction, and a note; the others are as ever."""
    images = np.random.default_rng(0).normal(size=(3, 2, 16, 16)).astype(np.float32)
    images[1] = np.nan
    info = CutoutInfo("test", BANDS, 0.2, (30.0, 30.0))
    with CutoutWriter(tmp_path / "c.h5", info) as writer:
        writer.append(images, {"id": list("abc"), "ra": [1, 2, 3], "dec": [0, 0, 0]})
    out = tmp_path / "c.csv"
    words = ("--predictor", fitted, "--cutouts", tmp_path / "c.h5", "--out", out)
    result = command(capsys, "apply", *words)
    assert "1 cutouts hold no data: no prediction" in result["notes"]
    table = pd.read_csv(out, comment="#")
    assert table["probability_galaxy"].isna().tolist() == [False, True, False]
    assert table["prediction"].isna().tolist() == [False, True, False]


def test_info_knows_a_predictor(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its kind, what it was asked, and its bands."""
    assert main(["info", str(fitted), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["classes"]) == ("predictor", ["rest", "galaxy"])
    assert said["bands"] == ["g", "r"]


def test_a_predictor_is_no_pretraining_run(
    place: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not listed among runs, and a line says so where one is started from it."""
    from sky_ssl.training.runs import list_runs

    assert [run.name for run in list_runs(place)] == ["run"]
    words = ("--cutouts", place / "a.h5", "--run", fitted, "--out", tmp_path / "p")
    line = refused(capsys, "fit", *words, "--target", "class")
    assert "a predictor; expected a run made by train.py" in line


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run a command that must fail: status 2 and one line."""
    assert main(["predict", *map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_cutouts_that_do_not_fit_are_refused(
    place: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Other bands, another size, another pixel scale: one line that names both."""
    write_sky(tmp_path / "bands.h5", 5, 0, bands=("i", "z"))
    write_sky(tmp_path / "scale.h5", 5, 0, pixel_scale=0.5)
    with CutoutWriter(tmp_path / "size.h5", CutoutInfo("t", BANDS, 0.2, (30.0,) * 2)) as writer:
        pixels = np.zeros((2, 2, 20, 20), dtype=np.float32)
        writer.append(pixels, {"id": ["a", "b"], "ra": [1, 2], "dec": [0, 0]})
    for name, message in (
        ("bands", "no band g r; it has i z"),
        ("size", "20 x 20 pixels, but the model takes 16 x 16"),
        ("scale", "0.5 arcsec/pixel, but the model was trained at 0.2"),
    ):
        words = ("--cutouts", tmp_path / f"{name}.h5", "--out", tmp_path / "x.csv")
        assert message in refused(capsys, "apply", "--predictor", fitted, *words)
    assert not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "kind"), "no column 'kind'; there are id ra dec"),
        (("--target", "class", "--positive", "quasar"), "positive 'quasar': no such value"),
        (("--target", "class,zspec"), "classes are predicted from one column"),
        (("--target", "zspec", "--errors", "a,b"), "no column 'a'"),
        (("--target", "zspec,width", "--errors", "width"), "give one for each of zspec width"),
        (("--target", "class", "--set", "dropout"), "must be NAME=VALUE"),
        (("--target", "class", "--set", "stepz=3"), "unknown setting predict.stepz"),
        (("--target", "class", "--labels", "1"), "predict.labels = 1"),
        (("--target", "class", "--table", "none.csv"), "none.csv: no such file"),
    ],
)
def test_bad_questions_are_refused(
    place: Path, tmp_path: Path, words: tuple[str, ...], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Status 2 and one line with what is allowed; nothing is left behind."""
    start = ("fit", "--cutouts", place / "a.h5", "--run", place / "run", "--out", tmp_path / "p")
    assert message in refused(capsys, *start, *words)
    assert not (tmp_path / "p").exists()


def test_what_is_missing_is_said(
    place: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No run for a frozen encoder; a run that is no predictor; an ending that is no table."""
    cut = ("--cutouts", place / "a.h5")
    assert "--run is missing" in refused(
        capsys, "fit", *cut, "--out", tmp_path / "p", "--target", "class"
    )
    out = ("--out", tmp_path / "x.csv")
    for words, message in (
        (("--check", "--prevalence", 2), "below 1"),
        (("--prevalence", 0.1), "is for --check"),
    ):
        assert message in refused(capsys, "apply", "--predictor", fitted, *cut, *out, *words)
    start = ("fit", *cut, "--run", place / "run", "--out", tmp_path / "p", "--target", "class")
    for words, message in (
        (("--steps", 5, "--set", "steps=7"), "--set steps: is given by --steps already"),
        (("--set", "mode=cnn"), "--set mode: is given by --mode already"),
        (("--set", "error_floor=1"), "is added to errors of labels"),
        (("--threads", -1), "predict.threads = -1: must be 0 or more"),
        (("--labels", 20, "--draw", -1), "predict.draw = -1"),
        (("--set", "drop_band=1.5"), "predict.drop_band = 1.5"),
    ):
        assert message in refused(capsys, *start, *words)
    assert "no predictor here" in refused(capsys, "apply", "--predictor", place / "run", *cut, *out)
    assert "no predictor here" in refused(capsys, "apply", "--predictor", tmp_path, *cut, *out)
    assert "ending '.docx'" in refused(
        capsys, "apply", "--predictor", fitted, *cut, "--out", tmp_path / "x.docx"
    )
