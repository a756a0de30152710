"""What can be set for a training run, in words: fields, defaults and the comments beside them.

In: the dataclasses of the configuration. Out: lines for `train.py --help`. The source is the one
place where a setting is explained.
"""

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from sky_ssl.training.config import SECTIONS, Config

_FIELD = re.compile(r"    (?P<name>\w+): [^#=]+=(?P<value>[^#]*)(?:#(?P<words>.*))?$")
_NAMES = 30  # columns of the names with their defaults
_WIDTH = 100


def comments(cls: type) -> dict[str, str]:
    """Give the comment of each field of a dataclass: beside it, or in lines above it."""
    found, above = {}, ""
    for line in inspect.getsource(cls).splitlines():
        if line.startswith("    # "):
            above = f"{above} {line[6:]}".strip()
        elif match := _FIELD.match(line):
            found[match["name"]] = f"{above} {(match['words'] or '').strip()}".strip()
            above = ""
    return found


def shown(value: Any) -> str:
    """Write a default as it is given on the command line."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value).lower() if value is None or isinstance(value, bool) else f"{value}"


def setting_lines() -> Iterator[str]:
    """Describe all settings, section by section."""
    yield f"{'  --survey':{_NAMES}}{comments(Config)['survey']}"
    yield ""
    for section, cls in SECTIONS.items():
        yield f"[{section}]"
        words = comments(cls)
        for field in dataclasses.fields(cls):
            name = f"  --{section}.{field.name} {shown(field.default)}".rstrip()
            said = textwrap.wrap(words[field.name], _WIDTH - _NAMES) or [""]
            head = f"{name:{_NAMES - 2}}  {said[0]}" if len(name) <= _NAMES - 2 else name
            yield head.rstrip()
            for more in said if head is name else said[1:]:
                yield f"{'':{_NAMES}}{more}"
        yield ""
