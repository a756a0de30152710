"""Charts of probes and regressions: what is drawn is what was given."""

import numpy as np
import pytest

from sky_ssl.figures import curves
from sky_ssl.figures.redshift import draw_agreement, draw_deviation

BAND = np.array([[0.9, 0.8, 0.95], [0.8, 0.7, 0.9], [0.5, 0.4, 0.6]])


def test_thresholds_have_bands_and_the_chosen_one() -> None:
    """Two lines with their bands, on an axis of log-odds."""
    threshold = np.array([0.99, 0.5, 0.001])
    figure = curves.draw_thresholds(threshold, BAND, BAND, 0.5)
    assert [t.name for t in figure.data if t.showlegend is not False] == ["purity", "completeness"]
    np.testing.assert_allclose(figure.data[1].x, np.log(threshold / (1 - threshold)))
    np.testing.assert_allclose(figure.data[1].y, BAND[:, 0])
    assert figure.layout.shapes[0].x0 == pytest.approx(0)
    assert "0.5" in figure.layout.xaxis.ticktext


def test_names_from_people_are_text() -> None:
    """A label with a tag in it is not a tag."""
    matrix = np.array([[3, 1], [0, 4]])
    limits = np.zeros((2, 2, 3))
    figure = curves.draw_confusion(matrix, limits, ["<b>x</b>", "dwarf"])
    assert figure.data[0].x[0] == "&lt;b&gt;x&lt;/b&gt;"
    assert draw_agreement(
        BAND[:, 0], BAND[:, 1], "<i>z", redshift=True
    ).layout.xaxis.title.text == ("&lt;i&gt;z, true")


def test_learning_and_reliability_hold_their_points() -> None:
    """As many as there are."""
    figures = dict.fromkeys(("balanced_accuracy", "roc_auc"), (0.8, 0.7, 0.9))
    points = [{"n_train": n, **figures, "average_precision": (0.5, 0.2, 0.7)} for n in (10, 20)]
    figure = curves.draw_learning(points)
    assert [t.name for t in figure.data[1::2]] == [
        "balanced accuracy", "ROC AUC", "average precision",
    ]  # fmt: skip
    assert figure.layout.yaxis.range[0] == pytest.approx(0.15)
    r = curves.draw_reliability(np.array([0.1, 0.5, 0.9]), BAND, np.array([5.0, 5, 5]))
    np.testing.assert_allclose(r.data[1].error_y.array, BAND[:, 2] - BAND[:, 0])


def test_probabilities_of_everything_and_of_labels() -> None:
    """Shares of each kind add up to one; NaN is left out."""
    rng = np.random.default_rng(0)
    everything = np.append(rng.uniform(size=100), np.nan)
    figure = curves.draw_probabilities(everything, np.array([0.9]), np.array([0.1, 0.2]), 0.5)
    assert [round(float(np.sum(t.y)), 6) for t in figure.data] == [1, 1, 1]
    assert "all objects (100)" in figure.data[0].name


@pytest.mark.parametrize("n", [200, 5000])
def test_many_objects_are_a_density(n: int) -> None:
    """Few are points; the counts of a density are those of the objects in its range."""
    z = np.random.default_rng(0).uniform(0.1, 1, n)
    for figure in (
        draw_agreement(z, z, "z", redshift=True),
        draw_deviation(z, z * 0, z[:3], BAND, BAND, "z", redshift=True),
    ):
        first = figure.data[0]
        assert first.type == ("scatter" if n == 200 else "heatmap")
        if n == 5000:
            assert np.asarray(first.customdata).sum() >= 0.99 * n
