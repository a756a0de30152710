"""Charts of a regression."""

import numpy as np

from sky_ssl.figures.redshift import draw_agreement, draw_outliers


def test_outliers_have_their_interval_and_number() -> None:
    """Error bars reach from low to high, and the bin says of how many objects it is."""
    share = np.array([[0.1, 0.05, 0.2], [0.0, 0.0, 0.03]])
    figure = draw_outliers(np.array([0.1, 0.5]), share, np.array([60, 61]), "z<b>")
    line = figure.data[0]
    np.testing.assert_allclose(line.error_y.array, [0.1, 0.03])
    np.testing.assert_allclose(line.error_y.arrayminus, [0.05, 0.0])
    assert line.customdata[:, 2].tolist() == [60, 61]
    assert "<b>" not in figure.layout.xaxis.title.text


def test_many_objects_are_a_density() -> None:
    """Few are points, each of which can be read; thousands would hide each other."""
    x = np.linspace(0, 1, 100)
    assert draw_agreement(x, x, "zspec", redshift=True).data[0].type == "scatter"
    x = np.linspace(0, 1, 3000)
    assert draw_agreement(x, x, "zspec", redshift=True).data[0].type == "heatmap"
