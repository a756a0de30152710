"""The sheet of a search: the exemplars, then the nearest objects, right and wrong ones marked.

Pictures in, a matplotlib figure out. Right ones have a full green frame and a tick, wrong ones a
broken red frame and a cross: the mark says it without the colour.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.printed.style import GREEN, GREY, VERMILION, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pictures = npt.NDArray[np.uint8]
_COLUMNS = 5  # of what was found


@in_style
def draw_retrieval(
    exemplars: Pictures,
    found: Pictures,
    right: npt.NDArray[np.bool_],
    kinds: Sequence[str],
    *,
    kind: str,
    title: str,
    lines: tuple[str, ...],
    note: str,
) -> "Figure":
    """Draw exemplars at the left, and what was found at the right, the best first.

    Args:
        exemplars: (M, H, W, 3), row 0 at the bottom of the sky.
        found: (K, H, W, 3), the best first.
        right: (K,) whether they are of the kind of the exemplars.
        kinds: (K,) what they are.
        kind: of the exemplars.
        title: what was searched.
        lines: figures to write below the title.
        note: for the foot.
    """
    from matplotlib.lines import Line2D

    rows = max(len(exemplars), -(-len(found) // _COLUMNS))
    figure = new_figure(1.72 * rows, title, lines, note)
    axes = figure.subplots(
        rows, _COLUMNS + 2, squeeze=False, width_ratios=[1, 0.12, *([1] * _COLUMNS)]
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for place, picture in enumerate(exemplars):
        _show(axes[place, 0], picture, f"exemplar {place + 1}", GREY, "-")
    for place, picture in enumerate(found):
        axis = axes[place // _COLUMNS, 2 + place % _COLUMNS]
        good = bool(right[place])
        words = f"{place + 1}  {'✓' if good else '✗'} {kinds[place]}"
        _show(axis, picture, words, GREEN if good else VERMILION, "-" if good else (0, (3, 1.5)))
    handles = [
        Line2D([], [], color=GREEN, linewidth=3, label=f"✓ {kind}"),
        Line2D([], [], color=VERMILION, linewidth=3, linestyle=(0, (1.6, 0.8)),
               label="✗ other"),
    ]  # fmt: skip
    figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(1, 1), ncols=2)
    return figure


def _show(
    axis: "Axes", picture: Pictures, words: str, colour: str, line: str | tuple[int, tuple]
) -> None:
    """Draw one picture with its frame and its word."""
    from matplotlib.patches import Rectangle

    H, W = picture.shape[:2]
    axis.imshow(picture, origin="lower", interpolation="nearest")
    axis.add_patch(
        Rectangle((-0.5, -0.5), W, H, fill=False, edgecolor=colour, linewidth=3, linestyle=line,
                  clip_on=False)
    )  # fmt: skip
    axis.set_title(words, loc="left", size=9.5, color=colour, pad=5)
