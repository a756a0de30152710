"""Colours of objects: classes from a set that colour-blind people tell apart, numbers as viridis.

In: a column. Out: a code per object (uint8) and the palette that the codes point into.
"""

from collections.abc import Mapping, Sequence
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
    row, kinds = _kinds(values)
    names, merged = np.unique(np.array([str(k) for k in kinds], dtype=str), return_inverse=True)
    counts = np.bincount(merged[row[row >= 0]], minlength=len(names)).astype(int)
    order = [i for i in np.argsort(-counts, kind="stable") if names[i] != ""]
    place = np.zeros(len(names) + 1, dtype=np.uint8)  # of none: the last, and the empty name
    place[order] = np.minimum(np.arange(1, len(order) + 1), most + 1)
    missing = len(row) - int(counts[names != ""].sum())
    palette = _palette([(str(names[i]), int(counts[i])) for i in order], missing, colours, most)
    # row -1, without a value, takes the last
    code = np.append(place[merged], np.uint8(0))
    return Colouring(code[row].astype(np.uint8), palette)


def colour_numbered(
    number: npt.NDArray[np.integer], titles: Sequence[str], most: int = 40
) -> Colouring:
    """Colour kinds that are numbered already, such as clusters; beyond `most` they are "other".

    Args:
        number: (N,) 0 to K - 1, -1 = none.
        titles: K.
        most: kinds with a colour of their own.
    """
    counts = np.bincount(number[number >= 0], minlength=len(titles)).astype(int)
    missing = int(np.count_nonzero(number < 0))
    palette = _palette(list(zip(titles, counts.tolist(), strict=True)), missing, None, most)
    return Colouring(np.minimum(number + 1, most + 1).astype(np.uint8), palette)


def _kinds(values: npt.NDArray) -> tuple[npt.NDArray[np.intp], npt.NDArray]:
    """Number the different values (N,), -1 for None and NaN; by hash, as sorting text is slow."""
    import pandas as pd

    plain = values.astype(str) if values.dtype.kind == "S" else values
    if plain.dtype.kind == "U" and len(plain):
        # numbers of 64 bits in place of text: no million Python strings
        row, sums = pd.factorize(_sums(plain))
        first = np.zeros(len(sums), dtype=np.intp)
        first[row[::-1]] = np.arange(len(row))[::-1]
        if (plain == plain[first][row]).all():  # no two texts have one sum
            return row, plain[first]
    row, kinds = pd.factorize(plain.astype(object) if plain.dtype.kind == "U" else plain)
    return row, np.asarray(kinds, dtype=object)


def _sums(text: npt.NDArray[np.str_]) -> npt.NDArray[np.uint64]:
    """Give a number for each text (N,), the same for the same text."""
    letters = np.ascontiguousarray(text).view(np.uint32).reshape(len(text), -1)
    result = np.zeros(len(text), dtype=np.uint64)
    for column in letters.T:
        result *= np.uint64(0x9E3779B97F4A7C15)
        result += column
        result ^= result >> np.uint64(29)
    return result


def _palette(
    counted: list[tuple[str, int]], missing: int, colours: Mapping[str, str] | None, most: int
) -> list[dict[str, Any]]:
    """List the colours by code: none, the kinds in their order, and all others."""
    named, rest = counted[:most], counted[most:]
    chosen = class_colours([name for name, _ in named], colours)
    palette = [_entry("none" if missing else None, MISSING, missing)]
    palette += [_entry(name, chosen[name], count) for name, count in named]
    if rest:
        palette.append(_entry("other", "#9ca3af", sum(count for _, count in rest)))
    return palette


def colour_numbers(
    values: npt.NDArray[np.floating],
    low: float | None = None,
    high: float | None = None,
    scale: str = "viridis",
    *,
    log: bool = False,
) -> Colouring:
    """Colour numbers (N,) from `low` to `high`, by default their central 98 %; NaN is grey.

    With `log` equal factors are equal steps, the ends too are logarithms (base 10), and numbers
    that have none are grey.
    """
    from matplotlib import colormaps

    values = np.asarray(values, dtype=np.float64)
    if log:
        values = np.log10(values, where=values > 0, out=np.full(values.shape, np.nan))
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
        value = low + width * i / (_LEVELS - 1)
        name = None if i not in steps else f"{10**value:.3g}" if log else f"{value:.3g}"
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
