"""Few-shot curves from the tables of the evidence."""

from typing import Any

import numpy as np

from sky_ssl.figures.printed.fewshot import draw_fewshot, lines_of
from sky_ssl.figures.printed.style import to_png


def one(mean: float, name: str = "balanced_accuracy") -> dict[str, Any]:
    return {name: {"mean": mean, "low": mean - 0.1, "high": mean + 0.05, "error": 0.01, "n": 5}}


TASK = {
    "photometry": {"100": one(0.8), "30": one(0.75), "1000": one(0.85)},
    "trained": {"30": one(0.8), "100": one(0.9)},
    "trained, 8 turns": {"100": one(0.92)},
    "cnn": {"100": one(0.7)},
    "something new": {"100": one(0.5)},
}


def test_lines_are_sorted_by_number_of_labels() -> None:
    """Labels are numbers and not text; the trained model comes last, on top; unknown ways not."""
    lines = lines_of(TASK, "balanced_accuracy")
    by_words = {line.words: line for line in lines}
    assert by_words["photometry, linear"].labels == ("30", "100", "1000")
    np.testing.assert_allclose(by_words["photometry, linear"].values[:, 0], [0.75, 0.8, 0.85])
    assert lines[-1].words == "trained model, linear probe"
    assert len(lines) == 4
    assert lines_of(TASK, "average_precision") == []


def test_panels_are_those_that_were_measured() -> None:
    """Tasks without figures have no panel; networks are marks with bars and probes lines."""
    figure = draw_fewshot({"A": TASK, "B": {}}, {}, ceiling_labels=50_000, note="simulated")
    (panel,) = [axis for axis in figure.axes if axis.get_title(loc="left")]
    assert panel.get_title(loc="left") == "Dwarfs against all others"
    assert [t.get_text() for t in panel.get_xticklabels()] == ["30", "100", "1000"]
    key = [t.get_text() for t in figure.axes[-1].get_legend().get_texts()]
    assert key[:2] == ["trained model, linear probe", "trained model, averaged over turns"]
    assert "small CNN, labels alone" in key
    assert len(panel.containers) == 1
    assert figure.texts[-1].get_text() == "simulated"


def test_ceiling_is_the_best_network() -> None:
    """A line at the best of the networks that saw very many labels, named with their number."""
    ceiling = {"A": {"cnn": one(0.95), "scratch": one(0.97)}}
    figure = draw_fewshot({"A": TASK}, ceiling, ceiling_labels=50_000, note="")
    key = figure.axes[-1].get_legend()
    assert key.get_texts()[-1].get_text() == "best network, 50,000 labels"
    assert figure.axes[0].lines[-1].get_ydata()[0] == 0.97


def test_all_labels_stand_last() -> None:
    """Redshift has "all" labels beside numbers, and R2 far below zero is cut off."""
    task = {"trained": {"all": one(0.7, "r2"), "10": one(-3.0, "r2"), "100": one(0.5, "r2")}}
    figure = draw_fewshot({"Z": task}, {}, ceiling_labels=1, note="")
    panel = figure.axes[0]
    assert [t.get_text() for t in panel.get_xticklabels()] == ["10", "100", "all"]
    assert panel.get_ylabel() == "R²"
    assert panel.get_ylim()[0] > -0.2
    assert to_png(figure)
