"""Catalogues in and out, with the columns that people really use."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table

from sky_ssl.errors import InputError
from sky_ssl.sky.catalogue import plain_columns, read_catalogue, write_catalogue

ENDINGS = ["csv", "ecsv", "fits", "vot", "parquet"]
RA, DEC = [188.73625, 0.25, 359.5], [-0.5033333333333333, 89.0, -45.125]


def text(tmp_path: Path, content: str, name: str = "cat.csv") -> Path:
    path = tmp_path / name
    path.write_text(content)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    """Ids, float64 positions, numbers, text and truth values survive in every format."""
    frame = pd.DataFrame({"id": ["a", "00012", "c,d"], "ra": RA, "dec": DEC})
    frame["zspec"] = [0.1, np.nan, 2.5]
    frame["number of"], frame["morph"], frame["b/a"] = [1, 2, 3], ["dE", "", "UDG"], [0.5, 1, 0.2]
    frame["good"] = [True, False, True]
    write_catalogue(frame, tmp_path / f"cat.{ending}")
    back = read_catalogue(tmp_path / f"cat.{ending}")
    assert back["id"].tolist() == ["a", "00012", "c,d"]
    np.testing.assert_array_equal(back["ra"].to_numpy(), RA)
    np.testing.assert_array_equal(back["dec"].to_numpy(), DEC)
    columns = plain_columns(back)
    assert set(columns) == set(frame.columns)
    np.testing.assert_array_equal(columns["zspec"], [0.1, np.nan, 2.5])
    assert columns["morph"].tolist() == ["dE", "", "UDG"]
    assert columns["good"].astype(int).tolist() == [1, 0, 1]
    assert list(tmp_path.iterdir()) == [tmp_path / f"cat.{ending}"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_content_counts_not_the_name(tmp_path: Path, ending: str) -> None:
    """A table under a misleading name opens as what it is."""
    frame = pd.DataFrame({"id": ["a"], "ra": [10.0], "dec": [20.0]})
    write_catalogue(frame, tmp_path / f"cat.{ending}")
    (tmp_path / f"cat.{ending}").rename(tmp_path / "table.dat")
    assert read_catalogue(tmp_path / "table.dat")["ra"].tolist() == [10.0]


@pytest.mark.parametrize(
    "names",
    [
        ("ra", "dec"),
        ("RA", "DEC"),
        ("RAJ2000", "DEJ2000"),
        ("_RAJ2000", "_DEJ2000"),
        ("ALPHA_J2000", "DELTA_J2000"),
        ("ra_deg", "dec_deg"),
        ("RAdeg", "DEdeg"),
        ("RA_ICRS", "DE_ICRS"),
        ("raMean", "decMean"),
        ("right_ascension", "declination"),
        ("Right Ascension (deg)", "Declination (deg)"),
        ("gaia_ra", "gaia_dec"),
        ("RA [deg]", "Dec [deg]"),
        ("alpha", "delta"),
    ],
)
def test_any_sensible_names_are_found(tmp_path: Path, names: tuple[str, str]) -> None:
    """Errors and proper motions beside the coordinates are not taken for them."""
    frame = pd.DataFrame({f"e_{names[0]}": [9.0] * 3, f"e_{names[1]}": 9.0, "pmra": 1, "pmdec": 1})
    frame[names[1]], frame[names[0]] = DEC, RA
    frame.to_csv(tmp_path / "cat.csv")
    back = read_catalogue(tmp_path / "cat.csv", prefix="X")
    assert back["ra"].tolist() == RA
    assert back["dec"].tolist() == DEC
    assert back["id"][0] == "X J123456.70-003012.0"
    assert not [name for name in back.columns if "Unnamed" in name]


@pytest.mark.parametrize(
    "content",
    [
        "ra,dec\n12:34:56.7,-00:30:12\n",
        "ra;dec\n12 34 56.7;-00 30 12\n",
        "RA\tDec\n12h34m56.7s\t-0d30m12s\n",
        "# made by hand\n# ra dec\n188.73625 -0.5033333333333\n",
        "#ra dec\n188.73625   -0.5033333333333\n",
        "# a remark\nra|dec\n188.73625|-0.5033333333333\n",
        "RA_hours,Dec_deg\n12.582416666667,-0.5033333333333\n",
        "RA,Dec,RA_deg,Dec_deg\n12:34:56.7,x,188.73625,-0.5033333333333\n",
        "RAh,RAm,RAs,DE-,DEd,DEm,DEs\n12,34,56.7,-,0,30,12\n",
        "\ufeffra,dec\n188.73625,-0.5033333333333\n",
    ],
)
def test_text_tables_in_all_their_forms(tmp_path: Path, content: str) -> None:
    """Delimiters, comments, hours, split columns and byte-order marks give the same position."""
    back = read_catalogue(text(tmp_path, content))
    assert (back["ra"][0], back["dec"][0]) == pytest.approx((188.73625, -0.5033333333), abs=1e-8)


def test_compressed_text_and_latin_letters(tmp_path: Path) -> None:
    """gzip is recognised, and a name that is not UTF-8 does not stop the reading."""
    with gzip.open(tmp_path / "cat.csv.gz", "wb") as file:
        file.write("id,ra,dec\nCôté 1,10,20\n".encode("latin-1"))
    assert read_catalogue(tmp_path / "cat.csv.gz")["id"].tolist() == ["Côté 1"]


def test_units_of_the_file_are_used(tmp_path: Path) -> None:
    """Radians, hours and arcminutes are converted; arrays in cells are left out."""
    table = Table({"coord_ra": np.radians(RA), "coord_dec": np.radians(DEC), "a": np.eye(3)})
    table["coord_ra"].unit = table["coord_dec"].unit = "rad"
    table["re"] = [0.5, 1.0, 2.0] * units.arcmin
    table.write(tmp_path / "cat.fits")
    back = read_catalogue(tmp_path / "cat.fits")
    np.testing.assert_allclose(back["ra"], RA, rtol=1e-12)
    assert back["half_light_radius"].tolist() == [30.0, 60.0, 120.0]
    assert "a" not in back
    sky = Table({"name": ["a", "b", "c"], "centre": SkyCoord(RA, DEC, unit="deg")})
    sky.write(tmp_path / "cat.ecsv")
    np.testing.assert_allclose(read_catalogue(tmp_path / "cat.ecsv")["dec"], DEC, rtol=1e-12)


def test_ids_keep_their_digits_and_become_unique(tmp_path: Path) -> None:
    """Long integers are not rounded, gaps are filled, and shared ids get their position."""
    rows = ["1234567890123456789,1,1", ",2,2", "7,3,3", "7,4,-4", "7,4,-4"]
    back = read_catalogue(text(tmp_path, "objID,ra,dec\n" + "\n".join(rows)), prefix="X")
    assert back["id"].tolist() == [
        "1234567890123456789",
        "X J000800.00+020000.0",
        "7 X J001200.00+030000.0",
        "7 X J001600.00-040000.0",
        "7 X J001600.00-040000.0 #2",
    ]
    assert len([note for note in back.attrs["notes"] if "objID" in note]) == 2


def test_rows_without_a_position_are_dropped_and_counted(tmp_path: Path) -> None:
    """NaN, empty and impossible coordinates; negative RA is wrapped."""
    rows = "1,1\n,2\nnan,3\n400,3\n5,-95\n-999,-999\n-10,5\n"
    back = read_catalogue(text(tmp_path, "ra,dec\n" + rows))
    assert back["ra"].tolist() == [1.0, 350.0]
    assert back.attrs["dropped"] == 5
    assert "5 rows without a valid position dropped, the first is row 1" in back.attrs["notes"][0]


def test_pixels_of_tiles_stand_in_for_coordinates(tmp_path: Path) -> None:
    """A table with tile, x and y is a catalogue too."""
    back = read_catalogue(text(tmp_path, "tile,x,y\nA,10.25,20\nB,1,2\n"))
    assert back["id"].tolist() == ["A:10.2,20.0", "B:1.0,2.0"]
    assert back["ra"].isna().all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "empty"),
        ("ra,dec\n", "without rows"),
        ("name,mag\na,1\n", "no columns with RA and Dec among name mag"),
        ("ra,dec\nx,y\n", "columns ra dec: .*x"),
        ("ra,dec\n1000,0\n", "none of 1 rows has a valid position"),
        ("<html><body>404</body></html>", "without rows"),
        ("<?xml version='1.0'?><html/>", "VOTABLE"),
        ("SIMPLE  = broken", "cannot be read"),
        ("ra,dec\n1,2,3,4\n5\n6,7,8,9,10,11\n", "cannot be read"),
    ],
)
def test_what_is_no_catalogue_is_refused_in_one_line(
    tmp_path: Path, content: str, message: str
) -> None:
    """The line names the file and what was found."""
    path = text(tmp_path, content)
    with pytest.raises(InputError, match=message) as error:
        read_catalogue(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_other_files_are_refused_and_nothing_is_unpickled(tmp_path: Path) -> None:
    """A pickle, an image, a truncated table, a missing file, an unknown ending."""

    class Bomb:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "exploded",))

    (tmp_path / "cat.csv").write_bytes(pickle.dumps(Bomb()))
    fits.writeto(tmp_path / "image.fits", np.zeros((4, 4)))
    write_catalogue(pd.DataFrame({"ra": RA, "dec": DEC}), tmp_path / "cut.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "cut.parquet").read_bytes()[:200])
    for name in ("cat.csv", "image.fits", "cut.parquet", "missing.csv"):
        with pytest.raises(InputError, match=name):
            read_catalogue(tmp_path / name)
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(InputError, match=r"ending '\.txt' is not one of"):
        write_catalogue(pd.DataFrame({"ra": RA}), tmp_path / "cat.txt")


@pytest.mark.parametrize(
    ("name", "rows", "first", "radius"),
    [
        ("all_known_dwarfs_v3_processed.csv", 14100, "[MVA2014] DF 4", 28.0),
        ("smudges.csv", 7070, "0000017+325141", 5.82),
        ("dwarf_all.csv", 911, "antlia_2", None),
    ],
)
def test_real_catalogues(
    realsky: Path, tmp_path: Path, name: str, rows: int, first: str, radius: float | None
) -> None:
    """Repeated ids, names that differ in case, column names with slashes: all rows come through."""
    back = read_catalogue(realsky / "catalogues" / name)
    assert len(back) == rows
    assert back["id"].is_unique
    assert back["id"][0] == first
    assert ("half_light_radius" in back) == (radius is not None)
    if radius is not None:
        assert back["half_light_radius"][0] == back["re"][0] == radius
    write_catalogue(back, tmp_path / "cat.fits")
    again = read_catalogue(tmp_path / "cat.fits")
    np.testing.assert_array_equal(again["ra"], back["ra"])
    assert again["id"].tolist() == back["id"].tolist()
    assert again.shape == back.shape
