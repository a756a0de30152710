"""The look of printed figures, and their files."""

import io

import numpy as np
import pytest
from PIL import Image

from sky_ssl.figures.printed.style import DPI, WIDTH, in_style, new_figure, small_png, to_png


def png_of(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def test_file_has_its_width_and_says_nothing_of_its_maker() -> None:
    """1,600 pixels wide, the same bytes each time, without the name of the software."""
    figure = new_figure(2.0, "title", ("a line",), "note")
    first = to_png(figure)
    assert Image.open(io.BytesIO(first)).width == WIDTH * DPI == 1600
    assert to_png(new_figure(2.0, "title", ("a line",), "note")) == first
    assert b"Software" not in first


def test_long_lines_are_wrapped_and_make_the_figure_taller() -> None:
    """No word runs out of the figure: a line of 40 words is written on two."""
    short = new_figure(2.0, "title", ("few words",), "note")
    long = new_figure(2.0, "title", ("many words " * 20,), "note")
    assert len(long.texts) == len(short.texts) + 1
    assert long.get_figheight() > short.get_figheight()
    assert long.texts[-1].get_text() == "note"


def test_large_pictures_get_fewer_colours_until_they_fit() -> None:
    """Noise of three channels cannot be kept as it is; what is small stays, byte by byte."""
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    large, small = png_of(noise), png_of(noise[:20, :20])
    fitted = small_png(large, 120_000)
    assert len(fitted) <= 120_000 < len(large)
    assert Image.open(io.BytesIO(fitted)).size == (300, 300)
    assert small_png(small, 120_000) == small


def test_white_stays_white_with_fewer_levels() -> None:
    """The paper of a figure is white whatever the number of levels."""
    picture = np.full((200, 200, 3), 255, dtype=np.uint8)
    picture[50:] = np.random.default_rng(0).integers(0, 255, (150, 200, 3))
    fitted = small_png(png_of(picture), len(png_of(picture)) - 1)
    assert (np.asarray(Image.open(io.BytesIO(fitted)).convert("RGB"))[:50] == 255).all()


def test_even_areas_keep_their_colour() -> None:
    """A page has the colour of its theme, within one level; rounding all levels shifts it."""
    picture = np.full((200, 200, 3), (11, 14, 20), dtype=np.uint8)
    picture[150:] = np.random.default_rng(0).integers(0, 255, (50, 200, 3))
    png = png_of(picture)
    off = {}
    for flat in (True, False):
        fitted = small_png(png, len(png) - 1, flat=flat)
        assert len(fitted) < len(png)
        page = np.asarray(Image.open(io.BytesIO(fitted)).convert("RGB"))[:150].astype(int)
        off[flat] = np.abs(page - picture[:150]).max()
    assert off[True] <= 1 < off[False]


def test_style_ends_with_the_drawing() -> None:
    """Other figures keep their look, also where drawing fails."""
    from matplotlib import rcParams

    before = dict(rcParams)

    @in_style
    def broken() -> None:
        assert rcParams["axes.titlelocation"] == "left"
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        broken()
    assert dict(rcParams) == before
