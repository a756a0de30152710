"""Candidate lists in each format: what is written is what is read, and nothing else gets in."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.ucd import check_ucd
from astropy.table import Table
from astropy.units import Unit

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatecolumns import _COLUMNS, about
from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.sky.catalogue import read_catalogue

HEAD = {"selection": "dwarfs", "selection_sha256": "ab" * 32, "model": "cd" * 32}
NASTY = [
    "=HYPERLINK(\"http://x\")", "+1+1", "@SUM(A1)", "-2+3", "a,b \"c\" #2", "<b>&amp;</b>",
    "line\nbreak\tand \x07 bell", "{curly} 'quotes'", "Zw\u00e9 \u661f", "  -x", "]]>",
]  # fmt: skip


def frame(ids: list[str] | None = None) -> pd.DataFrame:
    ids = ids or ["a", "b"]
    n = len(ids)
    return pd.DataFrame(
        {
            "id": ids, "ra": 10.123456789012345 + np.arange(n), "dec": -0.123456789 * np.ones(n),
            "ra_hms": ["00:40:29.630"] * n, "dec_dms": ["-00:07:24.44"] * n,
            "rank": np.arange(1, n + 1, dtype=np.int32), "score": np.full(n, 0.1, np.float32),
            "probability": np.full(n, 0.5), "mag_r": [20.5, *[np.nan] * (n - 1)],
            "half_light_radius": np.full(n, 3.0), "mean_surface_brightness": np.full(n, 24.5),
            "beyond": np.zeros(n, bool), "nearest_known": ["NGC 1", *[""] * (n - 1)],
            "nearest_separation": [1.5, *[np.nan] * (n - 1)],
            "link_aladin": ["https://x.org/?a=1&b=%2B2"] * n,
        }
    )  # fmt: skip


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "vot", "xml"])
def test_numbers_and_text_come_back(ending: str, tmp_path: Path) -> None:
    """Coordinates to the last bit; with units and descriptions where the format has them."""
    path = tmp_path / f"c.{ending}"
    write_candidates(frame(), path, HEAD)
    options = {"format": "ascii.csv", "comment": "#"} if ending == "csv" else {}
    table = Table.read(path, **options)
    np.testing.assert_array_equal(table["ra"], frame()["ra"])
    assert table["ra"].dtype.newbyteorder("=") == np.float64
    assert table["dec_dms"][0] == "-00:07:24.44"
    assert table["link_aladin"][1] == "https://x.org/?a=1&b=%2B2"
    assert str(table["score"][0]) == "0.1"
    if ending != "csv":
        assert table["half_light_radius"].unit == "arcsec"
        assert table["mean_surface_brightness"].unit == Unit("mag / arcsec2")
        assert table["ra"].description == "Right ascension, ICRS" or ending == "fits"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_votable_has_ucds_a_frame_and_provenance(tmp_path: Path) -> None:
    """And its numbers are doubles, valid against the standard."""
    write_candidates(frame(), tmp_path / "c.vot", HEAD)
    file = parse(tmp_path / "c.vot", verify="exception")
    table = file.get_first_table()
    fields = {f.name: f for f in table.fields}
    assert fields["ra"].datatype == fields["dec"].datatype == "double"
    assert fields["dec"].ucd == "pos.eq.dec;meta.main"
    assert fields["probability"].ucd == "stat.probability"
    assert fields["mag_r"].ucd == "phot.mag;em.opt.R"
    assert fields["ra"].ref == "icrs"
    assert {i.name: i.value for i in table.infos}["model"] == "cd" * 32
    assert file.resources[0].coordinate_systems[0].system == "ICRS"


def test_every_ucd_is_of_the_vocabulary_and_every_unit_is_known() -> None:
    """UCD1+ with its controlled words; units as VOTable writes them."""
    for name in (*_COLUMNS, "mag_u", "mag_g", "mag_z", "mag_Ks", "mag_i2", "flags", "flags_r"):
        unit, ucd, description = about(name)
        assert check_ucd(ucd, check_controlled_vocabulary=True, has_colon=False), ucd
        assert description
        assert not unit or Unit(unit, format="vounit")
    assert about("mag_x").ucd == "phot.mag;em.opt"
    assert about("whatever") == ("", "", "")


def test_a_fits_table_says_units_ucds_and_where_it_is_from(tmp_path: Path) -> None:
    """In its header, in ASCII; long values too."""
    write_candidates(frame(), tmp_path / "c.fits", {**HEAD, "survey": "\u00c9cole", "scored": 7})
    header = fits.getheader(tmp_path / "c.fits", 1)
    assert (header["TTYPE2"], header["TUNIT2"], header["TUCD2"]) == (
        "ra", "deg", "pos.eq.ra;meta.main",
    )  # fmt: skip
    assert header["TCOMM3"] == "Declination, ICRS"
    assert header["TFORM2"] == "D"
    assert (header["SELHASH"], header["SURVEY"], header["NSCORED"]) == ("ab" * 32, "Ecole", "7")


@pytest.mark.parametrize("ending", ["csv", "ecsv", "fits", "vot"])
def test_odd_text_stays_text(ending: str, tmp_path: Path) -> None:
    """Marks of each format, line breaks, control characters, letters of the world."""
    path = tmp_path / f"c.{ending}"
    write_candidates(frame(NASTY), path, {**HEAD, "survey": "evil\nid,ra\x00]]>"})
    options = {"format": "ascii.csv", "comment": "#"} if ending == "csv" else {}
    ids = [str(v) for v in Table.read(path, **options)["id"]]
    assert len(ids) == len(NASTY)
    expected = [" ".join(v.replace("\x07", " ").split()) for v in NASTY]
    if ending == "fits":
        expected[8] = "Zwe ?"
    plain = [
        " ".join(v.lstrip("'").split()) if ending == "csv" else " ".join(v.split()) for v in ids
    ]
    assert plain == expected


def test_a_csv_holds_no_formula_and_pandas_reads_it(tmp_path: Path) -> None:
    """Text that a spreadsheet would run has an apostrophe; angles and numbers are left alone."""
    path = tmp_path / "c.csv"
    write_candidates(frame(NASTY), path, HEAD)
    table = pd.read_csv(path, comment="#")
    assert len(table) == len(NASTY)
    starts = [str(v)[0] for v in table["id"]]
    assert starts[:4] == ["'"] * 4
    assert starts[9] == "'"
    assert table["dec_dms"][0] == "-00:07:24.44"
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for row in csv.reader(lines[1:]):
        assert not any(cell[:1] in ("=", "@") for cell in row)
    assert path.read_text().startswith("# selection: dwarfs\n")
    read = read_catalogue(path)
    assert len(read) == len(NASTY)
    assert read["id"][4] == NASTY[4]


def test_regions_for_ds9(tmp_path: Path) -> None:
    """A circle of two half-light radii each; no position, no region; braces cannot get out."""
    table = frame(NASTY)
    table.loc[1, ["ra", "dec"]] = np.nan
    table.loc[2, "half_light_radius"] = np.nan
    write_candidates(table, tmp_path / "c.reg", {**HEAD, "survey": "x\ncircle(0,0,1)"})
    lines = (tmp_path / "c.reg").read_text().splitlines()
    circles = [line for line in lines if line.startswith("circle")]
    assert lines[0] == "# Region file format: DS9 version 4.1"
    assert "icrs" in lines
    assert len(circles) == len(NASTY) - 1
    assert circles[0].startswith('circle(10.1234568,-0.1234568,6.00") # text={1 =HYPERLINK')
    assert '5.00"' in circles[1]
    assert all(line.count("{") == line.count("}") == 1 for line in circles)


def test_an_unknown_ending_is_refused_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    """The file of before stays as it was."""
    with pytest.raises(InputError, match=r"c\.doc: ending '\.doc' is not one of \.csv"):
        write_candidates(frame(), tmp_path / "c.doc", HEAD)
    (tmp_path / "c.vot").write_text("before")
    with warnings.catch_warnings(), pytest.raises(AttributeError):
        write_candidates(None, tmp_path / "c.vot", HEAD)  # type: ignore[arg-type]
    assert (tmp_path / "c.vot").read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 1
