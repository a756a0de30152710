"""Oddness from measures that are kept, with artefacts weighed down."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.explore.oddview import is_artefact, kept_measures, odd_table, oddness


def test_measures_come_back_by_object(tmp_path: Path) -> None:
    """All that the command wrote, and nothing where there is no table."""
    path = tmp_path / "e.h5"
    path.touch()
    ids = np.array(["a", "b"])
    assert kept_measures(path, ids) is None
    columns = {"id": ["b", "a"], "isolation": [0.7, 0.4], "neighbour_distance": [3.0, 1.0]}
    write_candidates(pd.DataFrame(columns), odd_table(path), {}, title="odd")
    found = kept_measures(path, ids)
    assert found is not None
    assert {name: values.tolist() for name, values in found.items()} == {
        "isolation": [0.4, 0.7],
        "neighbour_distance": [1.0, 3.0],
    }


def test_artefacts_and_what_is_like_them_lose_rank() -> None:
    """Of three odd objects two lie together: labelling one takes both from the top."""
    rng = np.random.default_rng(1)
    points = rng.normal(size=(100, 5)).astype(np.float32)
    points[0] = [20, 0, 0, 0, 0]
    points[1] = [20, 1, 0, 0, 0]
    points[2] = [0, -19, 0, 0, 0]
    measures = {"isolation": np.linalg.norm(points, axis=1).astype(np.float64)}
    before = oddness(measures, None, np.array([], dtype=np.int64))
    assert set(np.argsort(-before)[:3].tolist()) == {0, 1, 2}
    after = oddness(measures, points, np.array([0]))
    assert np.argmax(after) == 2
    assert np.argmin(after) == 0
    assert after[1] < 0.5 < before[1]


@pytest.mark.parametrize(("label", "is_one"), [("Artefact", True), ("satellite trail", True),
                                               ("dwarf", False), ("", False)])  # fmt: skip
def test_labels_that_mean_an_artefact(label: str, is_one: bool) -> None:
    """In the usual words, in any case."""
    assert is_artefact(label) is is_one
