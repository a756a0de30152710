"""Evidence: done once, the same every time, whole at any moment."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.evidence import (
    FILE,
    assemble,
    figure,
    keep_evidence,
    read_evidence,
    read_needle,
    run_parts,
)
from sky_ssl.evaluate.parts import Store
from sky_ssl.evaluate.plan import plan

QUICK = ("fewshot", "search", "calibration")
SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "evidence.py"


@pytest.fixture
def script() -> ModuleType:
    """The command."""
    spec = importlib.util.spec_from_file_location("evidence_command", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_done_is_not_done_again(small_bench: Bench) -> None:
    """A second run does nothing; a part that is gone is done alone; all lies where it should."""
    parts = plan(small_bench, QUICK)
    run_parts(small_bench, parts)
    assert run_parts(small_bench, parts) == 0
    gone = next((small_bench.store.folder / "parts").glob("fewshot-native-102-B-trained-*.json"))
    before = gone.read_text()
    gone.unlink()
    assert len(assemble(small_bench, parts)["missing"]) == 1
    assert run_parts(small_bench, parts) == 1
    assert gone.read_text() == before
    found = assemble(small_bench, parts)
    assert found["missing"] == []
    native = found["presets"]["native"]
    assert set(native["fewshot"]["A"]) == set(small_bench.features)
    assert native["fewshot"]["Z"]["photometry, trees"]["all"]["r2"]["n"] == 2
    assert native["search"]["trained"]["tokens"]["2"]["2"]["n"] == 4
    assert "100" not in native["search"]["trained"]["tokens"]["2"]  # so many dwarfs there are not
    assert native["calibration"]["trained"]["0.02"]["found"]["n"] == 4


def test_networks_may_be_fitted_on_some_presets_alone(small_bench: Bench) -> None:
    """The quick parts stay; those of networks and the ceiling go with their preset."""
    settings = replace(small_bench.settings, fit_presets=("wide",))
    bench = Bench(settings, small_bench.store, small_bench.trained)
    kinds = (*QUICK, "networks", "ceiling")
    assert [p.key for p in plan(bench, kinds)] == [p.key for p in plan(small_bench, QUICK)]
    assert len(plan(small_bench, kinds)) > len(plan(small_bench, QUICK))


def test_the_same_seeds_give_the_same_evidence(small_bench: Bench, tmp_path: Path) -> None:
    """In another folder, and done in two goes, it comes out equal to the last digit."""
    settings = replace(small_bench.settings, skies=(102,), turns=1)
    benches = [
        Bench(settings, Store(folder), small_bench.trained)
        for folder in (small_bench.store.folder, tmp_path)
    ]
    first, again = (plan(bench, QUICK) for bench in benches)
    run_parts(benches[0], first)
    run_parts(benches[1], again[:9])
    run_parts(benches[1], again)
    found = json.dumps(assemble(benches[1], again))
    assert found == json.dumps(assemble(benches[0], first))
    assert str(tmp_path) not in found


def test_a_part_that_is_broken_off_loses_no_other(small_bench: Bench, tmp_path: Path) -> None:
    """What was done before stays, what broke leaves no file behind."""
    bench = Bench(small_bench.settings, Store(tmp_path), small_bench.trained)
    parts = plan(small_bench, QUICK)[:2]

    def stop() -> dict:
        raise SystemExit(143)

    parts[1] = type(parts[1])(parts[1].key, stop, parts[1].place)
    with pytest.raises(SystemExit):
        run_parts(bench, parts)
    assert [p.name for p in (tmp_path / "parts").iterdir()] == [f"{parts[0].key.stem}.json"]


def test_a_figure_sums_up_draws_and_skies() -> None:
    """By hand: the error is that of skies where these differ more than their draws."""
    found = figure({1: [0.1, 0.1], 2: [0.3, 0.3]})
    assert found["mean"] == pytest.approx(0.2)
    assert found["error"] == pytest.approx(0.1)
    assert found["n"] == 4
    assert figure({1: [0.5]})["error"] is None


def test_settings_alone_do_not_compute(script: ModuleType, tmp_path: Path) -> None:
    """Without a run nothing is computed: there must be evidence; errors are one line, status 2."""
    sys.argv = ["evidence.py", "--out", str(tmp_path)]
    assert script.main() == 2
    (tmp_path / FILE).write_text('{"schema": "other"}')
    assert script.main() == 2


def test_the_command_measures_and_writes(
    script: ModuleType, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a run to results; a sky the run was trained on is refused."""
    out, page = tmp_path / "out", tmp_path / "RESULTS.md"
    few = ["--presets", "native", "--objects", "200", "--labels", "10", "--repeats", "1"]
    small = ["--run", str(run), "--out", str(out), *few, "--turns", "1", "--only", "fewshot"]
    sys.argv = ["evidence.py", *small, "--skies", "7"]
    assert script.main() == 2
    assert "trained on the mock sky of seed 7" in capsys.readouterr().err
    sys.argv = ["evidence.py", *small, "--skies", "9", "--write", str(page)]
    assert script.main() == 0
    text = page.read_text()
    assert "not measured" in text
    assert "| untrained | 0." in text
    needle = tmp_path / "needle.json"
    needle.write_text('[{"name": "patch 4", "what": "a <b>", "figures": {"A": {"mean": 0.5}}}]')
    sys.argv = ["evidence.py", "--out", str(out), "--needle", str(needle), "--write", str(page)]
    assert script.main() == 0
    assert "| patch 4 | a &lt;b> | 0.500 |" in page.read_text()
    assert page.read_text().startswith(text[:2000])


