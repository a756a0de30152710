"""The table of what was tried: one change at a time, gains over the same draws."""

import sys
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
    needle: ModuleType, tmp_path: Path
) -> None:
    """The use of a network trains nothing anew; what is there is read; gains are of pairs."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY, encoding="utf-8")
    store = Store(tmp_path / "results", tmp_path / "scratch")
    work = needle.Work(store, config, 2, 2, (51,), 1500, 40)
    chosen = {v.name: v for v in needle.VARIANTS}
    for name in (needle.BASE, "raw tokens", "whitening 0", "MAE"):
        work.measured(chosen[name])
    assert sorted(p.name for p in (store.scratch / "runs").iterdir()) == ["MAE-2", "base-2"]
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
    """The key of a part holds what is shared and what is different, not what it is called."""
    config = tmp_path / "tiny.toml"
    config.write_text(TINY, encoding="utf-8")
    work = needle.Work(Store(tmp_path), config, 2, 2)
    base = needle.VARIANTS[0]
    stem = work.key(base).stem
    others = [needle.Work(Store(tmp_path), config, 3, 2).key(base).stem]
    others.append(work.key(needle.Variant(base.name, "", {"model.depth": "3"})).stem)
    others.append(work.key(needle.Variant(base.name, "", turns=8)).stem)
    config.write_text(TINY.replace("= 8", "= 9"), encoding="utf-8")
    others.append(work.key(base).stem)
    assert len({stem, *others}) == 5
    config.write_text(TINY, encoding="utf-8")
    assert work.key(needle.Variant(base.name, "said otherwise")).stem == stem


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
