"""Where everything of a workspace lies on disk. Paths only; nothing of ours is imported.

One folder holds cutouts, runs, embeddings, maps, selections, catalogues, exports and the label
ledger. It is named on the command line, by `SKY_SSL_WORKSPACE`, or is `workspace/` in the current
folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENT = "SKY_SSL_WORKSPACE"
MODELS = Path(__file__).resolve().parents[1] / "data" / "models"
"""Weights that come with the product lie here, apart from any workspace."""


@dataclass(frozen=True)
class Workspace:
    """The folders of a workspace; none is made until something is written."""

    root: Path

    @property
    def cutouts(self) -> Path:
        """Folder of cutout files."""
        return self.root / "cutouts"

    @property
    def runs(self) -> Path:
        """Folder of training runs, one folder each."""
        return self.root / "runs"

    @property
    def embeddings(self) -> Path:
        """Folder of embeddings files."""
        return self.root / "embeddings"

    @property
    def maps(self) -> Path:
        """Folder of two-dimensional maps."""
        return self.root / "maps"

    @property
    def selections(self) -> Path:
        """Folder of selection rules."""
        return self.root / "selections"

    @property
    def catalogues(self) -> Path:
        """Folder of source catalogues made from tiles."""
        return self.root / "catalogues"

    @property
    def exports(self) -> Path:
        """Folder of candidate lists and pictures made for others."""
        return self.root / "exports"

    @property
    def jobs(self) -> Path:
        """Folder of commands started from the dashboard, one folder each."""
        return self.root / "jobs"

    @property
    def tasks(self) -> Path:
        """What is asked of objects, and with which labels."""
        return self.root / "tasks.json"

    @property
    def labels(self) -> Path:
        """The label ledger, when it is a local database."""
        return self.root / "labels.db"


def open_workspace(folder: str | Path | None = None) -> Workspace:
    """Choose the workspace: the given folder, else the environment's, else `workspace/` here."""
    return Workspace(Path(folder or os.environ.get(ENVIRONMENT) or "workspace").resolve())
