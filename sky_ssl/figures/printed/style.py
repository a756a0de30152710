"""The look of printed figures: colours, letters, sizes and the file, in this one place.

A figure is 10 inches wide and has a title, a line of figures below it, and at its foot a note on
what it shows. Files are PNG of 1,600 pixels' width and at most 300 kB.
"""

import io
import textwrap
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, GREY, FAINT = "#1f2430", "#6b7280", "#d5d9e0"
BLUE, VERMILION, GREEN, PURPLE = "#0072b2", "#d55e00", "#009e73", "#aa4499"
AMBER, SKY = "#e69f00", "#56b4e9"
DENSITY = "viridis"  # of many points; its yellow is never reached, see `cut_map`
WIDTH, DPI = 10.0, 160  # inches, pixels per inch
MOST_BYTES = 300_000
_HEAD, _LINE, _FOOT = 0.38, 0.24, 0.32  # inches
_LETTERS = 130  # of a line below the title
_STYLE: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}

P = ParamSpec("P")
R = TypeVar("R")


def in_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw in the look of printed figures; other figures keep theirs."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> R:
        from matplotlib import rc_context

        style: Any = _STYLE
        with rc_context(style):
            return draw(*args, **kwargs)

    return styled


def new_figure(height: float, title: str, lines: tuple[str, ...], note: str) -> "Figure":
    """Make an empty figure with its words.

    Args:
        height: inches for what is drawn; the words come on top of it.
        title: what it shows.
        lines: figures, or what is seen, below the title; long ones are wrapped.
        note: at the foot: of what sky, by what model.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    wrapped = [part for line in lines for part in textwrap.wrap(line, _LETTERS)]
    head = _HEAD + _LINE * len(wrapped) + 0.04
    total = height + head + _FOOT
    figure = Figure(figsize=(WIDTH, total), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    engine: Any = figure.get_layout_engine()
    engine.set(rect=(0, _FOOT / total, 1, height / total), w_pad=0.08, h_pad=0.06)
    left = 0.1 / WIDTH
    figure.text(left, 1 - 0.08 / total, title, va="top", size=13, weight="bold")
    for number, line in enumerate(wrapped):
        place = 1 - (_HEAD + _LINE * number) / total
        figure.text(left, place, line, va="top", size=10)
    figure.text(left, 0.09 / total, note, size=8, color=GREY)
    return figure


def cut_map(name: str = DENSITY) -> Any:
    """Give a colour map without its lightest part, which is lost on white."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps[name].resampled(256)([i / 255 * 0.88 for i in range(256)]))


@in_style
def to_png(figure: "Figure") -> bytes:
    """Draw a figure into a PNG of at most 300 kB, the same bytes for the same figure."""
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return small_png(file.getvalue())


def small_png(png: bytes, most: int = MOST_BYTES, *, flat: bool = False) -> bytes:
    """Bring a picture below `most` bytes by fewer and fewer colours, where it is larger.

    Args:
        png: the picture.
        most: bytes.
        flat: large even areas, as of a web page, must keep their colour: no rounding of all levels.
    """
    from PIL import Image

    steps = ((32, 0), (24, 0), (0, 256), (0, 128), (0, 64), (0, 32))
    for levels, colours in steps[2 * flat :]:
        if len(png) <= most:
            break
        picture = Image.open(io.BytesIO(png)).convert("RGB")
        if levels:
            step = 255 / (levels - 1)
            fewer = picture.point([round(round(v / step) * step) for v in range(256)] * 3)
        else:
            # an octree keeps single colours, which a median cut spends on the noise of the sky
            fewer = picture.quantize(colours, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        file = io.BytesIO()
        fewer.save(file, "PNG", optimize=True)
        made = file.getvalue()
        # steps of grey that do not suffice would only spoil the colours to choose from
        png = made if colours or len(made) <= most else png
    return png
