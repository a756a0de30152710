"""What a survey says unlabelled: of the numbers as probes see them, and once for a file."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from sky_ssl.embedding.store import Embeddings
from sky_ssl.explore.features import softened
from sky_ssl.explore.surveyprior import prior_of
from sky_ssl.probes.prior import fit_prior


def test_the_survey_as_a_whole_says_what_axes_are_wide(tmp_path: Path) -> None:
    """Of tokens alone, from the numbers as probes see them; found once for a file."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(300, 8)) @ rng.normal(size=(8, 8))).astype(np.float32)
    e = Embeddings(
        tmp_path / "e.h5", values, *(np.empty(300) for _ in range(4)), {"pooling": "central"}
    )
    prior, expected = prior_of(e), fit_prior(softened(values))
    assert prior is not None
    assert expected is not None
    np.testing.assert_allclose(prior.apply(values), expected.apply(values), rtol=1e-6)
    assert prior_of(e) is not prior  # no file to know it by
    e.path.touch()
    kept = prior_of(e)
    assert prior_of(e) is kept
    written = e.path.stat().st_mtime_ns
    os.utime(e.path, ns=(written, written + 10**9))
    assert prior_of(e) is not kept  # written anew since
    assert prior_of(replace(e, attributes={"pooling": "mean"})) is None
