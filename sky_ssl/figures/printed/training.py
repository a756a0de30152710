"""Curves of a training run for print: losses and probes against step."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.losses import smooth, thin
from sky_ssl.figures.printed.style import BLUE, GREEN, GREY, VERMILION, in_style, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = npt.NDArray[np.float64]
_SMOOTH = 9  # logged steps that the line of the loss is a mean of
_MEASURES = {
    "balanced_accuracy": "balanced accuracy",
    "r2": "R²",
}
_COLOURS = (BLUE, VERMILION, GREEN)


@in_style
def draw_training(records: Sequence[Mapping[str, Any]], title: str, note: str) -> "Figure":
    """Draw the loss on training and validation images, and what probes reached meanwhile.

    Args:
        records: of `metrics.jsonl`, one per logged step.
        title: of the figure.
        note: at its foot.
    """
    probes = sorted({name for r in records for name in r if name.startswith("probe_")})
    figure = new_figure(3.4, title, (), note)
    panels = figure.subplots(1, 2 if probes else 1, squeeze=False)[0]
    step, loss = thin(*_column(records, "loss"))
    panels[0].plot(step, loss, color=GREY, alpha=0.35, lw=0.8)
    panels[0].plot(step, smooth(loss, _SMOOTH), color=BLUE, label="training")
    checked, validation = _column(records, "validation_loss")
    panels[0].plot(checked, validation, "o--", color=VERMILION, label="validation, unseen sky")
    _label(panels[0], "loss")
    if len(loss) > 1:  # the first steps fall from far above
        panels[0].set_ylim(loss.min() * 0.97, max(float(np.quantile(loss, 0.97)), loss[-1]) * 1.03)
    for name, colour in zip(probes, _COLOURS, strict=False):
        panels[1].plot(*_column(records, name), "o-", color=colour, label=_words(name))
    if probes:
        _label(panels[1], "linear probe on unseen sky")
    return figure


def _column(records: Sequence[Mapping[str, Any]], name: str) -> tuple[Numbers, Numbers]:
    """Give steps (n,) and values (n,) of what some records hold."""
    found = [(r["step"], r[name]) for r in records if r.get(name) is not None]
    table = np.array(found, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _words(name: str) -> str:
    """Say which probe it is: probe_zspec_r2 is "zspec, R²"."""
    for measure, words in _MEASURES.items():
        if name.endswith(measure):
            return f"{name.removeprefix('probe_').removesuffix('_' + measure)}, {words}"
    return name.removeprefix("probe_").replace("_", " ")


def _label(axes: "Axes", what: str) -> None:
    axes.set_xlabel("step")
    axes.set_ylabel(what)
    axes.grid(axis="y")
    axes.legend()
