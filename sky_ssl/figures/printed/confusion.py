"""The confusion matrix of many classes: of each kind, the share that is taken for which.

Counts in, a matplotlib figure out.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.printed.style import FAINT, INK, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEAST = 0.5  # per cent; below it a cell has a dot, so that the eye finds the others


@in_style
def draw_confusion(
    matrix: npt.NDArray[np.floating],
    names: Sequence[str],
    *,
    lines: tuple[str, ...],
    note: str,
) -> "Figure":
    """Draw the shares of each row, in per cent.

    Args:
        matrix: (K, K) objects by truth (rows) and what the probe says (columns).
        names: (K,) in the same order.
        lines: figures to write below the title.
        note: for the foot.
    """
    K = len(names)
    of = matrix.sum(axis=1, keepdims=True)
    share = 100 * matrix / np.maximum(of, 1)
    figure = new_figure(max(2.6, 0.42 * K + 1.3), "What a linear probe takes for what", lines, note)
    axis = figure.subplots()
    shown = axis.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for row in range(K):
        for column in range(K):
            value = share[row, column]
            axis.text(
                column, row, f"{value:.0f}" if value >= _LEAST else "·", ha="center", va="center",
                color="white" if value > 55 else INK, weight="bold" if row == column else "normal",
            )  # fmt: skip
    axis.set_xticks(range(K), names, rotation=35, ha="right", rotation_mode="anchor")
    axis.set_yticks(range(K), [f"{n}  ({c:,.0f})" for n, c in zip(names, of[:, 0], strict=True)])
    axis.set(xlabel="the probe says", ylabel="truth (objects)")
    axis.set_xticks(np.arange(K + 1) - 0.5, minor=True)
    axis.set_yticks(np.arange(K + 1) - 0.5, minor=True)
    axis.grid(which="minor", color=FAINT, linewidth=0.8)
    axis.tick_params(which="both", length=0)
    axis.spines[:].set_visible(False)
    bar = figure.colorbar(shown, ax=axis, shrink=0.7, pad=0.015)
    bar.set_label("per cent of the true kind")
    bar.outline.set_visible(False)
    return figure
