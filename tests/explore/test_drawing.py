"""What was drawn, kept and opened again."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore.drawing import Drawing, load_drawing, save_drawing


def test_a_drawing_comes_back(tmp_path: Path) -> None:
    """With its words and strokes; the same objects have the same name."""
    stroke = {"map": "m.h5", "mode": "new", "corners": [[0.5, 1], [2, 3], [4, 1]]}
    drawn = Drawing(np.array([1, 5, 9]), "lasso", "box <b>", (stroke,))
    name = save_drawing(tmp_path, drawn, "data", 10)
    assert save_drawing(tmp_path, drawn, "data", 10) == name
    assert save_drawing(tmp_path, drawn, "other", 10) != name
    found = load_drawing(tmp_path, name, "data", 10)
    assert found is not None
    assert found.rows.tolist() == [1, 5, 9]
    assert (found.source, found.name, found.strokes) == ("lasso", "box <b>", (stroke,))
    assert len(list(tmp_path.iterdir())) == 2


def test_other_data_and_other_names_open_nothing(tmp_path: Path) -> None:
    """Not another data set's, and no path that an address could name."""
    name = save_drawing(tmp_path / "d", Drawing(np.array([0]), "lasso", "lasso"), "data", 3)
    (tmp_path / "secret.json").write_text("{}")
    assert load_drawing(tmp_path / "d", name, "data", 4) is None
    assert load_drawing(tmp_path / "d", name, "others", 3) is None
    assert load_drawing(tmp_path / "d", "../secret", "data", 3) is None
    assert load_drawing(tmp_path / "d", "0" * 12, "data", 3) is None


def test_a_broken_drawing_is_named(tmp_path: Path) -> None:
    """In one line."""
    (tmp_path / f"{'a' * 12}.json").write_text("[1")
    with pytest.raises(InputError, match=r"a{12}\.json: not a drawing"):
        load_drawing(tmp_path, "a" * 12, "data", 3)
