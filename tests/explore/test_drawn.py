"""A lasso or a cut becomes a rule that keeps its promise on another sky."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.candidates import ListOptions, find_candidates
from sky_ssl.explore.heldout import best_threshold, share, sky_folds, training_parts
from sky_ssl.explore.selection import (
    lasso_selection,
    load_selection,
    save_selection,
    threshold_selection,
)
from sky_ssl.sky.coords import separation_arcsec

D = 12


def sky(path: Path, seed: int, n: int = 4000, positions: bool = True) -> tuple[Embeddings, ...]:
    """Two overlapping clouds: every eighth object is of the rarer kind."""
    g = np.random.default_rng(seed)
    truth = g.random(n) < 0.125
    x = g.normal(size=(n, D)) + np.outer(truth, np.full(D, 0.75))
    columns = {
        "id": np.array([f"{seed}-{i}" for i in range(n)]),
        "ra": g.uniform(100, 120, n) if positions else np.full(n, np.nan),
        "dec": g.uniform(-10, 10, n) if positions else np.full(n, np.nan),
        "tile": np.array([f"t{i % 20}" for i in range(n)]) if positions else np.full(n, ""),
    }
    attributes = {"checkpoint_sha256": "m", "pooling": "mean", "projection": 0}
    write_embeddings(path, [x], (n, D), dtype="float32", columns=columns, attributes=attributes)
    return open_embeddings(path), np.where(truth, "dwarf", "other")


def moved(e: Embeddings, by: float) -> Embeddings:
    """The same sky by another telescope: all numbers are lower by so much."""
    return Embeddings(e.path, np.asarray(e.values) - by, e.id, e.ra, e.dec, e.tile, e.attributes)


def level(e: Embeddings, seed: int) -> np.ndarray:
    """A class (N,) that is 40 % of what lies beyond 1 along an axis, and no more further out."""
    share = 0.4 * np.exp(3 * np.minimum(np.asarray(e.values[:, 0]) - 1, 0))
    hits = np.random.default_rng(1000 + seed).random(len(share)) < share
    return np.where(hits, "ring", "other")


def overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    return a["low"] <= b["high"] and b["low"] <= a["high"]


def test_a_lasso_keeps_its_promise_on_another_sky(tmp_path: Path) -> None:
    """Purity and completeness of the class, drawn in a plane of two coordinates, hold elsewhere."""
    a, labels = sky(tmp_path / "a.h5", 1)
    inside = np.asarray((a.values[:, 0] + a.values[:, 1] > 1.0) & (a.values[:, 2] > 0.5))
    rule = lasso_selection(a, inside, labels=labels, positive="dwarf", name="island")
    save_selection(rule, tmp_path / "s.json")
    b, truth = sky(tmp_path / "b.h5", 2, n=8000)
    stored = load_selection(tmp_path / "s.json")
    chosen = stored.scores(b.values) >= stored.threshold
    hits = truth == "dwarf"
    found = share(hits[chosen], np.flatnonzero(chosen))
    assert overlap(stored.measured["class_purity"], found)
    assert overlap(stored.measured["class_completeness"], share(chosen[hits], np.flatnonzero(hits)))
    assert 0.25 < found["mean"] < 0.9
    assert stored.calibration_of == "dwarf"
    listed = find_candidates(stored, b)
    last = listed.expected[-1]
    assert last["top"] == chosen.sum()
    assert last["low"] <= hits[listed.rows].sum() <= last["high"]
    assert not [line for line in listed.notes if "does not fit" in line]


def test_a_sky_whose_scores_are_lower_is_promised_no_more(tmp_path: Path) -> None:
    """Its first 100 hold as many, though most held-out true ones score above all of them."""
    a, labels = sky(tmp_path / "a.h5", 11, n=8000)
    inside = np.asarray(a.values[:, 0] + a.values[:, 1] > 1)
    rule = lasso_selection(a, inside, labels=labels, positive="dwarf")
    b, truth = sky(tmp_path / "b.h5", 51, n=8000)
    promised = []
    for other in (b, moved(b, 0.25)):
        listed = find_candidates(rule, other, ListOptions(threshold=-np.inf, top=1000))
        first = next(x for x in listed.expected if x["top"] == 100)
        hits = int((truth[listed.rows[:100]] == "dwarf").sum())
        assert first["low"] <= hits <= first["high"]
        promised.append(first["mean"])
    assert promised[1] <= promised[0]


def test_a_pure_top_is_promised_whole(tmp_path: Path) -> None:
    """Where all that pass are of the class, so are those of the next sky: of 100 more than 90."""
    a, labels = sky(tmp_path / "a.h5", 13)
    a, truth = moved(a, 0.0), labels == "dwarf"
    a.values[truth] += 6
    rule = lasso_selection(a, truth, labels=labels, positive="dwarf")
    listed = find_candidates(rule, a)
    first = next(x for x in listed.expected if x["top"] == 100)
    assert first["mean"] > 97
    assert first["low"] > 90


def test_the_top_of_a_list_levels_off_where_the_class_does(tmp_path: Path) -> None:
    """Deep inside the lasso there are no more of the class than at its edge: 4 of 10."""
    expected = without = hits = 0.0
    for seed in range(20, 25):
        a, _ = sky(tmp_path / f"{seed}.h5", seed)
        b, _ = sky(tmp_path / f"{seed}b.h5", 100 + seed)
        inside = np.asarray(a.values[:, 0] > 0.7)
        rule = lasso_selection(a, inside, labels=level(a, seed), positive="ring")
        assert rule.calibration is not None
        line = replace(rule, calibration=rule.calibration | {"top": None})
        listed = find_candidates(rule, b)
        assert listed.expected[1]["top"] == 30
        expected += listed.expected[1]["mean"]
        without += find_candidates(line, b).expected[1]["mean"]
        hits += np.sum(level(b, 100 + seed)[listed.rows[:30]] == "ring")
    assert expected / hits < 1.15 < without / hits


def test_labels_of_some_are_no_sky(tmp_path: Path) -> None:
    """It is written down whether the calibration rests on all objects of a sky."""
    e, labels = sky(tmp_path / "a.h5", 14)
    inside = np.asarray(e.values @ np.ones(D) > 4)
    some = np.where(np.arange(len(labels)) % 5 == 0, labels, "")
    for known, whole in ((labels, True), (some, False)):
        rule = lasso_selection(e, inside, labels=known, positive="dwarf")
        assert rule.calibration is not None
        assert rule.calibration["whole_sky"] is whole
        count = int((known == "dwarf").sum()), int((known == "other").sum())
        assert rule.calibration["labels"] == count


def test_what_was_drawn_is_measured_too(tmp_path: Path) -> None:
    """A region with a straight edge is found again nearly whole; how it was measured is said."""
    e, _ = sky(tmp_path / "a.h5", 3)
    inside = np.asarray(e.values @ np.ones(D) > 4)
    rule = lasso_selection(e, inside, origin={"map": "pca"})
    assert rule.measured["purity"]["low"] > 0.9
    assert rule.measured["completeness"]["low"] > 0.9
    assert "5 folds of blocks of sky" in rule.measured["how"]
    assert rule.origin == {"from": "lasso", "drawn": int(inside.sum()), "of": 4000, "map": "pca"}
    assert rule.exemplars.shape == (25, D)
    assert set(rule.exemplar_ids) <= set(e.id[inside].tolist())


def test_drawing_at_random_promises_nothing(tmp_path: Path) -> None:
    """A lasso around random objects: purity is their share, not what the fit remembers."""
    e, _ = sky(tmp_path / "a.h5", 4, n=1000)
    inside = np.random.default_rng(0).random(1000) < 0.3
    measured = lasso_selection(e, inside).measured
    assert measured["purity"]["low"] < 0.3 < measured["purity"]["high"] + 0.02


def test_twins_are_one_object(tmp_path: Path) -> None:
    """An object in two tiles counts once, and the drawn one of the two."""
    e, _ = sky(tmp_path / "a.h5", 5, n=400)
    e.ra[1::2], e.dec[1::2] = e.ra[::2], e.dec[::2]
    inside = np.asarray(e.values @ np.ones(D) > 3)
    inside[::2] = False
    rule = lasso_selection(e, inside)
    assert f"the {inside.sum()} objects drawn among 200" in rule.measured["how"]


def test_a_cut_on_a_column_becomes_a_rule(tmp_path: Path) -> None:
    """Objects without a value take no part; the name says the cut."""
    e, _ = sky(tmp_path / "a.h5", 6)
    column = np.asarray(e.values @ np.ones(D), dtype=np.float64)
    column[:100] = np.nan
    rule = threshold_selection(e, column, column="mag_r", high=-3.0)
    assert (rule.kind, rule.name) == ("threshold", "mag_r <= -3")
    assert "among 3900" in rule.measured["how"]
    assert rule.measured["purity"]["low"] > 0.9
    passed = np.asarray(e.values @ np.ones(D)) <= -3
    assert np.mean((rule.scores(e.values) >= rule.threshold) == passed) > 0.98
    both = threshold_selection(e, column, column="s", low=-1, high=1)
    assert both.name == "s >= -1 and <= 1"
    with pytest.raises(InputError, match="threshold on s: give a lowest value"):
        threshold_selection(e, column, column="s")
    with pytest.raises(InputError, match=r"s: \(3,\) values for 4000 objects"):
        threshold_selection(e, column[:3], column="s", low=1)


def test_few_objects_and_none(tmp_path: Path) -> None:
    """One object makes a rule without figures; nothing and everything are refused."""
    e, _ = sky(tmp_path / "a.h5", 7, n=50, positions=False)
    one = np.arange(50) == 7
    rule = lasso_selection(e, one)
    assert rule.scores(e.values)[7] >= rule.threshold
    assert rule.measured["how"] == "not measured: 1 objects drawn leave none to hold out"
    assert rule.calibration is None
    two = lasso_selection(e, np.arange(50) < 2)
    assert two.measured["purity"]["high"] - two.measured["purity"]["low"] > 0.2
    for inside in (np.zeros(50, bool), np.ones(50, bool)):
        with pytest.raises(InputError, match="a rule needs some inside and some outside"):
            lasso_selection(e, inside)
    with pytest.raises(InputError, match=r"int64 of shape \(50,\), must be \(50,\) of bool"):
        lasso_selection(e, np.ones(50, np.int64))


def test_rows_that_are_not_finite_take_no_part(tmp_path: Path) -> None:
    """They neither break the fit nor count."""
    e, _ = sky(tmp_path / "a.h5", 8, n=600)
    x = np.array(e.values)
    x[::10] = np.nan
    broken = Embeddings(e.path, x, e.id, e.ra, e.dec, e.tile, e.attributes)
    rule = lasso_selection(broken, np.asarray(e.values @ np.ones(D) > 2))
    assert "among 540" in rule.measured["how"]
    assert rule.measured["purity"]["mean"] > 0.7


def test_folds_never_part_close_neighbours() -> None:
    """Objects of one block of sky are in one fold; each fold has its part of what was drawn."""
    g = np.random.default_rng(0)
    ra, dec, drawn = g.uniform(0, 20, 3000), g.uniform(-10, 10, 3000), g.random(3000) < 0.1
    folds = sky_folds(ra, dec, np.full(3000, ""), drawn)
    assert folds.count == 5
    assert all(len(set(folds.fold[folds.group == b])) == 1 for b in set(folds.group.tolist()))
    held = np.bincount(folds.fold[drawn])
    assert held.max() - held.min() <= 5
    tiles = np.array(["a", "b", "c"])[np.arange(3000) % 3]
    by_tile = sky_folds(np.full(3000, np.nan), dec, tiles, drawn)
    assert (by_tile.count, by_tile.how) == (3, "3 folds of tiles")


def test_nothing_near_a_held_out_object_is_fitted() -> None:
    """Three arcmin are kept, as between the parts of a probe; other objects stay."""
    g = np.random.default_rng(1)
    ra, dec, drawn = g.uniform(0, 3, 4000), g.uniform(0, 3, 4000), g.random(4000) < 0.2
    folds = sky_folds(ra, dec, np.full(4000, ""), drawn)
    parts = training_parts(ra, dec, np.arange(4000), folds, drawn, 0)
    assert len(parts) == folds.count == 5
    for k, rows in enumerate(parts):
        held = np.flatnonzero(folds.fold == k)
        apart = separation_arcsec(ra[rows, None], dec[rows, None], ra[held], dec[held])
        assert 180 < apart.min() < 400
        assert len(rows) > 2000
    packed = training_parts(ra / 1e4, dec / 1e4, np.arange(4000), folds, drawn, 0)
    assert packed == []


def test_a_share_knows_how_alike_the_objects_of_a_group_are() -> None:
    """Independent objects give Wilson's interval (50 of 100: 0.404 to 0.596); groups widen it."""
    hits = np.arange(100) % 2 == 0
    alone = share(hits, np.arange(100))
    assert (round(alone["low"], 3), round(alone["high"], 3)) == (0.404, 0.596)
    clumped = share(np.sort(hits), np.arange(100) // 10)
    assert clumped["high"] - clumped["low"] > 2 * (alone["high"] - alone["low"])
    assert share(np.ones(20, bool), np.arange(20))["low"] == pytest.approx(0.839, abs=1e-3)
    assert share(np.zeros(0, bool), np.arange(0))["mean"] is None


def test_the_threshold_with_the_best_f1() -> None:
    """By hand: of 5, 4, 3, 2, 1 with hits 5, 4, 2 it is below 2; equal scores stay together."""
    truth = np.array([True, True, False, True, False])
    assert best_threshold(np.array([5.0, 4, 3, 2, 1]), truth) == 1.5
    assert best_threshold(np.array([5.0, 3, 3, 3, 1]), truth) == 2.0
    assert best_threshold(np.array([1.0, 0, 0, 0, 0]), truth & (np.arange(5) == 0)) == 0.5
