"""What to label next."""

import numpy as np
import pytest

from sky_ssl.probes.learning import STRATEGIES, next_to_label


def test_each_strategy_wants_its_own() -> None:
    """Uncertain ones lie near zero, the top ones highest; labelled and NaN are left out."""
    decision = np.array([3.0, -0.1, 0.2, np.nan, 5.0, -4.0])
    assert next_to_label("uncertainty", 2, decision).tolist() == [1, 2]
    assert next_to_label("margin", 2, decision).tolist() == [1, 2]
    assert next_to_label("top", 2, decision).tolist() == [4, 0]
    assert next_to_label("top", 2, decision, labelled=np.array([4])).tolist() == [0, 2]
    assert next_to_label("top", 99, decision).tolist() == [4, 0, 2, 1, 5]


def test_many_classes() -> None:
    """Entropy asks for the object torn between three, margin for the one between two."""
    decision = np.array([[0.0, 0.0, 0.1], [5.0, 5.0, -9.0], [9.0, 0.0, 0.0]])
    assert next_to_label("uncertainty", 1, decision).tolist() == [0]
    assert next_to_label("margin", 1, decision).tolist() == [1]
    assert next_to_label("top", 1, decision).tolist() == [2]


def test_diverse_ones_lie_apart() -> None:
    """Of four tight groups of equally uncertain objects each gives one; a labelled one none."""
    rng = np.random.default_rng(0)
    centres = 100 * np.eye(4)
    values = np.repeat(centres, 25, axis=0) + 0.01 * rng.normal(size=(100, 4))
    decision = 1e-3 * rng.random(100)
    rows = next_to_label("diversity", 4, decision, values, seed=1)
    assert sorted(rows // 25) == [0, 1, 2, 3]
    rows = next_to_label("diversity", 3, decision, values, np.array([0, 1]), seed=1)
    assert sorted(rows // 25) == [1, 2, 3]


def test_an_audit_is_random_and_takes_all() -> None:
    """Labelled or not, every object has the same chance; a seed repeats it."""
    decision = np.arange(1000.0)
    rows = next_to_label("audit", 400, decision, labelled=np.arange(500), seed=3)
    assert len(set(rows)) == 400
    assert (rows < 500).mean() == pytest.approx(0.5, abs=0.08)
    assert (next_to_label("audit", 400, decision, seed=3) == rows).all()
    assert (next_to_label("audit", 400, decision, seed=4) != rows).any()


def test_identical_objects_do_not_hang() -> None:
    """No distance left to draw by: the next ones in order, none twice."""
    rows = next_to_label("diversity", 3, np.zeros(100), np.ones((100, 2)))
    assert len(set(rows)) == 3


def test_objects_without_an_embedding_are_not_chosen_twice() -> None:
    """Nor at all: NaN embeddings are left out, whatever score they have."""
    values = np.random.default_rng(2).normal(size=(100, 3))
    values[::2] = np.nan
    rows = next_to_label("diversity", 4, np.zeros(100), values)
    assert len(set(rows)) == 4
    assert (rows % 2 == 1).all()
    assert next_to_label("diversity", 4, np.zeros(10), np.full((10, 3), np.nan)).size == 0


def test_nonsense_is_refused() -> None:
    """Another strategy, a count of none, diversity without embeddings."""
    with pytest.raises(ValueError, match=", ".join(STRATEGIES)):
        next_to_label("luck", 3, np.zeros(5))
    with pytest.raises(ValueError, match="count 0"):
        next_to_label("top", 0, np.zeros(5))
    with pytest.raises(ValueError, match="needs the embeddings"):
        next_to_label("diversity", 1, np.zeros(5))
    assert next_to_label("top", 3, np.full(5, np.nan)).size == 0
