"""Text of files and people, made safe to stand in Markdown."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: str) -> str:
    """Escape all that Markdown or HTML would take for more than text."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Write text as code in Markdown, whatever is in it."""
    flat = " ".join(text.split())
    longest = max((len(run) for run in re.findall("`+", flat)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{flat}{space}{fence}"


def percent(p: float) -> str:
    """Write a probability with sensible digits: 0.003%, 0.4%, 62%."""
    if p != p:
        return ""
    if p < 0.001:
        return "0%" if p <= 0 else "<0.0001%" if p < 1e-6 else f"{100 * p:.1g}%"
    return f"{p:.1%}" if p < 0.1 or p > 0.995 else f"{p:.0%}"
