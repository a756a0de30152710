"""Selection rules: what they score, what they are made of, which embeddings they take."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.selection import (
    check_model,
    load_selection,
    probe_selection,
    save_selection,
    search_selection,
)
from sky_ssl.probes.calibration import fit_calibration
from sky_ssl.probes.linear import LinearClassifier, fit_classes

ATTRIBUTES = {
    "checkpoint_sha256": "ab" * 32, "pooling": "mean", "projection": 0, "survey": "mock",
    "bands": "g r",
}  # fmt: skip


def embeddings(
    path: Path, n: int = 60, D: int = 8, extra: dict[str, Any] | None = None, **changes: Any
) -> Embeddings:
    g = np.random.default_rng(1)
    columns = {
        "id": np.array([f"o{i}" for i in range(n)]), "ra": np.linspace(10, 20, n),
        "dec": np.zeros(n), "tile": np.full(n, "t"),
    }  # fmt: skip
    write_embeddings(
        path, [g.normal(size=(n, D))], (n, D), dtype="float32", columns=columns,
        attributes={**ATTRIBUTES, **changes}, extra=extra,
    )  # fmt: skip
    return open_embeddings(path)


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    return embeddings(tmp_path / "e.h5")


def test_a_probe_scores_its_decision_value_also_after_reading(
    e: Embeddings, tmp_path: Path
) -> None:
    """To 1e-6 what the classifier says, and exactly the same from the file."""
    truth = e.values[:, 0] > 0.3
    classifier = fit_classes(np.asarray(e.values), truth)
    calibration = fit_calibration(classifier.decision(e.values), truth)
    rule = probe_selection(
        e, classifier, positive=True, threshold=0.5, calibration=calibration, exemplars=[3, 5]
    )
    np.testing.assert_allclose(rule.scores(e.values), classifier.decision(e.values), atol=1e-6)
    save_selection(rule, tmp_path / "s.json")
    back = load_selection(tmp_path / "s.json")
    np.testing.assert_array_equal(back.scores(e.values), rule.scores(e.values))
    np.testing.assert_array_equal(back.exemplars, e.values[[3, 5]])
    assert (back.exemplar_ids, back.exemplar_ra[0]) == (("o3", "o5"), float(e.ra[3]))
    assert type(calibration).from_dict(back.calibration or {}) == calibration


def test_the_other_of_two_classes_is_the_other_side_of_the_plane(e: Embeddings) -> None:
    """And one of many has a plane of its own; a class that is not there is refused."""
    x = np.asarray(e.values)
    two = fit_classes(x, np.where(x[:, 0] > 0, "a", "b"))
    a = probe_selection(e, two, positive="a", threshold=0).scores(x)
    b = probe_selection(e, two, positive="b", threshold=0).scores(x)
    np.testing.assert_allclose(a, -b, atol=1e-6)
    assert a[x[:, 0] > 0.5].min() > 0
    three = LinearClassifier(
        np.array(["a", "b", "c"]), np.eye(3, 8), np.arange(3.0), np.zeros(8), np.ones(8)
    )
    c = probe_selection(e, three, positive="c", threshold=0)
    np.testing.assert_allclose(c.scores(x), x[:, 2] + 2, atol=1e-6)
    with pytest.raises(InputError, match="positive 'd': the classes are a, b, c"):
        probe_selection(e, three, positive="d", threshold=0)


def test_a_search_scores_the_mean_cosine(tmp_path: Path) -> None:
    """Against exemplars by row or by vector; the rule keeps the vectors themselves."""
    e = embeddings(tmp_path / "e.h5")
    x = np.asarray(e.values)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    rule = search_selection(e, [4, 7], threshold=0.9)
    np.testing.assert_allclose(rule.scores(x), unit @ unit[[4, 7]].mean(axis=0), atol=1e-6)
    of_vectors = search_selection(e, x[[4, 7]], ids=["p", "q"])
    np.testing.assert_array_equal(of_vectors.scores(x), rule.scores(x))
    assert (rule.exemplar_ids, of_vectors.exemplar_ids) == (("o4", "o7"), ("p", "q"))
    save_selection(of_vectors, tmp_path / "s.json")
    back = load_selection(tmp_path / "s.json")
    np.testing.assert_array_equal(back.scores(x), rule.scores(x))
    assert back.threshold is None


def test_counter_examples_count_with_their_weight(e: Embeddings) -> None:
    """Half by default, as in a search."""
    x = np.asarray(e.values)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    half = search_selection(e, [4], [7]).scores(x)
    np.testing.assert_allclose(half, unit @ (unit[4] - 0.5 * unit[7]), atol=1e-6)
    whole = search_selection(e, [4], [7], unlike_weight=1.0).scores(x)
    np.testing.assert_allclose(whole, unit @ (unit[4] - unit[7]), atol=1e-6)


def test_exemplars_that_make_no_sense_are_refused(e: Embeddings) -> None:
    """None at all, rows outside the file, vectors of another length or with NaN."""
    with pytest.raises(InputError, match="at least one exemplar"):
        search_selection(e, [])
    with pytest.raises(InputError, match="rows must be from 0 to 59"):
        search_selection(e, [60])
    with pytest.raises(InputError, match=r"must be finite and \(M, 8\)"):
        search_selection(e, np.ones((2, 7)))
    with pytest.raises(InputError, match="1 ids for 2 exemplars"):
        search_selection(e, np.ones((2, 8)), ids=["a"])


OTHERS = [
    ({"checkpoint_sha256": "cd" * 32}, "model cdcdcd.*is for model ababab"),
    ({"checkpoint_sha256": ""}, "model unknown, but"),
    ({"pooling": "max"}, "pooling 'max', but .* is for 'mean'"),
    ({"turns": 8}, "averaged over 8 turns, but .* is for 1; embed with --turns 1"),
    ({"projection": 4}, "projection 4, but .* is for none"),
    ({"D": 9}, "9 numbers per object, but .* is for 8"),
]


@pytest.mark.parametrize(("change", "message"), OTHERS, ids=lambda v: str(v)[:24])
def test_embeddings_of_another_model_are_refused(
    change: dict[str, Any], message: str, e: Embeddings, tmp_path: Path
) -> None:
    """In one line that names the file and both sides."""
    rule = search_selection(e, [1])
    other = embeddings(tmp_path / "other.h5", **change)
    with pytest.raises(InputError, match=message) as caught:
        check_model(rule, other)
    assert "other.h5" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_projections_of_two_files_have_two_sets_of_axes(tmp_path: Path) -> None:
    """A PCA is fitted to each file: the same number of axes does not make them the same."""
    axes = [np.full((8, 20), value, np.float32) for value in (1.0, 2.0)]
    one, other, same = (
        embeddings(
            tmp_path / f"{i}.h5", projection=8,
            extra={"projection_axes": axes[i % 2], "projection_mean": axes[0][0]},
        )
        for i in range(3)
    )  # fmt: skip
    rule = search_selection(one, [1])
    assert check_model(rule, same) == []
    with pytest.raises(InputError, match=r"axes .* of its own.*embed both without --project"):
        check_model(rule, other)


def test_what_cannot_be_checked_is_said(e: Embeddings, tmp_path: Path) -> None:
    """Vectors of one's own name no model; another survey of the same model is allowed."""
    own = embeddings(tmp_path / "own.h5", checkpoint_sha256="")
    assert "does not name its model" in check_model(search_selection(own, [1]), own)[0]
    rule = search_selection(e, [1])
    (line,) = check_model(rule, embeddings(tmp_path / "o.h5", survey="hsc"))
    assert "made on survey 'mock', these are of 'hsc'" in line
    with pytest.raises(InputError, match="for embeddings of 8 numbers, not 3"):
        rule.scores(np.ones((2, 3)))


def test_rows_that_are_not_finite_have_no_score(e: Embeddings) -> None:
    """Neither by a plane nor by a cosine; and no rows give no scores."""
    x = np.array(e.values)
    x[2, 3], x[5, 0] = np.nan, np.inf
    probe = probe_selection(e, fit_classes(e.values, e.ra > 15), positive=True, threshold=0)
    for rule in (search_selection(e, [1]), probe):
        assert np.flatnonzero(np.isnan(rule.scores(x))).tolist() == [2, 5]
        assert rule.scores(x[:0]).shape == (0,)
