"""The command line: results on standard output, one clear line on bad input."""

import argparse
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from sky_ssl.cli import build_parser, main
from sky_ssl.model.embedding import POOLINGS
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter


def every_argument(
    parser: argparse.ArgumentParser, name: str = "sky-ssl"
) -> Iterator[tuple[str, argparse.Action]]:
    """Give the arguments of all subcommands with the name of theirs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, part in action.choices.items():
                yield from every_argument(part, f"{name} {word}")
        else:
            yield name, action


def test_every_argument_says_what_it_does() -> None:
    """In `--help`; and that of `embed` names every pooling there is."""
    said = list(every_argument(build_parser()))
    assert len(said) > 150
    assert [(name, a.dest) for name, a in said if not a.help] == []
    (pooling,) = (a for name, a in said if (name, a.dest) == ("sky-ssl embed", "pooling"))
    words = (pooling.help or "").replace(" (default)", "").split(", ")
    assert sorted(words) == sorted(POOLINGS)


def info(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    status = main(["info", str(path), "--json"])
    result: dict[str, object] = json.loads(capsys.readouterr().out)
    assert status == (2 if result["kind"] == "unreadable" else 0)
    return result


def test_info_describes_cutouts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Kind, rows, bands and columns of a cutout file; `problems` is empty."""
    path = tmp_path / "a.h5"
    with CutoutWriter(path, CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0))) as writer:
        pixels = np.random.default_rng(0).normal(size=(5, 2, 8, 8)).astype(np.float32)
        writer.append(pixels, {"id": list("abcde"), "ra": range(5), "dec": range(5)})
    result = info(path, capsys)
    assert (result["kind"], result["rows"], result["bands"]) == ("cutouts", 5, ["g", "r"])
    assert result["columns"] == ["dec", "id", "ra"]
    assert result["problems"] == []


def test_info_describes_foreign_cutouts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of an older code opens, and what it does not say is a problem named."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["cutouts"] = np.random.default_rng(0).normal(size=(5, 3, 8, 8))
    result = info(tmp_path / "old.h5", capsys)
    assert result["kind"] == "cutouts"
    assert "does not name its 3 bands" in str(result["problems"])
    assert "no column id ra dec" in str(result["problems"])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("cut.h5", b"\x89HDF\r\n\x1a\n" + bytes(50), "cannot be read as HDF5"),
        ("model.safetensors", pickle.dumps({"a": 1}), "not a complete safetensors file"),
        ("empty.csv", b"ra,dec\n", "without rows"),
        ("places.csv", b"name,flux\na,1\n", "no columns"),
        ("half.fits", b"SIMPLE  =                    T", "half.fits"),
        ("notes.docx", b"PK", "not a kind of file known here"),
        ("config.toml", b"[model\n", "not valid TOML"),
        ("broken.jpg", b"\xff\xd8\xff\xe0rest", "cannot be decoded"),
    ],
)
def test_bad_files_are_refused_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    reason: str,
) -> None:
    """Each is named with its reason on one line of standard error, status 2."""
    (tmp_path / name).write_bytes(content)
    assert main(["info", str(tmp_path / name)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert name in lines[0]
    assert reason in lines[0]


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No such file; an empty folder; a run without a checkpoint: status 2 each."""
    assert main(["info", str(tmp_path / "none.h5")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
    assert main(["info", str(tmp_path)]) == 2
    assert "nothing in this folder" in capsys.readouterr().err
    arguments = ["--cutouts", "a.h5", "--out", str(tmp_path / "e.h5")]
    assert main(["embed", "--run", str(tmp_path), *arguments]) == 2
    assert "no checkpoint here" in capsys.readouterr().err
