"""Charts of a regression."""

import numpy as np

from sky_ssl.figures.redshift import add_outliers, draw_agreement, draw_deviation


def test_outliers_have_their_interval_and_number() -> None:
    """Error bars reach from low to high, and the bin says of how many objects it is."""
    share = np.array([[0.1, 0.05, 0.2], [0.0, 0.0, 0.03]])
    centre, x = np.array([0.1, 0.5]), np.linspace(0, 1, 50)
    figure = draw_deviation(x, 0 * x, None, None, None, "z<b>", redshift=True)
    add_outliers(figure, centre, share, np.array([60, 61]))
    line = figure.data[-1]
    np.testing.assert_allclose(line.error_y.array, [0.1, 0.03])
    np.testing.assert_allclose(line.error_y.arrayminus, [0.05, 0.0])
    assert line.customdata[:, 2].tolist() == [60, 61]
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]
    assert "<b>" not in figure.layout.xaxis.title.text


def test_many_objects_are_a_density() -> None:
    """Few are points, each of which can be read; thousands would hide each other."""
    x = np.linspace(0, 1, 100)
    assert draw_agreement(x, x, "zspec", redshift=True).data[0].type == "scatter"
    x = np.linspace(0, 1, 3000)
    assert draw_agreement(x, x, "zspec", redshift=True).data[0].type == "heatmap"
