"""Candidates: ranking, merging, what is known, probabilities, names; the command as a whole."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.table import Table

from sky_ssl.cli import main
from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidates import ListOptions, find_candidates
from sky_ssl.explore.knownobjects import labels_of
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.selection import save_selection, search_selection
from sky_ssl.probes.calibration import fit_calibration
from sky_ssl.probes.prevalence import Prevalence

ATTRIBUTES = {"checkpoint_sha256": "m" * 64, "pooling": "mean", "projection": 0, "survey": "mock"}


def embeddings(path: Path, scores: np.ndarray, **columns: Any) -> Embeddings:
    """Objects on a line of sky, a degree apart, whose first number is the score."""
    n = len(scores)
    values = np.column_stack([scores, np.zeros((n, 3))]).astype(np.float32)
    given = {
        "id": np.array([f"o{i}" for i in range(n)]), "ra": np.arange(n) * 1.0,
        "dec": np.full(n, -0.5), "tile": np.full(n, "t1"), **columns,
    }  # fmt: skip
    write_embeddings(path, [values], (n, 4), dtype="float32", columns=given, attributes=ATTRIBUTES)
    return open_embeddings(path)


def rule(threshold: float | None = 0.0, **changes: Any) -> Selection:
    s = Selection(
        kind="probe", name="dwarfs", model="m" * 64, dimensions=4, survey="mock", pooling="mean",
        threshold=threshold, coefficients=np.array([1.0, 0, 0, 0]), mean=np.zeros(4),
        std=np.ones(4), calibration_of="dwarf",
    )  # fmt: skip
    return replace(s, **changes)


def calibrated(n: int = 20_000, prevalence: float = 0.5) -> dict[str, Any]:
    """Scores of two normal clouds at +-1: the log-odds are twice the score."""
    g = np.random.default_rng(0)
    truth = g.random(n) < prevalence
    return fit_calibration(g.normal(size=n) + np.where(truth, 1, -1), truth).as_dict()


def test_the_best_come_first_from_the_threshold_on(tmp_path: Path) -> None:
    """Ranks from 1; NaN never passes; `top` cuts; the rule's threshold can be replaced."""
    e = embeddings(tmp_path / "e.h5", np.array([0.5, -1, np.nan, 3, 0.0, 2]))
    found = find_candidates(rule(), e)
    assert found.frame["id"].tolist() == ["o3", "o5", "o0", "o4"]
    assert found.frame["rank"].tolist() == [1, 2, 3, 4]
    assert found.counts == {
        "scored": 6, "not_finite": 1, "passed": 4, "known_left_out": 0, "merged": 0, "listed": 4,
    }  # fmt: skip
    assert find_candidates(rule(), e, ListOptions(top=1)).rows.tolist() == [3]
    assert find_candidates(rule(), e, ListOptions(threshold=1.0)).rows.tolist() == [3, 5]
    assert len(find_candidates(rule(threshold=None), e).rows) == 5


def test_twins_are_merged_and_counted(tmp_path: Path) -> None:
    """Within the radius the best one stays; objects without a position are never merged."""
    ra = np.array([10.0, 10.0001, 10.001, np.nan, np.nan])
    e = embeddings(tmp_path / "e.h5", np.array([1.0, 2, 3, 4, 5]), ra=ra, dec=np.zeros(5))
    found = find_candidates(rule(), e, ListOptions(merge_arcsec=1.0))
    assert found.rows.tolist() == [4, 3, 2, 1]
    assert found.frame["twins"].tolist() == [0, 0, 0, 1]
    assert found.counts["merged"] == 1
    assert len(find_candidates(rule(), e, ListOptions(merge_arcsec=0)).rows) == 5
    assert find_candidates(rule(), e, ListOptions(merge_arcsec=5)).rows.tolist() == [4, 3, 2]


def test_many_twins_do_not_shorten_the_list(tmp_path: Path) -> None:
    """`top` counts objects, not rows: looked for deeper where the best rows are one object."""
    n = 45_000
    ra = np.where(np.arange(n) < 44_000, 10.0, np.arange(n) / 300)
    e = embeddings(tmp_path / "e.h5", np.arange(n, 0.0, -1), ra=ra, dec=np.zeros(n))
    found = find_candidates(rule(), e, ListOptions(top=3))
    assert found.rows.tolist() == [0, 44_000, 44_001]
    assert found.counts["merged"] == 43_999


