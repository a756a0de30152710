"""Selection rules on disk: exact, readable, and strict about what they read."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore import rulefile
from sky_ssl.explore.axes import Axes
from sky_ssl.explore.features import softened
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.rulefile import content_hash, load_selection, save_selection
from sky_ssl.explore.whitening import Whitening


def rule(D: int = 6, M: int = 2) -> Selection:
    g = np.random.default_rng(3)
    return Selection(
        kind="probe", name="dwarfs \u2713", model="a" * 64, dimensions=D, survey="mock",
        pooling="central", bands=("g", "r"), threshold=0.25, coefficients=g.normal(size=D),
        intercept=-1 / 3, mean=g.normal(size=D) * 1e6, std=g.uniform(1e-6, 2, D),
        exemplars=g.normal(size=(M, D)).astype(np.float32), exemplar_ids=("a", "b")[:M],
        exemplar_ra=(10.1, math.nan)[:M], exemplar_dec=(-0.5, math.nan)[:M],
        measured={"purity": {"mean": 0.9, "low": 0.8, "high": 0.95}, "how": "held out"},
        origin={"from": "lasso"}, made="2026-01-01T00:00:00+00:00", version="0.1.0",
    )  # fmt: skip


def test_a_rule_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every number to the last bit, so that the scores are the same."""
    s = rule()
    save_selection(s, tmp_path / "s.json")
    back = load_selection(tmp_path / "s.json")
    values = np.random.default_rng(0).normal(0, 1e6, (50, 6)).astype(np.float32)
    np.testing.assert_array_equal(back.scores(values), s.scores(values))
    np.testing.assert_array_equal(back.exemplars, s.exemplars)
    assert (back.name, back.measured, back.bands) == (s.name, s.measured, s.bands)
    assert back.exemplar_ra[0] == 10.1
    assert math.isnan(back.exemplar_ra[1])
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"]


def test_turns_are_kept_where_there_are_any(tmp_path: Path) -> None:
    """A rule of turned embeddings says so; others are written as they always were."""
    save_selection(replace(rule(), turns=8), tmp_path / "s.json")
    assert load_selection(tmp_path / "s.json").turns == 8
    save_selection(rule(), tmp_path / "s.json")
    assert "turns" not in json.loads((tmp_path / "s.json").read_text())
    assert load_selection(tmp_path / "s.json").turns == 1


def test_the_content_hash_is_that_of_the_file(tmp_path: Path) -> None:
    """So a list can name its rule, and `sha256sum` confirms it; also after reading."""
    save_selection(rule(), tmp_path / "s.json")
    said = hashlib.sha256((tmp_path / "s.json").read_bytes()).hexdigest()
    assert content_hash(rule()) == said == content_hash(load_selection(tmp_path / "s.json"))


def test_unknown_keys_are_left_alone(tmp_path: Path) -> None:
    """A later version may add to the file."""
    save_selection(rule(), tmp_path / "s.json")
    document = json.loads((tmp_path / "s.json").read_text())
    (tmp_path / "s.json").write_text(json.dumps({**document, "colour": {"of": ["x"]}}))
    assert load_selection(tmp_path / "s.json").threshold == 0.25


def test_the_softness_of_a_probe_comes_back(tmp_path: Path) -> None:
    """A rule scores what its probe was fitted on; rules that were made without it stay theirs."""
    usual = replace(rule(), mean=np.zeros(6), std=np.ones(6))
    save_selection(replace(usual, softness=1.0), tmp_path / "s.json")
    save_selection(usual, tmp_path / "plain.json")
    values = np.random.default_rng(0).normal(0, 9, (50, 6)).astype(np.float32)
    soft, plain = (load_selection(tmp_path / f"{name}.json") for name in ("s", "plain"))
    np.testing.assert_allclose(soft.scores(values), plain.scores(softened(values)), rtol=1e-5)
    assert not np.allclose(soft.scores(values), plain.scores(values), atol=0.1)
    assert "softness" not in (tmp_path / "plain.json").read_text()


def whitened_rule() -> Selection:
    g = np.random.default_rng(4)
    axes = Axes(g.normal(size=6).astype(np.float32), g.normal(size=(2, 6)).astype(np.float32), 3)
    whitening = Whitening(axes, np.array([0.5, 0.01], np.float32))
    query = np.array([0.3, -0.2], np.float32)
    return Selection("search", "w", "a" * 64, 6, tokens=3, query=query, whitening=whitening)


def test_a_whitening_comes_back_as_it_was(tmp_path: Path) -> None:
    """The same scores to the last bit, a line for each axis, the hash that of the file."""
    save_selection(whitened_rule(), tmp_path / "s.json")
    back = load_selection(tmp_path / "s.json")
    values = np.random.default_rng(0).normal(0, 9, (50, 6)).astype(np.float32)
    np.testing.assert_array_equal(back.scores(values), whitened_rule().scores(values))
    text = (tmp_path / "s.json").read_text()
    assert content_hash(back) == hashlib.sha256(text.encode()).hexdigest()
    assert len(json.loads(text)["whitening_axes"]) == 2
    assert text.count("\n  [") == 2


