"""The map of embeddings for print: all objects by class, each class named where it is densest.

Positions and a colouring in, a matplotlib figure out.
"""

from itertools import product
from math import hypot
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.colours import Colouring
from sky_ssl.figures.printed.style import GREY, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Positions = npt.NDArray[np.floating]
_CELLS = 24
# names are moved by such steps, the nearest first, until they are apart: in heights of the map
_STEPS = sorted(product((0.0, -0.12, 0.12), np.arange(-6, 7) * 0.04), key=lambda s: hypot(*s))
_WIDE, _TALL = 0.115, 0.035  # of a name


@in_style
def draw_map(
    xy: Positions, colouring: Colouring, method: str, *, lines: tuple[str, ...], note: str
) -> "Figure":
    """Draw a point for each object.

    Args:
        xy: (N, 2).
        colouring: of the same objects.
        method: name of the method, for the axes.
        lines: what is seen, below the title.
        note: for the foot.
    """
    from matplotlib.lines import Line2D

    figure = new_figure(6.6, "A survey at a glance", lines, note)
    axis = figure.subplots()
    colours = np.array([entry["colour"] for entry in colouring.palette])
    # drawn in random order: no class covers the others
    order = np.random.default_rng(0).permutation(len(xy))
    axis.scatter(
        xy[order, 0], xy[order, 1], s=5.5, c=colours[colouring.codes[order]].tolist(), alpha=0.75,
        linewidths=0, rasterized=True,
    )  # fmt: skip
    _names(axis, xy, colouring)
    axis.set(xlabel=f"{method} 1 (no unit)", ylabel=f"{method} 2 (no unit)", xticks=[], yticks=[])
    axis.set_aspect("equal", adjustable="datalim")
    shown = [entry for entry in colouring.palette if entry["name"] is not None and entry["count"]]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=e["colour"], markeredgecolor=GREY,
               markeredgewidth=0.3, markersize=8, label=f"{e['name']}  {e['count']:,}")
        for e in shown
    ]  # fmt: skip
    axis.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0,
        title="class, objects", alignment="left", handletextpad=0.2, labelspacing=0.7,
    )  # fmt: skip
    return figure


def _names(axis: "Axes", xy: Positions, colouring: Colouring) -> None:
    """Write the name of each class where most of it lies, names apart from each other."""
    from matplotlib.patheffects import withStroke

    placed: list[Positions] = []
    height = float(np.ptp(xy[:, 1])) or 1.0
    for code, entry in enumerate(colouring.palette):
        mine = xy[colouring.codes == code]
        if entry["name"] is None or not len(mine):
            continue
        home = densest(mine)
        spot = free_place(home / height, placed)
        placed.append(spot)
        moved = not np.array_equal(spot, home / height)
        line = {"arrowstyle": "-", "color": GREY, "linewidth": 0.9, "shrinkB": 0} if moved else None
        axis.annotate(
            entry["name"], _pair(home), _pair(spot * height), ha="center", va="center", size=9.5,
            weight="bold", arrowprops=line,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def _pair(place: Positions) -> tuple[float, float]:
    return float(place[0]), float(place[1])


def free_place(spot: Positions, placed: list[Positions]) -> Positions:
    """Give the place nearest to `spot` (2,) whose name covers none of those that are placed."""
    for step in _STEPS:
        moved = spot + np.array(step)
        if all((np.abs(moved - p) >= (_WIDE, _TALL)).any() for p in placed):
            return moved
    return spot


def densest(xy: Positions) -> Positions:
    """Give the middle (2,) of the objects in and around the fullest cell of a grid over (n, 2)."""
    count, *edges = np.histogram2d(xy[:, 0], xy[:, 1], _CELLS)
    cell = np.unravel_index(np.argmax(count), count.shape)
    middle = np.array([e[[i, i + 1]].mean() for e, i in zip(edges, cell, strict=True)])
    width = np.array([e[1] - e[0] for e in edges])
    near = (np.abs(xy - middle) <= 1.5 * width).all(axis=1)
    return np.asarray(np.median(xy[near], axis=0))
