"""The confusion matrix for print."""

import numpy as np

from sky_ssl.figures.printed.confusion import draw_confusion
from sky_ssl.figures.printed.style import to_png


def test_cells_are_per_cent_of_their_row() -> None:
    """Numbers of a row add up to 100; a share below half a per cent is a dot."""
    matrix = np.array([[90.0, 10.0, 0.0], [1.0, 298.0, 1.0], [5.0, 0.0, 15.0]])
    figure = draw_confusion(matrix, ["star", "qso", "dwarf"], lines=(), note="simulated")
    axis = figure.axes[0]
    cells = [text.get_text() for text in axis.texts]
    assert cells == ["90", "10", "·", "·", "99", "·", "25", "·", "75"]
    assert [t.get_text() for t in axis.get_yticklabels()][2] == "dwarf  (20)"
    np.testing.assert_allclose(axis.images[0].get_array().sum(axis=1), 100)


def test_letters_stand_out_from_their_cell() -> None:
    """White on dark cells, dark on light ones."""
    figure = draw_confusion(np.array([[9.0, 1.0], [0.0, 1.0]]), ["a", "b"], lines=(), note="")
    dark, light = figure.axes[0].texts[:2]
    assert dark.get_color() == "white"
    assert light.get_color() != "white"


def test_class_without_objects_is_drawn() -> None:
    """A row of zeros gives no NaN and no warning."""
    figure = draw_confusion(np.zeros((2, 2)), ["a", "b"], lines=(), note="")
    assert not figure.axes[0].images[0].get_array().any()
    assert to_png(figure)
