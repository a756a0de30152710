"""Labels from files into the ledger and back, by library and by command."""

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.table import Table

from sky_ssl.cli import main
from sky_ssl.embedding.store import write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.audit import audit_labels, draw_audit
from sky_ssl.explore.labelfiles import as_labels, export_labels, import_labels
from sky_ssl.explore.labelmatch import DataSet, labels_of, open_data_set
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter

ANN = Origin("ann", "import")
COUNT = 40
IDS = [f"o{i:02d}" for i in range(COUNT)]
RA, DEC = 10.0 + np.arange(COUNT), np.linspace(-40, 40, COUNT)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "labels.db")


def data(fingerprint: str = "here", prefix: str = "", shift_arcsec: float = 0.0) -> DataSet:
    ids = np.array([f"{prefix}{name}" for name in IDS], dtype=object)
    return DataSet(fingerprint, ids, RA, DEC + shift_arcsec / 3600)


def write(tmp_path: Path, **columns: object) -> Path:
    pd.DataFrame(columns).to_csv(tmp_path / "cat.csv")
    return tmp_path / "cat.csv"


def test_values_of_any_kind_become_labels() -> None:
    """Whole numbers without a point, missing ones none, text without blanks around."""
    assert as_labels(pd.Series([1.0, np.nan, 3.0])) == ["1", None, "3"]
    assert as_labels(pd.Series([0.25, 1.0])) == ["0.25", "1.0"]
    assert as_labels(pd.Series([True, False])) == ["True", "False"]
    assert as_labels(pd.Series([" dE ", "", None])) == ["dE", None, None]
    assert as_labels(pd.Series([-1, 7])) == ["-1", "7"]


def test_labels_go_to_the_objects_that_are_meant(tmp_path: Path, ledger: Ledger) -> None:
    """By id and by position, under the ids of the data; the rest is counted and named."""
    path = write(
        tmp_path, id=["o00", "x", "gone", "o03"], ra=[*RA[:2], 300.0, RA[3]],
        dec=[*DEC[:2], 0.0, DEC[3]], label=["dwarf", "star", "dwarf", ""],
    )  # fmt: skip
    found = import_labels(ledger, path, task="t", origin=ANN, column="label", data=data())
    counts = ("rows", "written", "without_label", "unmatched", "by_id", "by_position")
    assert [found[name] for name in counts] == [4, 2, 1, 1, 2, 1]
    assert found["labels"] == {"dwarf": 1, "star": 1}
    assert "1 unmatched: gone" in found["report"]
    table = ledger.current(task="t", dataset="here")
    assert table["object_id"].tolist() == ["o00", "o01"]
    assert table["ra"].tolist() == [10.0, 11.0]
    assert set(table["source"]) == {"import"}
    assert set(table["selection"]) == {"cat.csv"}