def test_without_a_position_there_are_no_links_and_no_angles(tmp_path: Path) -> None:
    """And with one, both are right on either side of the equator."""
    ra, dec = np.array([359.9999999, np.nan, 188.7364625]), np.array([-0.5033333, 0.0, 12.5822222])
    e = embeddings(tmp_path / "e.h5", np.array([3.0, 2, 1]), ra=ra, dec=dec)
    frame = find_candidates(rule(), e).frame
    assert frame["ra_hms"].tolist() == ["00:00:00.000", "", "12:34:56.751"]
    assert frame["dec_dms"].tolist() == ["-00:30:12.00", "", "+12:34:56.00"]
    assert (frame["link_aladin"].to_numpy()[1], frame["link_legacy"].to_numpy()[1]) == ("", "")
    assert frame["ra"].dtype == np.float64
    assert np.isnan(frame[["ra", "dec"]].to_numpy()[1]).all()


def test_the_prevalence_moves_the_expected_number(tmp_path: Path) -> None:
    """As Bayes says: at 1e-4 the log-odds of each fall by log(1e-4 / (1 - 1e-4))."""
    g = np.random.default_rng(1)
    truth = g.random(5000) < 0.5
    e = embeddings(tmp_path / "e.h5", g.normal(size=5000) + np.where(truth, 1, -1))
    stored = rule(threshold=1.0, calibration=calibrated())
    same = find_candidates(stored, e, ListOptions(prevalence=Prevalence(0.5)))
    last = same.expected[-1]
    assert last["low"] <= truth[same.rows].sum() <= last["high"]
    assert [row["top"] for row in same.expected[:3]] == [10, 30, 100]
    rare = find_candidates(stored, e, ListOptions(prevalence=Prevalence(1e-4)))
    odds = [f.frame["probability"] / (1 - f.frame["probability"]) for f in (same, rare)]
    np.testing.assert_allclose(odds[1] / odds[0], 1e-4 / (1 - 1e-4), rtol=1e-6)
    assert not same.notes
    assert "it does not fit this sky, or the rule does not" in rare.notes[0]


def test_a_rule_without_calibration_says_so(tmp_path: Path) -> None:
    """No column, no numbers, one note; a score beyond all held-out true ones is marked."""
    e = embeddings(tmp_path / "e.h5", np.array([1.0, 2, 3]))
    found = find_candidates(rule(), e)
    assert "probability" not in found.frame
    assert found.expected == []
    assert "no calibration" in found.notes[0]
    marked = find_candidates(rule(measured={"true_scores": {"low": 0.0, "high": 2.5}}), e)
    assert marked.frame["beyond"].tolist() == [True, False, False]


def test_a_sky_where_too_many_pass_is_doubted(tmp_path: Path) -> None:
    """With the rates of the rule: 1 % of 90 % and 99 % of 2 % are 2.9 %; 60 % pass here."""
    e = embeddings(tmp_path / "e.h5", np.where(np.arange(200) % 5 < 3, 1.0, -1.0))
    rates = {"true": 0.9, "false": 0.02}
    begin = {**calibrated(), "valid_from": 0.5}
    stored = rule(measured={"rates": rates}, calibration=begin)
    (line,) = find_candidates(
        stored, e, ListOptions(threshold=0.6, prevalence=Prevalence(0.01))
    ).notes
    assert "60.00% of the objects pass, where 2.88% would be expected" in line
    fitting = ListOptions(threshold=0.0, prevalence=Prevalence(0.6))
    (line,) = find_candidates(stored, e, fitting).notes
    assert "probabilities of scores below 0.5 are extrapolated" in line


def test_scores_beyond_all_true_ones_promise_no_more(tmp_path: Path) -> None:
    """An oddity at score 50 gets the probability of the best true object, not certainty."""
    e = embeddings(tmp_path / "e.h5", np.array([50.0, 2.5, 1.0]))
    stored = rule(calibration=calibrated(), measured={"true_scores": {"low": 0, "high": 2.5}})
    frame = find_candidates(stored, e, ListOptions(prevalence=Prevalence(0.5))).frame
    assert frame["probability"][0] == frame["probability"][1] < 0.999
    assert frame["beyond"].tolist() == [True, False, False]


