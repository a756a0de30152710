"""The demo and the mock survey by command."""

import json
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.cli import main
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.sky.cutoutset import open_cutouts


def test_demo_builds_a_workspace_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Mock sky, model and embeddings; again, nothing is made anew; another sky is."""
    argv = ["demo", "--workspace", str(tmp_path / "w"), "--n", "150", "--steps", "3", "--json"]
    assert main(argv) == 0
    first = json.loads(capfd.readouterr().out)
    assert "simulated" in first["sky"]
    made = sorted(p for p in (tmp_path / "w").rglob("*") if p.is_file())
    times = [p.stat().st_mtime_ns for p in made]
    embeddings = open_embeddings(tmp_path / "w" / "embeddings" / "mock.h5")
    assert embeddings.values.shape == (150, 512)
    assert np.isfinite(embeddings.values).all()
    assert Path(first["contact_sheet"]).is_file()

    assert main(argv) == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["embeddings"] == first["embeddings"]
    assert "$" not in said.err
    assert [p.stat().st_mtime_ns for p in made] == times

    assert main([*argv, "--seed", "1"]) == 0
    assert "sky-ssl mock" in capfd.readouterr().err
    ids = open_cutouts(tmp_path / "w" / "cutouts" / "mock.h5").column("id")
    assert ids[0].startswith("MOCK-1-")


def test_mock_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows in natural proportion and more of a class, a contact sheet, and what the file holds."""
    argv = ["mock", "--out", str(tmp_path / "m.h5"), "--n", "30", "--enrich", "dwarf=6"]
    argv += ["--preset", "wide", "--workers", "1", "--sheet", str(tmp_path / "m.png"), "--json"]
    assert main(argv) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["kind"], said["rows"], said["bands"]) == ("cutouts", 36, list("ugriz"))
    assert {"class", "is_dwarf", "zspec", "mag_r", "half_light_radius"} <= set(said["columns"])
    assert float(said["pixel_scale"]) == pytest.approx(0.7428)
    assert (tmp_path / "m.png").is_file()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--enrich", "dwarf"], "--enrich dwarf: give CLASS=N"),
        (["--enrich", "moon=3"], "class 'moon' of the mock survey: allowed are star"),
        (["--preset", "deep"], "preset 'deep' of the mock survey: allowed are native and wide"),
    ],
)
def test_mock_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], extra: list[str], message: str
) -> None:
    """Status 2, one line, no file."""
    assert main(["mock", "--out", str(tmp_path / "m.h5"), "--n", "5", *extra]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
