"""Markdown tables and the figures in them."""

from collections.abc import Mapping, Sequence
from typing import Any


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out a table; text is escaped, but for `**` around a whole cell."""
    lines = [_row(head), "|" + "---|" * len(head)]
    return "\n".join(lines + [_row(row) for row in rows])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_cell, cells)) + " |"


def _cell(text: str) -> str:
    if len(text) > 4 and text.startswith("**") and text.endswith("**"):
        return f"**{escaped(text[2:-2])}**"
    return escaped(text)


def escaped(text: str) -> str:
    """Make text harmless in Markdown: no markup, no HTML, one line."""
    plain = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    for mark in "\\`*_[]|":
        plain = plain.replace(mark, "\\" + mark)
    return plain


def cell(figure: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Give mean and range of a figure, "0.927 (0.900 to 0.945)"; a dash where there is none."""
    if figure is None or figure["mean"] is None:
        return "–"
    mean = f"{figure['mean']:.{digits}f}"
    if figure["n"] < 2:
        return mean
    return f"{mean} ({figure['low']:.{digits}f} to {figure['high']:.{digits}f})"


def with_error(figure: Mapping[str, Any] | None, digits: int = 3, *, sign: bool = False) -> str:
    """Give mean and standard error of a figure; a dash where there is none."""
    if not figure or figure.get("mean") is None:
        return "–"
    mean = f"{figure['mean']:{'+' if sign else ''}.{digits}f}"
    error = figure.get("error")
    return mean if error is None else f"{mean} ± {error:.{digits}f}"
