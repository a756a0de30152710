"""The map of an embeddings file, from scratch, from an older map, into one; and the command."""

import json
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.cli import main
from sky_ssl.embedding.store import write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.mapjob import MapSources, map_file, rows_of
from sky_ssl.explore.maps import NO_VECTOR, PLACED, MapOptions

VALUES = np.random.default_rng(0).normal(size=(240, 8)).astype(np.float32)
QUICK = MapOptions(epochs=30)


def write(path: Path, rows: slice | list[int], model: str = "a" * 64, **more: object) -> Path:
    numbers = np.arange(len(VALUES))[rows]
    count = len(numbers)
    columns = {
        "id": np.array([f"o{i}" for i in numbers]),
        "ra": numbers / 10,
        "dec": np.zeros(count),
        "tile": np.full(count, ""),
    }
    said = {"checkpoint_sha256": model, "pooling": "mean", **more}
    values = VALUES[rows]
    write_embeddings(
        path, [values], values.shape, dtype="float32", columns=columns, attributes=said
    )
    return path


def test_the_command_makes_a_map_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """The second call keeps the file, other options and --force make it anew."""
    e, out = write(tmp_path / "e.h5", slice(200)), tmp_path / "m.h5"
    call = ["map", "--embeddings", str(e), "--out", str(out), "--epochs", "20", "--json"]

    def answer(*more: str) -> dict:
        assert main([*call, *more]) == 0
        return json.loads(capsys.readouterr().out)

    first = answer()
    assert first["made"] is True
    assert (first["rows"], first["fitted"], first["method"]) == (200, 200, "umap")
    before = out.read_bytes()
    kept = answer()
    assert kept["made"] is False
    assert kept["notes"] == ["is current: kept as it is"]
    assert out.read_bytes() == before
    assert answer("--force")["made"]
    assert answer("--seed", "4")["made"]
    assert open_map(out).attributes["seed"] == 4


def test_the_command_takes_own_positions(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Positions from a CSV become a map file; --x without a table is refused with status 2."""
    table, out = tmp_path / "own.csv", tmp_path / "m.h5"
    table.write_text("id,a,b\np,1,2\nq,3,4\n")
    call = ["map", "--coordinates", str(table), "--out", str(out), "--x", "a", "--y", "b"]
    assert main([*call, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 2
    assert open_map(out).id.tolist() == ["p", "q"]
    assert main(["map", "--embeddings", str(table), "--out", str(out), "--x", "a"]) == 2
    assert "--x and --y name columns of --coordinates" in capsys.readouterr().err


def test_new_objects_are_placed_into_a_map(tmp_path: Path) -> None:
    """Known objects stay to the bit, new ones are placed, by the embeddings of the map."""
    old = write(tmp_path / "old.h5", slice(200))
    map_file(old, tmp_path / "m.h5", QUICK)
    new = write(tmp_path / "new.h5", slice(150, 240))
    sources = MapSources(onto=tmp_path / "m.h5")
    summary = map_file(new, tmp_path / "n.h5", QUICK, sources)
    assert summary["notes"] == ["50 objects kept where they were, 40 placed among them"]
    base, made = open_map(tmp_path / "m.h5"), open_map(tmp_path / "n.h5")
    np.testing.assert_array_equal(made.xy[:50], base.xy[150:])
    assert (made.how[50:] == PLACED).all()
    assert (made.xy >= base.xy.min(axis=0)).all()
    assert (made.xy <= base.xy.max(axis=0)).all()
    assert map_file(new, tmp_path / "n.h5", QUICK, sources)["made"] is False


def test_maps_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    """Another model, embeddings that are gone, two older maps, and pca with a warm start."""
    old, out, m = write(tmp_path / "old.h5", slice(60)), tmp_path / "n.h5", tmp_path / "m.h5"
    map_file(old, m, QUICK)
    other = write(tmp_path / "other.h5", slice(100, 160), model="b" * 64)
    with pytest.raises(InputError, match=r"made with model aaaaaaaaaaaa, .* with bbbbbbbbbbbb"):
        map_file(other, out, QUICK, MapSources(onto=m))
    turned = write(tmp_path / "turned.h5", slice(100, 160), turns=8)
    with pytest.raises(InputError, match=r"m\.h5: made with turns 1, .*turned\.h5 with 8"):
        map_file(turned, out, QUICK, MapSources(onto=m))
    with pytest.raises(InputError, match=r"not one object of .*other\.h5 is in this map"):
        map_file(other, out, QUICK, MapSources(warm=m))
    with pytest.raises(InputError, match="warm given with method pca"):
        map_file(old, out, MapOptions(method="pca"), MapSources(warm=m))
    with pytest.raises(InputError, match="warm and onto given"):
        MapSources(warm=m, onto=m)
    with pytest.raises(InputError, match="reference given without onto"):
        MapSources(reference=old)
    new, moved = write(tmp_path / "new.h5", slice(100, 160)), tmp_path / "moved.h5"
    old.rename(moved)
    with pytest.raises(InputError, match="are gone or changed; name them with --reference"):
        map_file(new, out, QUICK, MapSources(onto=m))
    with pytest.raises(InputError, match=r"new\.h5: not the embeddings that .*m\.h5 was made from"):
        map_file(new, out, QUICK, MapSources(onto=m, reference=new))
    assert map_file(new, out, QUICK, MapSources(onto=m, reference=moved))["placed"] == 60
    assert not list(tmp_path.glob(".*"))


def test_a_warm_start_goes_by_ids(tmp_path: Path) -> None:
    """Objects in another order, with new ones, lie near where the older map has them."""
    map_file(write(tmp_path / "a.h5", slice(200)), tmp_path / "m.h5", QUICK)
    mixed = write(tmp_path / "b.h5", np.random.default_rng(1).permutation(240).tolist())
    map_file(mixed, tmp_path / "w.h5", QUICK, MapSources(tmp_path / "m.h5"))
    old, new = open_map(tmp_path / "m.h5"), open_map(tmp_path / "w.h5")
    moved = np.linalg.norm(new.xy[rows_of(old.id, new.id)] - old.xy, axis=1)
    assert np.median(moved) < 0.06 * np.ptp(old.xy, axis=0).max()
    assert new.attributes["warm"] == str(tmp_path / "m.h5")


def test_rows_of_ids() -> None:
    """The first of equal ids, -1 for unknown ones, also among none."""
    among = np.array(["b", "a", "b"])
    assert rows_of(np.array(["b", "c", "a"]), among).tolist() == [0, -1, 1]
    assert rows_of(np.array(["b"]), np.array([], dtype=str)).tolist() == [-1]


def test_unusable_rows_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NaN rows are counted; a file of nothing but NaN, and one without rows, are refused."""
    broken = VALUES.copy()
    broken[5] = np.nan
    monkeypatch.setitem(globals(), "VALUES", broken)
    e = write(tmp_path / "e.h5", slice(60))
    summary = map_file(e, tmp_path / "m.h5", QUICK)
    assert (summary["fitted"], summary["without_embedding"]) == (59, 1)
    assert open_map(tmp_path / "m.h5").how[5] == NO_VECTOR
    nothing = write(tmp_path / "nan.h5", [5])
    with pytest.raises(InputError, match=r"nan\.h5: none of 1 embeddings is usable"):
        map_file(nothing, tmp_path / "n.h5", QUICK)
    with pytest.raises(InputError, match=r"none\.h5: no rows to map"):
        map_file(write(tmp_path / "none.h5", slice(0)), tmp_path / "n.h5", QUICK)
