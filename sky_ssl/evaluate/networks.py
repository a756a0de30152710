"""The network of a run as it is measured: trained, and with the random weights it began with.

In: a run directory, and what the pixels of the sky to be embedded are. Out: functions that turn
images into embeddings, each with the count of its tokens, which a search and a probe need.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sky_ssl.errors import InputError
from sky_ssl.model.embedding import TokenStatistics, embed, token_statistics
from sky_ssl.model.objectives import make_model
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training.checkpoint import load_model, load_token_statistics
from sky_ssl.training.checkpointfolder import Checkpoint
from sky_ssl.training.sharing import mock_skies

_SCALES_DIFFER = 0.02  # share, from which a sky is not the kind the network was trained on
_UNTRAINED_SEED = 1


@dataclass(frozen=True)
class Network:
    """A network with the statistics of its tokens."""

    model: SimMIM
    statistics: TokenStatistics
    turns: int = 1  # orientations that embeddings are averaged over
    device: str = "cpu"

    @property
    def tokens(self) -> int:
        """T, side by side in an embedding."""
        return 4 if self.model.grid[0] % 2 == 0 else 9

    def __call__(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Embed images (B, C, H, W), physical, NaN = no data."""
        encoder = self.model.encoder.to(self.device)
        x = torch.from_numpy(images).to(self.device)
        found: npt.NDArray[np.float32] = (
            embed(encoder, x, self.statistics, turns=self.turns).cpu().numpy()
        )
        return found


@dataclass(frozen=True)
class Trained:
    """What a run came to, and on what it was trained."""

    model: SimMIM
    state: Checkpoint
    sha256: str
    skies: frozenset[int]  # seeds of the mock skies it was trained on
    notes: tuple[str, ...] = ()  # files that are gone: their skies are not known

    def describe(self) -> dict[str, Any]:
        """Say what it is, without paths, for a table that anybody can make again."""
        return {
            "network": self.model.describe(),
            "step": self.state.step,
            "sha256": self.sha256,
            "skies": sorted(self.skies),
            "skies_unknown": len(self.notes),
        }

    def of_weights(self) -> str:
        """Hash what embeddings are made with."""
        return self.sha256

    def of_network(self) -> str:
        """Hash the network without its weights."""
        said = json.dumps(asdict(self.state.model_config), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()

    def refuse(self, seeds: Iterable[int]) -> None:
        """Refuse to be measured on a sky it was trained on.

        Raises:
            InputError: naming the seeds.
        """
        seen = sorted(self.skies & set(seeds))
        if seen:
            said = ", ".join(map(str, seen))
            raise InputError(
                f"{self.state.folder}: was trained on the mock sky of seed {said}; take others"
            )

    def sigma_for(self, sky: CutoutInfo) -> tuple[float, ...]:
        """Give the noise per band to scale a sky by: its own where its pixels have another size.

        That is what `sky-ssl embed --allow-pixel-scale --sigma file` does.
        """
        mine = self.state.info
        same = abs(mine.pixel_scale / sky.pixel_scale - 1) <= _SCALES_DIFFER
        return tuple((mine if same or sky.sky_sigma is None else sky).sky_sigma or ())

    def network(self, sky: CutoutInfo, turns: int = 1, device: str = "cpu") -> Network:
        """Give the trained network, for images of a sky."""
        self.model.set_sky_sigma(torch.tensor(self.sigma_for(sky)))
        statistics = load_token_statistics(self.state.folder)
        return Network(self.model, statistics, turns, device)

    def untrained(
        self, sky: CutoutInfo, sample: npt.NDArray[np.float32], device: str = "cpu"
    ) -> Network:
        """Give the same network with random weights, its tokens measured on a sample of images.

        Args:
            sky: what the pixels are.
            sample: (n, C, H, W) of another sky.
            device: to work on.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_UNTRAINED_SEED)
            plain = make_model(self.state.model_config, self.sigma_for(sky)).eval()
        measured = token_statistics(plain.encoder, torch.from_numpy(sample).split(64))
        return Network(plain, measured, device=device)


def open_trained(run: str | Path, skies: Iterable[int] = ()) -> Trained:
    """Load the network of a run, and find the mock skies it was trained on.

    Args:
        run: run directory or checkpoint.
        skies: seeds that it is known to be trained on; then files that are gone are no matter.

    Raises:
        InputError: there is none.
    """
    model, state = load_model(run)
    known, (found, gone) = frozenset(skies), mock_skies(state)
    notes = [] if known else [f"{path} is gone; its sky is not known" for path in gone]
    return Trained(model, state, state.sha256(), known | set(found), tuple(notes))
