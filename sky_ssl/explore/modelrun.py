"""The run that embeddings were made with.

In: folders of runs and the hash of the weights. Out: the run directory.
"""

from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.training.checkpoint import find_checkpoint, read_checkpoint


def find_run(sha256: str, *folders: str | Path) -> Path | None:
    """Find the run whose weights have a hash; None if there is none.

    Args:
        sha256: of the weights, as embeddings keep it.
        folders: of runs, or of models that come with the product; the first that has it counts.
    """
    runs = [p for folder in folders for p in sorted(Path(folder).glob("[!.]*")) if p.is_dir()]
    return next((run for run in runs if is_model(run, sha256)), None)


def is_model(run: Path, sha256: str) -> bool:
    """Say whether the best weights of a run have a hash; a damaged run has none."""
    try:
        place = find_checkpoint(run, "best")
        return place is not None and read_checkpoint(place).sha256() == sha256
    except (InputError, OSError):
        return False  # a run that is being written, or damaged, is not the one
