"""Settings of a training: the list of them in `train.py --help`, and those that cannot be."""

import dataclasses
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sky_ssl.errors import InputError
from sky_ssl.training.config import SECTIONS, TrainConfig
from sky_ssl.training.described import comments, setting_lines, shown

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Small:
    """Fields with words beside, above, and none."""

    first: int = 1  # the first; 0 = none
    # a longer one, that
    # takes two lines
    second: tuple[str, ...] = ()
    third: str = "x"

    def __post_init__(self) -> None:
        assert self.first >= 0  # no field: other


def test_words_beside_and_above_a_field_are_its_own() -> None:
    """And nothing of what is written in methods."""
    assert comments(Small) == {
        "first": "the first; 0 = none",
        "second": "a longer one, that takes two lines",
        "third": "",
    }


def test_defaults_are_written_as_they_are_given() -> None:
    """As words of the command line."""
    assert [shown(v) for v in (True, None, (1, 3), (), 0.5, "auto")] == [
        *("true", "none", "1,3", "", "0.5", "auto")
    ]


def test_every_setting_is_explained_in_the_help() -> None:
    """By its name on the command line, with its default and at least two words."""
    lines = list(setting_lines())
    for section, cls in SECTIONS.items():
        words = comments(cls)
        for field in dataclasses.fields(cls):
            assert any(f"--{section}.{field.name}" in line.split() for line in lines)
            assert len(words[field.name]) > 3
    assert max(map(len, lines)) <= 100
    command = [sys.executable, str(ROOT / "train.py"), "--help"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "--model.patch_size 8        pixels a side of a patch" in said
    assert "--survey" in said


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"steps": 0}, "train.steps = 0: must be at least 1"),
        ({"schedule": 5, "steps": 9}, "train.schedule = 5"),
        ({"seed": -1}, "train.seed = -1: must be 0 or more"),
        ({"threads": -1}, "train.threads = -1: must be 0 or more"),
        ({"ema": 1.0}, "train.ema = 1.0"),
        ({"precision": "half"}, "train.precision = 'half': must be auto, bf16 or fp32"),
        ({"keep": 0}, "train.keep = 0"),
    ],
)
def test_settings_of_a_training_that_cannot_be_are_named(
    fields: dict[str, Any], message: str
) -> None:
    """With their value and what is allowed."""
    with pytest.raises(InputError) as error:
        TrainConfig(**fields)
    assert message in str(error.value)
