"""What a checkpoint says beside its weights, and where it lies; quick to load, without a network.

In: a run directory, as `checkpoint` writes it. Out: the folder to use, and its record.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training.config import config_from_table, stored_table


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint says beside its weights."""

    folder: Path
    step: int
    info: CutoutInfo  # bands, zero points, pixel scale and noise the model was trained with
    table: dict[str, Any]  # the configuration of the run, as nested tables
    metrics: dict[str, float]

    @property
    def model_config(self) -> ModelConfig:
        """The configuration of the network."""
        return config_from_table(stored_table(self.table), source=str(self.folder)).model

    def sha256(self) -> str:
        """Hash what embeddings are made with: weights, and the blocks whose tokens are taken."""
        digest = hashlib.sha256(weights_file(self.folder).read_bytes())
        if blocks := self.table.get("model", {}).get("token_blocks"):
            digest.update(json.dumps(list(blocks)).encode())
        return digest.hexdigest()


def find_checkpoint(path: str | Path, which: str = "latest") -> Path | None:
    """Find the folder of a checkpoint.

    Args:
        path: a run directory, its `checkpoint` folder, or the folder of one checkpoint.
        which: "latest", or "best" (the latest where no best is marked).

    Returns:
        The folder, or None if there is no checkpoint yet.
    """
    root = Path(path)
    if (root / "state.json").is_file():
        return root
    home = root / "checkpoint" if (root / "checkpoint").is_dir() else root
    if which == "best" and (home / "best").is_file():
        folder = home / (home / "best").read_text().strip()
        if (folder / "state.json").is_file():
            return folder
    complete = sorted(p.parent for p in home.glob("step-*/state.json"))
    return complete[-1] if complete else None


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read what a checkpoint says.

    Raises:
        InputError: if it is not a checkpoint of ours.
    """
    try:
        record = json.loads((folder / "state.json").read_text(encoding="utf-8"))
        info = record["info"]
        lists: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in info.items()}
        return Checkpoint(
            folder, int(record["step"]), CutoutInfo(**lists), record["config"], record["metrics"]
        )
    except OSError as error:
        raise InputError(f"{folder}: no checkpoint here (state.json: {error.strerror})") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}/state.json: not a checkpoint of this package ({error})") from (
            error
        )


def weights_file(folder: Path) -> Path:
    """Weights to use: the moving average where there is one."""
    averaged = folder / "ema.safetensors"
    return averaged if averaged.is_file() else folder / "model.safetensors"
