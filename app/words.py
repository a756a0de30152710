"""Text of files and people, made safe to stand in Markdown."""

import re

_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: str) -> str:
    """Escape all that Markdown or HTML would take for more than text."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))
