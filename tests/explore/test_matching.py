"""Rows of a table matched to objects: ids, positions, what is ambiguous, what is said about it."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from astropy.coordinates import SkyCoord

from sky_ssl.embedding.store import write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.matching import Match, match_objects, read_objects
from sky_ssl.sky.coords import separation_arcsec

ARCSEC = 1 / 3600


def table(ids: list[str], ra: object = np.nan, dec: object = np.nan) -> pd.DataFrame:
    return pd.DataFrame({"id": ids, "ra": ra, "dec": dec}).astype({"ra": float, "dec": float})


def match(
    t: pd.DataFrame, ids: list[str], ra: list[float], dec: list[float], r: float = 1.0
) -> Match:
    return match_objects(t, ids, ra, dec, radius_arcsec=r)


def test_ids_come_first_then_positions() -> None:
    """An id wins over a nearer neighbour; without one the position counts; else nothing does."""
    t = table(["a", "x", "y"], [10, 10, 50], [0, 0, 0])
    found = match(t, ["b", "a"], [10, 10.0005], [0, 0])
    assert found.rows.tolist() == [1, 0, -1]
    assert found.by.tolist() == ["id", "position", ""]
    assert not found.ambiguous.any()
    np.testing.assert_allclose(found.separation_arcsec, [1.8, 0, np.nan], atol=1e-6)
    assert found.report[0] == "2 of 3 rows matched: 1 by id, 1 by position within 1 arcsec"
    assert found.report[-1] == "1 unmatched: y"


def test_ids_are_compared_exactly() -> None:
    """Leading zeros, prefixes and case make another id; bytes are text."""
    ids = ["00012", "UNIONS J1", "Abc", "b"]
    assert match(table(["12", "J1", "abc", "b"]), ids, [0] * 4, [0] * 4).rows.tolist() == [
        *(-1, -1, -1, 3)
    ]
    found = match_objects(table(["é"]), np.array(["é".encode()]), [0.0], [0.0])
    assert found.rows.tolist() == [0]


def test_positions_agree_with_brute_force() -> None:
    """Nearest within the radius, over the whole sky with its poles and RA 0."""
    rng = np.random.default_rng(0)
    ra, dec = rng.uniform(0, 360, 300), np.degrees(np.arcsin(rng.uniform(-1, 1, 300)))
    ra[:20], dec[:10], dec[10:20] = rng.uniform(0, 360, 20), 89.9999, -89.9999
    ra[20:30] = rng.choice([0.0, 359.99999], 10)
    there = ra + rng.normal(0, 3 * ARCSEC, 300), np.clip(dec + rng.normal(0, ARCSEC, 300), -90, 90)
    t = table([f"t{i}" for i in range(300)], ra, dec)
    found = match_objects(t, [f"s{i}" for i in range(300)], *there, radius_arcsec=2.0)
    distance = separation_arcsec(ra[:, None], dec[:, None], *there)
    expected = np.where(distance.min(axis=1) <= 2, distance.argmin(axis=1), -1)
    np.testing.assert_array_equal(found.rows, expected)
    assert 50 < (expected >= 0).sum() < 290


@pytest.mark.parametrize(
    ("near", "far", "ambiguous"),
    [(0.0, 0.05, True), (0.4, 0.7, True), (0.4, 0.95, False), (0.1, 0.9, False), (0.9, 1.2, False)],
)
def test_a_second_object_at_comparable_distance_is_ambiguous(
    near: float, far: float, ambiguous: bool
) -> None:
    """The nearest is given all the same, and flagged; one beyond the radius does not count."""
    found = match(table(["t"], 0, 0), ["far", "near"], [0, 0], [-far * ARCSEC, near * ARCSEC])
    assert found.rows.tolist() == [1]
    assert found.ambiguous.tolist() == [ambiguous]
    assert not found.shared.any()


def test_two_rows_that_claim_one_object() -> None:
    """Both are flagged where they are as near; a far better claim, or an id, is not."""
    t = table(["u", "v"], 0, [0.3 * ARCSEC, 0.4 * ARCSEC])
    assert match(t, ["s"], [0], [0]).shared.tolist() == [True, True]
    t = table(["u", "v"], 0, [0.01 * ARCSEC, 0.9 * ARCSEC])
    assert match(t, ["s"], [0], [0]).ambiguous.tolist() == [False, True]
    t = table(["v", "s"], 0, [0, 0.9 * ARCSEC])
    assert match(t, ["s"], [0], [0]).ambiguous.tolist() == [True, False]
    assert match(table(["s", "s"]), ["s"], [0], [0]).shared.tolist() == [True, True]


def test_running_numbers_of_two_catalogues_do_not_match() -> None:
    """The same id a degree away is another object; the position finds the right one."""
    ids, ra = ["1", "2", "3"], [10.0, 20.0, 30.0]
    found = match(table(ids, [20, 30, 40], 0), ids, ra, [0, 0, 0])
    assert found.rows.tolist() == [1, 2, -1]
    assert found.by.tolist() == ["position", "position", ""]
    assert any("3 ids agree although the positions lie over 60" in line for line in found.report)


def test_an_id_that_the_data_set_has_twice() -> None:
    """The position chooses between them; without one the row is ambiguous."""
    ids, ra = ["a", "a"], [10.0, 20.0]
    assert match(table(["a"], 20, 0), ids, ra, [0, 0]).rows.tolist() == [1]
    found = match(table(["a"]), ids, ra, [0, 0])
    assert found.ambiguous.tolist() == [True]
    assert found.rows.tolist() == [0]


def test_nothing_to_match() -> None:
    """Empty tables, empty data sets and unknown positions are no error."""
    assert match(table([]), ["a"], [0], [0]).rows.tolist() == []
    assert match(table(["a"], 0, 0), [], [], []).rows.tolist() == [-1]
    found = match(table(["a", "b"]), ["b", "c"], [np.nan] * 2, [np.nan] * 2)
    assert found.rows.tolist() == [-1, 0]
    assert match_objects(pd.DataFrame({"id": ["b"]}), ["b"], [0.0], [0.0]).rows.tolist() == [0]


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, 4000.0])
def test_a_radius_out_of_range_is_refused(radius: float) -> None:
    """The value is named with what is allowed."""
    with pytest.raises(InputError, match="above 0 and at most 3600"):
        match(table(["a"], 0, 0), ["a"], [0], [0], radius)


def sky(count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.uniform(20, 80, count), rng.uniform(15, 60, count)


@pytest.mark.parametrize(
    ("mistake", "hint"),
    [
        ("hours", "RA seems to be in hours"),
        ("radians", "in radians"),
        ("swapped", "swapped"),
        ("sign", "sign of Dec"),
        ("b1950", "B1950"),
        ("galactic", "galactic"),
        ("offset", r"\+4.0 arcsec in RA and -3.0 in Dec"),
        ("random", None),
    ],
)
def test_the_report_says_what_seems_to_be_wrong(mistake: str, hint: str | None) -> None:
    """Units, frames, order and offsets are recognised, and nothing is where there is nothing."""
    ra, dec = sky()
    here = SkyCoord(ra, dec, unit="deg")
    galactic, old = here.galactic, here.transform_to("fk4")
    wrong = {
        "hours": (ra / 15, dec),
        "radians": (np.radians(ra), np.radians(dec)),
        "swapped": (dec, ra),
        "sign": (ra, -dec),
        "b1950": (old.ra.deg, old.dec.deg),
        "galactic": (galactic.l.deg, galactic.b.deg),
        "offset": (ra - 4 * ARCSEC / np.cos(np.radians(dec)), dec + 3 * ARCSEC),
        "random": (ra[::-1] + 1, dec),
    }[mistake]
    t = table([f"t{i}" for i in range(60)], *wrong)
    found = match_objects(t, [f"s{i}" for i in range(60)], ra, dec)
    assert (found.rows == -1).all()
    hints = [line for line in found.report if "hint" in line]
    if hint is None:
        assert not hints
    else:
        assert len(hints) == 1
        assert pd.Series(hints).str.contains(hint).all()


def test_a_data_set_without_positions_is_said_so() -> None:
    """Only ids can match then."""
    ra, dec = sky(3)
    found = match_objects(table(list("abc"), ra, dec), ["x"], [np.nan], [np.nan])
    assert found.report[-1] == "the data set has no positions: only ids can match"


def write_old_cutouts(path: Path, ids: list[bytes] | None = None) -> None:
    """A file as earlier codes wrote it: no attributes, text in bytes."""
    with h5py.File(path, "w") as file:
        file["cutouts"] = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype("f4")
        file["ra"], file["dec"] = [1.0, 2.0], [3.0, 4.0]
        file["class"] = np.array([b"dwarf", b"star"])
        file["zspec"] = [0.1, np.nan]
        if ids:
            file["id"] = np.array(ids)


def test_cutouts_are_read_as_a_table(tmp_path: Path) -> None:
    """A file or a folder, with or without ids; text is decoded; pixels are left out."""
    write_old_cutouts(tmp_path / "a.h5", [b"x", b"y"])
    found = read_objects(tmp_path / "a.h5")
    assert list(found.columns) == ["id", "ra", "dec", "class", "zspec"]
    assert found["id"].tolist() == ["x", "y"]
    assert found["class"].tolist() == ["dwarf", "star"]
    assert len(read_objects(tmp_path)) == 2
    (tmp_path / "a.h5").unlink()
    write_old_cutouts(tmp_path / "b.h5")
    found = read_objects(tmp_path / "b.h5")
    assert found["id"].tolist() == [f"{tmp_path / 'b.h5'}:{i}" for i in range(2)]
    assert "no column with ids" in found.attrs["notes"][0]


def test_embeddings_and_ledgers_are_read_as_tables(tmp_path: Path) -> None:
    """Embeddings with their columns; a ledger with a column for each task."""
    columns = {"id": np.array(["a", "b"]), "ra": np.zeros(2), "dec": np.ones(2)}
    write_embeddings(
        tmp_path / "e.h5", [np.zeros((2, 3))], (2, 3), dtype="float32",
        columns={**columns, "tile": np.array(["t", "t"])}, attributes={},
        extra={"zspec": np.array([0.5, 1.5])},
    )  # fmt: skip
    assert read_objects(tmp_path / "e.h5")["zspec"].tolist() == [0.5, 1.5]
    ledger = Ledger(tmp_path / "labels.db")
    with pytest.raises(InputError, match="a label ledger without labels"):
        read_objects(tmp_path / "labels.db")
    ledger.label(["a", "b"], ["dwarf", "star"], task="class", ra=[1.0, 2.0], dec=[3.0, 4.0])
    ledger.label(["a"], "yes", task="tail")
    ledger.close()
    found = read_objects(tmp_path / "labels.db")
    assert found["ra"].tolist() == [1.0, 2.0]
    assert found[["class", "tail"]].to_numpy().tolist() == [["dwarf", "yes"], ["star", ""]]


def test_a_catalogue_with_ids_needs_no_positions(tmp_path: Path) -> None:
    """Rows without a position stay if they have an id of their own."""
    path = tmp_path / "labels.csv"
    path.write_text("id,label\n007,dwarf\nb,star\n")
    found = read_objects(path)
    assert found["id"].tolist() == ["007", "b"]
    assert found["ra"].isna().all()
    path.write_text("id,ra,dec,label\na,1,2,dwarf\nb,,,star\n,,,cirrus\nc,nan,5,x\nc,nan,5,y\n")
    found = read_objects(path)
    assert found["id"].tolist() == ["a", "b"]
    assert found["label"].tolist() == ["dwarf", "star"]
    assert found.attrs["dropped"] == 3
    path.write_text("label\ndwarf\n")
    with pytest.raises(InputError, match="no columns with RA and Dec"):
        read_objects(path)
    with pytest.raises(InputError, match="no such file"):
        read_objects(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("dwarf_all.csv", 911),
        ("all_known_dwarfs_v3_processed.csv", 14100),
        ("smudges.csv", 7070),
    ],
)
def test_real_catalogues_match_themselves(realsky: Path, name: str, rows: int) -> None:
    """By id all; by position all but those whose neighbours lie within the radius."""
    found = read_objects(realsky / "catalogues" / name)
    assert len(found) == rows
    place = found["ra"].to_numpy(), found["dec"].to_numpy()
    by_id = match_objects(found, found["id"], *place)
    assert (by_id.rows == np.arange(rows)).all()
    assert not by_id.ambiguous.any()
    by_position = match_objects(found.assign(id="-" + found["id"]), found["id"], *place)
    clear = ~by_position.ambiguous
    assert (by_position.rows == np.arange(rows))[clear].all()
    assert clear.mean() > 0.98
