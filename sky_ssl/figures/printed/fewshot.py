"""Few-shot curves: what is reached with how many labels, beside simpler ways.

In: the tables of `evidence.json` (see `sky_ssl/evaluate/evidence.py`). Out: a matplotlib figure
with a panel per task. Bands hold the central 95 % of the draws.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sky_ssl.figures.printed.style import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    INK,
    PURPLE,
    SKY,
    VERMILION,
    in_style,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = npt.NDArray[np.float64]
Table = Mapping[str, Any]

TASKS = {
    "A": ("Dwarfs against all others", "balanced_accuracy"),
    "B": ("Dwarfs against look-alikes", "balanced_accuracy"),
    "C": ("Star, galaxy or quasar", "balanced_accuracy"),
    "Z": ("Redshift", "r2"),
}
_FIGURES = {"balanced_accuracy": "balanced accuracy", "r2": "R²"}
_ALL = "all"  # labels: every one there is
_LEGEND = 0.9  # inches
_LEAST = {"balanced_accuracy": 0.0, "r2": -0.1}  # worse means are not shown
_PROBES = {
    "trained": ("trained model, linear probe", BLUE, "o", "-"),
    "trained, turns": ("trained model, averaged over turns", BLUE, "s", "--"),
    "untrained": ("untrained model, linear probe", GREY, "o", "-"),
    "PCA-64": ("64 principal components", AMBER, "o", "-"),
    "photometry": ("photometry, linear", GREEN, "o", "-"),
    "photometry, trees": ("photometry, boosted trees", GREEN, "s", "--"),
}
_NETWORKS = {
    "finetune": ("fine-tuned network", VERMILION, "D", ""),
    "attentive": ("frozen network, attentive head", SKY, "P", ""),
    "scratch": ("same network, labels alone", PURPLE, "^", ""),
    "cnn": ("small CNN, labels alone", INK, "v", ""),
}

_ORDER = [words for words, *_ in (*_PROBES.values(), *_NETWORKS.values())]
# single marks stand beside each other
_ASIDE = {look[2]: 1.07 ** (k - 1.5) for k, look in enumerate(_NETWORKS.values())}


@dataclass(frozen=True)
class Line:
    """One way of learning: n numbers of labels and what was reached with them."""

    words: str
    colour: str
    mark: str
    dash: str  # empty: single marks, each with the range of its draws
    labels: tuple[str, ...]
    values: Numbers  # (n, 3) mean, low, high

    @property
    def is_probe(self) -> bool:
        """Say whether it is drawn as a line with a band."""
        return bool(self.dash)


def lines_of(task: Table, figure: str) -> list[Line]:
    """Read the lines of a panel, the trained model last so that it lies on top.

    Args:
        task: FEATURES -> LABELS -> figure -> {"mean", "low", "high"}.
        figure: which figure.
    """
    found = []
    for name, by_labels in task.items():
        look = _look(name)
        known = {n: f[figure] for n, f in by_labels.items() if figure in f}
        if look is None or not known:
            continue
        labels = tuple(sorted(known, key=_count))
        values = [[known[n][key] for key in ("mean", "low", "high")] for n in labels]
        found.append(Line(*look, labels, np.array(values, dtype=np.float64)))
    return sorted(found, key=lambda line: _ORDER.index(line.words), reverse=True)


def _look(name: str) -> tuple[str, str, str, str] | None:
    # how many turns is a setting
    known = "trained, turns" if name.startswith("trained,") else name
    return _PROBES.get(known) or _NETWORKS.get(known)


def _count(labels: str) -> float:
    return np.inf if labels == _ALL else float(labels)


@in_style
def draw_fewshot(fewshot: Table, ceiling: Table, *, ceiling_labels: int, note: str) -> "Figure":
    """Draw a panel for each task that was measured.

    Args:
        fewshot: TASK -> FEATURES -> LABELS -> figure -> {"mean", "low", "high"}.
        ceiling: TASK -> network -> figure -> {"mean"}; may be empty.
        ceiling_labels: labels that the ceiling was trained with.
        note: for the foot.
    """
    panels = {name: lines_of(fewshot.get(name, {}), figure) for name, (_, figure) in TASKS.items()}
    panels = {name: lines for name, lines in panels.items() if lines}
    rows = -(-len(panels) // 2)
    said = ("Mean over draws of labels; bands and bars hold the central 95 % of the draws.",)
    figure = new_figure(3.1 * rows + _LEGEND, "What a few labels are worth", said, note)
    grid = figure.add_gridspec(rows + 1, 2, height_ratios=[3.1] * rows + [_LEGEND])
    handles: dict[str, Any] = {}
    for place, (name, lines) in enumerate(panels.items()):
        axis = figure.add_subplot(grid[divmod(place, 2)])
        handles |= _panel(axis, name, lines)
        handles |= _ceiling(axis, ceiling.get(name, {}), TASKS[name][1], ceiling_labels)
    order = [words for words in dict.fromkeys((*_ORDER, *handles)) if words in handles]
    key = figure.add_subplot(grid[rows, :])
    key.set_axis_off()
    key.legend([handles[w] for w in order], order, loc="center", ncols=3, handlelength=2.6)
    return figure


def _panel(axis: "Axes", name: str, lines: Sequence[Line]) -> dict[str, Any]:
    """Draw the lines; give what stands in the legend."""
    title, figure = TASKS[name]
    counts = sorted({_count(n) for line in lines for n in line.labels})
    finite = [c for c in counts if np.isfinite(c)]
    # all labels there are stand one step to the right of the others
    last = (finite[-1] if finite else 10.0) * 2.5
    handles = {}
    for line in lines:
        aside = 1.0 if line.is_probe else _ASIDE[line.mark]
        x = np.array([min(_count(n), last) * aside for n in line.labels])
        handles[line.words] = _draw(axis, line, x)
    ticks = [min(c, last) for c in counts]
    words = [_ALL if not np.isfinite(c) else f"{c:g}" for c in counts]
    axis.set_xscale("log")
    axis.set_xticks(ticks, words)
    axis.set_xticks([], minor=True)
    axis.grid(axis="y")
    axis.set_axisbelow(True)
    means = np.concatenate([line.values[:, 0] for line in lines])
    lows = np.concatenate([line.values[:, 1] for line in lines])
    # a few bad draws of ten labels would squeeze all the rest
    bottom = max(float(np.nanmin(lows)), float(np.nanmin(means)) - 0.1, _LEAST[figure])
    axis.set(title=title, xlabel="labels", ylabel=_FIGURES[figure], ylim=(bottom - 0.02, 1.0))
    return handles


def _draw(axis: "Axes", line: Line, x: Numbers) -> Any:
    mean, low, high = line.values.T
    if line.is_probe:
        axis.fill_between(x, low, high, color=line.colour, alpha=0.13, linewidth=0)
        return axis.plot(x, mean, line.dash, marker=line.mark, color=line.colour)[0]
    error = np.clip([mean - low, high - mean], 0, None)
    return axis.errorbar(
        x, mean, error, fmt=line.mark, color=line.colour, elinewidth=1.2, capsize=2, markersize=6
    )


def _ceiling(axis: "Axes", networks: Table, figure: str, labels: int) -> dict[str, Any]:
    """Draw what the best network reaches with very many labels."""
    known = [f[figure]["mean"] for f in networks.values() if figure in f]
    if not known:
        return {}
    line = axis.axhline(max(known), color=INK, linestyle=(0, (1, 1.5)), linewidth=1.4)
    return {f"best network, {labels:,} labels": line}
