"""The selection rules of a workspace: a folder of JSON files.

In: the folder. Out: which rules are there, and a name for a new one.
"""

import re
from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.rulefile import SCHEMA, save_selection

_HEAD = 4096


def list_rules(folder: str | Path) -> list[Path]:
    """List the files of a folder that hold rules, the newest first; others are passed over."""
    found = [path for path in Path(folder).glob("[!.]*.json") if _is_rule(path)]
    return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))


def _is_rule(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return SCHEMA.rpartition(" ")[0].encode() in file.read(_HEAD)
    except OSError:
        return False


def new_rule_path(folder: str | Path, name: str) -> Path:
    """Choose the file of a new rule: its name, with a number where that is taken.

    Raises:
        InputError: a name without a letter or digit.
    """
    word = re.sub(r"[^\w.+-]+", "-", name.strip()).strip("-.")[:80]
    if not re.search(r"\w", word):
        raise InputError(f"name {name!r}: give the rule a name with letters or digits")
    path, number = Path(folder) / f"{word}.json", 2
    while path.exists():
        path, number = Path(folder) / f"{word}-{number}.json", number + 1
    return path


def add_rule(folder: str | Path, rule: Selection) -> Path:
    """Write a rule into a folder, never over another; give the file."""
    path = new_rule_path(folder, rule.name)
    save_selection(rule, path)
    return path
