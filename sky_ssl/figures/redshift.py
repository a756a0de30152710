"""Charts of a regression: predicted against true, deviations against the truth.

Arrays in, Plotly figures out. Many objects are drawn as a density, few as points.
"""

import html
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Numbers = npt.NDArray[np.floating]

OUTLIER = 0.15
_BLUE, _ORANGE, _GREEN, _GREY = "#56b4e9", "#e69f00", "#009e73", "#9ca3af"
_RED = "#d55e00"
_MOST_POINTS, _CELLS = 1500, 90


def draw_agreement(
    truth: Numbers, predicted: Numbers, name: str, *, redshift: bool, height: int = 420
) -> "Figure":
    """Draw predicted against true numbers, with the 1:1 line and the limits of outliers.

    Args:
        truth, predicted: (n,) of held-out objects.
        name: of what is predicted.
        redshift: draw the limits |D| = 0.15.
        height: in pixels.
    """
    words = html.escape(name)
    figure = _empty(height, f"{words}, true", f"{words}, predicted")
    low, high = _range(np.concatenate([truth, predicted]))
    _cloud(figure, truth, predicted, (low, high), (low, high))
    line = np.linspace(low, high, 50)
    _line(figure, line, line, "1:1", "solid")
    if redshift:
        for sign, shown in ((1, True), (-1, False)):
            y = line + sign * OUTLIER * (1 + line)
            _line(figure, line, y, f"|D| = {OUTLIER:g}", "dot", shown)
    figure.update_xaxes(range=[low, high])
    figure.update_yaxes(range=[low, high])
    return figure


def draw_deviation(
    truth: Numbers,
    deviation: Numbers,
    centre: Numbers | None,
    bias: Numbers | None,
    nmad: Numbers | None,
    name: str,
    *,
    redshift: bool,
    height: int = 420,
) -> "Figure":
    """Draw deviations against the truth, with bias and NMAD in bins.

    Args:
        truth, deviation: (n,) of held-out objects.
        centre: (B,) of the bins; None without.
        bias, nmad: (B, 3) mean, low, high.
        name: of what is predicted.
        redshift: D is in units of 1 + z.
        height: in pixels.
    """
    words = html.escape(name)
    title = "D = (predicted - true) / (1 + true)" if redshift else "D = predicted - true"
    figure = _empty(height, f"{words}, true", title)
    x_range = _range(truth)
    most = float(np.percentile(np.abs(deviation), 99)) * 1.2 if len(deviation) else 1.0
    most = max(most, 1.5 * OUTLIER) if redshift else max(most, 1e-9)
    _cloud(figure, truth, deviation, x_range, (-most, most))
    _line(figure, np.array(x_range), np.zeros(2), "no deviation", "solid", False)
    if redshift:
        for sign in (1, -1):
            y = np.full(2, sign * OUTLIER)
            _line(figure, np.array(x_range), y, f"|D| = {OUTLIER:g}", "dot", sign > 0)
    if centre is not None and bias is not None and nmad is not None:
        for what, values, colour in (("bias", bias, _ORANGE), ("NMAD", nmad, _GREEN)):
            figure.add_scatter(
                x=centre, y=values[:, 0], name=what, mode="lines+markers",
                line={"color": colour, "width": 2}, marker={"size": 8},
                error_y=_bars(values, colour), customdata=values[:, 1:],
                hovertemplate=f"{what} at %{{x:.3g}}: %{{y:.4f}} (%{{customdata[0]:.4f}} to "
                "%{customdata[1]:.4f})<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(range=list(x_range))
    figure.update_yaxes(range=[-most, most], zeroline=False)
    return figure


def add_outliers(figure: "Figure", centre: Numbers, share: Numbers, count: Numbers) -> None:
    """Add the share of outliers below a chart of deviations, on the same horizontal axis.

    Args:
        figure: of `draw_deviation`.
        centre: (B,) of the bins.
        share: (B, 3) of objects with |D| > 0.15, low, high.
        count: (B,) objects.
    """
    figure.add_scatter(
        x=centre, y=share[:, 0], yaxis="y2", mode="lines+markers", name="outliers",
        line={"color": _RED, "width": 2}, marker={"size": 8}, error_y=_bars(share, _RED),
        customdata=np.column_stack([share[:, 1:], count]),
        hovertemplate="outliers at %{x:.3g}: %{y:.1%} (%{customdata[0]:.1%} to "
        "%{customdata[1]:.1%}) of %{customdata[2]:,.0f}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(
        xaxis={"anchor": "y2"},
        yaxis={"domain": [0.32, 1]},
        yaxis2={"domain": [0, 0.24], "title": "outliers", "tickformat": ".0%", "nticks": 4,
                "rangemode": "tozero", "zeroline": False},
    )  # fmt: skip


def _cloud(
    figure: "Figure",
    x: Numbers,
    y: Numbers,
    x_range: tuple[float, float],
    y_range: tuple[float, float],
) -> None:
    """Add objects: as points, or as a density where they are many."""
    if len(x) <= _MOST_POINTS:
        figure.add_scatter(
            x=x, y=y, mode="markers", name="held-out objects",
            marker={"color": _BLUE, "size": 5, "opacity": 0.6},
            hovertemplate="true %{x:.4g}, %{y:.4g}<extra></extra>",
        )  # fmt: skip
        return
    edges = [np.linspace(*ends, _CELLS + 1) for ends in (x_range, y_range)]
    count = np.histogram2d(x, y, edges)[0].T
    shown = np.where(count > 0, np.log10(np.maximum(count, 1)), np.nan)
    most = int(np.log10(max(count.max(), 1))) + 1
    middle = [(e[1:] + e[:-1]) / 2 for e in edges]
    figure.add_heatmap(
        x=middle[0], y=middle[1], z=shown, customdata=count, colorscale="Viridis", zmin=-0.15,
        colorbar={"title": "objects", "tickvals": list(range(most)),
                  "ticktext": [f"{10**k:,}" for k in range(most)], "thickness": 12},
        hovertemplate="%{customdata:.0f} objects at %{x:.3g}, %{y:.3g}<extra></extra>",
    )  # fmt: skip


def _line(
    figure: "Figure", x: Numbers, y: Numbers, name: str, dash: str, shown: bool = True
) -> None:
    figure.add_scatter(
        x=x, y=y, mode="lines", name=name, line={"color": _GREY, "width": 1.5, "dash": dash},
        hoverinfo="skip", showlegend=shown,
    )  # fmt: skip


def _range(values: Numbers) -> tuple[float, float]:
    """Give the range of the central 99.8 % with a margin."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [0.1, 99.9]) if len(known) else (0.0, 1.0)
    pad = 0.04 * (float(high - low) or 1.0)
    return float(low) - pad, float(high) + pad


def _bars(values: Numbers, colour: str) -> dict[str, Any]:
    return {
        "type": "data", "symmetric": False, "array": values[:, 2] - values[:, 0],
        "arrayminus": values[:, 0] - values[:, 1], "color": colour, "thickness": 1.5,
    }  # fmt: skip


def _empty(height: int, x: str, y: str) -> "Figure":
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        xaxis={"title": x, "zeroline": False},
        yaxis={"title": y, "zeroline": False},
        legend={"orientation": "h", "y": 1.09, "x": 0},
        hovermode="closest",
    )
    return figure
