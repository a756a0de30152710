"""The redshift figure: how predictions are spread, how they agree, and their faults against z.

Arrays of held-out objects in, a matplotlib figure out. D = (z_phot - z_spec) / (1 + z_spec), and
redshifts are drawn evenly in ln(1 + z), where a given D has the same length everywhere.
"""

from dataclasses import dataclass
from math import log1p
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.printed.style import (
    BLUE,
    FAINT,
    GREY,
    INK,
    VERMILION,
    cut_map,
    in_style,
    new_figure,
)
from sky_ssl.probes.redshift import OUTLIER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = npt.NDArray[np.floating]
_BINS, _CELLS = 40, 55
_TICKS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0)
_LEAST = -0.3  # predictions below are drawn here


@dataclass(frozen=True)
class Faults:
    """Figures of D in bins of true redshift; (B, 3) are mean, low, high."""

    edges: Numbers  # (B + 1,)
    centre: Numbers  # (B,) median redshift
    bias: Numbers
    nmad: Numbers
    outliers: Numbers  # share with |D| > 0.15


@in_style
def draw_redshifts(
    truth: Numbers, predicted: Numbers, faults: Faults | None, *, lines: tuple[str, ...], note: str
) -> "Figure":
    """Draw histogram, agreement and residuals; below them bias, NMAD and outliers against z.

    Args:
        truth, predicted: (n,) redshifts of objects that were not trained on.
        faults: in bins; None where there are too few objects, and the lower row is left out.
        lines: figures to write below the title.
        note: for the foot.
    """
    rows = 1 if faults is None else 2
    figure = new_figure(3.1 if faults is None else 5.6, "Redshift from a linear probe", lines, note)
    axes = figure.subplots(
        rows, 3, squeeze=False, height_ratios=[1.35, 1][:rows], gridspec_kw={"wspace": 0.04}
    )
    shown_z = np.maximum(predicted, _LEAST)
    ends = _ends(np.concatenate([truth, shown_z]))
    _histogram(axes[0, 0], truth, shown_z, ends)
    _agreement(axes[0, 1], truth, shown_z, ends)
    shown = _residuals(axes[0, 2], truth, (predicted - truth) / (1 + truth), _ends(truth))
    bar = figure.colorbar(shown, ax=axes[0, 2], shrink=0.8, pad=0.02, format="{x:g}")
    bar.set_label("objects")
    if faults is not None:
        _faults(axes[1], faults, _ends(truth))
    return figure


def _histogram(axis: "Axes", truth: Numbers, predicted: Numbers, ends: tuple[float, float]) -> None:
    edges = _even(ends, _BINS)
    axis.hist(truth, edges.tolist(), color=FAINT, label="true")
    axis.hist(
        predicted, edges.tolist(), histtype="step", color=BLUE, linewidth=1.6, label="predicted"
    )
    axis.legend(loc="upper right", handlelength=1.2)
    axis.set(ylabel="objects", title="How they are spread")
    _z_axis(axis, ends, "redshift z")


def _agreement(axis: "Axes", truth: Numbers, predicted: Numbers, ends: tuple[float, float]) -> None:
    edges = _even(ends, _CELLS)
    _density(axis, truth, predicted, edges, edges)
    line = edges
    axis.plot(line, line, color=INK, linewidth=1)
    for sign in (1, -1):
        axis.plot(line, line + sign * OUTLIER * (1 + line), ":", color=INK, linewidth=1.2)
    axis.set(ylabel="predicted z", title="Predicted against true")
    _z_axis(axis, ends)
    axis.set_yscale("function", functions=(np.log1p, np.expm1))
    axis.set_yticks(*_ticks(ends))
    axis.set_ylim(ends)


def _residuals(axis: "Axes", truth: Numbers, d: Numbers, ends: tuple[float, float]) -> Any:
    most = max(2.2 * OUTLIER, float(np.percentile(np.abs(d), 99.5)))
    edges = _even(ends, _CELLS), np.linspace(-most, most, _CELLS + 1)
    shown = _density(axis, truth, d, *edges)
    axis.axhline(0, color=INK, linewidth=1)
    for sign in (1, -1):
        axis.axhline(sign * OUTLIER, color=INK, linestyle=":", linewidth=1.2)
    axis.set(
        ylabel="D = (predicted - true) / (1 + true)", ylim=(-most, most),
        title=f"Residuals (dotted: |D| = {OUTLIER:g})",
    )  # fmt: skip
    _z_axis(axis, ends)
    return shown


def _density(axis: "Axes", x: Numbers, y: Numbers, x_edges: Numbers, y_edges: Numbers) -> Any:
    """Draw how many objects fall into each cell."""
    from matplotlib.colors import LogNorm

    count = np.histogram2d(x, y, [x_edges, y_edges])[0].T
    return axis.pcolormesh(
        x_edges,
        y_edges,
        np.where(count > 0, count, np.nan),
        norm=LogNorm(1, max(count.max(), 2)),
        cmap=cut_map(),
        rasterized=True,
    )


def _faults(axes: npt.NDArray, faults: Faults, ends: tuple[float, float]) -> None:
    middle = faults.centre
    width = np.abs([middle - faults.edges[:-1], faults.edges[1:] - middle])
    panels: tuple[tuple[str, str, Numbers, float], ...] = (
        ("Bias", "mean of D", faults.bias, 1.0),
        ("Scatter", "NMAD of D", faults.nmad, 1.0),
        ("Outliers", f"|D| > {OUTLIER:g}, per cent", faults.outliers, 100.0),
    )
    for axis, (title, label, values, unit) in zip(axes, panels, strict=True):
        mean, low, high = unit * values.T
        error = np.clip([mean - low, high - mean], 0, None)
        colour = VERMILION if title == "Outliers" else BLUE
        axis.errorbar(
            middle, mean, error, width, fmt="o", color=colour, elinewidth=1.4, markersize=4.5
        )
        axis.grid(axis="y")
        axis.set_axisbelow(True)
        axis.set(ylabel=label, title=title)
        _z_axis(axis, ends)
        if title == "Bias":
            axis.axhline(0, color=GREY, linewidth=1)
        else:
            axis.set_ylim(bottom=0)


def _z_axis(axis: "Axes", ends: tuple[float, float], label: str = "true z") -> None:
    axis.set_xscale("function", functions=(np.log1p, np.expm1))
    axis.set_xticks(*_ticks(ends))
    axis.set(xlabel=label, xlim=ends)


def _ticks(ends: tuple[float, float]) -> tuple[list[float], list[str]]:
    """Give places and words of the ticks of redshifts."""
    shown = [t for t in _TICKS if ends[0] <= t <= ends[1]]
    return shown, [f"{t:g}" for t in shown]


def _even(ends: tuple[float, float], count: int) -> Numbers:
    """Give the edges (count + 1,) of bins of the same width in ln(1 + z)."""
    return np.asarray(np.expm1(np.linspace(log1p(ends[0]), log1p(ends[1]), count + 1)))


def _ends(values: Numbers) -> tuple[float, float]:
    """Give the range of the central 99.8 % with a margin."""
    low, high = np.percentile(values, [0.1, 99.9])
    pad = 0.02 * (float(high - low) or 1.0)
    return float(low) - pad, float(high) + pad
