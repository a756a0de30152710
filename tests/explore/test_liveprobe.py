"""The probe while one labels: at once, the same as the full one, and honest about little."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore import probemeasure
from sky_ssl.explore.features import Softened
from sky_ssl.explore.liveprobe import (
    Live,
    Question,
    ask,
    next_rows,
    prevalence_for,
    rule_now,
    score_all,
)
from sky_ssl.explore.probescore import ProbeOptions, measure
from sky_ssl.probes.linear import fit_classes
from sky_ssl.probes.prevalence import Prevalence

N, D = 400, 16
DWARF = Question("dwarf", "dwarf", ("unsure",))


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    """Embeddings of which a fifth is a kind of its own, spread over 20 degrees of sky."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, D)).astype(np.float32)
    x[kinds() == "dwarf", :4] += 1.5
    x[-1] = np.nan
    columns = {
        "id": np.array([f"o{i}" for i in range(N)]),
        "ra": rng.uniform(100, 120, N),
        "dec": rng.uniform(-10, 10, N),
        "tile": np.array(["t"] * N),
    }
    path = tmp_path / "e.h5"
    write_embeddings(path, [x], x.shape, dtype="float32", columns=columns, attributes={})
    return open_embeddings(path)


def kinds() -> np.ndarray:
    return np.where(np.arange(N) % 5 == 0, "dwarf", "other").astype(object)


def asked(e: Embeddings, n: int, question: Question = DWARF) -> Live:
    return ask(e, np.arange(n), kinds()[:n], question)


def test_two_labels_are_a_probe_and_one_kind_is_not(e: Embeddings) -> None:
    """It says what is missing; with one label of each kind every object has a probability."""
    assert "no object is labelled 'dwarf' yet" in ask(e, np.array([1]), kinds()[1:2], DWARF).missing
    assert "none labelled otherwise" in asked(e, 1).missing
    found = asked(e, 2)
    p = found.probability(Prevalence(0.5))
    assert found.counts == (1, 1)
    assert np.isfinite(p[:-1]).all()
    assert np.isnan(p[-1])  # no embedding, no answer
    assert 1 / 3 - 1e-6 <= np.nanmin(p) <= np.nanmax(p) <= 2 / 3 + 1e-6  # one label proves little


def test_labels_left_out_are_on_neither_side(e: Embeddings) -> None:
    """Unsure ones do not count, and are not offered again."""
    labels = kinds()[:60].copy()
    labels[:10] = "unsure"
    found = ask(e, np.arange(60), labels, DWARF)
    assert found.counts == (10, 40)
    assert not np.isin(next_rows("top", 20, found), np.arange(60)).any()


def test_the_quick_probe_is_that_which_is_measured(e: Embeddings) -> None:
    """The same coefficients as the full fit, so that figures are about what the map shows."""
    found = asked(e, 200)
    assert found.problem is not None
    assert found.model is not None
    full = measure(found.problem, ProbeOptions()).model
    np.testing.assert_allclose(found.model.model.coefficients, full.model.coefficients)
    assert found.model.calibration == full.calibration
    assert found.key == asked(e, 200).key != asked(e, 199).key


def test_tokens_of_a_model_are_scored_as_they_are_fitted(e: Embeddings) -> None:
    """The score of all is the decision value on softened tokens."""
    from dataclasses import replace

    tokens = replace(e, attributes={**e.attributes, "pooling": "central", "model": '{"width": 4}'})
    x = Softened(e.values)
    model = fit_classes(x[:200], kinds()[:200] == "dwarf")
    np.testing.assert_allclose(
        score_all(tokens, model)[:-1], model.decision(x[:-1]), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("strategy", ["uncertainty", "margin", "diversity", "top"])
def test_queues_hold_what_they_say(e: Embeddings, strategy: str) -> None:
    """Without labelled objects and repeats; before there is a probe as well."""
    found = asked(e, 100)
    for live in (found, asked(e, 1)):
        rows = next_rows(strategy, 15, live)
        assert len(set(rows.tolist())) == 15
        assert not np.isin(rows, live.rows).any()
    if strategy == "top":
        assert (kinds()[next_rows("top", 15, found)] == "dwarf").mean() > 0.8


def test_the_share_is_typed_or_audited_or_that_of_the_labels(e: Embeddings) -> None:
    """An audit counts from fifty objects on; unsure ones are not among them."""
    found = asked(e, 100)
    given = Prevalence(0.01)
    assert prevalence_for(found, given, []) == (given, given, "as given")
    audit = ["dwarf"] * 3 + ["other"] * 47 + ["unsure", ""]
    share, known, words = prevalence_for(found, None, audit)
    assert (share.hits, share.of) == (3, 50)
    assert known == share
    assert "50 audited" in words
    share, known, _ = prevalence_for(found, None, audit[:20])
    assert known is None
    assert share.value == pytest.approx(0.2, abs=0.01)


def test_a_probe_is_measured_bit_by_bit(e: Embeddings) -> None:
    """Figures first, then the learning curve; a threshold, a confusion and a rule come of it."""
    found = asked(e, 300)
    assert found.problem is not None
    share, known, _ = prevalence_for(found, None, [])
    told: list[str] = []
    steps = list(
        probemeasure.measure_probe(found.problem, share, known, lambda _, words: told.append(words))
    )
    assert [len(s.curve) for s in steps] == list(range(len(steps)))
    assert len(steps) > 3
    assert told[0] == "cross-validation"
    last = steps[-1]
    figure = last.figure("balanced_accuracy")
    assert figure is not None
    assert figure.low <= figure.mean <= figure.high
    at = last.best_threshold()
    matrix = last.confusion(at)
    assert matrix.sum() == 300
    assert matrix[1, 1] / matrix[1].sum() == pytest.approx(last.at(at)["completeness"].mean)
    assert matrix[1, 1] / matrix[:, 1].sum() == pytest.approx(last.at(at)["purity"].mean)
    rule = probemeasure.rule_of(last, at, name="mine", sources={"lasso": 300})
    scores = rule.scores(e.values)
    assert rule.calibration_of == "dwarf"
    p = found.probability(share)
    np.testing.assert_array_equal((p >= at)[:-1], (scores >= rule.threshold)[:-1])
    ranking = rule_now(found, share)
    assert ranking.threshold is None
    np.testing.assert_allclose(ranking.scores(e.values), found.scores, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="no probe"):
        rule_now(asked(e, 1), share)


def test_too_little_and_a_biased_draw_are_said() -> None:
    """In plain words, and only where it is so."""
    assert "far too little" in probemeasure.verdict(2, 50)
    assert "rough" in probemeasure.verdict(10, 50)
    assert probemeasure.verdict(20, 50) == ""
    said = probemeasure.bias_words({"lasso": 30, "audit": 10, "search": 5})
    assert "35 of 45 labels were picked (lasso 30, search 5)" in said
    assert probemeasure.bias_words({"audit": 10, "import": 5}) == ""