def test_the_same_file_twice_adds_nothing_unless_a_label_differs(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Only what is new is written; another labeller's import is theirs."""
    path = write(tmp_path, id=IDS[:3], ra=RA[:3], dec=DEC[:3], label=["a", "b", "c"])
    arguments = {"task": "t", "column": "label", "data": data()}
    assert import_labels(ledger, path, origin=ANN, **arguments)["written"] == 3  # type: ignore[arg-type]
    again = import_labels(ledger, path, origin=ANN, **arguments)  # type: ignore[arg-type]
    assert (again["written"], again["unchanged"]) == (0, 3)
    assert ledger.last_event() == 3
    write(tmp_path, id=IDS[:3], ra=RA[:3], dec=DEC[:3], label=["a", "B", "c"])
    assert import_labels(ledger, path, origin=ANN, **arguments)["written"] == 1  # type: ignore[arg-type]
    other = import_labels(ledger, path, origin=Origin("bob"), **arguments)  # type: ignore[arg-type]
    assert other["written"] == 3
    ledger.undo(origin=Origin("bob"))
    assert import_labels(ledger, path, origin=Origin("bob"), **arguments)["written"] == 3  # type: ignore[arg-type]


def test_what_is_ambiguous_or_contradicts_itself_is_left_out(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Two objects as near, or two rows that disagree on one; rows that agree are one label."""
    close = DataSet("d", np.array(["p", "q", "r", "s"]), np.array([5.0, 5.0, 8.0, 9.0]),
                    np.array([0.0, 0.5 / 3600, 0.0, 0.0]))  # fmt: skip
    path = write(
        tmp_path, name=list("abcde"), ra=[5.0, 8.0, 8.0, 9.0, 9.0],
        dec=[0.25 / 3600, 0, 0, 0, 0], label=["x", "x", "y", "x", "x"],
    )  # fmt: skip
    found = import_labels(ledger, path, task="t", origin=ANN, column="label", data=close)
    assert (found["ambiguous"], found["contradicting"], found["written"]) == (1, 2, 1)
    assert ledger.current()["object_id"].tolist() == ["s"]
    assert any("contradict each other" in line for line in found["report"])
    found = import_labels(
        ledger, path, task="t", origin=ANN, column="label", data=close, take_nearest=True
    )
    assert found["written"] == 1
    assert found["ambiguous"] == 0


def test_without_a_data_set_the_table_names_the_objects(tmp_path: Path, ledger: Ledger) -> None:
    """Positions are kept, and by them the labels are carried over later, with a report."""
    path = write(tmp_path, id=["m31", "far"], ra=[RA[4], 200.0], dec=[DEC[4], 80.0])
    import_labels(ledger, path, task="t", origin=ANN, value="dwarf")
    found, report = labels_of(ledger.current(), data(shift_arcsec=0.4))
    assert found["row"].tolist() == [4]
    assert found["object_id"].tolist() == ["o04"]
    assert found["by"].tolist() == ["position"]
    assert report[0] == (
        "labels given on no data set: 1 of 2 rows matched: 0 by id, 1 by position within 1 arcsec"
    )


def test_labels_are_carried_over_from_other_data(ledger: Ledger) -> None:
    """By id and position; the newest of one labeller counts; the data set's own go by id alone."""
    there = data("there", "T-")
    for d, label in ((data(), "old"), (there, "new")):
        ledger.label(
            d.id[:3].tolist(), label, task="t", origin=Origin("ann", dataset=d.fingerprint),
            ra=d.ra[:3], dec=d.dec[:3],
        )  # fmt: skip
    ledger.label(["o01"], "bob's", task="t", origin=Origin("bob", dataset="here"))
    found, report = labels_of(ledger.current(), data())
    assert found[["row", "label"]].to_numpy().tolist() == [
        *([0, "new"], [1, "new"], [2, "new"], [1, "bob's"])
    ]
    assert all(line.startswith("labels given on there") for line in report)
    nothing, _ = labels_of(ledger.current(task="none"), data())
    assert list(nothing.columns) == list(found.columns)
    assert not len(nothing)


ENDINGS = ["csv", "ecsv", "fits", "vot", "parquet"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_exported_is_imported(tmp_path: Path, ledger: Ledger, ending: str) -> None:
    """Every format brings labels and positions into another ledger."""
    ledger.label(IDS[:3], ["dwarf", "a,b", "<x>"], task="t", origin=ANN, ra=RA[:3], dec=DEC[:3])
    ledger.label(["o05"], "no position", task="t", origin=ANN)
    found = export_labels(ledger, tmp_path / f"out.{ending}")
    assert found["rows"] == 4
    other = Ledger(tmp_path / "other.db")
    import_labels(other, tmp_path / f"out.{ending}", task="t", origin=ANN, column="label")
    a, b = ledger.current(), other.current()
    assert a["object_id"].tolist() == b["object_id"].tolist()
    assert a["label"].tolist() == b["label"].tolist()
    np.testing.assert_array_equal(a["ra"], b["ra"])


@pytest.mark.parametrize("ending", ENDINGS)
def test_any_text_goes_into_any_format(tmp_path: Path, ledger: Ledger, ending: str) -> None:
    """Control characters and foreign letters never end an export."""
    ledger.label(["é银"], "a\x01b\n", task="t\u2028", notes="\x0b]]>&", origin=Origin("añn"))
    export_labels(ledger, tmp_path / f"out.{ending}", every_event=True)
    if ending in ("fits", "vot"):
        table = Table.read(tmp_path / f"out.{ending}")
        assert "a\\x01b" in str(table["label"][0])


def test_an_export_has_who_when_and_how_often(tmp_path: Path, ledger: Ledger) -> None:
    """Labels in force by default; every event, undone ones too, with `every_event`."""
    ledger.label(["a"], "x", task="t", origin=ANN, ra=[1.0], dec=[2.0])
    ledger.label(["a"], "y", task="t", origin=ANN, ra=[1.0], dec=[2.0])
    ledger.label(["b"], "z", task="u", origin=ANN)
    ledger.undo(origin=ANN)
    export_labels(ledger, tmp_path / "out.csv")
    row = pd.read_csv(tmp_path / "out.csv").iloc[0]
    assert (row["id"], row["label"], row["labeller"], row["n_events"]) == ("a", "y", "ann", 2)
    assert row["time"].startswith("20")
    export_labels(ledger, tmp_path / "all.csv", every_event=True)
    assert pd.read_csv(tmp_path / "all.csv")["kind"].tolist() == ["label"] * 3 + ["undo"]
    with pytest.raises(InputError, match=r"no labels of task 'v'.*t, u"):
        export_labels(ledger, tmp_path / "out.csv", task="v")
    with pytest.raises(InputError, match=r"ending '.doc' is not one of"):
        export_labels(ledger, tmp_path / "out.doc")


def test_a_sample_is_drawn_without_repeats_and_the_same_with_a_seed(
    tmp_path: Path, ledger: Ledger
) -> None:
    """Two draws of 15 leave 10; a third of 11 is refused; another task starts anew."""
    first = draw_audit(ledger, data(), 15, task="t", origin=ANN, seed=3)
    second = draw_audit(ledger, data(), 15, task="t", origin=ANN, seed=3)
    assert not set(first["id"]) & set(second["id"])
    assert first["label"].tolist() == [""] * 15
    with pytest.raises(InputError, match=r"n = 11: must be 1 to 10.*30 of 40 were drawn before"):
        draw_audit(ledger, data(), 11, task="t", origin=ANN)
    again = draw_audit(Ledger(tmp_path / "b.db"), data(), 15, task="t", origin=ANN, seed=3)
    assert again["id"].tolist() == first["id"].tolist()
    assert len(draw_audit(ledger, data(), 40, task="u", origin=ANN)) == 40
    history = ledger.history(task="t")
    assert set(history["source"]) == {"audit"}
    assert not len(ledger.current())


def test_every_object_has_the_same_chance_to_be_drawn(tmp_path: Path) -> None:
    """Over 60 seeds of 10 in 40, each is drawn about 15 times, also as the second sample."""
    counts = pd.Series(0, index=IDS)
    for seed in range(60):
        book = Ledger(tmp_path / f"{seed}.db")
        draw_audit(book, data(), 5, task="t", origin=ANN, seed=seed)
        draw_audit(book, data(), 5, task="t", origin=ANN, seed=seed)
        counts[book.audit_sample(task="t")["object_id"]] += 1
        book.close()
    assert counts.sum() == 600
    assert counts.min() >= 4
    assert counts.max() <= 28


def test_labels_of_a_sample_are_found_again(ledger: Ledger) -> None:
    """In the order drawn, empty where none is given; others' labels do not count."""
    sample = draw_audit(ledger, data(), 5, task="t", origin=ANN)
    origin = Origin("ann", "audit", "here")
    ledger.label(sample["id"][:2].tolist(), ["dwarf", "no"], task="t", origin=origin)
    ledger.label(
        [next(i for i in IDS if i not in set(sample["id"]))], "dwarf", task="t", origin=origin
    )
    found = audit_labels(ledger, task="t", dataset="here")
    assert found["id"].tolist() == sample["id"].tolist()
    assert found["label"].tolist() == ["dwarf", "no", "", "", ""]
    assert (
        audit_labels(ledger, task="t", dataset="here", labeller="bob")["label"].tolist() == [""] * 5
    )


@pytest.fixture
def embedded(tmp_path: Path) -> tuple[Path, Path]:
    """Cutouts, and embeddings that name them."""
    cutouts, embeddings = tmp_path / "cutouts.h5", tmp_path / "e.h5"
    info = CutoutInfo("mock", ("g", "r"), 0.2, (30.0, 30.0), sky_sigma=(1.0, 1.0))
    columns = {"id": np.array(IDS, dtype=object), "ra": RA, "dec": DEC}
    kinds = np.array(["dwarf", "star"] * (COUNT // 2), dtype=object)
    with CutoutWriter(cutouts, info) as writer:
        writer.append(np.zeros((COUNT, 2, 8, 8), dtype=np.float32), {**columns, "class": kinds})
    said = {"cutouts_fingerprint": open_data_set(cutouts).fingerprint}
    tile = np.array([""] * COUNT, dtype=object)
    values = [np.zeros((COUNT, 3), dtype=np.float32)]
    write_embeddings(
        embeddings, values, (COUNT, 3), dtype="float32", columns={**columns, "tile": tile},
        attributes=said,
    )  # fmt: skip
    return cutouts, embeddings


def command(capsys: pytest.CaptureFixture[str], *words: object) -> dict:
    status = main(["labels", *map(str, words), "--json"])
    out = capsys.readouterr()
    assert status == 0, out.err
    return dict(json.loads(out.out))


def test_the_commands_from_end_to_end(
    tmp_path: Path, embedded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Truth of the cutouts in, out as a table; a sample drawn, labelled, imported."""
    cutouts, embeddings = embedded
    place = ("--workspace", tmp_path / "w")
    words = ("import", cutouts, *place, "--column", "class", "--task", "class")
    found = command(capsys, *words, "--embeddings", embeddings, "--labeller", "truth")
    assert (found["written"], found["by_id"]) == (40, 40)
    again = command(capsys, *words, "--cutouts", cutouts, "--labeller", "truth")
    assert again["written"] == 0
    out = command(capsys, "export", tmp_path / "out.fits", *place, "--embeddings", embeddings)
    assert out["rows"] == 40
    drawn = ("audit", tmp_path / "list.csv", *place, "--n", 10, "--task", "class")
    sample = command(capsys, *drawn, "--embeddings", embeddings)
    assert (sample["rows"], sample["of"]) == (10, 40)
    frame = pd.read_csv(tmp_path / "list.csv")
    assert list(frame.columns) == ["id", "ra", "dec", "label"]
    frame.assign(label="dwarf").to_csv(tmp_path / "list.csv", index=False)
    words = ("import", tmp_path / "list.csv", *place, "--column", "label", "--task", "class")
    words += ("--source", "audit", "--embeddings", embeddings, "--labeller", "ann")
    assert command(capsys, *words)["written"] == 10
    agreement = command(capsys, "agreement", *place)["class"]
    assert agreement["pairs"][0]["objects"] == 10
    labels = audit_labels(
        Ledger(tmp_path / "w" / "labels.db"), task="class",
        dataset=open_data_set(embeddings).fingerprint, labeller="ann",
    )  # fmt: skip
    assert set(labels["label"]) == {"dwarf"}


def test_the_commands_for_reading(
    tmp_path: Path, embedded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --json there are lines: what was written and why the rest was not."""
    place = ["--ledger", str(tmp_path / "x.db")]
    words = ["import", str(embedded[0]), *place, "--column", "class", "--task", "t"]
    assert main(["labels", *words]) == 0
    out = capsys.readouterr().out
    assert "written: 40" in out
    assert "labels: dwarf 20, star 20" in out
    assert "no data set was named" in out
    assert main(["labels", "agreement", *place]) == 0
    assert "t: 0 objects" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("import cat.csv --column nothing --task t", "no column 'nothing'; there are id ra dec"),
        ("import none.csv --column x --task t", "none.csv: no such file"),
        ("import cat.csv --column x --task t --ledger cat.csv", "not a label ledger"),
        ("import cat.csv --column x --task t --embeddings cat.csv", "cannot be read as HDF5"),
        ("import cat.csv --label x --task t --cutouts e.h5 --radius 0", "must be above 0"),
        ("export out.csv --ledger none.db", "no label ledger here yet"),
        ("audit list.doc --embeddings e.h5", "ending '.doc'"),
        ("audit list.csv --embeddings e.h5 --n 41", "n = 41: must be 1 to 40"),
        ("agreement --ledger none.db", "no label ledger here yet"),
    ],
)
def test_bad_input_ends_with_one_line(
    tmp_path: Path,
    embedded: tuple[Path, Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    message: str,
) -> None:
    """Status 2, the file or parameter, and what is allowed."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, id=["a"], ra=[1.0], dec=[2.0], x=["y"])
    assert main(["labels", *words.split()]) == 2
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said
    assert not (tmp_path / "list.csv").exists()


@pytest.mark.parametrize(
    ("name", "column", "rows", "written", "empty"),
    [
        ("all_known_dwarfs_v3_processed.csv", "morph", 14100, 10115, 3985),
        ("dwarf_all.csv", "host", 911, 689, 222),
        ("smudges.csv", "Ref", 7070, 7070, 0),
    ],
)
def test_real_catalogues_come_in_with_a_report(
    realsky: Path, ledger: Ledger, name: str, column: str, rows: int, written: int, empty: int
) -> None:
    """Unnamed index columns, mixed schemas, shared ids and empty cells, twice."""
    path = realsky / "catalogues" / name
    found = import_labels(ledger, path, task="t", origin=ANN, column=column)
    assert (found["rows"], found["written"], found["without_label"]) == (rows, written, empty)
    assert found["report"]
    again = import_labels(ledger, path, task="t", origin=ANN, column=column)
    assert (again["written"], again["unchanged"]) == (0, written)


def test_real_dwarfs_are_found_among_others(realsky: Path, ledger: Ledger) -> None:
    """One catalogue's labels arrive at the objects of another by position."""
    from sky_ssl.explore.objects import read_objects

    known = read_objects(realsky / "catalogues" / "smudges.csv")
    ids = ("S" + known["id"]).to_numpy(dtype=object)
    smudges = DataSet("s", ids, known["ra"].to_numpy(), known["dec"].to_numpy())
    path = realsky / "catalogues" / "all_known_dwarfs_v3_processed.csv"
    found = import_labels(
        ledger, path, task="t", origin=ANN, column="morph", data=smudges, radius_arcsec=2.0
    )
    assert found["by_id"] == 0
    assert found["by_position"] > 5000
    assert found["written"] > 5000
    assert found["by_position"] + found["unmatched"] == found["rows"]


def test_a_file_of_vectors_without_cutouts_is_a_data_set(tmp_path: Path) -> None:
    """Its fingerprint follows from ids and positions, and not from the file's name."""
    for name, place in (("a.h5", 0.0), ("b.h5", 0.0), ("c.h5", 1.0)):
        with h5py.File(tmp_path / name, "w") as file:
            file["embeddings"] = np.zeros((2, 3), dtype="f4")
            file["id"], file["ra"], file["dec"] = ["x", "y"], [place, 2.0], [1.0, 2.0]
    a, b, c = (open_data_set(tmp_path / name).fingerprint for name in ("a.h5", "b.h5", "c.h5"))
    assert a == b
    assert a != c
