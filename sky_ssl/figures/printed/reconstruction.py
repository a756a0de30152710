"""The sheet of reconstructions for print: image, what the model sees, what it makes, what is left.

Pictures of `figures.masked` in, a matplotlib figure out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.masked import BEYOND, DIVERGING
from sky_ssl.figures.printed.style import GREY, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = npt.NDArray[np.uint8]
TITLES = ("image", "what the model sees", "reconstruction", "residual")


@dataclass(frozen=True)
class Shown:
    """One object."""

    pictures: tuple[Picture, ...]  # four (H, W, 3), row 0 at the bottom of the sky
    name: str
    words: Sequence[str]  # lines below the name


@in_style
def draw_sheet(objects: Sequence[Shown], *, lines: tuple[str, ...], note: str) -> "Figure":
    """Draw a row for each object.

    Args:
        objects: with four pictures each.
        lines: what is seen, below the title.
        note: for the foot.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    figure = new_figure(
        1.95 * len(objects) + 0.85, "Hidden patches, filled in by the model", lines, note
    )
    axes = figure.subplots(
        len(objects), len(TITLES) + 1, squeeze=False, width_ratios=[0.72, *([1] * len(TITLES))]
    )
    for row, one in zip(axes, objects, strict=True):
        row[0].set_axis_off()
        row[0].text(0, 0.95, one.name, va="top", weight="bold", transform=row[0].transAxes)
        row[0].text(
            0, 0.80, "\n".join(one.words), va="top", size=9, linespacing=1.5,
            transform=row[0].transAxes,
        )  # fmt: skip
        for axis, picture in zip(row[1:], one.pictures, strict=True):
            axis.imshow(picture, origin="lower", interpolation="nearest")
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
    for axis, title in zip(axes[0, 1:], TITLES, strict=True):
        axis.set_title(title)
    scale = ScalarMappable(Normalize(-BEYOND, BEYOND), DIVERGING)
    bar = figure.colorbar(
        scale, ax=axes[-1, 1:], location="bottom", shrink=0.5, anchor=(1.0, 1.0), extend="both",
        aspect=40, pad=0.03,
    )  # fmt: skip
    bar.set_label("model less image, bands together, in sky noise")
    bar.outline.set_edgecolor(GREY)
    return figure