def test_what_was_measured_beside_is_kept(tmp_path: Path) -> None:
    """Real galaxies stay in the evidence when mock skies are measured again."""
    keep_evidence(tmp_path, {"schema": "sky_ssl evidence 1"}, {"pictures": {"pictures": 3}})
    keep_evidence(tmp_path, {"schema": "sky_ssl evidence 1", "missing": []}, {})
    assert read_evidence(tmp_path)["pictures"] == {"pictures": 3}


def test_a_table_of_trials_must_be_whole(tmp_path: Path) -> None:
    """An entry that lacks its figures is named; so is a file that is no JSON."""
    path = tmp_path / "needle.json"
    path.write_text('[{"name": "x", "what": "y"}]')
    with pytest.raises(InputError, match="entry 1 lacks figures"):
        read_needle(path)
    path.write_text("no")
    with pytest.raises(InputError, match="cannot be read"):
        read_needle(path)


def test_real_images_are_measured_once_and_without_paths(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other benchmarks give is kept like a part; folders of this machine are left out."""
    calls: list[str] = []

    def measure(data: str, run: str | None, **_: object) -> dict:
        calls.append(data)
        return {"table": {"a": 0.123456789}, "run": run, "tile": data}

    pictures = SimpleNamespace(measure=measure, VERSION=1)
    monkeypatch.setitem(sys.modules, "efigi", pictures)
    bands = SimpleNamespace(measure=measure, HELD_OUT=(0.75, 1.0), VERSION=1)
    monkeypatch.setitem(sys.modules, "hidden_band", bands)
    given = ["--out", str(tmp_path), "--pictures", "/far/efigi", "--tile", "/far/tile"]
    for _ in range(2):
        found = script.real_evidence(script.parser().parse_args(given))
    assert calls == ["/far/efigi", "/far/tile"]
    assert found["pictures"] == {"table": {"a": 0.123457}, "sha256": ""}
    assert "far" not in json.dumps(found)
    pictures.VERSION = 2  # another way to measure is another result
    script.real_evidence(script.parser().parse_args(given))
    assert calls == ["/far/efigi", "/far/tile", "/far/efigi"]
