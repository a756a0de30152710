"""The index: honest recall, used for its own embeddings alone, and grown without training."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore import indexfile, neighbours
from sky_ssl.explore.indexfile import choose_kind, index_folder, read_manifest
from sky_ssl.explore.neighbours import open_index
from sky_ssl.explore.similarity import normalised, top

KINDS = ["ivf", "ivfpq"]


def clustered(n: int, d: int = 16, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(60, d))
    return (centres[np.arange(n) % 60] + 0.4 * generator.normal(size=(n, d))).astype(np.float32)


def write(path: Path, values: np.ndarray, dtype: str = "float32", prefix: str = "o") -> Embeddings:
    n = len(values)
    columns = {
        "id": np.array([f"{prefix}{i}" for i in range(n)]),
        "ra": np.zeros(n),
        "dec": np.zeros(n),
        "tile": np.full(n, ""),
    }
    write_embeddings(path, [values], values.shape, dtype=dtype, columns=columns, attributes={})
    return open_embeddings(path)


def recall_by_hand(e: Embeddings, index: neighbours.Index) -> float:
    hits = []
    for row in range(5, len(e.values), 71):
        query = normalised(e.values[[row]], 1)[0]
        exact = top(e.values, query, 1, 25, exclude=np.array([row]))[0]
        found = index.search(query, 25, exclude=np.array([row]))[0]
        hits.append(len(set(exact) & set(found)) / 25)
    return float(np.mean(hits))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_recall_is_measured_honestly(tmp_path: Path, kind: str, dtype: str) -> None:
    """The recall stored with an index is what a count on other objects gives; scores are exact."""
    e = write(tmp_path / "e.h5", clustered(6000), dtype)
    index = open_index(e, kind=kind)
    assert index.recall == pytest.approx(recall_by_hand(e, index), abs=0.05)
    assert index.recall > 0.85
    query = normalised(e.values[[9]], 1)[0]
    rows, found = index.search(query, 10)
    np.testing.assert_allclose(found, normalised(e.values[rows], 1) @ query, atol=1e-6)
    assert index.kind == kind


def test_a_poor_index_says_so(tmp_path: Path) -> None:
    """On pure noise, with a low target, the recall that is stored is low too."""
    values = np.random.default_rng(0).normal(size=(8000, 32)).astype(np.float32)
    e = write(tmp_path / "e.h5", values)
    index = open_index(e, kind="ivf", target=0.2)
    assert 0.1 < index.recall < 0.7
    assert index.recall == pytest.approx(recall_by_hand(e, index), abs=0.08)


def test_an_index_is_opened_again(tmp_path: Path) -> None:
    """The second time nothing is written, and the answers are the same; a folder can be given."""
    e = write(tmp_path / "e.h5", clustered(3000))
    first = open_index(e, tmp_path / "elsewhere", kind="ivf")
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")}
    second = open_index(e, tmp_path / "elsewhere", kind="ivf")
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "elsewhere").rglob("*")} == files
    assert not index_folder(e).exists()
    for a, b in zip(first.search(e.values[0], 9), second.search(e.values[0], 9), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_added_at_the_end(tmp_path: Path, kind: str) -> None:
    """They are found, without training again, and answers are those of an index made anew."""
    values = clustered(5000)
    before = open_index(write(tmp_path / "e.h5", values[:4000]), kind=kind).manifest
    e = write(tmp_path / "e.h5", values)
    grown, anew = open_index(e, kind=kind), open_index(e, tmp_path / "anew", kind=kind)
    assert grown.manifest
    assert before
    assert grown.manifest.trained == before.trained
    assert grown.manifest.rows == 5000
    all_cells = [replace(i, manifest=replace(i.manifest, probes=10**6)) for i in (grown, anew)]  # type: ignore[type-var]
    for row in (0, 4999):
        a, b = (i.search(normalised(values[[row]], 1)[0], 25) for i in all_cells)
        assert len(set(a[0]) & set(b[0])) >= (25 if kind == "ivf" else 23)
        assert a[0][0] == row
    left = {p.name for p in index_folder(e).glob("*.faiss")}
    assert left == grown.manifest.files


def test_many_pieces_are_one_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of 700 rows give what one piece gives, and growing keeps those that are full."""
    values = clustered(3000)
    whole = open_index(write(tmp_path / "a.h5", values), kind="ivf")
    monkeypatch.setattr(indexfile, "_SEGMENT_BYTES", 700 * (4 * 16 + 8))
    before = open_index(write(tmp_path / "b.h5", values[:2200]), kind="ivf").manifest
    index = open_index(write(tmp_path / "b.h5", values), kind="ivf")
    assert index.manifest
    assert before
    assert [s.stop - s.start for s in index.manifest.segments] == [700, 700, 700, 700, 200]
    assert index.manifest.segments[:3] == before.segments[:3]
    query = normalised(values[[1]], 1)[0]
    full = replace(index, manifest=replace(index.manifest, probes=10**6))
    np.testing.assert_array_equal(full.search(query, 5)[0], top(values, query, 1, 5)[0])
    assert whole.recall > 0.85


