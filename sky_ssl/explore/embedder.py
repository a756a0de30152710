"""A trained model at hand, to embed a few images on the spot.

In: a run, and the embeddings that its vectors are to be compared with. Out: vectors like those of
the file, or standardised tokens of all patches. Statistics are those of the training survey.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.hdf5part import open_hdf5

if TYPE_CHECKING:
    import torch

    from sky_ssl.model.embedding import TokenStatistics
    from sky_ssl.model.encoder import Encoder

Images = npt.NDArray[np.float32]
BATCH = 128


@dataclass(frozen=True)
class Embedder:
    """The network of a run, with all that makes its embeddings those of a file."""

    encoder: "Encoder"
    statistics: "TokenStatistics"
    info: CutoutInfo  # bands, zero points and pixel scale that images must have
    attributes: dict[str, Any]  # of embeddings made with it
    projection: tuple[npt.NDArray, npt.NDArray] | None  # mean (D,), axes (d, D)
    notes: list[str]

    @property
    def size(self) -> int:
        """Pixels a side of an image."""
        return self.encoder.config.image_size

    @property
    def patch(self) -> int:
        """Pixels a side of a patch."""
        return self.encoder.config.patch_size

    def embed(self, images: Images) -> Images:
        """Embed images (n, C, H, W), at the zero points of `info`; (n, D) as in the file."""
        from sky_ssl.model.embedding import embed

        pooling = str(self.attributes["pooling"])
        parts = [
            embed(self.encoder, batch, self.statistics, pooling, turns=self.turns).cpu().numpy()
            for batch in self._batches(images)
        ]
        vectors = np.concatenate(parts)
        if self.projection is not None:
            mean, axes = self.projection
            vectors = (vectors - mean) @ axes.T
        return vectors.astype(np.float32)

    def tokens(self, images: Images) -> Images:
        """Give the standardised tokens of all patches (n, gh, gw, width), without pooling."""
        from sky_ssl.model.embedding import standard_tokens

        parts = [
            standard_tokens(self.encoder, batch, self.statistics, turns=self.turns).cpu().numpy()
            for batch in self._batches(images)
        ]
        return np.concatenate(parts).reshape(len(images), *self.encoder.config.grid, -1)

    @property
    def turns(self) -> int:
        """Number of ways to look at an image that are averaged over."""
        return int(self.attributes.get("turns", 1))

    @property
    def _device(self) -> "torch.device":
        return next(self.encoder.parameters()).device

    def _batches(self, images: Images) -> "Iterator[torch.Tensor]":
        import torch

        for start in range(0, len(images), BATCH):
            block = np.ascontiguousarray(images[start : start + BATCH], dtype=np.float32)
            yield torch.from_numpy(block).to(self._device)


def open_embedder(
    run: str | Path, e: Embeddings | None = None, *, device: str = "auto"
) -> Embedder:
    """Load the model of a run.

    Args:
        run: run directory or checkpoint folder.
        e: embeddings to be compared with; None: the pooling is `central`.
        device: "auto", "cpu" or "cuda".

    Raises:
        InputError: no checkpoint, or not the one that the embeddings were made with; both are
            named.
    """
    import torch

    from sky_ssl.training import checkpoint

    model, state = checkpoint.load_model(run)
    sha = state.sha256()
    attributes: dict[str, Any] = {
        "checkpoint_sha256": sha,
        "model": json.dumps(state.table["model"]),
        "pooling": "central",
        "bands": " ".join(state.info.bands),
    }
    projection, notes = None, []
    if e is not None:
        theirs = str(e.attributes.get("checkpoint_sha256", ""))
        if theirs != sha:
            raise InputError(
                f"{run}: model {sha[:12]}, but {e.path} was made with model "
                f"{theirs[:12] or 'unknown'}; name the run that it was embedded with"
            )
        attributes = dict(e.attributes)
        if int(attributes.get("projection", 0) or 0):
            file = open_hdf5(e.path)
            projection = (file["projection_mean"][:], file["projection_axes"][:])
        if attributes.get("sigma") == "file":
            notes += _use_noise_of_file(model, state.info, e)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if state.model_config.sky_token:
        notes.append(
            f"{run}: this model knows RA and Dec; vectors made on the spot are without them, and "
            "differ from those of cutouts with a position"
        )
    encoder = model.encoder.to(device).eval()
    statistics = checkpoint.load_token_statistics(state.folder)
    return Embedder(encoder, statistics, state.info, attributes, projection, notes)


def _use_noise_of_file(model: Any, info: CutoutInfo, e: Embeddings) -> list[str]:
    """Scale by the noise of the cutouts, as `sky-ssl embed --sigma file` did."""
    import torch

    from sky_ssl.embedding.encode import conversion
    from sky_ssl.sky.noise import usable_sigma

    path = Path(str(e.attributes.get("cutouts", "")))
    try:
        data = open_cutouts(path, bands=info.bands, size=model.encoder.config.image_size)
    except InputError as error:
        return [f"{e.path}: was scaled by the noise of its cutouts, which is unknown now ({error})"]
    factor = conversion(info, data.info, path, allow_pixel_scale=True)
    model.set_sky_sigma(torch.as_tensor(usable_sigma(data.info.sky_sigma or ()) * factor))
    return []
