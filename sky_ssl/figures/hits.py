"""How many true objects a list holds, against its length, with the interval.

Arrays in, a Plotly figure out.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Numbers = npt.NDArray[Any]
_EXPECTED, _FOUND = "#56b4e9", "#009e73"


def draw_hits(
    length: Numbers,
    mean: Numbers,
    low: Numbers,
    high: Numbers,
    *,
    accepted: Numbers | None = None,
    what: str = "true ones",
) -> "Figure":
    """Draw expected hits with their 95 % band, and what vetting found so far.

    Args:
        length: (m,) objects looked at, from the top of the list.
        mean, low, high: (m,) true ones expected among them.
        accepted: (k,) accepted among the first 1, 2, ..., k.
        what: is counted.
    """
    import plotly.graph_objects as go

    band = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    edges = np.concatenate([length, length[::-1]]), np.concatenate([high, low[::-1]])
    figure = go.Figure()
    figure.add_scatter(x=edges[0], y=edges[1], fill="toself", fillcolor="rgba(86,180,233,0.25)",
                       name="95 % interval", **band)  # fmt: skip
    figure.add_scatter(
        x=length,
        y=mean,
        mode="lines",
        name="expected",
        line={"color": _EXPECTED, "width": 2},
        customdata=np.stack([low, high], axis=1),
        hovertemplate="first %{x}: %{y:.1f} (%{customdata[0]:.0f} to %{customdata[1]:.0f})"
        "<extra></extra>",
    )
    if accepted is not None and len(accepted):
        figure.add_scatter(
            x=np.arange(1, len(accepted) + 1),
            y=accepted,
            mode="lines",
            name="accepted",
            line={"color": _FOUND, "width": 2, "shape": "hv"},
            hovertemplate="first %{x}: %{y} accepted<extra></extra>",
        )
    figure.update_layout(
        height=300,
        margin={"l": 10, "r": 10, "t": 28, "b": 10},
        xaxis={"title": "first objects of the list", "rangemode": "tozero"},
        yaxis={"title": what, "rangemode": "tozero"},
        legend={"orientation": "h", "y": 1.12, "x": 0},
        hovermode="x unified",
    )
    return figure
