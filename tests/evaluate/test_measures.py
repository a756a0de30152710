"""Draws of few-shot probes, redshifts and searches: what is there is found, what is not is not."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.measures import Trees, class_draws, redshift_draws, search_draws, value_scores
from sky_ssl.evaluate.testsky import Truth


def sky(n: int = 900) -> Truth:
    """Objects of all kinds without images, on 40 tiles."""
    rng = np.random.default_rng(4)
    kind = rng.choice(["star", "qso", "spiral", "dwarf", "halo"], n)
    columns = {
        "class": kind,
        "is_dwarf": kind == "dwarf",
        "is_look_alike": kind == "halo",
        "zspec": np.where(kind == "star", np.nan, rng.uniform(0, 2, n)),
        "tile": rng.integers(40, size=n).astype(str),
    }
    return Truth(columns, n * 2 // 3)


def telling(truth: Truth) -> np.ndarray:
    """Features that tell the kinds and the redshift."""
    rng = np.random.default_rng(5)
    kinds = np.unique(truth.columns["class"], return_inverse=True)[1]
    x = rng.normal(size=(len(kinds), 7))
    x[np.arange(len(kinds)), kinds] += 8
    x[:, 6] = np.nan_to_num(truth.columns["zspec"])
    return x


@pytest.mark.parametrize("trees", [False, True])
@pytest.mark.parametrize("task", ["A", "B", "C"])
def test_kinds_are_told_apart_and_shuffled_ones_are_not(task: str, trees: bool) -> None:
    """Near 1 for features that tell; chance where the rows are shuffled."""
    truth, rng = sky(), np.random.default_rng(1)
    x = telling(truth)
    good = class_draws(x, truth, task, labels=60, repeats=2, trees=trees)
    chance = class_draws(rng.permutation(x), truth, task, labels=60, repeats=6, trees=trees)
    assert np.mean(good["balanced_accuracy"]) > 0.9
    assert np.mean(chance["balanced_accuracy"]) == pytest.approx(
        1 / 3 if task == "C" else 1 / 2, abs=0.07
    )
    if task != "C":
        assert np.mean(good["average_precision"]) > 0.6
        assert np.mean(chance["average_precision"]) < 0.06


@pytest.mark.parametrize("trees", [False, True])
def test_redshifts_are_predicted_from_spectra(trees: bool) -> None:
    """R2 near 1 where a feature is the redshift, none where rows are shuffled."""
    truth, rng = sky(), np.random.default_rng(2)
    x = telling(truth)
    assert redshift_draws(x, truth, labels=0, repeats=9, trees=trees)["r2"][0] > 0.95
    few = redshift_draws(x, truth, labels=50, repeats=3, trees=trees)
    assert len(few["nmad"]) == 3
    shuffled = redshift_draws(rng.permutation(x), truth, labels=0, repeats=1, trees=trees)
    assert shuffled["r2"][0] < 0.1


def test_more_labels_than_there_are_give_nothing() -> None:
    """A curve ends where the sky has no more objects."""
    truth = sky()
    x = telling(truth)
    assert class_draws(x, truth, "B", labels=1000, repeats=1) == {}
    assert redshift_draws(x, truth, labels=1000, repeats=1) == {}


def test_figures_of_redshifts_by_hand() -> None:
    """One of four predictions is off by 0.2 (1 + z): a quarter are outliers, the bias is 0.05."""
    z = np.array([0.0, 1.0, 2.0, 0.5])
    found = value_scores(z, z + np.array([0, 0.4, 0, 0]))
    assert found["outlier_fraction"] == 0.25
    assert found["bias"] == pytest.approx(0.05)
    assert found["nmad"] == 0
    assert found["r2"] == pytest.approx(1 - 0.16 / ((z - z.mean()) ** 2).sum())


def test_a_search_counts_dwarfs_in_natural_proportion() -> None:
    """All of the nearest where dwarfs lie apart; numbers beyond all dwarfs are left out."""
    truth = sky()
    found = search_draws(telling(truth), truth, 0, exemplars=(1, 5), top=(10, 500), repeats=4)
    assert set(found) == {"tokens", "whitened", "expanded"}
    assert found["tokens"]["5"]["10"] == [1.0] * 4
    assert set(found["whitened"]["1"]) == {"10"}


def test_trees_refuse_other_classes() -> None:
    """A score of one class must not be taken for that of another."""
    x, y = np.arange(8.0)[:, None], np.repeat([False, True], 4)
    with pytest.raises(InputError, match="asked for"):
        Trees(x, y, 0).decision(x, np.array(["a", "b"]))
