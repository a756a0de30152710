"""The page of training runs, and what it stands on: records of runs, plans, curves."""

import json
import shlex
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from sky_ssl.errors import InputError
from sky_ssl.explore.runplan import RunPlan, check_plan, list_configs, resume_command
from sky_ssl.explore.starting import CONFIGS, shown, written_by
from sky_ssl.figures.losses import Curve, draw_curves, smooth, thin
from sky_ssl.jobs import list_jobs, state_of, stop_job
from sky_ssl.training.runs import (
    compare,
    content_key,
    list_figures,
    list_runs,
    list_trained,
    list_weights,
    read_run,
)
from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def own(trained: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the run, and a second that was stopped on the way."""
    w = Workspace(tmp_path / "own")
    shutil.copytree(trained.runs, w.runs)
    shutil.copytree(w.runs / "tiny", w.runs / "half")
    config = (w.runs / "half" / "config.toml").read_text()
    (w.runs / "half" / "config.toml").write_text(
        config.replace("steps = 2", "steps = 40").replace("lr = 0.001", "lr = 0.002")
    )
    lines = [{"step": s, "time": 1000.0 + 3 * s, "loss": 1 / s, "lr": 0.1} for s in range(1, 21)]
    (w.runs / "half" / "metrics.jsonl").write_text(
        "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 21, "lo'
    )
    return w


def test_runs_are_read_with_what_they_have_done(own: Workspace) -> None:
    """Steps, speed, time left, checkpoints with the hash that embeddings keep, figures."""
    from sky_ssl.training.checkpoint import load_model

    assert {run.name for run in list_runs(own.runs)} == {"tiny", "half"}
    half = read_run(own.runs / "half")
    assert (half.done, half.steps) == (20, 40)
    assert half.seconds_left() == pytest.approx(60)
    assert half.latest("loss") == pytest.approx(0.05)
    assert np.isnan(half.latest("validation_loss"))
    found, problems = list_weights(own.runs / "tiny")
    assert problems == []
    assert [(w.step, w.is_best) for w in found] == [(2, True)]
    assert found[0].sha256 == load_model(own.runs / "tiny")[1].sha256()
    assert list(list_figures(own.runs / "tiny")) == [2]
    table = compare([half, read_run(own.runs / "tiny")])
    assert table["setting"].tolist() == ["train.steps", "train.lr"]
    assert table["half"].tolist() == ["40", "0.002"]


def test_damaged_runs_are_named(own: Workspace) -> None:
    """A broken configuration, a broken checkpoint, a folder that is no run."""
    (own.runs / "nothing").mkdir()
    (own.runs / "half" / "config.toml").write_text("steps = [")
    assert "config.toml: cannot be read as TOML" in read_run(own.runs / "half").problem
    before = content_key(own.runs / "tiny")
    next(own.runs.glob("tiny/checkpoint/step-*/state.json")).write_text("{}")
    found, problems = list_weights(own.runs / "tiny")
    assert found == []
    assert "not a checkpoint of this package" in problems[0]
    assert content_key(own.runs / "tiny") != before
    assert "nothing" not in {run.name for run in list_runs(own.runs)}
    assert {run.name for run in list_trained(own.runs)} == {"tiny", "half"}


def test_a_plan_gives_the_command_that_train_takes(own: Workspace, trained: Workspace) -> None:
    """Only what differs from the configuration; refused where train.py would refuse."""
    file = trained.cutouts / "mock.h5"
    assert next(iter(list_configs(own))) == "demo"
    assert "as run tiny" in list_configs(own)
    plan = RunPlan(CONFIGS / "demo.toml", "new", (file,), steps=1500, lr=2e-3, image_size=64)
    config, run, command = check_plan(plan, own)
    assert run == own.runs / "new"
    assert config.train.lr == 2e-3
    assert command[0] == sys.executable
    assert shlex.join(command[2:]).endswith(
        f"demo.toml --out {run} --train.lr 0.002 --data.cutouts {file}"
    )
    assert written_by(command) == run
    assert shown(command).startswith("python ")
    assert shown(command, 4).startswith("torchrun --nproc_per_node 4 ")
    for change, words in {
        "tiny": "is there already",
        "../up": "letters, digits",
        ".hidden": "not beginning with a dot",
        "": "a name is needed",
    }.items():
        with pytest.raises(InputError, match=words):
            check_plan(RunPlan(plan.config, change, (file,)), own)
    with pytest.raises(InputError, match="no such file or folder"):
        check_plan(RunPlan(plan.config, "x", (Path("/nowhere.h5"),)), own)
    with pytest.raises(InputError, match="does not divide"):
        check_plan(RunPlan(plan.config, "x", (file,), image_size=60), own)
    with pytest.raises(InputError, match=r"unknown setting model\.sise"):
        check_plan(RunPlan(plan.config, "x", (file,), more="--model.sise nano"), own)
    half = read_run(own.runs / "half")
    assert resume_command(half.path, half.table)[2:] == (
        str(half.path / "config.toml"), "--out", str(half.path),
    )  # fmt: skip
    assert resume_command(half.path, half.table, 80)[-2:] == ("--train.steps", "80")


def test_curves_are_thinned_smoothed_and_escaped() -> None:
    """Means of pieces keep the mean; a logarithmic axis leaves out what is not positive."""
    step, value = np.arange(10_000.0), np.arange(10_000.0)
    value[5] = np.nan
    x, y = thin(step, value, 100)
    assert len(x) == len(y) == 100
    assert y.mean() == pytest.approx(np.nanmean(value), rel=1e-3)
    assert smooth(np.arange(9.0), 5) == pytest.approx(np.arange(9.0))
    curve = Curve("<b>run", np.array([1.0, 2, 3]), np.array([0.0, 1, 2]), "#fff")
    figure = draw_curves([curve], "loss", log=True)
    assert figure.data[0].name == "&lt;b&gt;run"
    assert list(figure.data[0].y) == [1, 2]
    assert figure.layout.yaxis.type == "log"


def test_noise_is_not_drawn_as_a_trend() -> None:
    """An axis of at least the height asked for, around what there is; larger things fit as ever."""
    steps = np.arange(3.0)
    still = Curve("a", steps, np.array([0.733, np.nan, 0.741]), "red")
    figure = draw_curves([still], "accuracy", least=0.1)
    assert figure.layout.yaxis.range == pytest.approx((0.687, 0.787))
    rising = Curve("b", steps, np.array([0.2, 0.5, 0.9]), "red")
    assert draw_curves([still, rising], "accuracy", least=0.1).layout.yaxis.range is None
    assert draw_curves([], "accuracy", least=0.1).layout.yaxis.range is None


def test_an_empty_workspace_offers_the_form(open_page: Open, words: Words, tmp_path: Path) -> None:
    """And says that data is needed."""
    said = words(open_page(tmp_path, "training"))
    assert "No runs in this workspace yet" in said


def test_runs_are_shown_and_compared(open_page: Open, words: Words, own: Workspace) -> None:
    """Curves, figures, differences, checkpoints; a finished one can go on, a stopped one resume."""
    from sky_ssl.training.checkpoint import load_model

    at = open_page(own.root, "training")
    at.multiselect(key="runs shown").set_value(["tiny", "half"]).run()
    at.toggle(key="runs log").set_value(True).run()
    assert not at.exception
    assert "half: stopped, step 20 of 40" in [p.text for p in at.get("progress")]
    assert "tiny: finished, step 2 of 2" in [p.text for p in at.get("progress")]
    assert len(at.get("plotly_chart")) == 3
    assert "No probe while training" in words(at)
    tables = [d.value for d in at.dataframe]
    assert any("train.steps" in t.get("setting", []).values for t in tables if "setting" in t)
    sha = load_model(own.runs / "tiny")[1].sha256()
    hashes = next(t["sha256 of the weights"] for t in tables if "used" in t)
    assert sha in hashes.tolist()
    assert [b.label for b in at.button if b.key == "resume half"] == ["Resume"]


def test_a_run_is_started_stopped_and_goes_on(
    open_page: Open, words: Words, own: Workspace, trained: Workspace
) -> None:
    """As a job that the page only looks at."""
    shutil.copytree(trained.cutouts, own.cutouts)
    at = open_page(own.root, "training")
    at.selectbox(key="plan config").set_value("as run tiny").run()
    at.text_input(key="plan name").set_value("../x").run()
    assert "letters, digits" in words(at) + "".join(w.value for w in at.warning)
    at.text_input(key="plan name").set_value("new").run()
    at.number_input(key="plan steps as run tiny").set_value(100_000).run()
    assert "--train.steps 100000" in words(at)
    next(b for b in at.button if b.label == "Start here").click().run()
    assert not at.exception
    job = list_jobs(own.jobs)[0]
    try:
        assert job.title == "train new"
        assert any(p.text.startswith("new: starting") for p in at.get("progress"))
        until = time.monotonic() + 60
        while not (own.runs / "new" / "metrics.jsonl").exists() and time.monotonic() < until:
            time.sleep(0.2)
        at.button(key="stop run new").click().run()
        while state_of(job).status == "running" and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        stop_job(job, 5)
    assert state_of(job).status == "stopped"
    at.run()
    assert any(p.text.startswith("new: stopped, step") for p in at.get("progress"))
    at.button(key="resume new").click().run()
    again = list_jobs(own.jobs)[0]
    stop_job(again, 20)
    assert again.command[2:5] == (str(own.runs / "new" / "config.toml"), "--out",
                                  str(own.runs / "new"))  # fmt: skip
