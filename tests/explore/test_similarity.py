"""Exact scores and neighbours: against brute force, in little memory, and nothing that is NaN."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.similarity import (
    Best,
    blocks,
    normalised,
    scores,
    token_count,
    top,
    top_of_many,
)


def vectors(n: int = 5000, d: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def mean_cosine(values: np.ndarray, query: np.ndarray, tokens: int) -> np.ndarray:
    """Average the cosine of each token, in float64, one object at a time."""
    result = []
    for row in values.astype(np.float64):
        pairs = zip(np.split(row, tokens), np.split(query.astype(np.float64), tokens), strict=True)
        result.append(np.mean([a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in pairs]))
    return np.array(result)


@pytest.mark.parametrize("tokens", [1, 4])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_scores_are_mean_cosines(tokens: int, dtype: str) -> None:
    """An inner product of normalised vectors is the mean cosine per token, float16 as well."""
    values = vectors(300).astype(dtype)
    query = normalised(values[7:8], tokens)[0]
    expected = mean_cosine(values, values[7], tokens)
    np.testing.assert_allclose(scores(values, query, tokens), expected, atol=1e-6)
    np.testing.assert_allclose(normalised(values, tokens) @ query, expected, atol=1e-6)


def test_top_is_brute_force() -> None:
    """Rows and scores equal those of sorting everything, whatever the blocks, one query or many."""
    values = vectors(100_000)
    query = normalised(values[3:4], 4)[0]
    everything = normalised(values, 4) @ query
    rows, found = top(values, query, 4, 25)
    np.testing.assert_array_equal(rows, np.argsort(-everything, kind="stable")[:25])
    np.testing.assert_allclose(found, everything[rows], atol=1e-6)
    many = top_of_many(values, np.stack([query, -query]), 4, 25)
    np.testing.assert_array_equal(many[0], rows)
    np.testing.assert_array_equal(many[1], np.argsort(everything, kind="stable")[:25])


def test_equal_scores_come_in_the_order_of_rows() -> None:
    """Of a hundred thousand equal rows the first are given, across blocks."""
    values = np.tile(vectors(1), (100_000, 1))
    rows, found = top(values, normalised(values[:1], 1)[0], 1, 7, exclude=np.array([1, 3]))
    assert rows.tolist() == [0, 2, 4, 5, 6, 7, 8]
    assert len(set(found.tolist())) == 1


def test_what_is_not_finite_is_never_found() -> None:
    """Rows with NaN or infinity score NaN and stay out, though all others are taken."""
    values = vectors(20)
    values[3, 5], values[4, 0], values[5] = np.nan, np.inf, 0
    query = normalised(values[:1], 4)[0]
    rows, found = top(values, query, 4, 100)
    assert set(rows.tolist()) == set(range(20)) - {3, 4}
    assert np.isfinite(found).all()
    assert np.flatnonzero(np.isnan(scores(values, query, 4))).tolist() == [3, 4]
    assert scores(values, query, 4)[5] == 0


def test_few_rows() -> None:
    """One row, no rows, more wanted than there are, and all excluded."""
    one = vectors(1)
    query = normalised(one, 1)[0]
    rows, found = top(one, query, 1, 25)
    assert (rows.tolist(), found[0]) == ([0], pytest.approx(1))
    assert len(top(one[:0], query, 1, 25)[0]) == 0
    assert len(top(one, query, 1, 25, exclude=np.array([0]))[0]) == 0


def test_every_number_of_16_bits_is_read_right() -> None:
    """All 65,536 of them, subnormal ones too; what is not finite comes out as NaN."""
    halves = np.arange(65_536, dtype=np.uint16).view("<f2").reshape(-1, 64)
    read = np.concatenate([block for _, block in blocks(halves)])
    expected = halves.astype(np.float32)
    np.testing.assert_array_equal(read, np.where(np.isfinite(expected), expected, np.nan))


def test_best_keeps_the_best_of_a_stream() -> None:
    """Pieces in any number give what sorting gives; NaN is passed over."""
    values = np.round(vectors(4000, 1)[:, 0], 1)
    values[::7] = np.nan
    best = Best(50)
    for rows in np.array_split(np.arange(4000), 13):
        best.add(values[rows], rows)
    order = np.lexsort((np.arange(4000), -np.nan_to_num(values, nan=-99)))
    np.testing.assert_array_equal(best.rows, order[:50])


def test_tokens_are_counted_from_the_model() -> None:
    """Central tokens by the width of the model; one for anything else."""
    central = {"pooling": "central", "model": json.dumps({"size": "nano", "width": 0})}
    assert token_count(central, 512) == 4
    assert token_count({**central, "model": json.dumps({"width": 16})}, 144) == 9
    blocks = json.dumps({"size": "nano", "token_blocks": [1, 3]})
    assert token_count({**central, "model": blocks}, 1024) == 4  # each of two blocks 128 wide
    assert token_count({**central, "projection": 64}, 64) == 1
    assert token_count({**central, "pooling": "mean"}, 128) == 1
    assert token_count({}, 77) == 1


PEAK = """
import re, sys
from pathlib import Path
import numpy as np
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.explore.similarity import top

def memory(line):
    return 1024 * int(re.search(line + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

e = open_embeddings(sys.argv[1])
Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
before = memory("VmRSS")
top(e.values, np.ones(256, np.float32), 1, 25)
print(memory("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads the peak of Linux")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Searching 200,000 x 256 (205 MB) takes hardly more memory than searching 2,000 rows."""
    peaks = []
    for n in (2_000, 200_000):
        path = tmp_path / f"{n}.h5"
        block = vectors(2_000, 256)
        ids = np.arange(n).astype(str)
        columns = {"id": ids, "ra": np.zeros(n), "dec": np.zeros(n), "tile": ids}
        parts = (block for _ in range(n // 2_000))
        write_embeddings(path, parts, (n, 256), dtype="float32", columns=columns, attributes={})
        done = subprocess.run(
            [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout))
    assert open_embeddings(path).values.nbytes > 200e6
    assert peaks[1] < peaks[0] + 60e6
