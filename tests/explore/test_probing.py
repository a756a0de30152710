"""Labels joined to embeddings."""

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from sky_ssl.explore.labelcolumn import as_classes, biased_sources, task_of
from sky_ssl.explore.probing import load_problem, sky_groups
from sky_ssl.probes.folds import deal, parts


def write(path: Path, values: np.ndarray, **columns: np.ndarray) -> Path:
    """Write an embeddings file."""
    with h5py.File(path, "w") as file:
        file["embeddings"] = values.astype(np.float32)
        for name, column in columns.items():
            text = column.dtype.kind in "UO"
            file[name] = column.astype(object) if text else column
    return path


@pytest.fixture
def sky(tmp_path: Path) -> tuple[Path, pd.DataFrame]:
    """200 embeddings over 20 by 10 degrees, and a table with a class for each."""
    rng = np.random.default_rng(0)
    n = 200
    ids = np.array([f"o{i}" for i in range(n)])
    ra, dec = rng.uniform(100, 120, n), rng.uniform(0, 10, n)
    path = write(tmp_path / "e.h5", rng.normal(size=(n, 4)), id=ids, ra=ra, dec=dec)
    kind = np.where(np.arange(n) % 4 == 0, "dwarf", "star")
    return path, pd.DataFrame({"id": ids, "ra": ra, "dec": dec, "kind": kind})


