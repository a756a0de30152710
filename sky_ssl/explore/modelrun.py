"""The run of a workspace that embeddings were made with.

In: the folder of all runs and the hash of the weights. Out: the run directory.
"""

from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.training.checkpoint import find_checkpoint, read_checkpoint


def find_run(folder: str | Path, sha256: str) -> Path | None:
    """Find the run whose weights have a hash; None if there is none.

    Args:
        folder: of all runs.
        sha256: of the weights, as embeddings keep it.
    """
    runs = sorted(p for p in Path(folder).glob("[!.]*") if p.is_dir())
    return next((run for run in runs if is_model(run, sha256)), None)


def is_model(run: Path, sha256: str) -> bool:
    """Say whether the best weights of a run have a hash; a damaged run has none."""
    try:
        place = find_checkpoint(run, "best")
        return place is not None and read_checkpoint(place).sha256() == sha256
    except (InputError, OSError):
        return False  # a run that is being written, or damaged, is not the one
