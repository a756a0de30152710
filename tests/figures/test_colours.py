"""Colours of classes and numbers."""

import numpy as np

from sky_ssl.figures.colours import (
    class_colours,
    colour_classes,
    colour_numbered,
    colour_numbers,
    is_number,
)


def test_classes_have_a_colour_each_and_their_number() -> None:
    """The most frequent first; empty is none; colours that are given are kept."""
    found = colour_classes(np.array(["b", "a", "b", "", "c"]), {"c": "#123456"})
    assert [p["name"] for p in found.palette] == ["none", "b", "a", "c"]
    assert [p["count"] for p in found.palette] == [1, 2, 1, 1]
    assert found.codes.tolist() == [1, 2, 1, 0, 3]
    assert found.colour_of(4) == "#123456"
    assert len({p["colour"] for p in found.palette}) == 4


def test_many_classes_end_in_other() -> None:
    """More than there is room for, and nothing unlabelled."""
    found = colour_classes(np.repeat([f"k{i}" for i in range(60)], 2), most=40)
    assert found.palette[0]["name"] is None
    assert found.palette[-1] == {"name": "other", "colour": "#9ca3af", "count": 40}
    assert found.codes.max() == 41


def test_numbers_run_along_the_scale() -> None:
    """Low dark, high light, beyond the ends the ends; NaN is grey and counted."""
    found = colour_numbers(np.array([0.0, 0.5, 1.0, 9.0, np.nan]), 0, 1)
    assert found.codes.tolist() == [1, 32 + 1, 64, 64, 0]
    assert found.palette[0]["count"] == 1
    assert [p["name"] for p in found.palette if p["name"]] == [
        "unknown", "0", "0.254", "0.508", "0.746", "1",
    ]  # fmt: skip
    assert len(colour_numbers(np.full(3, np.nan)).palette) == 65


def test_kinds_of_columns() -> None:
    """Text, truth and few whole numbers are classes."""
    assert is_number(np.array([1.5]))
    assert is_number(np.arange(30))
    assert not is_number(np.arange(5))
    assert not is_number(np.array(["a"]))


def test_class_colours_do_not_depend_on_what_else_is_there() -> None:
    """Given colours stay and are not used twice."""
    found = class_colours(["a", "b"], {"b": "#56b4e9"})
    assert found["b"] == "#56b4e9"
    assert found["a"] != "#56b4e9"


def test_kinds_without_a_value_are_none() -> None:
    """None and NaN as empty text; numbers and truth by their words; equal words are one kind."""
    mixed = np.array(["a", None, float("nan"), "", 1, "1"], dtype=object)
    found = colour_classes(mixed)
    assert [(p["name"], p["count"]) for p in found.palette] == [("none", 3), ("1", 2), ("a", 1)]
    assert found.codes.tolist() == [2, 0, 0, 0, 1, 1]
    assert [p["name"] for p in colour_classes(np.array([True, True, False])).palette[1:]] == [
        "True", "False",
    ]  # fmt: skip


def test_numbered_kinds_keep_their_numbers() -> None:
    """Cluster 0 has code 1; none is code 0; those beyond the colours are others."""
    found = colour_numbered(np.array([0, 2, -1, 1, 2]), ["a", "b", "c"], most=2)
    assert found.codes.tolist() == [1, 3, 0, 2, 3]
    assert [(p["name"], p["count"]) for p in found.palette] == [
        ("none", 1), ("a", 1), ("b", 1), ("other", 2),
    ]  # fmt: skip


def test_a_logarithmic_scale_is_told_in_plain_numbers() -> None:
    """Equal factors are equal steps; what has no logarithm is grey."""
    found = colour_numbers(np.array([0.1, 1.0, 10.0, 0.0, -1.0]), -1, 1, log=True)
    assert found.codes.tolist() == [1, 33, 64, 0, 0]
    assert [p["name"] for p in found.palette if p["name"]][1::4] == ["0.1", "10"]
