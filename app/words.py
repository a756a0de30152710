"""Text of files and people, made safe to stand in Markdown."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: str) -> str:
    """Escape all that Markdown or HTML would take for more than text."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def percent(p: float) -> str:
    """Write a probability with sensible digits: 3e-05, 0.4%, 62%."""
    if p != p:
        return ""
    if p < 0.001:
        return f"{p:.0e}"
    return f"{p:.1%}" if p < 0.1 or p > 0.995 else f"{p:.0%}"
