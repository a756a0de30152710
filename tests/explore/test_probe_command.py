"""`sky-ssl probe`."""

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from sky_ssl.cli import main
from sky_ssl.explore.events import Origin
from sky_ssl.explore.labels import Ledger
from sky_ssl.sky.catalogue import read_catalogue

N = 1200
FIGURES = ("accuracy", "balanced_accuracy", "roc_auc", "average_precision", "precision", "recall")


@pytest.fixture(scope="module")
def sky(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Embeddings in which a dwarf lies 2 deviations away and a redshift is a direction."""
    folder = tmp_path_factory.mktemp("sky")
    rng = np.random.default_rng(0)
    dwarf, z = rng.random(N) < 0.25, rng.uniform(0, 1, N)
    x = rng.normal(size=(N, 12)).astype(np.float32)
    x[:, 0] += 2 * dwarf
    x[:, 1] = 10 * z + 0.3 * rng.normal(size=N)
    ids = np.array([f"o{i}" for i in range(N)], dtype=object)
    ra, dec = rng.uniform(100, 120, N), rng.uniform(0, 10, N)
    kind = np.array(["dwarf" if d else ["star", "spiral"][i % 2] for i, d in enumerate(dwarf)])
    with h5py.File(folder / "e.h5", "w") as file:
        file["embeddings"] = x
        file["id"], file["ra"], file["dec"] = ids, ra, dec
        file.attrs["checkpoint_sha256"] = "ab" * 32
        file.attrs["pooling"] = "mean"
    table = pd.DataFrame({"id": ids, "ra": ra, "dec": dec, "kind": kind, "zspec": z})
    table["shuffled"] = rng.permutation(dwarf)
    table["few"] = np.where(np.arange(N) < 2, kind, "")
    table.loc[:1, "few"] = ["dwarf", "star"]
    table.to_csv(folder / "t.csv", index=False)
    return folder / "e.h5", folder / "t.csv"


def probe(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, Any]:
    status = main(["probe", "--embeddings", str(sky[0]), "--labels", str(sky[1]), *more, "--json"])
    captured = capsys.readouterr()
    assert status == 0, captured.err
    result: dict[str, Any] = json.loads(captured.out)
    return result


def test_cross_validation(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """All labels, folds by sky: every figure with its interval, the best there is within it."""
    r = probe(sky, capsys, "--column", "kind", "--positive", "dwarf")
    for name in FIGURES:
        assert r[name]["low"] <= r[name]["mean"] <= r[name]["high"], name
    assert r["balanced_accuracy"]["low"] < norm.cdf(1) < r["balanced_accuracy"]["high"]
    assert (r["n_test"], r["repeats"], r["folds"]) == (N, 1, 5)
    assert r["split"] == "blocks of sky of 1 degree"
    assert np.sum(r["confusion_matrix"]) == N
    hits = r["expected_hits_held_out"]
    assert hits["low"] <= hits["found"] <= hits["high"]


def test_few_shot(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """`--train 60`: 30 of each side, tested on other sky; a seed repeats it."""
    arguments = ("--column", "kind", "--positive", "dwarf", "--train", "60", "--repeats", "3")
    r = probe(sky, capsys, *arguments)
    assert (r["n_train"], r["repeats"]) == (60, 3)
    assert r["n_test"] == pytest.approx(N / 2, abs=60)
    assert 0.75 < r["balanced_accuracy"]["mean"] < 0.87
    assert probe(sky, capsys, *arguments)["roc_auc"] == r["roc_auc"]
    assert probe(sky, capsys, *arguments, "--seed", "1")["roc_auc"] != r["roc_auc"]


def test_shuffled_labels_are_chance(
    sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways of measuring give a half within the interval."""
    for more in ((), ("--train", "100", "--repeats", "5")):
        r = probe(sky, capsys, "--column", "shuffled", *more)
        assert r["balanced_accuracy"]["low"] < 0.5 < r["balanced_accuracy"]["high"]


def test_a_rare_sky_has_the_purity_of_bayes(
    sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """At 1e-4, from the rates of the confusion matrix; and a note that it cannot be measured."""
    common = ("--column", "kind", "--positive", "dwarf")
    r = probe(sky, capsys, *common, "--prevalence", "1e-4")
    (tn, fp), (fn, tp) = r["confusion_matrix"]
    real, false = tp / (tp + fn), fp / (fp + tn)
    expected = 1e-4 * real / (1e-4 * real + (1 - 1e-4) * false)
    assert r["precision_at_prevalence"]["mean"] == pytest.approx(expected, rel=0.05)
    assert r["precision"]["mean"] > 100 * expected
    assert any("audit" in note for note in r["notes"])
    audited = probe(sky, capsys, *common, "--audit", "3/500")
    assert audited["prevalence"]["low"] < 0.006 < audited["prevalence"]["high"]


def test_redshifts(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Held-out figures, ranges that cover, predictions with flags in a file."""
    out = sky[0].parent / "z.ecsv"
    r = probe(sky, capsys, "--column", "zspec", "--out", str(out))
    assert r["task"] == "redshift"
    assert r["r2"]["mean"] > 0.95
    assert abs(r["bias"]["mean"]) < 0.01
    assert r["coverage_68"]["low"] < 0.68 < r["coverage_68"]["high"] + 0.03
    table = read_catalogue(out)
    assert len(table) == N
    assert ((table["low_95"] <= table["low_68"]) & (table["high_68"] <= table["high_95"])).all()
    assert 0 <= table["outside_range"].mean() < 0.1
    assert table["held_out"].all()
    few = probe(sky, capsys, "--column", "zspec", "--train", "100", "--repeats", "2")
    assert few["n_train"] == 100


def test_many_classes(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Three kinds, two of which cannot be told apart."""
    out = sky[0].parent / "kinds.csv"
    r = probe(sky, capsys, "--column", "kind", "--out", str(out))
    assert np.shape(r["confusion_matrix"]) == (3, 3)
    assert r["recall[dwarf]"]["mean"] > 0.7
    assert r["recall[star]"]["mean"] < 0.7
    table = read_catalogue(out)
    assert set(table["predicted"]) == {"dwarf", "star", "spiral"}
    assert table["probability"].between(1 / 3, 1).all()


def test_two_labels_are_fitted_and_nothing_is_claimed(
    sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """No figure, and the note says how little two labels are."""
    r = probe(sky, capsys, "--column", "few", "--out", str(sky[0].parent / "two.csv"))
    assert "balanced_accuracy" not in r
    assert r["n_test"] == 0
    assert any(
        n.startswith("2 labels: no figure can be trusted; label at least 20") for n in r["notes"]
    )
    assert (
        main(["probe", "--embeddings", str(sky[0]), "--labels", str(sky[1]), "--column", "few"])
        == 0
    )
    assert "not measured" in capsys.readouterr().out


def test_a_rule_is_saved(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Read back, it selects what the predictions file says is likely, with measured purity."""
    from sky_ssl.embedding.store import open_embeddings
    from sky_ssl.explore.selection import load_selection

    rule, out = sky[0].parent / "s.json", sky[0].parent / "p.csv"
    common = ("--column", "kind", "--positive", "dwarf")
    probe(sky, capsys, *common, "--save", str(rule), "--out", str(out))
    selection = load_selection(rule)
    assert selection.calibration_of == "dwarf"
    e = open_embeddings(sky[0])
    scores = selection.scores(e.values)
    np.testing.assert_allclose(scores, pd.read_csv(out)["score"], atol=1e-4)
    truth = (pd.read_csv(sky[1])["kind"] == "dwarf").to_numpy()
    chosen = scores >= selection.threshold
    measured = selection.measured
    assert measured["purity"]["low"] < truth[chosen].mean() < measured["purity"]["high"] + 0.02
    assert "blocks of sky" in str(measured["how"])
    arguments = ["--embeddings", str(sky[0]), "--labels", str(sky[1]), "--column", "kind"]
    status = main(["probe", *arguments, "--save", str(rule)])
    assert status == 2
    assert "choose it with --positive VALUE" in capsys.readouterr().err


def test_it_reads_well(sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A table of figures, thresholds, hits and a learning curve, notes last."""
    arguments = [
        "--column",
        "kind",
        "--positive",
        "dwarf",
        "--learning-curve",
        "--prevalence",
        "0.01",
    ]
    assert main(["probe", "--embeddings", str(sky[0]), "--labels", str(sky[1]), *arguments]) == 0
    text = capsys.readouterr().out
    for words in ("95 % interval", "completeness", "at a prevalence of 0.01", "labels   balanced"):
        assert words in text
    assert max(map(len, text.splitlines())) < 220


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--train", "1"), "train 1: must be 2 or more"),
        (("--prevalence", "2"), "prevalence 2.0: must be above 0 and below 1"),
        (("--audit", "many"), "--audit many: give K/N"),
        (("--prevalence", "0.1", "--audit", "1/9"), "give one of them"),
        (("--folds", "1"), "must be at least 1 and 2"),
        (("--positive", "qso"), "no such value"),
    ],
)
def test_bad_arguments_end_in_one_line(
    sky: tuple[Path, Path], capsys: pytest.CaptureFixture[str], more: tuple[str, ...], reason: str
) -> None:
    """Status 2, and the parameter is named."""
    arguments = ["--embeddings", str(sky[0]), "--labels", str(sky[1]), "--column", "kind"]
    assert main(["probe", *arguments, *more]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert reason in lines[0]


def test_labels_that_were_picked_are_named_as_biased(
    sky: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A ledger knows where each label of each task is from; an audit among them counts as drawn."""
    table = pd.read_csv(sky[1]).head(200)
    ledger = Ledger(tmp_path / "labels.db")
    ids, kinds = table["id"].tolist(), (table["kind"] == "dwarf").map({True: "yes", False: "no"})
    # drawn first and picked later: the newest label does not hide that the object was drawn
    ledger.label(ids[:50], kinds.tolist()[:50], task="both", origin=Origin("bob", "audit"))
    for task, source in (("picked", "lasso"), ("drawn", "audit"), ("both", "lasso")):
        ledger.label(ids, kinds.tolist(), task=task, origin=Origin("ann", source))
    ledger.close()
    said = {}
    for task in ("picked", "drawn", "both"):
        labels = (sky[0], tmp_path / "labels.db")
        result = probe(labels, capsys, "--column", task, "--positive", "yes")
        said[task] = " ".join(result["notes"])
    assert "200 lasso of 200 labels were picked, not drawn" in said["picked"]
    assert "picked" not in said["drawn"]
    assert "150 lasso of 200 labels were picked" in said["both"]
