"""The sheet of reconstructions for print."""

import numpy as np
import pytest

from sky_ssl.figures.masked import BEYOND
from sky_ssl.figures.printed.reconstruction import TITLES, Shown, draw_sheet
from sky_ssl.figures.printed.style import to_png


def shown(name: str) -> Shown:
    rng = np.random.default_rng(len(name))
    four = tuple(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8) for _ in TITLES)
    return Shown(four, name, ("r = 20.1 mag", "χ² 1.2"))


def test_a_row_for_each_object_with_its_words() -> None:
    """Four pictures a row in the order of the titles, name and figures at the left."""
    objects = [shown("spiral"), shown("dwarf")]
    figure = draw_sheet(objects, lines=("60 % hidden",), note="simulated")
    pictures = [axis for axis in figure.axes if axis.images and axis.get_xlabel() == ""]
    assert [axis.get_title(loc="left") for axis in pictures[:4]] == list(TITLES)
    for axis, picture in zip(pictures, [p for o in objects for p in o.pictures], strict=False):
        np.testing.assert_array_equal(axis.images[0].get_array(), picture)
    words = [text.get_text() for axis in figure.axes for text in axis.texts]
    assert words == ["spiral", "r = 20.1 mag\nχ² 1.2", "dwarf", "r = 20.1 mag\nχ² 1.2"]


@pytest.mark.parametrize("count", [1, 3])
def test_scale_of_the_residual_is_that_of_the_pictures(count: int) -> None:
    """The bar ends where the colours do, and says its unit."""
    figure = draw_sheet([shown("dwarf")] * count, lines=(), note="")
    bar = next(axis for axis in figure.axes if "sky noise" in axis.get_xlabel())
    assert bar.get_xlim() == (-BEYOND, BEYOND)
    assert to_png(figure)
