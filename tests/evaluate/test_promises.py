"""Promises of a probe against the truth."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.promises import EDGES, FIRST, kept_promises
from sky_ssl.probes.calibration import Calibration


def scores(n: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds that are right at equal frequencies: N(1, 2) for dwarfs, N(-1, 2) for others."""
    rng = np.random.default_rng(3)
    real = rng.random(n) < 0.5
    return rng.normal(np.where(real, 1.0, -1.0), 2**0.5), real


@pytest.mark.parametrize("prevalence", [0.02, 0.001])
def test_right_probabilities_keep_their_promises(prevalence: float) -> None:
    """Promised and found agree in the bins and in the list; the shares add up to one sky."""
    score, real = scores()
    right = Calibration(1.0, 0.0, 0.5).moved_to(prevalence)
    found = kept_promises(right, score, real, np.random.default_rng(0))
    share, promised, true = np.array(found["bins"]).T
    assert len(share) == len(EDGES) - 1
    assert share.sum() == pytest.approx(1)
    assert true.sum() == pytest.approx(prevalence)
    assert promised.sum() == pytest.approx(prevalence, rel=0.1)
    assert found["calibration_error"] < 0.15 * prevalence
    assert found["brier_score_loss"] < prevalence
    assert found["found"] <= FIRST
    assert found["expected"] == pytest.approx(found["found"], abs=12)


def test_wrong_probabilities_are_found_out() -> None:
    """A probe that promises as if half were dwarfs is off by about half."""
    score, real = scores()
    wrong = Calibration(1.0, 4.0, 0.02)
    found = kept_promises(wrong, score, real, np.random.default_rng(0))
    assert found["calibration_error"] > 0.4
    assert found["expected"] > found["found"] + 20
    with pytest.raises(InputError, match="one kind"):
        kept_promises(wrong, score, real & False, np.random.default_rng(0))