def test_rules_without_a_whitening_are_as_before(tmp_path: Path) -> None:
    """Not a key more, so that their hashes stay; and they load."""
    plain = replace(whitened_rule(), whitening=None, query=np.ones(6, np.float32))
    save_selection(plain, tmp_path / "s.json")
    assert "whitening" not in (tmp_path / "s.json").read_text()
    assert load_selection(tmp_path / "s.json").whitening is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"whitening_axes": [[1.0] * 5] * 2}, "whitening_axes must be a list of 6 numbers"),
        ({"whitening_axes": 3}, "whitening_axes is not a list"),
        ({"whitening_axes": [[1.0] * 6]}, r"whitening_deviation must be a list of 1 numbers \(2\)"),
        ({"whitening_mean": None}, "whitening_mean must be a list of 6 numbers"),
        ({"whitening_mean": [1e200] * 6}, "hold numbers above 1e30"),
        ({"whitening_deviation": [1.0, 0.0]}, "whitening_deviation holds numbers that are not ab"),
        ({"whitening_axes": None}, r"query must be a list of 6 numbers \(2\)"),
        ({"query": [1.0] * 6}, r"query must be a list of 2 numbers \(6\)"),
        ({"tokens": 0}, "tokens '0': must be a whole number from 1"),
    ],
    ids=lambda v: str(v)[:30],
)
def test_a_damaged_whitening_is_refused_in_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Sizes must fit each other and the query."""
    save_selection(whitened_rule(), tmp_path / "s.json")
    document = json.loads((tmp_path / "s.json").read_text()) | change
    (tmp_path / "s.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=message):
        load_selection(tmp_path / "s.json")


BAD: list[tuple[dict[str, Any], str]] = [
    ({"schema": "sky_ssl selection 2"}, "schema 'sky_ssl selection 2', this version reads"),
    ({"schema": None}, "lacks the key schema"),
    ({"kind": "lasso"}, "kind 'lasso': allowed are probe, search, threshold"),
    ({"coefficients": [1.0]}, r"coefficients must be a list of 6 numbers \(1\)"),
    ({"coefficients": ["1"] * 6}, "coefficients holds '1', which is not a finite number"),
    ({"coefficients": [True] * 6}, "not a finite number"),
    ({"mean": [1e999] * 6}, "mean holds 'inf'"),
    ({"mean": None}, "mean must be a list of 6 numbers"),
    ({"std": [0.0] * 6}, "std holds numbers that are not above 0"),
    ({"dimensions": 0}, "dimensions '0': must be a whole number from 1"),
    ({"dimensions": 10**30}, "dimensions"),
    ({"tokens": 4}, "4 tokens do not divide 6"),
    ({"threshold": "0"}, "threshold holds '0'"),
    ({"softness": -1.0}, "softness -1: must be 0 or more"),
    ({"softness": "1"}, "softness holds '1'"),
    ({"exemplars": [[1.0] * 5] * 2}, "exemplars must be a list of 6 numbers"),
    ({"exemplar_ids": ["a"]}, "1 exemplar_ids for 2 exemplars"),
    ({"exemplar_ra": [1.0]}, "exemplar_ra must be a list of 2"),
    ({"exemplars": 5}, "exemplars"),
    ({"measured": [1]}, "measured is not an object"),
    ({"name": "x" * 20_000}, "name is not a text"),
    ({"intercept": 10**400}, "intercept"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=lambda v: str(v)[:30])
def test_damaged_rules_are_refused_in_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    """Each with the file and what is wrong."""
    save_selection(rule(), tmp_path / "s.json")
    document = json.loads((tmp_path / "s.json").read_text()) | change
    text = json.dumps(document).replace("Infinity", "1e999")
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_selection(tmp_path / "s.json")
    assert "s.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[1, 2]", b"null", b'{"a": NaN}', b"\xff\xfe\x00", b"[" * 100_000, b"9" * 9999],
    ids=["empty", "cut", "list", "null", "nan", "binary", "deep", "long number"],
)
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    """Not JSON, or JSON of something else."""
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json: not a selection rule"):
        load_selection(tmp_path / "x.json")


def test_huge_and_missing_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is read."""
    with pytest.raises(InputError, match=r"no\.json: cannot be read \(No such file"):
        load_selection(tmp_path / "no.json")
    save_selection(rule(), tmp_path / "s.json")
    monkeypatch.setattr(rulefile, "MOST_BYTES", 100)
    with pytest.raises(InputError, match="a selection rule has at most 100"):
        load_selection(tmp_path / "s.json")
