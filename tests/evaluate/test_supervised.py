"""Networks that are fitted on labels of one half of a sky and scored on the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.evidence import assemble, run_parts
from sky_ssl.evaluate.plan import natural_share, plan
from sky_ssl.evaluate.supervised import fitted_on, labels_of, score_on, settings_of, start_of
from sky_ssl.evaluate.testsky import enrichment
from sky_ssl.training import finetune


def test_networks_and_ceiling_come_out_as_figures(small_bench: Bench) -> None:
    """A and B of few labels, and A, B and redshift of all; the runs of few labels are let go."""
    parts = plan(small_bench, ("networks", "ceiling"))
    run_parts(small_bench, parts)
    native = assemble(small_bench, parts)["presets"]["native"]
    assert 0 <= native["fewshot"]["B"]["attentive"]["40"]["balanced_accuracy"]["mean"] <= 1
    assert set(native["ceiling"]) == {"A", "B", "Z"}
    assert native["ceiling"]["Z"]["scratch"]["r2"]["n"] == 2
    kept = {p.name.split("-")[0] for p in (small_bench.store.folder / "fits").iterdir()}
    assert kept == {"ceiling"}


def test_a_network_of_too_few_labels_has_no_figure(small_bench: Bench) -> None:
    """As probes: what a sky cannot give isn't measured under the number that was asked for."""
    settings = replace(small_bench.settings, fit_labels=(4000,), skies=(101,))
    bench = Bench(settings, small_bench.store, small_bench.trained)
    part = plan(bench, ("networks",))[0]
    assert part.make() == {}


def test_a_fit_starts_from_the_run_and_never_sees_the_test_half(
    small_bench: Bench, tmp_path: Path
) -> None:
    """Attention on the frozen network: its labels are of odd tiles, and what is done is read."""
    sky, trained = small_bench.sky("native", 101), small_bench.trained["native"]
    labels = labels_of(sky.truth, "C", sky.truth.train)
    assert labels.question.classes == ("galaxy", "qso", "star")
    assert (sky.truth.columns["tile"][labels.rows].astype(int) % 2 == 1).all()
    config = settings_of("attentive", labels=30, steps=3)
    start = start_of("attentive", trained, sky)
    first = fitted_on(sky, "C", sky.truth.train, config, start, tmp_path, None)
    again = fitted_on(sky, "C", sky.truth.train, config, start, tmp_path, None)
    assert first.sha256 == again.sha256
    assert first.said["pretrained"] == trained.sha256
    scores = score_on(again, sky, "C")
    assert np.isfinite(scores["balanced_accuracy"]).all()


def test_the_ceiling_has_as_many_cutouts_as_it_says() -> None:
    """Natural ones and the rare ones that are added come to the number asked for."""
    n = natural_share(50_000)
    assert n + sum(enrichment(n).values()) == pytest.approx(50_000, rel=0.001)


def test_a_fit_that_was_stopped_ends_the_work(
    small_bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal while a network is fitted: no figure is made of what is half done."""
    sky = small_bench.sky("native", 101)
    monkeypatch.setattr(finetune, "fit", lambda *_: {"stopped": 2})
    with pytest.raises(SystemExit) as stopped:
        fitted_on(sky, "A", sky.truth.train, settings_of("cnn"), None, tmp_path)
    assert stopped.value.code == 143
