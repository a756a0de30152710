"""Agreement between labellers and prevalence, against published values and other codes."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from sky_ssl.errors import InputError
from sky_ssl.explore.agreement import (
    agreement,
    cohen_kappa,
    estimate_prevalence,
    krippendorff_alpha,
)


def test_kappa_is_that_of_scikit_learn() -> None:
    """On random labels of three classes, correlated and not."""
    rng = np.random.default_rng(0)
    for noise in (0.1, 0.5, 1.0):
        a = rng.choice(["x", "y", "z"], 500)
        b = np.where(rng.random(500) < noise, rng.choice(["x", "y", "z"], 500), a)
        assert cohen_kappa(a, b) == pytest.approx(cohen_kappa_score(a, b))


def test_kappa_where_it_says_nothing() -> None:
    """No objects, or one class only, give NaN; full agreement 1; the opposite -1."""
    assert np.isnan(cohen_kappa([], []))
    assert np.isnan(cohen_kappa(["x", "x"], ["x", "x"]))
    assert cohen_kappa(["x", "y"], ["x", "y"]) == 1
    assert cohen_kappa(["x", "y"], ["y", "x"]) == -1


def test_alpha_of_the_published_example() -> None:
    """Four observers, twelve units, gaps: 0.743 for nominal data (Krippendorff 2011)."""
    observers = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
        [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
    ]
    given = [(u, str(v)) for row in observers for u, v in enumerate(row) if v]
    assert krippendorff_alpha(pd.DataFrame(given, columns=["unit", "label"])) == pytest.approx(
        0.743, abs=5e-4
    )
    alone = pd.DataFrame({"unit": [1, 2], "label": ["x", "y"]})
    assert np.isnan(krippendorff_alpha(alone))


def test_agreement_of_three_labellers_on_objects_that_two_saw() -> None:
    """Pairs count the objects that both labelled; data sets are kept apart; NaN is None."""
    rows = [
        ("ann", "d", "1", "x"), ("ann", "d", "2", "y"), ("ann", "d", "3", "y"),
        ("bob", "d", "1", "x"), ("bob", "d", "2", "x"), ("bob", "other", "3", "y"),
        ("carl", "d", "3", "y"),
    ]  # fmt: skip
    labels = pd.DataFrame(rows, columns=["labeller", "dataset", "object_id", "label"])
    found = agreement(labels.assign(task="t"))["t"]
    assert found["objects"] == 3
    assert found["percent"] == pytest.approx(200 / 3)
    pairs = [(p["first"], p["second"], p["objects"], p["percent"]) for p in found["pairs"]]
    assert pairs == [("ann", "bob", 2, 50.0), ("ann", "carl", 1, 100.0)]
    assert found["pairs"][0]["kappa"] == 0.0
    assert found["pairs"][1]["kappa"] is None


def test_prevalence_of_known_samples() -> None:
    """Jeffreys' interval at its ends, and in the middle where it is nearly the normal one."""
    none = estimate_prevalence(["no"] * 10, "dwarf")
    assert (none.mean, none.low, none.n) == (0.0, 0.0, 10)
    assert none.high == pytest.approx(0.2172, abs=1e-4)
    every = estimate_prevalence(["dwarf"] * 10, "dwarf")
    assert (every.mean, every.high) == (1.0, 1.0)
    half = estimate_prevalence(["dwarf", "no"] * 500 + ["", None], "dwarf")  # type: ignore[list-item]
    assert half.n == 1000
    assert half.high - half.low == pytest.approx(2 * 1.96 * 0.5 / 1000**0.5, rel=0.01)
    with pytest.raises(InputError, match="none of 2 objects has a label"):
        estimate_prevalence(["", ""], "dwarf")


def test_the_interval_of_the_prevalence_holds_the_truth() -> None:
    """In about 95 of 100 samples of a rare class."""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(400):
        found = estimate_prevalence(np.where(rng.random(300) < 0.02, "dwarf", "no"), "dwarf")
        inside += found.low <= 0.02 <= found.high
    assert 0.91 < inside / 400 < 0.99
