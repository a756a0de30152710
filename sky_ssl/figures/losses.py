"""Curves of training runs against step: losses, learning rate, speed, probes.

Arrays in, a Plotly figure out. Long curves are thinned to the means of equal pieces.
"""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Numbers = npt.NDArray[np.floating]
_MOST = 800  # points of a curve


@dataclass(frozen=True)
class Curve:
    """One line of a chart."""

    name: str
    step: Numbers  # (n,)
    value: Numbers  # (n,)
    colour: str
    marked: bool = False  # a few measurements, drawn with marks and a dashed line
    faint: bool = False


def thin(step: Numbers, value: Numbers, most: int = _MOST) -> tuple[Numbers, Numbers]:
    """Bring a curve (n,) to at most `most` points: means of equal pieces, without gaps."""
    known = np.isfinite(value)
    step, value = np.asarray(step, dtype=float)[known], np.asarray(value, dtype=float)[known]
    if len(step) <= most:
        return step, value
    edges = np.linspace(0, len(step), most + 1).astype(int)
    width = np.diff(edges)
    return np.add.reduceat(step, edges[:-1]) / width, np.add.reduceat(value, edges[:-1]) / width


def smooth(value: Numbers, width: int) -> Numbers:
    """Give the running mean over `width` neighbours; towards the ends, over fewer on each side."""
    n = len(value)
    if width < 2 or n < 3:
        return value
    place = np.arange(n)
    half = np.minimum(np.minimum(place, n - 1 - place), width // 2)
    total = np.concatenate([[0.0], np.cumsum(value)])
    mean: Numbers = (total[place + half + 1] - total[place - half]) / (2 * half + 1)
    return mean


def draw_curves(
    curves: Sequence[Curve],
    title: str,
    *,
    log: bool = False,
    height: int = 260,
    digits: str = ".4g",
    legend: bool = False,
    least: float = 0.0,
) -> "Figure":
    """Draw curves against step.

    Args:
        curves: in the order of the legend.
        title: of the vertical axis, with its unit.
        log: logarithmic vertical axis; values of 0 and less are left out.
        height: in pixels.
        digits: of the values under the cursor.
        legend: show it.
        least: height of the vertical axis, at least, so that noise does not look like a trend.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for curve in curves:
        step, value = thin(curve.step, curve.value)
        keep = value > 0 if log else np.ones(len(value), dtype=bool)
        figure.add_scatter(
            x=step[keep],
            y=value[keep],
            name=html.escape(curve.name),
            mode="lines+markers" if curve.marked or len(step) < 3 else "lines",
            line={
                "color": curve.colour,
                "width": 1 if curve.faint else 2,
                "dash": "dot" if curve.marked else "solid",
            },
            marker={"size": 7},
            opacity=0.35 if curve.faint else 1.0,
            showlegend=legend and not curve.faint,
            hoverinfo="skip" if curve.faint else None,
            hovertemplate=None if curve.faint else f"%{{y:{digits}}}",
        )
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 28 if legend else 10, "b": 10},
        xaxis={"title": "step", "rangemode": "tozero"},
        yaxis={"title": title, "type": "log" if log else "linear"},
        legend={"orientation": "h", "y": 1.14, "x": 0},
        hovermode="x unified",
    )
    shown = np.concatenate([c.value[np.isfinite(c.value)] for c in curves] or [np.empty(0)])
    if not log and shown.size and np.ptp(shown) < least:
        middle = (shown.min() + shown.max()) / 2
        figure.update_yaxes(range=[middle - least / 2, middle + least / 2])
    return figure
