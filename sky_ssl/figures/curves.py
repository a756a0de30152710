"""Charts of a probe: purity and completeness, learning curve, calibration, confusion, scores.

Arrays in, Plotly figures out; every line comes with its 95 % interval.
"""

import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Numbers = npt.NDArray[np.floating]

BLUE, ORANGE, GREEN, GREY = "#56b4e9", "#e69f00", "#009e73", "#9ca3af"
_FILL = {BLUE: "rgba(86,180,233,0.22)", ORANGE: "rgba(230,159,0,0.22)"}
_FILL |= {GREEN: "rgba(0,158,115,0.22)", GREY: "rgba(156,163,175,0.22)"}
_TICKS = (1e-4, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999, 0.9999)
_NAMES = {
    "balanced_accuracy": "balanced accuracy",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
}


def log_odds(p: npt.ArrayLike) -> Numbers:
    """Bring probabilities to an axis on which 0.001 and 0.999 have room."""
    p = np.clip(np.asarray(p, dtype=np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def draw_thresholds(
    threshold: Numbers, purity: Numbers, completeness: Numbers, at: float, *, height: int = 300
) -> "Figure":
    """Draw purity and completeness against the least probability.

    Args:
        threshold: (T,) probabilities.
        purity, completeness: (T, 3) mean, low, high.
        at: the threshold that is chosen.
        height: in pixels.
    """
    figure = _empty(height, "least probability", "share", hover="x unified")
    x = log_odds(threshold)
    for name, values, colour in (("purity", purity, BLUE), ("completeness", completeness, ORANGE)):
        _with_band(figure, x, values, name, colour)
    figure.add_vline(x=float(log_odds(at)), line={"color": GREY, "dash": "dot", "width": 2})
    _probability_axis(figure, x)
    figure.update_yaxes(range=[-0.02, 1.02])
    return figure


def _probability_axis(figure: "Figure", x: Numbers) -> None:
    low, high = (float(x.min()), float(x.max())) if len(x) else (-1.0, 1.0)
    pad = 0.03 * max(high - low, 1.0)
    shown = [t for t in _TICKS if low - pad <= float(log_odds(t)) <= high + pad]
    figure.update_xaxes(
        tickvals=log_odds(shown or [0.5]).tolist(),
        ticktext=[f"{t:g}" for t in shown or [0.5]],
        range=[low - pad, high + pad],
        zeroline=False,
    )


def draw_learning(points: Sequence[dict[str, Any]], *, height: int = 300) -> "Figure":
    """Draw figures against the number of labels.

    Args:
        points: {"n_train", and by name (mean, low, high)} each.
        height: in pixels.
    """
    figure = _empty(height, "labels to train with, half of each kind", "", hover="x unified")
    sizes = np.array([p["n_train"] for p in points], dtype=np.float64)
    for (name, words), colour in zip(_NAMES.items(), (BLUE, GREEN, ORANGE), strict=True):
        values = np.array([p[name] for p in points], dtype=np.float64).reshape(-1, 3)
        _with_band(figure, sizes, values, words, colour, marks=True)
    figure.update_xaxes(
        type="log", tickvals=sizes.tolist(), ticktext=[f"{s:g}" for s in sizes], zeroline=False
    )
    lows = [p[name][1] for p in points for name in _NAMES]
    figure.update_yaxes(range=[max(-0.02, float(np.nanmin([*lows, 0.5])) - 0.05), 1.02])
    return figure


def draw_reliability(
    promised: Numbers, found: Numbers, count: Numbers, *, height: int = 300
) -> "Figure":
    """Draw the share that was found against the probability that was promised.

    Args:
        promised: (B,) mean probability of a bin.
        found: (B, 3) share of positives, low, high.
        count: (B,) objects.
        height: in pixels.
    """
    figure = _empty(height, "probability promised", "share found")
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="perfect", hoverinfo="skip",
        line={"color": GREY, "dash": "dot", "width": 1.5},
    )  # fmt: skip
    figure.add_scatter(
        x=promised,
        y=found[:, 0],
        mode="lines+markers",
        name="held-out objects",
        line={"color": BLUE, "width": 2},
        marker={"size": 8},
        error_y=_bars(found, BLUE),
        customdata=np.column_stack([found[:, 1:], count]),
        hovertemplate="promised %{x:.2f}, found %{y:.2f} (%{customdata[0]:.2f} to "
        "%{customdata[1]:.2f}) of %{customdata[2]:.0f}<extra></extra>",
    )
    figure.update_xaxes(range=[-0.03, 1.03])
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure


def draw_confusion(
    matrix: Numbers, limits: Numbers, names: Sequence[str], *, height: int = 300
) -> "Figure":
    """Draw how many of each kind the probe takes for which.

    Args:
        matrix: (K, K) objects by truth (rows) and what the probe says (columns).
        limits: (K, K, 3) share of the row, low, high.
        names: (K,).
        height: in pixels.
    """
    words = [html.escape(name) for name in names]
    text = [
        [
            f"<b>{c:,.0f}</b><br>{s[0]:.0%} ({s[1]:.0%} to {s[2]:.0%})"
            for c, s in zip(row, lim, strict=True)
        ]
        for row, lim in zip(matrix, limits, strict=True)
    ]
    figure = _empty(height, "the probe says", "truth")
    figure.add_heatmap(
        z=limits[:, :, 0], x=words, y=words, text=text, texttemplate="%{text}",
        colorscale="Cividis", zmin=0, zmax=1, showscale=False, xgap=3, ygap=3,
        textfont={"size": 13},
        hovertemplate="truly %{y}, said %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed")
    return figure


def draw_probabilities(
    everything: Numbers, positive: Numbers, negative: Numbers, at: float, *, height: int = 300
) -> "Figure":
    """Draw how the probabilities of all objects, and of held-out labelled ones, are spread.

    Args:
        everything: (N,) of all objects; NaN is left out.
        positive, negative: held-out probabilities of labelled objects.
        at: the threshold that is chosen.
        height: in pixels.
    """
    figure = _empty(height, "probability", "share of them", hover="x unified")
    places = [log_odds(v[np.isfinite(v)]) for v in (everything, negative, positive)]
    joined = np.concatenate(places)
    low, high = (float(joined.min()), float(joined.max())) if len(joined) else (-1.0, 1.0)
    edges = np.linspace(low - 1e-6, high + 1e-6, 41)
    middle = (edges[1:] + edges[:-1]) / 2
    kinds = (("all objects", GREY), ("labelled otherwise", ORANGE), ("labelled positive", BLUE))
    for (name, colour), x in zip(kinds, places, strict=True):
        count = np.histogram(x, edges)[0]
        figure.add_scatter(
            x=middle, y=count / max(len(x), 1), name=f"{name} ({len(x):,})", mode="lines",
            line={"color": colour, "width": 2, "shape": "hvh"}, fill="tozeroy",
            fillcolor=_FILL[colour], customdata=count, hovertemplate="%{customdata:,}",
        )  # fmt: skip
    figure.add_vline(x=float(log_odds(at)), line={"color": GREY, "dash": "dot", "width": 2})
    _probability_axis(figure, middle)
    return figure


def _with_band(
    figure: "Figure", x: Numbers, values: Numbers, name: str, colour: str, *, marks: bool = False
) -> None:
    """Add a line (n, 3) with its band."""
    figure.add_scatter(
        x=np.concatenate([x, x[::-1]]), y=np.concatenate([values[:, 2], values[::-1, 1]]),
        fill="toself", fillcolor=_FILL[colour], mode="lines", line={"width": 0},
        hoverinfo="skip", showlegend=False,
    )  # fmt: skip
    figure.add_scatter(
        x=x,
        y=values[:, 0],
        name=name,
        mode="lines+markers" if marks or len(x) < 3 else "lines",
        line={"color": colour, "width": 2},
        customdata=values[:, 1:],
        hovertemplate="%{y:.3f} (%{customdata[0]:.3f} to %{customdata[1]:.3f})",
    )


def _bars(values: Numbers, colour: str) -> dict[str, Any]:
    """Give error bars of (n, 3) mean, low, high."""
    return {
        "type": "data",
        "symmetric": False,
        "array": values[:, 2] - values[:, 0],
        "arrayminus": values[:, 0] - values[:, 1],
        "color": colour,
        "thickness": 1.5,
    }


def _empty(height: int, x: str, y: str, hover: str | None = None) -> "Figure":
    import plotly.graph_objects as go

    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        xaxis={"title": x},
        yaxis={"title": y},
        legend={"orientation": "h", "y": 1.13, "x": 0},
        hovermode=hover or "closest",
    )
    return figure
