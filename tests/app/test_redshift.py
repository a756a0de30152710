"""The redshift page: held-out figures, predictions for all, and their use on the map."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from sky_ssl.workspace import Workspace

Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


def fitted(at: AppTest) -> AppTest:
    """Run the page until everything is predicted."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        at.run()
        assert not at.exception
        if any("objects predicted" in m.value for m in at.markdown):
            return at
        time.sleep(0.3)
    raise AssertionError("the regression is never fitted")


def test_an_empty_workspace_says_what_to_do(open_page: Open, words: Words, tmp_path: Path) -> None:
    """No chart without embeddings, but the way to them."""
    assert "No embeddings in this workspace yet" in words(open_page(tmp_path, "redshift"))


def test_without_a_column_a_catalogue_is_asked_for(
    open_page: Open, words: Words, workspace: Workspace, tmp_path: Path
) -> None:
    """Embeddings whose cutouts are gone have no column; one can upload a catalogue."""
    from sky_ssl.embedding.store import open_embeddings, write_embeddings

    e = open_embeddings(workspace.embeddings / "mock.h5")
    w = Workspace(tmp_path / "bare")
    columns = {"id": e.id, "ra": e.ra, "dec": e.dec, "tile": e.tile}
    values = np.asarray(e.values)
    w.embeddings.mkdir(parents=True)
    write_embeddings(
        w.embeddings / "bare.h5", [values], values.shape, dtype="float32", columns=columns,
        attributes={},
    )  # fmt: skip
    said = words(open_page(w.root, "redshift"))
    assert "Upload a catalogue with redshifts" in said
    assert "by id, or else by position" in said


def test_redshifts_are_measured_and_predicted(
    open_page: Open, words: Words, workspace: Workspace
) -> None:
    """Figures with intervals and their range, two charts, four kinds of files, a map's colour."""
    at = fitted(open_page(workspace.root, "redshift"))
    assert at.selectbox(key="redshift column").value == "zspec"
    assert [m.label for m in at.metric] == ["R²", "Bias", "NMAD", "Outliers"]
    for metric in at.metric:
        low, high = (float(part.rstrip("%")) for part in metric.delta.split(" to "))
        assert low <= float(metric.value.rstrip("%")) <= high
    said = words(at)
    assert "each predicted without its fold" in said
    assert "**300** objects predicted" in said
    assert len(at.get("plotly_chart")) == 2
    assert len(at.get("download_button")) == 4
    path, name, values = at.session_state["sky"].predicted
    assert (path, name) == ("mock.h5", "zspec")
    assert np.isfinite(values).all()
    at.button(key="redshift worst").click().run()
    assert not at.exception
    chosen = at.session_state["sky"].chosen
    assert (np.diff(np.abs(chosen.scores)) <= 0).all()
    at.switch_page("../pages/map.py").run()
    assert not at.exception
    assert "predicted zspec" in at.selectbox(key="colour").options


def test_other_columns_and_classes_left_out(
    open_page: Open, words: Words, workspace: Workspace
) -> None:
    """A magnitude has no bias over 1 + z; fewer objects are used where classes are left out."""
    at = open_page(workspace.root, "redshift")
    at.selectbox(key="redshift column").set_value("mag_r").run()
    at = fitted(at)
    assert [m.label for m in at.metric] == ["R²", "Mean |error|", "RMS error"]
    at.multiselect(key="redshift without").set_value(["star", "qso"]).run()
    at = fitted(at)
    assert not at.exception


def test_too_few_numbers_are_said(open_page: Open, workspace: Workspace) -> None:
    """All classes left out: one sentence, no traceback."""
    at = open_page(workspace.root, "redshift")
    options = at.multiselect(key="redshift without").options
    at.multiselect(key="redshift without").set_value(options).run()
    until = time.monotonic() + 30
    while not at.error and time.monotonic() < until:
        time.sleep(0.2)
        at.run()
    assert not at.exception
    assert any("a regression needs at least" in e.value for e in at.error)