def test_known_objects_are_left_out_or_named(tmp_path: Path) -> None:
    """By id or by position, the second row of a known object too."""
    ra = np.array([10.0, 10.00001, 11, 12, 13])
    e = embeddings(tmp_path / "e.h5", np.arange(5.0), ra=ra, dec=np.zeros(5))
    table = pd.DataFrame(
        {"id": ["o0", "x", "o4"], "ra": [10.0, 12.0, 13.0], "dec": [0.0, 0, 0],
         "kind": ["dwarf", "star", None]}
    )  # fmt: skip
    labels, report = labels_of(table, e.id, e.ra, e.dec, column="kind")
    assert labels.tolist() == ["dwarf", "dwarf", "", "star", ""]
    assert "2 of 2 rows matched: 1 by id, 1 by position" in report[0]
    dropped = find_candidates(rule(), e, labels=labels)
    assert dropped.rows.tolist() == [4, 2]
    assert dropped.counts["known_left_out"] == 3
    kept = find_candidates(rule(), e, ListOptions(known="keep"), labels=labels)
    assert kept.frame["label"].tolist() == ["", "star", "", "dwarf"]
    assert labels_of(table, e.id, e.ra, e.dec)[0].tolist().count("known") == 4
    with pytest.raises(InputError, match="no column 'colour'; there are id ra dec kind"):
        labels_of(table, e.id, e.ra, e.dec, column="colour")


def test_the_exemplars_of_a_search_are_known(tmp_path: Path) -> None:
    """They are left out, by place and, without one, by id; kept they are named so."""
    ra = np.array([10.0, 11, np.nan, 13])
    e = embeddings(tmp_path / "e.h5", np.array([1.0, 1, 1, -1]), ra=ra)
    stored = search_selection(e, [0, 2], threshold=0.5)
    assert find_candidates(stored, e).rows.tolist() == [1]
    kept = find_candidates(stored, e, ListOptions(known="keep")).frame
    assert sorted(kept["label"]) == ["", "exemplar", "exemplar"]


def test_the_nearest_known_object_of_all_catalogues(tmp_path: Path) -> None:
    """Its name, distance and catalogue; beyond the radius there is none."""
    e = embeddings(tmp_path / "e.h5", np.array([3.0, 2, 1]))
    one = pd.DataFrame({"id": ["a1", "a2"], "ra": [0.001, 1.0005], "dec": [-0.5, -0.5]})
    two = pd.DataFrame(
        {"id": [7, 8], "name": ["NGC 1", None], "ra": [0.0005, 1.0002], "dec": [-0.5, -0.5]}
    )
    found = find_candidates(
        rule(), e, ListOptions(radius_arcsec=5), catalogues=[("one", one), ("two", two)]
    ).frame
    assert found["nearest_known"].tolist() == ["NGC 1", "8", ""]
    assert found["nearest_catalogue"].tolist() == ["two", "two", ""]
    np.testing.assert_allclose(found["nearest_separation"], [1.8, 0.72, np.nan], rtol=1e-3)


def test_measured_columns_come_from_a_table(tmp_path: Path) -> None:
    """Magnitudes, sizes, flags, by id; what is not there is empty."""
    e = embeddings(tmp_path / "e.h5", np.array([1.0, 2]))
    table = pd.DataFrame(
        {"id": ["o0", "q"], "ra": [0.0, 50.0], "dec": [-0.5, 0], "mag_r": [20.5, 21.0],
         "half_light_radius": [3.0, 4.0], "flags": [4, 8], "zspec": [0.1, 0.2]}
    )  # fmt: skip
    frame = find_candidates(rule(), e, columns=table).frame
    assert frame["id"].tolist() == ["o1", "o0"]
    np.testing.assert_array_equal(frame["mag_r"], [np.nan, 20.5])
    assert frame["flags"].tolist()[1] == 4
    assert "zspec" not in frame
    assert list(frame).index("mag_r") < list(frame).index("tile")


def test_choices_out_of_range_are_refused() -> None:
    """Each with its value and what is allowed."""
    for options, message in (
        ({"known": "x"}, "known 'x': allowed are drop and keep"),
        ({"top": 0}, "top 0: must be 1 or more"),
        ({"merge_arcsec": -1}, "merge -1 arcsec: must be from 0 to 3600"),
    ):
        with pytest.raises(InputError, match=message):
            ListOptions(**options)  # type: ignore[arg-type]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A rule and embeddings on disk."""
    g = np.random.default_rng(1)
    truth = g.random(500) < 0.5
    embeddings(tmp_path / "e.h5", g.normal(size=500) + np.where(truth, 1, -1),
               ra=g.uniform(10, 11, 500))  # fmt: skip
    save_selection(rule(calibration=calibrated()), tmp_path / "s.json")
    return tmp_path / "s.json", tmp_path / "e.h5"


