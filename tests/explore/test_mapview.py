"""Maps on a grid of 16 bits, and polygons on them."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.mapview import FULL, combine, frame_map, hidden_rows, mask_bytes, select


def test_the_frame_keeps_the_shape_and_comes_back() -> None:
    """The longer axis fills the grid, the other is centred; objects without place are marked."""
    xy = np.array([[0.0, 10.0], [4.0, 11.0], [2.0, 12.0], [np.nan, 1.0]])
    frame = frame_map(xy)
    assert frame.grid[:2, 0].tolist() == [0, FULL]
    assert frame.grid[:3, 1].tolist() == pytest.approx([FULL / 4, FULL / 2, 3 * FULL / 4], abs=1)
    assert frame.placed.tolist() == [True, True, True, False]
    assert frame.to_map(frame.grid[:3]) == pytest.approx(xy[:3], abs=1e-4)
    assert frame.to_grid(xy[:3]) == pytest.approx(frame.grid[:3], abs=1)
    words = np.frombuffer(frame.to_bytes(), "<u2")
    assert (words[:4] == frame.grid[:, 0]).all()
    assert (words[4:] == frame.grid[:, 1]).all()


def test_polygons_hold_what_a_slow_test_says() -> None:
    """Against the winding of angles, for a star that does not cross itself."""
    rng = np.random.default_rng(0)
    frame = frame_map(rng.normal(size=(3000, 2)))
    angle = np.linspace(0, 2 * np.pi, 11)[:-1]
    radius = np.where(np.arange(10) % 2, 9000, 26_000)[:, None]
    star = radius * np.column_stack([np.cos(angle), np.sin(angle)]) + FULL / 2
    v = star[None] - frame.grid[:, None].astype(float)
    turn = np.angle(np.exp(1j * np.diff(np.arctan2(v[..., 1], v[..., 0]), axis=1, append=0)))
    whole = np.arctan2(v[..., 1], v[..., 0])
    turn = np.angle(np.exp(1j * (np.roll(whole, -1, axis=1) - whole))).sum(axis=1)
    assert (frame.inside(star) == (np.abs(turn) > np.pi)).all()
    assert 50 < frame.inside(star).sum() < 2500


def test_odd_polygons() -> None:
    """A figure of eight holds both loops; a line and nothing hold nothing; nonsense is refused."""
    frame = frame_map(np.array([[0.0, 0.0], [1.0, 1.0], [0.2, 0.5], [0.8, 0.5], [np.nan, 0]]))
    eight = np.array([[0, 0], [1, 1], [1, 0], [0, 1]]) * FULL
    assert frame.inside(eight)[2:].tolist() == [True, True, False]
    assert not frame.inside([[0, 0], [5, 5]]).any()
    assert not frame.inside([]).any()
    with pytest.raises(InputError, match="finite corners"):
        frame.inside([[0, 0], [1, np.nan], [1, 1]])


def test_selections_join() -> None:
    """New, add, subtract, intersect; with nothing before; another word is refused."""
    a, b = np.array([True, True, False]), np.array([True, False, True])
    assert combine(a, b, "new").tolist() == [True, False, True]
    assert combine(a, b, "add").tolist() == [True, True, True]
    assert combine(a, b, "subtract").tolist() == [False, True, False]
    assert combine(a, b, "intersect").tolist() == [True, False, False]
    assert combine(None, b, "add").tolist() == b.tolist()
    assert not combine(None, b, "subtract").any()
    with pytest.raises(InputError, match="'xor': allowed are new, add"):
        combine(a, b, "xor")


def test_a_mask_has_a_bit_for_each_object() -> None:
    """The lowest bit first."""
    assert mask_bytes(np.array([True, False, True] + 6 * [False])) == bytes([5, 0])


def test_what_the_legend_hides_is_left_alone() -> None:
    """Hidden objects are neither added nor taken out, whatever is drawn."""
    frame = frame_map(np.array([[0.0, 0.0], [1, 1], [2, 2], [3, 3]]))
    hidden = hidden_rows(np.array([0, 1, 2, 2], np.uint8), [1, 999, -3])
    assert hidden.tolist() == [False, True, False, False]
    low = [[-9, -9], [FULL / 2, -9], [FULL / 2, FULL / 2], [-9, FULL / 2]]  # the first two
    assert select(frame, low, "new", None, hidden).tolist() == [0]
    assert select(frame, low, "add", np.array([3]), hidden).tolist() == [0, 3]
    assert select(frame, low, "subtract", np.array([0, 1, 2]), hidden).tolist() == [1, 2]
    assert select(frame, low, "intersect", np.array([0, 1, 2]), hidden).tolist() == [0, 1]
    assert select(frame, [], "new", np.array([1])).tolist() == []
