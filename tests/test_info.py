"""What `info` says of maps, rules and ledgers."""

import json
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.explore.selection import save_selection, search_selection
from sky_ssl.info import describe


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """One file of each kind that exploring makes."""
    values = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)
    ids = np.array([f"o{i}" for i in range(40)])
    place = {"ra": np.arange(40.0), "dec": np.zeros(40), "tile": np.full(40, "1")}
    e = tmp_path / "embeddings" / "e.h5"
    write_embeddings(
        e,
        [values],
        values.shape,
        dtype="float32",
        columns={"id": ids, **place},
        attributes={"checkpoint_sha256": "ab" * 32, "pooling": "mean", "bands": "g r"},
    )
    map_file(e, tmp_path / "maps" / "m.h5", MapOptions(method="pca", seed=4))
    rule = search_selection(open_embeddings(e), [1, 2], threshold=0.5, name="mine")
    save_selection(rule, tmp_path / "selections" / "s.json")
    ledger = Ledger(tmp_path / "labels.db")
    ledger.label(["o1", "o2"], "dwarf", task="kind")
    ledger.close()
    return tmp_path


def test_each_kind_is_known(workspace: Path) -> None:
    """Rows and what each was made from."""
    found = describe(workspace / "maps" / "m.h5")
    assert (found["kind"], found["rows"], found["method"]) == ("map", 40, "pca")
    rule = describe(workspace / "selections" / "s.json")
    assert (rule["kind"], rule["name"], rule["threshold"]) == ("selection", "mine", 0.5)
    ledger = describe(workspace / "labels.db")
    assert (ledger["kind"], ledger["rows"]) == ("label ledger", 2)
    assert ledger["labels"] == ["kind: 2 dwarf"]


def test_a_workspace_lists_all_and_names_what_is_broken(workspace: Path) -> None:
    """A rule that is cut short is named with its reason; the rest is listed all the same."""
    text = (workspace / "selections" / "s.json").read_text()
    (workspace / "selections" / "t.json").write_text(text[: len(text) // 2])
    table = json.loads(text)
    table["model"] = 7
    (workspace / "selections" / "u.json").write_text(json.dumps(table))
    found = describe(workspace)
    assert [line.split(":")[0] for line in found["contents"]] == [
        "embeddings/e.h5", "maps/m.h5", "selections/s.json", "selections/t.json",
        "selections/u.json", "labels.db",
    ]  # fmt: skip
    assert len(found["problems"]) == 2
    assert "t.json: not valid JSON" in found["problems"][0]
    assert "u.json" in found["problems"][1]
