"""The sheet of a search."""

import numpy as np
from matplotlib.colors import to_hex

from sky_ssl.figures.printed.retrieval import draw_retrieval
from sky_ssl.figures.printed.style import GREEN, VERMILION, to_png


def pictures(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (n, 8, 8, 3), dtype=np.uint8)


def test_right_and_wrong_differ_by_more_than_colour() -> None:
    """Frame, line and mark all say whether an object is of the kind."""
    found, right = pictures(7), np.array([True, False] + [True] * 5)
    figure = draw_retrieval(
        pictures(2), found, right, ["dwarf", "halo", *["dwarf"] * 5], kind="dwarf",
        title="search", lines=("6 of 7",), note="simulated",
    )  # fmt: skip
    shown = {axis.get_title(loc="left"): axis for axis in figure.axes if axis.images}
    good, bad = shown["1  ✓ dwarf"].patches[0], shown["2  ✗ halo"].patches[0]
    assert good.get_linestyle() != bad.get_linestyle()
    colours = [to_hex(frame.get_edgecolor()) for frame in (good, bad)]
    assert colours == [GREEN, VERMILION]
    assert [w for w in shown if w.startswith("exemplar")] == ["exemplar 1", "exemplar 2"]
    assert len(shown) == 9


def test_pictures_are_shown_as_they_are_and_north_up() -> None:
    """Pixels are the given ones, row 0 at the bottom, not smoothed."""
    found = pictures(1)
    figure = draw_retrieval(
        found, found, np.array([True]), ["dwarf"], kind="dwarf", title="", lines=(), note=""
    )
    image = next(axis.images[0] for axis in figure.axes if axis.images)
    np.testing.assert_array_equal(image.get_array(), found[0])
    assert image.origin == "lower"
    assert image.get_interpolation() == "nearest"
    assert to_png(figure)
