"""Expected hits as a figure."""

import numpy as np

from sky_ssl.figures.hits import draw_hits


def test_the_band_surrounds_the_line() -> None:
    """And what was accepted is drawn beside it, where there is some."""
    length = np.array([1, 2, 3])
    mean, low, high = np.array([0.5, 1.0, 1.4]), np.zeros(3), np.array([1.0, 2.0, 3.0])
    figure = draw_hits(length, mean, low, high)
    assert [t.name for t in figure.data] == ["95 % interval", "expected"]
    assert list(figure.data[0].y) == [1, 2, 3, 0, 0, 0]
    figure = draw_hits(length, mean, low, high, accepted=np.array([1, 1]))
    assert list(figure.data[2].y) == [1, 1]
    assert figure.layout.xaxis.title.text == "first objects of the list"
