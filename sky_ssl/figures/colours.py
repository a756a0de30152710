"""Colours of objects: classes from a set that colour-blind people tell apart, numbers as viridis.

In: a column. Out: a code per object (uint8) and the palette that the codes point into.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

OKABE_ITO = ("#56b4e9", "#e69f00", "#009e73", "#f0e442", "#d55e00", "#cc79a7", "#0072b2")
"""Okabe & Ito 2008, without black, the lightest first."""
TABLEAU = ("#76b7b2", "#edc948", "#b07aa1", "#ff9da7", "#9c755f", "#86bcb6", "#f1ce63")
MISSING = "#6b7280"
_LEVELS = 64
_NAMED = 5  # levels of a scale that are written beside it


@dataclass(frozen=True)
class Colouring:
    """Colours of N objects."""

    codes: npt.NDArray[np.uint8]  # (N,)
    palette: list[dict[str, Any]]  # {"name", "colour", "count"} by code; name None = not shown

    def colour_of(self, row: int) -> str:
        """Give the colour of an object."""
        return str(self.palette[int(self.codes[row])]["colour"])


def class_colours(names: list[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give each class a colour, the same for the same list; `given` ones are kept."""
    free = [c for c in (*OKABE_ITO, *TABLEAU) if c not in set((given or {}).values())] or [MISSING]
    chosen = dict(given or {})
    for name in names:
        if name not in chosen:
            chosen[name] = free[sum(n not in (given or {}) for n in chosen) % len(free)]
    return {name: chosen[name] for name in names}


def colour_classes(
    values: npt.NDArray, colours: Mapping[str, str] | None = None, most: int = 40
) -> Colouring:
    """Colour classes, the most frequent first; beyond `most` they are "other".

    Args:
        values: (N,) text, whole numbers or truth values; empty text = none.
        colours: of some classes, by name.
        most: classes with a colour of their own.
    """
    text = values.astype(str)
    names, inverse, counts = np.unique(text, return_inverse=True, return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable") if names[i] != ""]
    named, rest = order[:most], order[most:]
    labels = [str(names[i]) for i in named]
    chosen = class_colours(labels, colours)
    code = np.zeros(len(names), dtype=np.uint8)
    palette = [_entry("none", MISSING, int(counts[names == ""].sum()))]
    for place, i in enumerate(named, start=1):
        code[i] = place
        palette.append(_entry(labels[place - 1], chosen[labels[place - 1]], int(counts[i])))
    if rest:
        code[rest] = len(palette)
        palette.append(_entry("other", "#9ca3af", int(counts[rest].sum())))
    if palette[0]["count"] == 0:
        palette[0]["name"] = None
    return Colouring(code[inverse].astype(np.uint8), palette)


def colour_numbers(
    values: npt.NDArray[np.floating],
    low: float | None = None,
    high: float | None = None,
    scale: str = "viridis",
) -> Colouring:
    """Colour numbers (N,) from `low` to `high`, by default their central 98 %; NaN is grey."""
    from matplotlib import colormaps

    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values)
    if known.any():
        ends = np.percentile(values[known], [1, 99])
        low = float(ends[0]) if low is None else low
        high = float(ends[1]) if high is None else high
    low, high = (0.0 if low is None else low), (1.0 if high is None else high)
    width = (high - low) or 1.0
    level = np.zeros(len(values), dtype=np.uint8)
    share = ((values[known] - low) / width).clip(0, 1)
    level[known] = 1 + np.rint(share * (_LEVELS - 1)).astype(np.uint8)
    table = colormaps[scale](np.linspace(0.06, 1, _LEVELS))
    steps = {round(s * (_LEVELS - 1)) for s in np.linspace(0, 1, _NAMED)}
    palette = [_entry("unknown" if not known.all() else None, MISSING, int((~known).sum()))]
    for i, (r, g, b, _) in enumerate(table):
        name = f"{low + width * i / (_LEVELS - 1):.3g}" if i in steps else None
        colour = f"#{round(255 * r):02x}{round(255 * g):02x}{round(255 * b):02x}"
        palette.append({"name": name, "colour": colour})
    return Colouring(level, palette)


def is_number(values: npt.NDArray) -> bool:
    """Say whether a column is to be coloured by size, and not by kind."""
    if values.dtype.kind == "f":
        return True
    return values.dtype.kind in "iu" and len(np.unique(values)) > 20


def _entry(name: str | None, colour: str, count: int) -> dict[str, Any]:
    return {"name": name, "colour": colour, "count": count}
