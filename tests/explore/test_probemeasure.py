"""The measurements of the page Probe are those of the command."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from sky_ssl.embedding.store import write_embeddings
from sky_ssl.explore.probemeasure import measure_probe
from sky_ssl.explore.probescore import ProbeOptions, measure
from sky_ssl.explore.probing import Problem, load_problem
from sky_ssl.probes.crossval import cross_validate_classes
from sky_ssl.probes.draws import few_shot
from sky_ssl.probes.prevalence import Prevalence


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    """400 objects of two kinds on a wide sky, told apart along narrow axes of their tokens."""
    rng = np.random.default_rng(0)
    n, D = 400, 24
    kind = rng.random(n) < 0.5
    width = np.geomspace(3, 0.05, D)
    values = rng.normal(size=(n, D)) * width
    values[:, -6:] += np.where(kind, 0.6, -0.6)[:, None] * width[-6:]
    values = values @ np.linalg.qr(rng.normal(size=(D, D)))[0]
    names = np.array([f"s{i}" for i in range(n)])
    columns = {"ra": rng.uniform(100, 140, n), "dec": rng.uniform(-10, 10, n), "id": names}
    write_embeddings(
        tmp_path / "e.h5",
        [values.astype(np.float32)],
        (n, D),
        dtype="float32",
        columns={**columns, "tile": np.array([""] * n)},
        attributes={"pooling": "central"},
    )
    table = pd.DataFrame({"id": names, "kind": np.where(kind, "dwarf", "other")})
    table.to_csv(tmp_path / "t.csv", index=False)
    return load_problem(tmp_path / "e.h5", tmp_path / "t.csv", "kind", positive="dwarf")


def test_the_learning_curve_of_the_page_is_that_of_the_command(problem: Problem) -> None:
    """Point by point, which they make of one function; it knows the survey unlabelled."""
    curve = measure(problem, ProbeOptions(learning_curve=True)).result["learning_curve"]
    *_, last = measure_probe(problem, Prevalence(0.1), None, lambda _share, _what: None)
    sizes = [point["n_train"] for point in curve]
    assert [point["n_train"] for point in last.curve] == sizes == [4, 10, 20, 50, 100, 200]
    for mine, theirs in zip(last.curve, curve, strict=True):
        assert mine["roc_auc"].mean == theirs["roc_auc"]["mean"]
    assert problem.prior is not None
    x = problem.x
    found = few_shot(
        x, problem.y, problem.groups, labels=20, repeats=5, apart=problem.apart, prior=problem.prior
    )
    truth = [problem.y[draw.test] for draw in found]
    scores = [roc_auc_score(t, draw.values) for t, draw in zip(truth, found, strict=True)]
    assert curve[2]["roc_auc"]["mean"] == pytest.approx(np.mean(scores))


def test_what_is_held_out_is_predicted_as_well_as_the_probe_does(problem: Problem) -> None:
    """The cross-validation knows the survey unlabelled, as the probe that it speaks for."""
    found = measure(problem, ProbeOptions())
    expected = cross_validate_classes(
        problem.x, problem.y, problem.groups, apart=problem.apart, prior=problem.prior
    )
    np.testing.assert_array_equal(found.held, expected.values)
    plain = cross_validate_classes(problem.x, problem.y, problem.groups, apart=problem.apart)
    assert not np.allclose(found.held, plain.values)
