"""Fixtures that many tests share."""

import os
import sys
from collections.abc import Iterator
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


@pytest.fixture(autouse=True)
def _main_module_stays() -> Iterator[None]:
    """A page that is run in a test becomes `__main__`, which other processes would run again."""
    before = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = before