def call(files: tuple[Path, Path], out: Path, *more: str) -> list[str]:
    s, e = map(str, files)
    return ["candidates", "--selection", s, "--embeddings", e, "--out", str(out), *more]


def test_the_command_writes_a_table_that_a_paper_can_use(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Units, UCDs and 64-bit coordinates come back; the header says what it is from."""
    out = tmp_path / "c.vot"
    assert main(call(files, out, "--prevalence", "0.5", "--json")) == 0
    said = json.loads(capsys.readouterr().out)
    table = Table.read(out, format="votable")
    assert len(table) == said["listed"] > 100
    assert (table["ra"].dtype, str(table["ra"].unit)) == (np.dtype("f8"), "deg")
    assert table["ra"].meta["ucd"] == "pos.eq.ra;meta.main"
    assert said["results"][0]["id"] == table["id"][0]
    assert said["results"][0]["ra"] == table["ra"][0]
    assert said["provenance"]["model"] == "m" * 64
    assert 0 < said["purity"]["low"] < said["purity"]["mean"] < said["purity"]["high"] < 1


def test_the_command_prints_what_the_list_holds(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first rows, "the first 100 hold 98 +- 2", the area that was searched."""
    out, moc = tmp_path / "c.csv", tmp_path / "m.fits"
    assert main(call(files, out, "--prevalence", "50/100", "--moc", str(moc), "--fov", "12")) == 0
    shown = capsys.readouterr().out
    assert "the first 100 hold 9" in shown
    assert "+- " in shown
    assert "area searched: 0.00" in shown
    assert "... and" in shown
    assert fits.getheader(moc, 1)["MOCDIM"] == "SPACE"


def test_nothing_found_is_a_list_all_the_same(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty but valid file of each kind, and a line that says why."""
    for ending in ("csv", "ecsv", "fits", "vot", "reg"):
        out = tmp_path / f"c.{ending}"
        assert main(call(files, out, "--threshold", "99")) == 0
        assert "no candidates: no score reaches the threshold 99" in capsys.readouterr().err
        if ending != "reg":
            options = {"format": "ascii.csv", "comment": "#"} if ending == "csv" else {}
            table = Table.read(out, **options)
            assert (len(table), table.colnames[:3]) == (0, ["id", "ra", "dec"])


BAD = [
    (["--prevalence", "2"], "prevalence 2.0: must be above 0"),
    (["--prevalence", "few"], "give a share such as 0.001 or 0.1%, or an audit such as 3/500"),
    (["--labels", "none.csv"], "none.csv: no such file"),
    (["--moc", "m.fits"], "give --fov ARCSEC"),
    (["--fov", "-1"], "--fov -1.0: must be above 0"),
    (["--samp"], "start TOPCAT or Aladin first"),
    (["--catalogue", "none.csv"], "none.csv: no such file"),
    (["--top", "0"], "top 0: must be 1 or more"),
]


@pytest.mark.parametrize(("more", "message"), BAD, ids=lambda v: str(v)[:24])
def test_bad_input_is_one_line(
    more: list[str],
    message: str,
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Exit status 2, with what is wrong and what is allowed."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'no-hub').as_uri()}")
    assert main(call(files, tmp_path / "c.vot", *more)) == 2
    errors = capsys.readouterr().err.splitlines()
    assert message in errors[-1]
    assert not any("Traceback" in line for line in errors)


def test_another_model_is_refused_before_anything_is_written(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both are named in one line; an unknown ending too is refused at once."""
    save_selection(rule(model="f" * 64), tmp_path / "s.json")
    assert main(call(files, tmp_path / "c.csv")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"model {'m' * 64}" in line
    assert f"for model {'f' * 64}" in line
    assert main(call(files, tmp_path / "c.doc")) == 2
    assert "ending '.doc' is not one of .csv" in capsys.readouterr().err
    assert not list(tmp_path.glob("c.*"))


def test_the_labels_of_a_ledger_are_known(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All labelled objects are left out."""
    from sky_ssl.explore.labels import Ledger

    assert main(call(files, tmp_path / "c.csv", "--json")) == 0
    first = json.loads(capsys.readouterr().out)["results"][0]
    ledger = Ledger(tmp_path / "labels.db")
    ledger.label([first["id"]], ["dwarf"], task="kind")
    ledger.close()
    more = ["--labels", str(tmp_path / "labels.db"), "--json"]
    assert main(call(files, tmp_path / "c.csv", *more)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["known_left_out"] == 1
    assert said["results"][0]["id"] != first["id"]
