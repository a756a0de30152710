"""Labels from the values of a column."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.labelvalues import (
    as_wanted,
    carried,
    count_values,
    texts_of,
    thinned,
    write_values,
)


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    """Five objects."""
    columns = {
        "id": np.array([f"o{i}" for i in range(5)]),
        "ra": np.arange(5.0),
        "dec": np.zeros(5),
        "tile": np.array(["t"] * 5),
    }
    x = np.ones((5, 2), np.float32)
    path = tmp_path / "e.h5"
    write_embeddings(path, [x], x.shape, dtype="float32", columns=columns, attributes={})
    return open_embeddings(path)


def test_values_become_labels() -> None:
    """Named values, all others, none; a value is not two labels."""
    texts = texts_of([1.0, 2.0, np.nan, 1.0])
    assert texts.tolist() == ["1", "2", "", "1"]
    assert count_values(texts) == {"1": 2, "2": 1}
    assert as_wanted(texts, {"dwarf": ["1"]}).tolist() == ["dwarf", "", "", "dwarf"]
    assert as_wanted(texts, {"dwarf": ["1"]}, "other").tolist() == ["dwarf", "other", "", "dwarf"]
    assert as_wanted(texts, {}).tolist() == [""] * 4
    with pytest.raises(InputError, match="both"):
        as_wanted(texts, {"dwarf": ["1"], "other": ["1"]})


def test_so_many_of_each_at_random() -> None:
    """No more than asked for, the same for the same seed."""
    labels = np.array(["a"] * 50 + ["b"] * 3 + [""], dtype=object)
    kept = thinned(labels, 10, seed=1)
    assert count_values(kept) == {"a": 10, "b": 3}
    assert (kept == thinned(labels, 10, seed=1)).all()


def test_a_catalogue_is_carried_over_by_id_and_position(e: Embeddings) -> None:
    """Unmatched rows are reported; a catalogue of another sky is refused."""
    table = pd.DataFrame(
        {
            "id": ["o1", "x", "far"],
            "ra": [1.0, 3.0001, 9.0],
            "dec": [0.0, 0, 0],
            "kind": list("abc"),
        }
    )
    values, report = carried(table, "kind", e)
    assert values.tolist() == [None, "a", None, "b", None]
    assert report
    with pytest.raises(InputError, match="none of the 1 rows"):
        carried(table[2:].reset_index(drop=True), "kind", e)
    with pytest.raises(InputError, match="no column 'z'"):
        carried(table, "z", e)


def test_what_was_said_is_not_said_again(e: Embeddings, tmp_path: Path) -> None:
    """Twice the same import writes once."""
    ledger, who = Ledger(tmp_path / "labels.db"), Origin("ada", "import", "data")
    labels = np.array(["a", "", "b", "", ""], dtype=object)
    first = write_values(ledger, e, labels, task="t", origin=who)
    assert (first["written"], first["unchanged"]) == (2, 0)
    second = write_values(ledger, e, labels, task="t", origin=who)
    assert (second["written"], second["unchanged"]) == (0, 2)
    assert ledger.current(task="t")["ra"].tolist() == [0.0, 2.0]
