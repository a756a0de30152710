"""Parts that are kept under the hash of their settings."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.parts import Key, Store, rounded


def test_another_setting_is_another_part(tmp_path: Path) -> None:
    """The name holds a hash of all settings, whatever their order."""
    store, key = Store(tmp_path), Key("a", "x", {"seed": 1, "labels": [10]})
    assert store.result(key) is None
    store.keep(key, {"figure": [0.12345678, np.nan]})
    assert store.result(key) == {"figure": [0.123457, None]}
    assert store.result(Key("a", "x", {"labels": [10], "seed": 1})) is not None
    assert store.result(Key("a", "x", {"seed": 2, "labels": [10]})) is None
    assert store.result(Key("b", "x", {"seed": 1, "labels": [10]})) is None


def test_what_is_large_may_lie_elsewhere(tmp_path: Path) -> None:
    """Results stay in the one folder; features, skies and fits go to the other."""
    results, scratch = tmp_path / "results", tmp_path / "scratch"
    store, key = Store(results, scratch), Key("a", "x", {"seed": 1})
    store.keep(key, {"figure": [1.0]})
    store.keep_features(key, np.zeros((2, 3)))
    store.made(key, ".h5", lambda path: path.touch())
    assert [path.name for path in results.iterdir()] == ["parts"]
    assert sorted(path.name for path in scratch.iterdir()) == ["features", "skies"]
    assert store.fit_folder(key).is_relative_to(scratch)


def test_features_are_kept_and_damage_is_named(tmp_path: Path) -> None:
    """Arrays come back as float32; a file cut short is an error that says what to do."""
    store, key = Store(tmp_path), Key("features", "x", {"seed": 1})
    store.keep_features(key, np.arange(6.0).reshape(2, 3))
    found = store.features(key)
    assert found is not None
    assert found.dtype == np.float32
    assert found[1].tolist() == [3, 4, 5]
    path = next((tmp_path / "features").iterdir())
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="remove it"):
        store.features(key)
    store.keep(key, {})
    next((tmp_path / "parts").iterdir()).write_text("{")
    with pytest.raises(InputError, match="remove it"):
        store.result(key)


def test_numbers_are_rounded_wherever_they_are() -> None:
    """Nested values keep six digits, whole numbers and words stay."""
    assert rounded({1: [1 / 3, 7, ("a", True)]}) == {"1": [0.333333, 7, ["a", True]]}
