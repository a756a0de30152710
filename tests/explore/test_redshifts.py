"""Numbers read off embeddings."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.store import Embeddings, open_embeddings, write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.redshifts import (
    FORMATS,
    deviations,
    kind_of,
    problem_of_values,
    regress,
    table_bytes,
)

N = 300


@pytest.fixture
def e(tmp_path: Path) -> Embeddings:
    """Embeddings whose first number is the redshift, nearly."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 6)).astype(np.float32)
    columns = {
        "id": np.array([f"o{i}" for i in range(N)]),
        "ra": rng.uniform(100, 120, N),
        "dec": rng.uniform(-10, 10, N),
        "tile": np.array(["t"] * N),
    }
    path = tmp_path / "e.h5"
    write_embeddings(path, [x], x.shape, dtype="float32", columns=columns, attributes={})
    return open_embeddings(path)


def redshift(e: Embeddings) -> np.ndarray:
    z = 1.5 + 0.3 * e.values[:, 0] + np.random.default_rng(1).normal(0, 0.02, N)
    z[::3] = np.nan
    return np.asarray(z)


def test_a_line_is_found_and_measured(e: Embeddings) -> None:
    """Figures, bins and predictions for all; the deviation is in units of 1 + z."""
    z = redshift(e)
    assert kind_of(z, "zspec") == "redshift"
    told: list[float] = []
    steps = list(
        regress(problem_of_values(e, z, "zspec", task="redshift"), lambda s, _: told.append(s))
    )
    assert told == sorted(told)
    found = steps[-1]
    r2, nmad = found.figure("r2"), found.figure("nmad")
    assert r2 is not None
    assert nmad is not None
    assert r2.low > 0.98
    assert nmad.mean == pytest.approx(0.008, abs=0.003)
    np.testing.assert_allclose(
        found.deviation, deviations(found.truth, found.predicted, redshift=True)
    )
    assert found.bins is not None
    assert found.bins.count.sum() == 200
    assert (found.bins.nmad[:, 1] <= found.bins.nmad[:, 0]).all()
    share = found.bins.outliers[:, 0] @ found.bins.count / found.bins.count.sum()
    assert share == pytest.approx((np.abs(found.deviation) > 0.15).mean())
    assert (found.bins.outliers[:, 2] > found.bins.outliers[:, 0]).all()
    assert found.table is not None
    assert len(found.table) == N
    assert np.isfinite(found.table["predicted"]).all()
    rows, d = found.worst(5)
    assert (np.abs(d) == np.sort(np.abs(found.deviation))[::-1][:5]).all()
    assert np.isfinite(z[rows]).all()
    for ending in FORMATS.values():
        assert len(table_bytes(found.table, ending)) > 1000


def test_too_few_numbers_are_refused(e: Embeddings) -> None:
    """One sentence with the number there is, and that needed."""
    z = np.full(N, np.nan)
    z[:7] = 0.1
    with pytest.raises(InputError, match="7 objects with a number"):
        problem_of_values(e, z, "zspec", task="redshift")
