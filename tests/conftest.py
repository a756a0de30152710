"""Fixtures that many tests share."""

import os
from pathlib import Path

import pytest

# Tests run side by side: one thread each, set before torch and BLAS start.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

REALSKY = Path(__file__).resolve().parents[2] / "shared" / "realsky"


@pytest.fixture(scope="session")
def realsky() -> Path:
    """Folder of real survey images, beside the repository; not part of it."""
    if not REALSKY.is_dir():
        pytest.skip("no real survey images beside this checkout (../shared/realsky)")
    return REALSKY
