"""`sky-ssl anomalies` as a user types it: the odd ones first, artefacts behind, in any format."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io.votable import parse_single_table

from sky_ssl.cli import main
from sky_ssl.embedding.store import write_embeddings
from sky_ssl.sky.catalogue import read_catalogue

N, ODD = 200, (3, 50, 120)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Embeddings of a crowd and three far objects, the first of which is there twice."""
    folder = tmp_path_factory.mktemp("crowd")
    rng = np.random.default_rng(0)
    x = np.hstack([rng.normal(0, 0.1, (N, 12)), np.ones((N, 1))]).astype(np.float32)
    for axis, row in enumerate(ODD):
        x[row] = 0
        x[row, axis] = 1
    x[121] = x[3]
    ra, dec = rng.uniform(10, 20, N), rng.uniform(-5, 5, N)
    ra[121], dec[121] = ra[3], dec[3] + 0.3 / 3600
    x[7] = np.nan
    ids = np.array([f"o{i}" for i in range(N)])
    columns = {"id": ids, "ra": ra, "dec": dec, "tile": np.full(N, "")}
    attributes = {"checkpoint_sha256": "ab" * 32, "pooling": "mean"}
    write_embeddings(
        folder / "e.h5", [x], x.shape, dtype="float32", columns=columns, attributes=attributes
    )
    table = pd.DataFrame({"id": ["o50", "o9"], "kind": ["artefact", "star"]})
    table.to_csv(folder / "known.csv", index=False)
    return folder


def run(capsys: pytest.CaptureFixture[str], *argv: str, status: int = 0) -> dict[str, Any]:
    """Run the command; give what it prints as JSON, or its message."""
    assert main(["anomalies", "--json", "--threads", "1", *argv]) == status
    printed = capsys.readouterr()
    return json.loads(printed.out) if status == 0 else {"error": printed.err}


def test_the_odd_ones_come_first_and_once(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Far objects lead, the one that is there twice is listed once, NaN is left out and said."""
    out = run(capsys, "--embeddings", str(crowd / "e.h5"))
    assert {row["id"] for row in out["results"][:3]} >= {"o50", "o120"}
    both = [row["id"] for row in out["results"] if row["id"] in ("o3", "o121")]
    assert len(both) == 1
    assert out["listed"] == N - 2
    assert out["objects"] == N
    assert any("1 objects have no usable embedding" in note for note in out["notes"])
    scores = [row["anomaly"] for row in out["results"]]
    assert scores == sorted(scores, reverse=True)
    assert set(out["measures"]) == {"isolation", "neighbour_distance"}


def test_labelled_artefacts_fall_behind(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is labelled an artefact is last; a word that no object bears is said."""
    known = ("--labels", str(crowd / "known.csv"), "--label-column", "kind")
    out = run(capsys, "--embeddings", str(crowd / "e.h5"), *known, "--top", str(N))
    order = [row["id"] for row in out["results"]]
    assert out["artefacts"] == 1
    assert order[-1] == "o50"
    assert order.index("o120") < 3
    out = run(capsys, "--embeddings", str(crowd / "e.h5"), *known, "--artefact", "ghost")
    assert any("no object is labelled ghost (labels: artefact, star)" in n for n in out["notes"])


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "vot"])
def test_the_list_in_any_format(
    crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    """Read back with all its figures; positions keep 64 bits."""
    path = tmp_path / f"a.{ending}"
    out = run(capsys, "--embeddings", str(crowd / "e.h5"), "--out", str(path), "--top", "20")
    back = read_catalogue(path)
    assert back["id"].tolist() == [row["id"] for row in out["results"]]
    assert back["anomaly"].tolist() == pytest.approx([row["anomaly"] for row in out["results"]])
    assert back["ra"].tolist() == [row["ra"] for row in out["results"]]
    assert len(back) == 20


def test_a_votable_says_what_its_columns_are(
    crowd: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Units, UCDs, descriptions, and where it comes from."""
    path = tmp_path / "a.vot"
    run(capsys, "--embeddings", str(crowd / "e.h5"), "--out", str(path))
    table = parse_single_table(path)
    fields = {f.name: f for f in table.fields}
    assert (fields["ra"].unit, fields["ra"].datatype) == ("deg", "double")
    assert all(f.ucd and f.description for f in table.fields)
    assert {i.name: i.value for i in table.infos}["model"] == "ab" * 32


def test_the_model_counts_too(
    embedded: Path, small_run: Path, galaxies: Path, crowd: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With its run the reconstruction error is a measure; another model is refused."""
    more = ("--run", str(small_run), "--draws", "1")
    out = run(capsys, "--embeddings", str(embedded), *more)
    errors = [row["reconstruction_error"] for row in out["results"]]
    assert len(errors) > 20
    assert min(errors) > 0
    assert "reconstruction_error" in out["measures"]
    other = ("--embeddings", str(crowd / "e.h5"), "--cutouts", str(galaxies), *more)
    error = run(capsys, *other, status=2)["error"]
    assert "was made with model" in error or "cutouts" in error
    assert error.count("\n") == 1


def test_bad_input_is_one_line(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each names the parameter, its value and what is allowed."""
    for argv, message in (
        (["--neighbour", "0"], "neighbour = 0: must be 1 or more"),
        (["--merge", "-1"], "merge = -1.0: must be 0 arcsec or more"),
        (["--out", "x.doc"], "ending '.doc' is not one of"),
        (["--labels", "gone.db"], "gone.db: no such file"),
    ):
        error = run(capsys, "--embeddings", str(crowd / "e.h5"), *argv, status=2)["error"]
        assert message in error
        assert error.count("\n") == 1


def test_the_list_is_readable(crowd: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --json: a table, the oddest on top."""
    assert main(["anomalies", "--embeddings", str(crowd / "e.h5"), "--threads", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["rank", "id", "ra"]
    assert "200 objects by isolation, neighbour distance" in lines
