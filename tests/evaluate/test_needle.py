"""The table of what was tried: one change at a time, gains over the same draws."""

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from sky_ssl.evaluate.parts import Store

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
TINY = """
[data]
cutouts = ["given below"]
[model]
width = 16
depth = 2
heads = 2
patch_size = 16
[train]
batch_size = 8
"""


@pytest.fixture
def needle(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command, which imports its neighbour."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    import needle as command

    return command


def test_variants_are_trained_measured_and_set_beside_the_first(
    needle: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The use of a network trains nothing anew; what is there is read; gains are of pairs."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY, encoding="utf-8")
    store = Store(tmp_path / "results", tmp_path / "scratch")
    work = needle.Work(store, config, 2, 2, (51,), 1500, 40)
    chosen = {v.name: v for v in needle.VARIANTS}
    for name in (needle.BASE, "raw tokens", "whitening 0", "MAE"):
        work.measured(chosen[name])
    runs = sorted(path.name for path in (store.scratch / "fits").iterdir())
    assert [name.split("-")[1] for name in runs] == ["MAE", "base"]
    for name in ("draws_of", "_embed"):  # nothing is done again
        monkeypatch.setattr(needle, name, None)
    table = {entry["name"]: entry for entry in work.table()}
    assert set(table) == {needle.BASE, "raw tokens", "whitening 0", "MAE"}
    assert table[needle.BASE]["winner"]
    assert "gain" not in table[needle.BASE]
    assert set(table["MAE"]["gain"]) == set(needle.NAMES.values())
    assert set(table["whitening 0"]["figures"]) == {"nearest 25"}
    mine, base = work.measured(chosen["MAE"])[0], work.measured(chosen[needle.BASE])[0]
    pairs = mine["A@200"] - base["A@200"]
    assert table["MAE"]["gain"]["A@200"]["mean"] == pytest.approx(pairs.mean())
    expected = pairs.std(ddof=1) / np.sqrt(len(pairs))
    assert table["MAE"]["gain"]["A@200"]["error"] == pytest.approx(expected)


def test_other_settings_are_measured_anew(needle: ModuleType, tmp_path: Path) -> None:
    """Results lie under all that they depend on, weights under what they are learned from."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY, encoding="utf-8")
    work = needle.Work(Store(tmp_path), config, 2, 2)
    other = tmp_path / "other.toml"
    other.write_text(TINY.replace("= 8", "= 9"), encoding="utf-8")
    base = needle.VARIANTS[0]
    learned = {"config": other, "steps": 3, "cutouts": 50}
    seen = {"repeats": 3, "skies": (51,), "objects": 300}
    for name, value in {**learned, **seen}.items():
        changed = replace(work, **{name: value})
        assert changed.key(base).stem != work.key(base).stem, name
        same = changed.learned(base).stem == work.learned(base).stem
        assert same == (name in seen), name
    for field, value in {"turns": 8, "pooling": "mean", "use": "raw"}.items():
        changed = replace(base, **{field: value})
        assert work.key(changed).stem != work.key(base).stem, field
        assert work.learned(changed).stem == work.learned(base).stem, field
    deeper, wider = (replace(base, settings={f"model.{name}": "48"}) for name in ("depth", "width"))
    assert work.key(deeper).stem != work.key(wider).stem
    assert work.learned(deeper).stem != work.learned(wider).stem
    assert work.key(replace(base, what="said otherwise")).stem == work.key(base).stem


def test_an_unknown_variant_is_named(
    needle: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    tmp_path: Path,
) -> None:
    """The one that is not there, and how to see those that are."""
    monkeypatch.setattr(sys, "argv", ["needle.py", "--out", str(tmp_path), "--only", "nonsense"])
    assert needle.main() == 2
    assert "no variant 'nonsense'; --list names them" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["needle.py", "--list"])
    assert needle.main() == 0
    assert needle.BASE in capsys.readouterr().out
