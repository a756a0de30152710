"""The redshift figure."""

import numpy as np
import pytest

from sky_ssl.figures.printed.redshift import Faults, draw_redshifts
from sky_ssl.figures.printed.style import to_png


def sample(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = rng.gamma(2.0, 0.3, n)
    return truth, truth + 0.05 * (1 + truth) * rng.normal(size=n)


def faults() -> Faults:
    three = np.array([[0.1, 0.05, 0.2], [0.3, 0.2, 0.4]])
    return Faults(np.array([0.0, 0.5, 3.0]), np.array([0.2, 0.8]), three, three, three)


def test_panels_hold_the_objects_and_the_faults() -> None:
    """Every object stands in the density, and points lie where the bins say, outliers in %."""
    truth, predicted = sample()
    figure = draw_redshifts(truth, predicted, faults(), lines=("R² 0.9",), note="simulated")
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    agreement = figure.axes[titles.index("Predicted against true")]
    count = np.nansum(np.ma.filled(agreement.collections[0].get_array().astype(float), np.nan))
    assert 0.99 * len(truth) <= count <= len(truth)
    outliers = figure.axes[titles.index("Outliers")].lines[0]
    np.testing.assert_allclose(outliers.get_xdata(), [0.2, 0.8])
    np.testing.assert_allclose(outliers.get_ydata(), [10, 30])
    said = [text.get_text() for text in figure.texts]
    assert said[-2:] == ["R² 0.9", "simulated"]


def test_axes_name_what_they_show() -> None:
    """No panel is without words on its axes."""
    figure = draw_redshifts(*sample(), faults(), lines=(), note="")
    panels = [axis for axis in figure.axes if axis.get_title(loc="left")]
    assert len(panels) == 6
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in panels)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_few_objects_are_drawn_without_bins(n: int) -> None:
    """Without bins there is one row of panels, and no warning."""
    figure = draw_redshifts(*sample(n), None, lines=(), note="")
    assert sum(bool(axis.get_title(loc="left")) for axis in figure.axes) == 3
    assert to_png(figure)


def test_wild_predictions_stay_in_the_figure() -> None:
    """A prediction below -1, where ln(1 + z) ends, breaks nothing and is drawn at the edge."""
    truth, predicted = sample()
    predicted[0] = -7.0
    figure = draw_redshifts(truth, predicted, faults(), lines=(), note="")
    assert -0.5 < figure.axes[0].get_xlim()[0] < 0
    assert to_png(figure)
