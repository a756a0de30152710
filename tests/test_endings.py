"""A list that could not be written is refused before the work that it would hold."""

from pathlib import Path

import pytest

from sky_ssl.cli import main

COMMANDS = {
    "detect": ["detect", "none.fits", "--survey", "mock", "--out", "list.doc"],
    "search": ["search", "--embeddings", "none.h5", "--like", "a", "--out", "list.doc"],
    "probe": ["probe", "--embeddings", "none.h5", "--labels", "none.csv", "--column", "c",
              "--out", "list.doc"],
    "candidates": ["candidates", "--selection", "none.json", "--embeddings", "none.h5",
                   "--out", "list.doc"],
    "clusters": ["clusters", "--embeddings", "none.h5", "--out", "list.doc"],
    "anomalies": ["anomalies", "--embeddings", "none.h5", "--out", "list.doc"],
    "audit": ["labels", "audit", "list.doc", "--embeddings", "none.h5"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_the_ending_is_looked_at_first(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not one of the inputs is there, and yet it is the ending that is complained about."""
    monkeypatch.chdir(tmp_path)
    assert main(COMMANDS[name]) == 2
    assert "list.doc: ending '.doc' is not one of .csv" in capsys.readouterr().err
