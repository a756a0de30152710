"""The labelled objects that speak for what a probe says."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.explore.reasons import Likeness, nearest_labelled


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    """Objects around a circle, one degree apart: the likeness is the cosine of the angle."""
    angle = np.radians(np.arange(90.0))
    values = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32) * 7
    values[80] = np.nan
    unknown = np.full(90, np.nan)
    columns = {"id": np.array([f"o{i}" for i in range(90)]), "ra": unknown, "dec": unknown,
               "tile": np.full(90, "")}  # fmt: skip
    write_embeddings(tmp_path / "e.h5", [values], values.shape, dtype="float32", columns=columns,
                     attributes={})  # fmt: skip
    return open_embeddings(tmp_path / "e.h5")


def test_the_nearest_come_first_with_their_labels(e: Embeddings) -> None:
    """By angle; the object itself is no reason, though it is labelled."""
    rows = np.array([60, 30, 25, 33, 0])
    found = nearest_labelled(e, 30, rows, ["far", "own", "a", "b", "far"], k=3)
    assert found.rows.tolist() == [33, 25, 60]
    assert found.labels.tolist() == ["b", "a", "far"]
    np.testing.assert_allclose(found.scores, np.cos(np.radians([3, 5, 30])), atol=1e-6)


def test_what_is_not_finite_is_like_nothing(e: Embeddings) -> None:
    """Neither has such an object neighbours, nor is it one."""
    assert len(nearest_labelled(e, 80, np.array([1, 2]), ["a", "b"])) == 0
    assert nearest_labelled(e, 1, np.array([80, 2]), ["a", "b"]).rows.tolist() == [2]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([], "No labelled object to compare with"),
        (["a"], "The only labelled object to compare with is a"),
        (["b", "a", "b"], "Of the 3 labelled objects most like it 2 are b, 1 a"),
        (["a", "b"], "Of the 2 labelled objects most like it 1 is a, 1 b"),
    ],
)
def test_they_are_said_in_words(labels: list[str], words: str) -> None:
    """The most frequent label first."""
    n = len(labels)
    found = Likeness(np.arange(n), np.array(labels, dtype=object), np.zeros(n, dtype=np.float32))
    assert found.words() == words
