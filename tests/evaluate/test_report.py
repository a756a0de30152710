"""The results in words: from the evidence alone, and harmless."""

from pathlib import Path
from typing import Any

from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.evidence import assemble, read_evidence, read_needle, run_parts
from sky_ssl.evaluate.parts import rounded
from sky_ssl.evaluate.plan import plan
from sky_ssl.evaluate.report import report, write_report
from sky_ssl.evaluate.tables import cell, escaped, table, with_error

DOCS = Path(__file__).resolve().parents[2] / "docs"


def empty() -> dict[str, Any]:
    """Evidence of nothing yet."""
    settings = {
        **{"skies": [101], "turns": 8, "objects": 300, "repeats": 2, "fit_labels": [200]},
        **{"fit_draws": 3, "ceiling_objects": 9, "ceiling_seed": 61},
        **{"presets": ["native", "wide"], "fit_presets": ["native", "wide"]},
    }
    return {"settings": settings, "models": {}, "presets": {}, "missing": ["a", "b"]}


def test_nothing_measured_is_said(tmp_path: Path) -> None:
    """A report of nothing names all goals as not measured, and the parts that are missing."""
    write_report(tmp_path / "RESULTS.md", empty())
    text = (tmp_path / "RESULTS.md").read_text()
    assert text.count("**not measured**") == 8
    assert "2 parts have not been measured yet** (a: 1, b: 1)" in text
    assert "Reached:\n" not in text


def test_what_is_missing_is_counted_by_kind() -> None:
    """Kind and preset, and how many parts of each."""
    missing = ["networks native-101-A-cnn-200-0", "networks native-102-A-cnn-200-1", "tile x"]
    text = report({**empty(), "missing": missing})
    assert "**3 parts have not been measured yet** (networks native: 2, tile x: 1)" in text


def test_skies_of_a_run_whose_files_are_gone_are_not_vouched_for() -> None:
    """No network "is known to have been" trained on the skies, where some files are unknown."""
    model = {"network": "n", "step": 1, "skies": [], "skies_unknown": 0, "sha256": "0" * 64}
    for unknown, words in ((0, "no network was trained"), (2, "no network is known to have been")):
        text = report({**empty(), "models": {"native": {**model, "skies_unknown": unknown}}})
        assert words in text


def test_presets_without_fitted_networks_are_named() -> None:
    """Those that are measured but not fitted on, and no word where there are none."""
    evidence, words = empty(), "no networks are fitted"
    assert words not in report(evidence)
    evidence["settings"]["fit_presets"] = ["native"]
    assert f"On wide {words} and no ceiling is measured." in report(evidence)


def test_every_figure_of_a_bench_is_in_the_report(small_bench: Bench) -> None:
    """Tables of all tasks, with each kind of features; the same evidence, the same words."""
    parts = plan(small_bench, ("fewshot", "search", "calibration"))
    run_parts(small_bench, parts)
    evidence = assemble(small_bench, parts)
    text = report(evidence)
    assert text == report(evidence)
    table = evidence["presets"]["native"]["fewshot"]
    for task in table:
        figure = "r2" if task == "Z" else "balanced_accuracy"
        for name, by_label in table[task].items():
            assert f"| {name} | {by_label['10'][figure]['mean']:.3f} (" in text
    for title in ("### Search", "### Are the promises kept?", "### Redshift"):
        assert title in text


def test_real_images_and_trials_have_their_tables() -> None:
    """Gains with a sign; the winner is bold; a figure that was not measured is a dash."""
    value = {"mean": 0.7, "low": 0.6, "high": 0.8}
    both = {task: {**value, "gain": value} for task in ("types", "dwarfs")}
    row = {"linear": 0.5, "linear_5x5": 0.6, "model": 0.7, "pixels": 1234.0}
    first = {"A": {"mean": 0.9, "error": 0.01}}
    gain = {"A": {"mean": 0.02, "error": 0.01}}
    second = {"B": {"mean": 0.5, "error": None}}
    real = {
        "pictures": {"pictures": 4458, "table": {"mine": both}},
        "tile": {"rows": [0.75, 1.0], "tables": {"1": {"bands": {"u": row}, "mean": row}}},
        "needle": [
            {"name": "patch 4", "what": "x", "figures": first, "gain": gain, "winner": True},
            {"name": "loss", "what": "y", "figures": second},
        ],
    }
    text = report({**empty(), **real})
    assert "| mine | 0.700 (0.600 to 0.800) | +0.700 (+0.600 to +0.800) |" in text
    assert "| u | 0.500 | 0.600 | 0.700 | 1,234 |" in text
    assert "| **patch 4** | x | 0.900 ± 0.010 (+0.020 ± 0.010) | – |" in text
    assert "| loss | y | – | 0.500 |" in text


def test_text_from_files_cannot_break_a_table() -> None:
    """Bars, stars and tags are text; figures are rounded as asked."""
    assert escaped("a|b\n<i> *c*") == "a\\|b &lt;i> \\*c\\*"
    assert table(["x|"], [["**bold**"]]) == "| x\\| |\n|---|\n| **bold** |"
    figure = {"mean": 0.5, "low": 0.4, "high": 0.6, "error": 0.01, "n": 4}
    assert cell(figure, 2) == "0.50 (0.40 to 0.60)"
    assert cell({**figure, "n": 1}) == "0.500"
    assert with_error(figure, sign=True) == "+0.500 ± 0.010"
    assert cell(None) == with_error(None) == "–"


def test_the_published_results_are_those_of_the_published_evidence() -> None:
    """`docs/RESULTS.md` is what the command writes from `docs/evidence`, to the last letter."""
    evidence = read_evidence(DOCS / "evidence")
    tried = read_needle(DOCS / "evidence" / "needle" / "needle.json")
    assert evidence["needle"] == rounded(tried)
    assert (DOCS / "RESULTS.md").read_text(encoding="utf-8") == report(evidence)
