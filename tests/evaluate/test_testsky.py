"""The mock sky that is measured on: who takes part in which task, and features without gaps."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.testsky import Truth, enrichment, read_truth, simple_features
from sky_ssl.sky.mock import LOOK_ALIKES, PRIOR, generate, mock_info


def made(n: int = 60) -> tuple[Truth, list[np.ndarray]]:
    """A small sky with its images."""
    batches = list(generate(n, seed=5, enrich=enrichment(n)))

    def column(name: str) -> np.ndarray:
        return np.concatenate([b.columns[name] for b in batches])

    return read_truth(column, n), [b.images for b in batches]


def test_tasks_take_the_objects_they_say() -> None:
    """A: natural and dwarfs; B: look-alikes and dwarfs; C: three kinds, galaxies natural alone."""
    truth, _ = made()
    kind = truth.columns["class"]
    a, b, c = (truth.task(name) for name in "ABC")
    assert (a.use == (truth.natural | (kind == "dwarf"))).all()
    assert set(kind[b.use]) <= {"dwarf", *LOOK_ALIKES}
    assert (a.kinds == (kind == "dwarf")).all()
    assert set(c.kinds[c.use]) == {"star", "galaxy", "qso"}
    assert not (c.use & ~truth.natural & (kind == "dwarf")).any()
    train, test = a.halves(truth.train)
    assert set(truth.columns["tile"][train]).isdisjoint(truth.columns["tile"][test])
    with pytest.raises(InputError, match="must be A, B or C"):
        truth.task("D")


def test_rare_objects_are_added_in_their_own_proportion() -> None:
    """A fifth more dwarfs, a fifth more look-alikes, shared out as in nature."""
    more = enrichment(12_000)
    assert more["dwarf"] == 2400
    assert sum(more[name] for name in LOOK_ALIKES) == pytest.approx(2400, abs=4)
    assert more["lsb_spiral"] / more["halo"] == pytest.approx(
        PRIOR["lsb_spiral"] / PRIOR["halo"], rel=0.01
    )


def test_a_missing_band_does_not_tell_what_the_object_is() -> None:
    """It gets the median of the natural training half, also in a batch that is all dwarfs."""
    truth, images = made()
    fit = truth.natural & truth.train
    images[-1] = images[-1].copy()
    images[-1][0, 2] = np.nan
    found = simple_features(images, mock_info().sky_sigma or (), lambda: fit)
    flux = found["photometry"][:, :5]
    row = len(flux) - len(images[-1])
    others = np.concatenate(images)[fit]
    seen = np.isfinite(others[:, 2]).any(axis=(1, 2))
    assert flux[row, 2] == pytest.approx(np.median(flux[fit, 2][seen]))
    assert found["photometry"][row, 6] == pytest.approx(flux[row, 2] - flux[row, 1])
    assert np.isfinite(found["PCA-64"]).all()
