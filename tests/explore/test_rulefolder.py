"""The rules of a workspace: listed, named, never written over."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.rule import Selection
from sky_ssl.explore.rulefolder import add_rule, list_rules, new_rule_path

RULE = Selection(
    kind="search", name="dwarfs / faint: v1", model="", dimensions=2, query=np.ones(2, np.float32)
)


def test_rules_are_listed_and_other_files_passed_over(tmp_path: Path) -> None:
    """A folder that is not there has none."""
    assert list_rules(tmp_path / "none") == []
    first, second = add_rule(tmp_path, RULE), add_rule(tmp_path, RULE)
    assert [first.name, second.name] == ["dwarfs-faint-v1.json", "dwarfs-faint-v1-2.json"]
    (tmp_path / "polygon.json").write_text('{"polygon": []}')
    (tmp_path / ".hidden.json").write_text(first.read_text())
    assert sorted(list_rules(tmp_path)) == sorted([first, second])


@pytest.mark.parametrize("name", ["", "  ", "../..", "///"])
def test_a_name_needs_letters(tmp_path: Path, name: str) -> None:
    """And never leads out of the folder."""
    with pytest.raises(InputError, match="letters or digits"):
        new_rule_path(tmp_path, name)
    assert new_rule_path(tmp_path, "../../etc/x").parent == tmp_path
