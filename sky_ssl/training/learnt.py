"""The objects that a predictor was fitted on, so that it isn't checked on what it has learnt.

In: the labels of a fit. Out: a file in its run directory, and which of other labels are of the same
objects.
"""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save_file

from sky_ssl.errors import InputError
from sky_ssl.probes.folds import Apart, far_from
from sky_ssl.sky.coords import unit_vectors
from sky_ssl.training.checkpoint import read_tensors
from sky_ssl.training.predictdata import Labels, Rows

FILE = "learnt.safetensors"
_SAME = np.radians(1.0 / 3600)  # positions closer than this are of one object


def keep_learnt(run: Path, labels: Labels, index: Rows) -> None:
    """Note the rows and positions of the labels (by `index`) that were fitted and stopped on."""
    temporary = run / f".{FILE}.{os.getpid()}"
    save_file(
        {"rows": labels.rows[index], "ra": labels.ra[index], "dec": labels.dec[index]}, temporary
    )
    os.replace(temporary, run / FILE)


def has_learnt(run: Path, labels: Labels, *, same_images: bool) -> npt.NDArray[np.bool_] | None:
    """Say of labels (n,) which are of objects that a predictor was fitted or stopped on.

    Args:
        run: its run directory.
        labels: others, perhaps of other cutouts.
        same_images: the cutouts are those that it was fitted on, so that rows are objects.

    Returns:
        (n,); None where an earlier version fitted it and noted nothing.

    Raises:
        InputError: a file that cannot be read, or that is another one.
    """
    if not (run / FILE).exists():
        return None
    noted = {name: value.numpy() for name, value in read_tensors(run / FILE).items()}
    if not {"rows", "ra", "dec"} <= set(noted):
        raise InputError(f"{run / FILE}: not what `sky-ssl predict fit` writes; fit it again")
    n, others = len(labels.rows), len(noted["rows"])
    points = unit_vectors(
        np.concatenate([labels.ra, noted["ra"]]), np.concatenate([labels.dec, noted["dec"]])
    )
    far = far_from(np.arange(n), n + np.arange(others), Apart(points, float(_SAME)))
    learnt = np.ones(n, dtype=bool)
    learnt[far] = False
    return learnt | np.isin(labels.rows, noted["rows"]) if same_images else learnt
