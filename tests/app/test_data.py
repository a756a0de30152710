"""The page of what a workspace holds, and what it stands on: records, what is stale, commands."""

import shlex
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from sky_ssl.cli import build_parser
from sky_ssl.embedding.encode import embed_file
from sky_ssl.errors import InputError
from sky_ssl.explore import starting
from sky_ssl.explore.holding import Holding, read_holding
from sky_ssl.explore.holdings import find_stale, list_places, remove, unfinished
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.mapjob import map_file
from sky_ssl.explore.maps import MapOptions
from sky_ssl.figures.sheet import draw_thumbnails
from sky_ssl.jobs import list_jobs, start_job, state_of, stop_job
from sky_ssl.sky.mock import write_mock
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def own(trained: Workspace, tmp_path: Path) -> Workspace:
    """Cutouts, a run, embeddings by it, a map of them, labels: all of one workspace, all good."""
    w = Workspace(tmp_path / "own")
    shutil.copytree(trained.cutouts, w.cutouts)
    shutil.copytree(trained.runs, w.runs)
    embed_file(w.runs / "tiny", w.cutouts / "mock.h5", w.embeddings / "mock.h5")
    map_file(w.embeddings / "mock.h5", w.maps / "mock.h5", MapOptions(method="pca"))
    Ledger(w.labels).label(["MOCK-3-000001"], "dwarf", task="dwarf")
    return w


def look(w: Workspace) -> dict[str, Holding]:
    found = find_stale([read_holding(kind, path) for kind, path in list_places(w)])
    return {f"{h.kind} {h.name}": h for h in found}


def test_what_is_there_and_good(own: Workspace) -> None:
    """Rows, sizes and a few words for each."""
    found = look(own)
    assert list(found) == ["cutouts mock.h5", "run tiny", "embeddings mock.h5", "map mock.h5",
                           "labels labels.db"]  # fmt: skip
    assert {h.state for h in found.values()} == {"good"}
    cutouts = found["cutouts mock.h5"]
    assert cutouts.rows == 300
    assert cutouts.bytes == (own.cutouts / "mock.h5").stat().st_size
    assert cutouts.content == "mock, u g r i z, 64 x 64 pixels, 0.186 arcsec/pixel"
    assert found["run tiny"].content == "nano, patch 16, step 2 of 2"
    assert found["map mock.h5"].content == "pca of mock.h5"
    assert found["labels labels.db"].content == "events of dwarf"
    assert look(Workspace(own.root / "none")) == {}


def test_what_is_out_of_date_says_why(own: Workspace) -> None:
    """Other cutouts under the old name, other embeddings, a model that went on or is gone."""
    write_mock(own.cutouts / "mock.h5", 20, seed=9, workers=1)
    assert look(own)["embeddings mock.h5"].stale == ("cutouts mock.h5 were changed since",)
    changed = own.embeddings / "changed.h5"
    shutil.copy(own.embeddings / "mock.h5", changed)
    with h5py.File(changed, "a") as file:
        file["embeddings"][0] += 1
        file.attrs["checkpoint_sha256"], file.attrs["checkpoint_step"] = "b" * 64, 1
    changed.replace(own.embeddings / "mock.h5")
    found = look(own)
    assert found["embeddings mock.h5"].stale[0] == (
        "made with step 1 of a model like run tiny, now at step 2"
    )
    assert found["map mock.h5"].stale == ("embeddings mock.h5 were made anew since",)
    shutil.rmtree(own.runs / "tiny")
    (own.cutouts / "mock.h5").unlink()
    reasons = look(own)["embeddings mock.h5"].stale
    assert reasons[0] == "its model bbbbbbbbbbbb is not in this workspace"
    assert "are gone" in reasons[1]