def test_longer_ids_may_be_added(tmp_path: Path) -> None:
    """The fingerprint of the first rows does not change with what comes after them."""
    values = clustered(1200)
    short, longer = write(tmp_path / "a.h5", values[:900]), write(tmp_path / "b.h5", values)
    assert short.id.itemsize < longer.id.itemsize
    assert indexfile.fingerprint(short, 900) == indexfile.fingerprint(longer, 900)
    assert indexfile.fingerprint(short, 900) != indexfile.fingerprint(longer, 901)


@pytest.mark.parametrize("change", ["numbers", "ids", "fewer", "dtype"])
def test_an_index_of_other_embeddings_is_not_used(tmp_path: Path, change: str) -> None:
    """Other numbers, ids, fewer rows or another type: the index is made anew."""
    values = clustered(2000)
    before = open_index(write(tmp_path / "e.h5", values), kind="ivf").manifest
    changed = {
        "numbers": lambda: write(tmp_path / "e.h5", clustered(2000, seed=1)),
        "ids": lambda: write(tmp_path / "e.h5", values, prefix="x"),
        "fewer": lambda: write(tmp_path / "e.h5", values[:1500]),
        "dtype": lambda: write(tmp_path / "e.h5", values, "float16"),
    }[change]()
    after = open_index(changed, kind="ivf")
    assert before
    assert after.manifest
    assert after.manifest.trained != before.trained
    query = normalised(changed.values[[7]], 1)[0]
    assert after.search(query, 1)[0][0] == 7


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    """A piece cut short, a piece missing, and a manifest of something else."""
    e = write(tmp_path / "e.h5", clustered(2000))
    home = index_folder(e)
    for damage in ("cut", "missing", "foreign"):
        manifest = open_index(e, kind="ivf").manifest
        assert manifest
        piece = home / manifest.segments[0].file
        if damage == "cut":
            piece.write_bytes(piece.read_bytes()[:100])
        elif damage == "missing":
            piece.unlink()
        else:
            (home / "index.json").write_text(json.dumps({"schema": "other", "rows": 3}))
        index = open_index(e, kind="ivf")
        assert index.search(normalised(e.values[[7]], 1)[0], 1)[0].tolist() == [7]
        assert read_manifest(home) == index.manifest


def test_rows_of_nan_are_not_in_an_index(tmp_path: Path) -> None:
    """All others are found when all are asked for, whatever the number of cells."""
    values = clustered(1000)
    values[::10] = np.nan
    index = open_index(write(tmp_path / "e.h5", values), kind="ivf")
    rows, found = index.search(normalised(values[[1]], 1)[0], 2000, exclude=np.array([1, 2]))
    assert set(rows.tolist()) == set(range(1000)) - set(range(0, 1000, 10)) - {1, 2}
    assert np.isfinite(found).all()


def test_kinds_follow_the_size(tmp_path: Path) -> None:
    """Exact up to about a million, and small files write no index; unknown kinds are refused."""
    assert [choose_kind(n) for n in (10, 1_000_000, 3_000_000, 10**8)] == [
        "exact", "exact", "ivf", "ivfpq",
    ]  # fmt: skip
    e = write(tmp_path / "e.h5", clustered(50))
    assert open_index(e).kind == "exact"
    assert not index_folder(e).exists()
    with pytest.raises(InputError, match="allowed are auto, exact, ivf, ivfpq"):
        open_index(e, kind="hnsw")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--index-folder"):
        open_index(e, tmp_path / "file", kind="ivf")