def save(table: pd.DataFrame, folder: Path) -> Path:
    table.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_labels_find_their_embeddings(sky: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    """By id, whatever the order; the rarer side keeps its name."""
    path, table = sky
    p = load_problem(path, save(table.iloc[::-1], tmp_path), "kind", positive="dwarf")
    assert len(p.rows) == 200
    assert (p.y == (p.rows % 4 == 0)).all()
    assert (p.positive, p.negative) == ("dwarf", "rest")
    assert p.split == "blocks of sky of 1 degree"
    assert p.x.shape == (200, 4)


def test_an_object_in_two_tiles_is_one(tmp_path: Path) -> None:
    """Half an arcsec apart, on two tiles: one label, in one fold; torn ones are left out."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(100, 120, 100), rng.uniform(0, 10, 100)
    ids = np.array([f"a{i}" for i in range(100)] + [f"b{i}" for i in range(100)])
    both = np.tile(ra, 2), np.concatenate([dec, dec + 0.5 / 3600])
    path = write(tmp_path / "e.h5", rng.normal(size=(200, 3)), id=ids, ra=both[0], dec=both[1])
    kind = np.tile(np.where(np.arange(100) % 2 == 0, "dwarf", "star"), 2)
    kind[100] = "star"
    table = pd.DataFrame({"id": ids, "ra": both[0], "dec": both[1], "kind": kind})
    p = load_problem(path, save(table, tmp_path), "kind")
    assert len(p.rows) == 99
    assert len({r % 100 for r in p.rows.tolist()}) == 99
    assert 0 not in p.rows % 100
    text = " ".join(p.notes)
    assert "100 labels of objects that are there twice" in text
    assert "1 of these have two different labels" in text
    for train, test in parts(deal(p.y, p.groups, 5, 0), p.apart):
        assert not set(p.rows[train] % 100) & set(p.rows[test] % 100)


def test_neighbours_across_a_border_are_kept_apart(tmp_path: Path) -> None:
    """No training object lies within three arcmin of a test object."""
    rng = np.random.default_rng(2)
    n = 3000
    ra, dec = rng.uniform(100, 104, n), rng.uniform(0, 4, n)
    ids = np.array([f"o{i}" for i in range(n)])
    path = write(tmp_path / "e.h5", rng.normal(size=(n, 3)), id=ids, ra=ra, dec=dec)
    table = pd.DataFrame({"id": ids, "ra": ra, "dec": dec, "flag": rng.random(n) < 0.3})
    p = load_problem(path, save(table, tmp_path), "flag", folds=3)
    assert p.apart is not None
    for train, test in parts(deal(p.y, p.groups, 3, 0), p.apart):
        gap = np.linalg.norm(p.apart.points[train][:, None] - p.apart.points[test][None], axis=2)
        assert np.degrees(gap.min()) > 0.05
        assert len(train) > 1000


def test_nan_embeddings_are_left_out_and_said(
    sky: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    """Three rows of NaN among 200."""
    path, table = sky
    with h5py.File(path, "r+") as file:
        file["embeddings"][:3] = np.nan
    p = load_problem(path, save(table, tmp_path), "kind")
    assert len(p.rows) == 197
    assert "3 labelled objects have NaN embeddings and are left out" in p.notes


def test_what_is_missing_is_named(sky: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    """No column, no value, one kind, nothing matched: one line each."""
    path, table = sky
    file = save(table.assign(one="x", empty=np.nan), tmp_path)
    with pytest.raises(ValueError, match=r"no column 'klass'; there are .* kind"):
        load_problem(path, file, "klass")
    with pytest.raises(ValueError, match=r"positive 'qso': .* dwarf \(50\), star \(150\)"):
        load_problem(path, file, "kind", positive="qso")
    with pytest.raises(ValueError, match=r"all 200 of 'one' are x \(200\)"):
        load_problem(path, file, "one")
    with pytest.raises(ValueError, match="no object with a value of 'empty'"):
        load_problem(path, file, "empty")
    far = save(table.assign(id=[f"q{i}" for i in range(200)], dec=-table["dec"] - 1), tmp_path)
    with pytest.raises(ValueError, match="no object with a value of 'kind' is among the 200"):
        load_problem(path, far, "kind")


def test_a_class_with_one_member_is_left_out(
    sky: tuple[Path, pd.DataFrame], tmp_path: Path
) -> None:
    """Three kinds, one of them once: two remain, and the note names it."""
    path, table = sky
    table.loc[7, "kind"] = "qso"
    p = load_problem(path, save(table, tmp_path), "kind")
    assert len(p.rows) == 199
    assert (p.positive, p.negative) == ("star", "dwarf")
    assert any("one label cannot be learnt and tested: qso" in note for note in p.notes)


def test_groups_by_what_is_known() -> None:
    """Smaller blocks on little sky, tiles without positions, else nothing."""
    rng = np.random.default_rng(3)
    ra, dec = rng.uniform(10, 12, 500), rng.uniform(0, 2, 500)
    tile = np.array(["a", "b"])[np.arange(500) % 2]
    none = np.full(500, np.nan)
    groups, how = sky_groups(ra, dec, tile, None, 5)
    assert how == "blocks of sky of 0.5 degree"
    assert groups is not None
    assert len(np.unique(groups)) >= 10
    assert sky_groups(none, none, tile, None, 5)[1] == "tiles"
    assert sky_groups(none, none, np.full(500, ""), None, 5) == (None, "random")


def test_columns_say_what_they_are_for() -> None:
    """Text, truth values and few whole numbers are classes; others are numbers."""
    many = pd.Series(np.arange(100.0) + 0.5)
    assert task_of(pd.Series(["a", "b"]), "class") == "classify"
    assert task_of(pd.Series([True, False]), "is_dwarf") == "classify"
    assert task_of(pd.Series([0.0, 1.0, np.nan]), "flag") == "classify"
    assert task_of(many, "mag_r") == "regress"
    assert task_of(many, "zspec") == task_of(many, "z") == "redshift"
    assert task_of(many, "zspec", positive="0.5") == "classify"
    assert as_classes(pd.Series([1.0, np.nan, 2.0])).tolist() == ["1", "", "2"]
    assert as_classes(pd.Series([True, None, "x "], dtype=object)).tolist() == ["True", "", "x"]


def test_redshifts_of_minus_99_are_unknown(sky: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    """A usual mark for none is not learnt."""
    path, table = sky
    z = np.linspace(0.01, 2, 200)
    z[:5] = -99
    p = load_problem(path, save(table.assign(zspec=z), tmp_path), "zspec")
    assert (p.task, len(p.rows)) == ("redshift", 195)
    assert any("5 redshifts of -1 or below" in note for note in p.notes)


def test_picked_labels_are_warned_of() -> None:
    """Lassoed and searched labels bias purity; audits and imports do not."""
    note = biased_sources(pd.Series(["lasso", "lasso", "search", "audit"]))
    assert len(note) == 1
    assert "2 lasso, 1 search of 4 labels were picked" in note[0]
    assert biased_sources(pd.Series(["audit", "import", None])) == []