def test_an_older_checkpoint_is_known_by_its_hash(own: Workspace) -> None:
    """While the run still keeps it beside a better one."""
    step = next((own.runs / "tiny" / "checkpoint").glob("step-*"))
    newer = step.with_name("step-00000009")
    shutil.copytree(step, newer)
    state = (newer / "state.json").read_text().replace('"step": 2', '"step": 9')
    (newer / "state.json").write_text(state)
    weights = bytearray((newer / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (newer / "model.safetensors").write_bytes(bytes(weights))
    (own.runs / "tiny" / "checkpoint" / "best").write_text("step-00000009")
    assert look(own)["embeddings mock.h5"].stale == (
        "made with step 2 of run tiny, whose best is now step 9",
    )


def test_broken_files_are_named_with_their_reason(own: Workspace) -> None:
    """Each, and nothing else suffers."""
    whole = (own.cutouts / "mock.h5").read_bytes()
    (own.cutouts / "short.h5").write_bytes(whole[: len(whole) // 2])
    (own.cutouts / "notes.txt").write_text("hello")
    (own.maps / "bad.h5").write_bytes(b"no map")
    own.selections.mkdir()
    (own.selections / "rule.json").write_text("{")
    (own.runs / "odd").mkdir()
    found = look(own)
    broken = {name: h.broken for name, h in found.items() if h.broken}
    assert set(broken) == {"cutouts short.h5", "cutouts notes.txt", "map bad.h5",
                           "selection rule.json", "run odd"}  # fmt: skip
    for name, reason in broken.items():
        assert name.split()[1] in reason
    assert "not a cutout file" in broken["cutouts notes.txt"]


def test_only_what_is_of_the_workspace_can_be_deleted(own: Workspace, tmp_path: Path) -> None:
    """Neither labels, nor a file elsewhere, nor what is being written."""
    other = tmp_path / "other.h5"
    other.write_bytes(b"x")
    for path in (own.labels, other, own.cutouts, own.root / "cutouts" / ".." / "labels.db"):
        with pytest.raises(InputError, match="not a file or run of this workspace"):
            remove(own, path)
        assert path.exists()
    with pytest.raises(InputError, match="stop its job first"):
        remove(own, own.runs / "tiny", busy=[own.runs / "tiny"])
    part = own.embeddings / ".new.h5.parts"
    part.mkdir()
    (part / "job.json").write_text("{}")
    assert unfinished(own) == [(part, 2)]
    remove(own, part)
    remove(own, own.maps / "mock.h5")
    remove(own, own.runs / "tiny")
    assert not (own.runs / "tiny").exists()
    assert "map mock.h5" not in look(own)


def test_commands_are_those_that_the_parser_takes(own: Workspace, tmp_path: Path) -> None:
    """With all that was chosen; what is written lies in the workspace."""
    w, tiles = own, tmp_path
    commands = {
        starting.detect_command(w, tiles, "unions", "a", reproject=True): "catalogues/a.ecsv",
        starting.cut_command(w, tiles, "hsc", "b", random=5, fov=30): "cutouts/b.h5",
        starting.cut_command(w, tiles, "hsc", "b", catalogue=tiles): "cutouts/b.h5",
        starting.cut_command(w, tiles, "hsc", "b", overlap=0.5): "cutouts/b.h5",
        starting.embed_command(w, tiles, tiles, "c", turns=8, project=8): "embeddings/c.h5",
        starting.map_command(w, tiles, "d", method="tsne", warm=tiles): "maps/d.h5",
    }
    for command, out in commands.items():
        words = shlex.split(starting.shown(command))
        assert words[0] == "sky-ssl"
        args = build_parser().parse_args(words[1:])
        assert args.out == w.root / out == starting.written_by(command)
    for name in ("../a", "a/b", ".a", "", "-a", "a b", "a" * 99):
        with pytest.raises(InputError, match="name"):
            starting.map_command(w, tiles, name)
    assert starting.free_name(["a", "a-2"], "a") == "a-3"
    with pytest.raises(InputError, match="no such file or folder"):
        starting.read_path("/nowhere/at all", "tiles")


def test_thumbnails_fill_rows_in_order() -> None:
    """The last row is black where there is nothing more; pixels are repeated."""
    images = np.zeros((5, 3, 4, 4), dtype=np.float32)
    images[3] = 50.0
    sheet = draw_thumbnails(images, [1.0, 1.0, 1.0], (2, 1, 0), width=30, wanted=8)
    assert sheet.shape == (2 * 8 + 2, 3 * 8 + 2 * 2, 3)
    assert sheet[10, 0].sum() > 300
    assert sheet[0, 0].sum() < 100
    assert sheet[10, 20].sum() == 0


def test_an_empty_workspace_says_what_to_do(open_page: Open, words: Words, tmp_path: Path) -> None:
    """And shows the forms all the same."""
    at = open_page(tmp_path / "new", "data")
    assert "Nothing in this workspace yet" in words(at)
    assert "Embedding takes a trained model and cutouts" in words(at)
    assert "No finished jobs yet" in words(at)
    assert not (tmp_path / "new").exists()


def test_the_page_lists_and_names_what_is_wrong(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """A table of all; broken and stale ones in words; text of files stays text."""
    (own.maps / "*bad*.h5").write_bytes(b"no map")
    write_mock(own.cutouts / "mock.h5", 20, seed=9, workers=1)
    at = open_page(own.root, "data")
    table = next(d.value for d in at.dataframe if "what" in d.value)
    assert table["what"].tolist() == ["cutouts", "run", "embeddings", "map", "map", "labels"]
    assert table["state"].tolist() == ["good", "good", "out of date", "broken", "good", "good"]
    assert table["rows"].tolist()[:3] == ["20", "", "300"]
    assert "**1** broken" in words(at)
    assert any(r"\*bad\*\.h5" in e.value for e in at.error)
    assert any("were changed since" in e.value for e in at.warning)
    assert "rows 0 to 19 of 20" in words(at)


def test_deleting_asks_once(open_page: Open, words: Words, own: Workspace) -> None:
    """Keeping keeps; deleting deletes."""
    at = open_page(own.root, "data")
    at.button(key="delete mock.h5").click().run()
    assert (own.cutouts / "mock.h5").exists()
    at.button(key="keep").click().run()
    assert (own.cutouts / "mock.h5").exists()
    at.button(key="delete mock.h5").click().run()
    at.button(key="delete for good").click().run()
    assert not at.exception
    assert not (own.cutouts / "mock.h5").exists()
    assert (own.embeddings / "mock.h5").exists()


def test_a_map_is_made_as_a_job(open_page: Open, words: Words, own: Workspace) -> None:
    """The command shown is what runs; a name with a slash is refused; how it ended is told."""
    at = open_page(own.root, "data")
    at.selectbox(key="map method").set_value("pca").run()
    name = next(t for t in at.text_input if t.label == "Name of the map")
    name.set_value("a/b").run()
    assert any("letters, digits" in w.value for w in at.warning)
    next(t for t in at.text_input if t.label == "Name of the map").set_value("mock").run()
    assert at.button(key="map start").disabled
    next(t for t in at.text_input if t.label == "Name of the map").set_value("second").run()
    shown = next(c.value for c in at.code if "sky-ssl map" in c.value)
    at.button(key="map start").click().run()
    job = list_jobs(own.jobs)[0]
    assert shlex.split(shown)[1:] == list(job.command)[3:]
    until = time.monotonic() + 60
    while state_of(job).status == "running" and time.monotonic() < until:
        time.sleep(0.1)
    assert state_of(job).status == "done"
    at.run()
    assert (own.maps / "second.h5").is_file()
    jobs = next(d.value for d in at.dataframe if "job" in d.value)
    assert jobs[["job", "ended"]].values.tolist() == [["map second", "well"]]


def test_tiles_are_listed_and_bad_paths_told(
    open_page: Open, words: Words, own: Workspace, tmp_path: Path
) -> None:
    """Before anything is started."""
    at = open_page(own.root, "data")
    at.text_input(key="detect tiles").set_value(str(tmp_path / "gone")).run()
    assert any("no such file or folder" in w.value for w in at.warning)
    at.text_input(key="detect tiles").set_value(str(tmp_path)).run()
    assert f"sky-ssl detect {tmp_path} --survey unions" in words(at)
    at.toggle(key="detect list").set_value(True).run()
    assert not at.exception
    assert len(at.warning) >= 1


def test_a_job_that_runs_is_shown_and_stopped(
    open_page: Open, words: Words, own: Workspace
) -> None:
    """Its stop answers at once."""
    job = start_job(own.jobs, "embed slow", ["sleep", "60"])
    try:
        at = open_page(own.root, "data")
        assert any("embed slow: starting" in p.text for p in at.get("progress"))
        at.button(key=f"stop {job.folder.name}").click().run()
        until = time.monotonic() + 20
        while state_of(job).status == "running" and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        stop_job(job, 1)
    at.run()
    assert "embed slow was stopped" in words(at)
