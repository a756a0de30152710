"""A list on the screen: prevalence as typed, files in memory, known objects."""

import io
from pathlib import Path

import pandas as pd
import pytest
from astropy.io.votable import parse_single_table

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatelist import FORMATS, known_table, list_bytes, parse_prevalence
from sky_ssl.explore.labels import Ledger, Origin


def test_prevalence_as_people_write_it() -> None:
    """A share, per cent, an audit; nothing is none."""
    assert parse_prevalence(" ") is None
    share, percent, audit = (parse_prevalence(t) for t in ("0.001", "0.1%", "3/500"))
    assert share is not None
    assert percent is not None
    assert audit is not None
    assert share.value == pytest.approx(percent.value)
    assert (audit.hits, audit.of) == (3, 500)


@pytest.mark.parametrize("text", ["often", "3/", "1/0", "5/3", "0", "120%", "nan"])
def test_what_is_no_prevalence_is_refused(text: str) -> None:
    """In one line that says what is allowed."""
    with pytest.raises(InputError, match=r"prevalence|audit"):
        parse_prevalence(text)


@pytest.mark.parametrize("ending", FORMATS.values())
def test_a_list_in_every_format(ending: str) -> None:
    """The bytes hold the objects and what they come from."""
    frame = pd.DataFrame({"id": ["A-1"], "ra": [1.5], "dec": [-2.5], "rank": [1]})
    content = list_bytes(frame, ending, {"selection": "mine"})
    assert b"mine" in content
    if ending == ".vot":  # its rows are not plain text
        (back,) = parse_single_table(io.BytesIO(content)).to_table()
        assert (str(back["id"]), back["ra"], back["dec"]) == ("A-1", 1.5, -2.5)
    else:
        assert b"A-1" in content


def test_objects_that_people_disagree_on_are_known(tmp_path: Path) -> None:
    """With both labels named."""
    ledger = Ledger(tmp_path / "labels.db")
    for who, label in (("a", "dwarf"), ("b", "other")):
        ledger.label(["x"], label, task="dwarf", origin=Origin(who), ra=[1.0], dec=[2.0])
    ledger.label(["y"], "accept", task="vetting of z", origin=Origin("a"))
    table = known_table(ledger, "dwarf")
    assert table[["id", "label"]].to_numpy().tolist() == [["x", "dwarf|other"]]
    assert table["ra"].dtype == "float64"
    assert len(known_table(ledger, "none")) == 0
    ledger.close()
