"""Whitened vectors on disk: made once, grown, made anew when they no longer belong."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.explore import whitened as module
from sky_ssl.explore.search import query_vector
from sky_ssl.explore.whitened import open_whitened
from sky_ssl.explore.whitening import fit_whitening

GENERATOR = np.random.default_rng(0)
VALUES = (GENERATOR.normal(size=(900, 24)) * 0.9 ** np.arange(24) + 0.5).astype(np.float32)


def write(path: Path, values: np.ndarray) -> Embeddings:
    """Write vectors of one's own, without a model."""
    n = len(values)
    columns = {
        "id": np.array([f"o{i}" for i in range(n)]), "ra": np.arange(n) / 10.0,
        "dec": np.zeros(n), "tile": np.full(n, ""),
    }  # fmt: skip
    write_embeddings(
        path, [values], values.shape, dtype=str(values.dtype), columns=columns, attributes={}
    )
    return open_embeddings(path)


def files(e: Embeddings) -> dict[str, int]:
    """Give what is kept, by name, with the time of writing."""
    return {p.name: p.stat().st_mtime_ns for p in Path(f"{e.path}.index").iterdir()}


PEAK = """
import re, sys
from pathlib import Path
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.explore.whitened import open_whitened

def memory(line):
    return 1024 * int(re.search(line + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

e = open_embeddings(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
before = memory("VmRSS")
assert len(open_whitened(e).whitening) == 64
print(memory("VmHWM") - before)
"""


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_they_are_those_of_the_whitening_and_made_once(tmp_path: Path, dtype: str) -> None:
    """Mapped, equal to what a fit gives, untouched by a second opening; progress ends at N."""
    e = write(tmp_path / "e.h5", VALUES.astype(dtype))
    told: list[tuple[int, int]] = []
    first = open_whitened(e, progress=lambda done, total: told.append((done, total)))
    assert isinstance(first.values, np.memmap)
    expected = fit_whitening(e.values, 1).apply(e.values)
    np.testing.assert_array_equal(first.values, expected)
    assert (first.notes, told[-1]) == ([], (900, 900))
    kept = files(e)
    assert len(kept) == 3
    second = open_whitened(e)
    np.testing.assert_array_equal(second.whitening.apply(e.values), expected)
    assert files(e) == kept


def test_rows_added_are_whitened_along_the_axes_that_are_there(tmp_path: Path) -> None:
    """As if all were made anew with these axes; the older files go."""
    before = open_whitened(write(tmp_path / "e.h5", VALUES[:600]))
    old = set(files(write(tmp_path / "e.h5", VALUES)))
    grown = open_whitened(open_embeddings(tmp_path / "e.h5"))
    np.testing.assert_array_equal(grown.values, before.whitening.apply(VALUES))
    np.testing.assert_array_equal(grown.values[:600], before.values)
    assert set(files(open_embeddings(tmp_path / "e.h5"))) & old == {"whitened.json"}


def test_a_file_that_grew_beyond_twice_gets_new_axes(tmp_path: Path) -> None:
    """They are those of all rows."""
    open_whitened(write(tmp_path / "e.h5", VALUES[:400]))
    grown = open_whitened(write(tmp_path / "e.h5", VALUES))
    np.testing.assert_array_equal(grown.values, fit_whitening(VALUES, 1).apply(VALUES))


def test_other_embeddings_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    """Other numbers, fewer rows, other columns: made anew."""
    open_whitened(write(tmp_path / "e.h5", VALUES))
    for values in (VALUES[::-1].copy(), VALUES[:500], VALUES[:, :12].copy()):
        found = open_whitened(write(tmp_path / "e.h5", values))
        np.testing.assert_array_equal(found.values, fit_whitening(values, 1).apply(values))


