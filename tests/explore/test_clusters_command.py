"""`sky-ssl clusters` as a user types it: cards, names that stay, and a table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from sky_ssl.cli import main
from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter

SIZES = (150, 90, 60)
KINDS = ("star", "spiral", "dwarf")
COLOURS = (0.2, 0.7, 1.4)  # g - r


@pytest.fixture(scope="module")
def island(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the embeddings of three kinds far apart, their map, cutouts and a ledger."""
    folder = tmp_path_factory.mktemp("islands")
    rng = np.random.default_rng(0)
    which = rng.permutation(np.repeat(np.arange(3), SIZES))
    N = len(which)
    centres = 8 * np.eye(3, 12)
    x = (centres[which] + rng.normal(0, 0.4, (N, 12))).astype(np.float32)
    columns = {
        "id": np.array([f"o{i:03d}" for i in range(N)]),
        "ra": rng.uniform(10, 20, N),
        "dec": rng.uniform(-5, 5, N),
        "tile": np.full(N, ""),
    }
    info = CutoutInfo("two", ("g", "r"), 0.2, (30.0, 30.0), sky_sigma=(1.0, 1.0))
    mag = rng.normal(21, 0.1, N)
    with CutoutWriter(folder / "cut.h5", info) as writer:
        measured = {"mag_r": mag, "mag_g": mag + np.array(COLOURS)[which]}
        images = np.zeros((N, 2, 4, 4), np.float32)
        writer.append(images, {**{k: columns[k] for k in ("id", "ra", "dec")}, **measured})
    attributes = {
        "checkpoint_sha256": "ab" * 32, "pooling": "mean", "bands": "g r",
        "cutouts": str(folder / "cut.h5"),
    }  # fmt: skip
    write_embeddings(
        folder / "e.h5", [x], x.shape, dtype="float32", columns=columns, attributes=attributes
    )
    map_file(folder / "e.h5", folder / "m.h5", MapOptions(method="pca"))
    ledger = Ledger(folder / "labels.db")
    some = np.flatnonzero(rng.random(N) < 0.5)
    labels = [KINDS[k] for k in which[some]]
    ledger.label(columns["id"][some].tolist(), labels, task="kind")
    ledger.close()
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str, status: int = 0) -> dict[str, Any]:
    """Run the command; give what it prints as JSON, or its message."""
    assert main(["clusters", "--json", *argv]) == status
    printed = capsys.readouterr()
    return json.loads(printed.out) if status == 0 else {"error": printed.err}


def test_a_card_of_each_kind(island: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three islands, largest first, each with its colour, its label and members of its own."""
    out = run(
        capsys, "--map", str(island / "m.h5"), "--labels", str(island / "labels.db"),
        "--task", "kind", "--members", "4",
    )  # fmt: skip
    cards = out["clusters"]
    assert [next(iter(c["labels"])) for c in cards] == list(KINDS)
    assert [len(c["labels"]) for c in cards] == [1, 1, 1]
    for card, size, colour in zip(cards, SIZES, COLOURS, strict=True):
        assert 0.8 * size <= card["size"] <= size
        assert card["medians"]["g - r"] == pytest.approx(colour)
        assert len(card["typical"]) == len(card["odd"]) == 4
        assert not set(card["typical"]) & set(card["odd"])
    assert out["alone"] + sum(c["size"] for c in cards) == out["objects"] == sum(SIZES)


def test_embeddings_without_a_map(island: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Along principal axes the same islands are found; one axis is enough to say so."""
    for axes in ("10", "1"):
        out = run(capsys, "--embeddings", str(island / "e.h5"), "--components", axes)
        assert len(out["clusters"]) == 3
    assert any("on a map" in note for note in out["notes"])


def test_a_name_stays_beside_the_map(island: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Given once it is there the next time, on the table too, until it is taken away."""
    m = str(island / "m.h5")
    run(capsys, "--map", m, "--name", "2=lens arcs", "--name", "0=stars")
    out = run(capsys, "--map", m, "--out", str(island / "c.fits"))
    assert [c["name"] for c in out["clusters"]] == ["stars", "", "lens arcs"]
    assert Path(out["names"]).parent == island
    table = Table.read(island / "c.fits")
    assert (table["cluster_name"][table["cluster"] == 2] == "lens arcs").all()
    assert (table["cluster"] == -1).sum() == out["alone"]
    again = run(capsys, "--map", m, "--name", "2=", "--name", "0=")
    assert [c["name"] for c in again["clusters"]] == ["", "", ""]


def test_the_cards_are_readable(island: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json: a title with size and share, the colour, and the ids."""
    assert main(["clusters", "--map", str(island / "m.h5")]) == 0
    text = capsys.readouterr().out
    assert text.startswith("cluster 0: 1")
    assert "g - r 0.20" in text
    assert "3 clusters; " in text


def test_bad_input_is_one_line(island: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to cluster, a cluster that is not there, a name without a number, a bad ending."""
    m = str(island / "m.h5")
    for argv, message in (
        ([], "nothing to cluster: give a map, or embeddings"),
        (["--map", m, "--name", "9=x"], "cluster 9: there are 0 to 2"),
        (["--map", m, "--name", "arcs"], 'give NUMBER=NAME, such as 3="lens arcs"'),
        (["--map", m, "--out", "x.doc"], "ending '.doc' is not one of"),
        (["--map", m, "--min-size", "1"], "min_size = 1: must be 2 or more"),
    ):
        error = run(capsys, *argv, status=2)["error"]
        assert message in error
        assert error.count("\n") == 1


def test_a_map_whose_embeddings_are_gone(
    island: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Clusters are found all the same, and the cards say why they are short."""
    table = pd.DataFrame({"id": open_embeddings(island / "e.h5").id})
    table["x"], table["y"] = np.repeat([0, 50], 150), np.random.default_rng(1).normal(size=300)
    table.to_csv(tmp_path / "own.csv", index=False)
    assert main(["map", "--coordinates", str(tmp_path / "own.csv"), "--out",
                 str(tmp_path / "own.h5")]) == 0  # fmt: skip
    capsys.readouterr()
    out = run(capsys, "--map", str(tmp_path / "own.h5"))
    assert len(out["clusters"]) == 2
    assert out["clusters"][0]["medians"] == {}
    assert any("embeddings are not here" in note for note in out["notes"])
