"""A list from paths: what is taken from the cutouts that were embedded, and what is said."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from sky_ssl.embedding.store import write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidates import ListOptions
from sky_ssl.explore.footprint import square_degrees
from sky_ssl.explore.listing import ListRequest, make_list
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.rulefile import content_hash, save_selection
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter

RULE = Selection(
    kind="probe", name="rule", model="m", dimensions=2, survey="mock", pooling="mean",
    threshold=0.0, coefficients=np.array([1.0, 0.0]), mean=np.zeros(2), std=np.ones(2),
)  # fmt: skip


@pytest.fixture
def request_(tmp_path: Path) -> ListRequest:
    """Eight cutouts of 16 pixels of 0.5 arcsec with a magnitude, and their embeddings."""
    n, ids = 8, [f"o{i}" for i in range(8)]
    ra, dec = np.arange(n) * 1.0, np.full(n, 5.0)
    info = CutoutInfo("mock", ("g",), 0.5, (30.0,), sky_sigma=(1.0,))
    with CutoutWriter(tmp_path / "c.h5", info) as writer:
        columns = {"id": ids, "ra": ra, "dec": dec, "mag_g": 20 + ra, "is_odd": ra % 2 == 1}
        writer.append(np.zeros((n, 1, 16, 16), np.float32), columns)
    given = {"id": np.array(ids), "ra": ra, "dec": dec, "tile": np.full(n, "")}
    attributes: dict[str, Any] = {
        "checkpoint_sha256": "m", "pooling": "mean", "projection": 0, "survey": "mock",
        "cutouts": str(tmp_path / "c.h5"), "cutouts_fingerprint": "f" * 8,
    }  # fmt: skip
    values = np.column_stack([np.arange(n) - 3.0, np.zeros(n)])
    write_embeddings(
        tmp_path / "e.h5", [values], (n, 2), dtype="float32", columns=given, attributes=attributes
    )
    save_selection(RULE, tmp_path / "s.json")
    return ListRequest(tmp_path / "s.json", tmp_path / "e.h5", tmp_path / "out.csv")


def test_magnitudes_and_field_come_from_the_cutouts(request_: ListRequest) -> None:
    """8 arcsec, which sets the area and the zoom of the links; magnitudes by id."""
    moc = request_.out.with_name("m.fits")
    found, said = make_list(ListRequest(**{**vars(request_), "moc": moc}), ListOptions())
    assert found.frame["mag_g"].tolist() == [27.0, 26.0, 25.0, 24.0, 23.0]
    assert 1.0 <= said["square_degrees"] / (8 * (8 / 3600) ** 2) < 1.3
    query = parse_qs(urlsplit(found.frame["link_legacy"][0]).query)
    assert query["zoom"] == ["16"]
    assert said["provenance"]["selection_sha256"] == content_hash(RULE)
    assert request_.out.read_text().startswith("# selection: rule\n")


def test_without_the_cutouts_the_rule_works_all_the_same(request_: ListRequest) -> None:
    """Fewer columns, and a line that says why; the area needs its width from the user."""
    Path(request_.embeddings).with_name("c.h5").unlink()
    found, said = make_list(request_, ListOptions())
    assert "mag_g" not in found.frame
    assert any("c.h5: not here, so no magnitudes" in line for line in said["notes"])
    moc = request_.out.with_name("m.fits")
    with pytest.raises(InputError, match="give --fov ARCSEC"):
        make_list(ListRequest(**{**vars(request_), "moc": moc}), ListOptions())
    given = ListRequest(**{**vars(request_), "moc": moc, "fov_arcsec": 8.0})
    assert make_list(given, ListOptions())[1]["square_degrees"] > 0


def test_a_cutout_file_can_say_what_is_known(request_: ListRequest) -> None:
    """All of its objects without a column, which is said; those with a label with one."""
    labels = str(request_.embeddings.with_name("c.h5"))
    found, said = make_list(ListRequest(**{**vars(request_), "labels": labels}), ListOptions())
    assert len(found.frame) == 0
    assert any("every object counts as known" in line for line in said["notes"])
    assert any("all 5 that pass are known" in line for line in said["notes"])
    with pytest.raises(InputError, match=r"no\.csv: no such file"):
        make_list(ListRequest(**{**vars(request_), "labels": "no.csv"}), ListOptions())
    table = request_.out.with_name("t.csv")
    table.write_text("id,ra,dec,label\no7,7,5,dwarf\no6,6,5,\n")
    given = ListRequest(**{**vars(request_), "labels": str(table)})
    assert make_list(given, ListOptions())[0].frame["id"].tolist() == ["o6", "o5", "o4", "o3"]
    kept, _ = make_list(given, ListOptions(known="keep"))
    assert kept.frame["label"].tolist() == ["dwarf", "", "", "", ""]


def test_the_rule_of_a_file_is_named_by_its_bytes(request_: ListRequest) -> None:
    """A file with further keys has another hash, which `sha256sum` gives."""
    text = request_.selection.read_text().replace('"kind"', '"mine": 1,\n "kind"')
    request_.selection.write_text(text)
    said = make_list(request_, ListOptions())[1]["provenance"]
    assert said["selection_sha256"] != content_hash(RULE)
    assert said["selection_file"] == "s.json"


def test_square_degrees_of_the_whole_sky() -> None:
    """41,253."""
    from mocpy import MOC

    assert square_degrees(MOC.from_string("0/0-11")) == pytest.approx(41_252.96, abs=0.01)