@pytest.mark.parametrize("ending", ["json", "npy", "npz"])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_damaged_files_are_made_anew(tmp_path: Path, ending: str, how: str) -> None:
    """Cut short, missing, or something else under the name."""
    e = write(tmp_path / "e.h5", VALUES)
    good = np.array(open_whitened(e).values)
    path = next(Path(f"{e.path}.index").glob(f"*.{ending}"))
    content = path.read_bytes()
    path.unlink()
    if how != "gone":
        path.write_bytes(content[: len(content) // 2] if how == "cut" else b"[1]")
    np.testing.assert_array_equal(open_whitened(e).values, good)
    kept = files(e)
    np.testing.assert_array_equal(open_whitened(e).values, good)
    assert files(e) == kept


def test_a_kill_before_the_manifest_leaves_the_last_good_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors without a manifest count for nothing; half a file never has its name."""
    e = write(tmp_path / "e.h5", VALUES[:600])
    open_whitened(e)
    manifest = json.loads(Path(f"{e.path}.index/whitened.json").read_text())
    grown = write(tmp_path / "e.h5", VALUES)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module.os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            open_whitened(grown)
    assert json.loads(Path(f"{e.path}.index/whitened.json").read_text()) == manifest
    assert not [name for name in files(e) if name.endswith(".part")]
    assert len(open_whitened(grown).values) == 900


def test_a_folder_that_cannot_be_written_to_is_no_hindrance(tmp_path: Path) -> None:
    """The vectors are made in memory, the same ones, and a note says so and what to do."""
    e = write(tmp_path / "e.h5", VALUES)
    (tmp_path / "file").write_text("")
    found = open_whitened(e, tmp_path / "file")
    np.testing.assert_array_equal(found.values, open_whitened(e).values)
    assert "cannot be written to" in found.notes[0]
    assert "--index-folder" in found.notes[0]


def test_the_search_is_that_of_brute_force_and_never_finds_nan(tmp_path: Path) -> None:
    """The cosine to a counter-exampled query, in double precision; excluded rows stay out."""
    values = VALUES.copy()
    values[[5, 17], 3] = np.nan
    found = open_whitened(write(tmp_path / "e.h5", values))
    query = query_vector(values[[0, 1]], values[[2]], 1, 0.5, found.whitening)
    rows, scores = found.search(query, 2000, np.array([0, 1, 2]))
    w = found.whitening.apply(values).astype(np.float64)
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    expected = unit @ (unit[:2].mean(axis=0) - 0.5 * unit[2])
    np.testing.assert_allclose(scores, expected[rows], atol=1e-5)
    assert sorted(rows.tolist()) == np.setdiff1d(np.arange(900), [0, 1, 2, 5, 17]).tolist()
    assert (np.diff(scores) <= 0).all()


@pytest.mark.parametrize("rows", [0, 1, 2, 63])
def test_too_few_objects_are_said(tmp_path: Path, rows: int) -> None:
    """No axes, nothing written, a note."""
    found = open_whitened(write(tmp_path / "e.h5", VALUES[:rows]))
    assert (len(found.whitening), found.values.shape) == (0, (rows, 0))
    assert "too few to whiten" in found.notes[0]
    assert not (tmp_path / "e.h5.index").exists()


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each ends with good vectors, and the last files are whole."""
    e = write(tmp_path / "e.h5", VALUES)
    expected, made = fit_whitening(VALUES, 1).apply(VALUES), []
    threads = [
        threading.Thread(target=lambda: made.append(np.array(open_whitened(e).values)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    for values in [*made, open_whitened(e).values]:
        np.testing.assert_array_equal(values, expected)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak of Linux")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Whitening 300,000 x 256 (307 MB) takes the sample for the axes and little more."""
    path, block = tmp_path / "e.h5", np.resize(VALUES, (3000, 256))
    block += np.random.default_rng(1).normal(0, 0.1, block.shape).astype(np.float32)
    columns = {
        "id": np.arange(300_000).astype(str), "ra": np.zeros(300_000), "dec": np.zeros(300_000),
        "tile": np.full(300_000, ""),
    }  # fmt: skip
    parts = (block for _ in range(100))
    write_embeddings(path, parts, (300_000, 256), dtype="float32", columns=columns, attributes={})
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 180e6
