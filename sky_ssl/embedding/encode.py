"""Embed the cutouts of a file with the model of a run.

Works in parts of some thousand rows, each written when it is done, shared out between ranks, and
joined at the end; an interrupted run goes on with the parts that are missing.
"""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sky_ssl import __version__
from sky_ssl.embedding.store import write_embeddings
from sky_ssl.errors import InputError
from sky_ssl.model.embedding import check_turns, embed, embedding_dim
from sky_ssl.progress import Progress
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.sky.noise import usable_sigma
from sky_ssl.training import checkpoint, distributed
from sky_ssl.training.data import sky_of

PART_ROWS = 4096
_PCA_SAMPLE = 20_000


@dataclass(frozen=True)
class EmbedOptions:
    """How to embed."""

    pooling: str = "central"  # see model.embedding.embed
    turns: int = 1  # average over 1, 4 (quarter turns) or 8 (and mirror images) ways to look at it
    project: int = 0  # PCA to this many numbers; 0 = all of them
    dtype: str = "float32"  # "float32" or "float16"
    sigma: str = "checkpoint"  # noise used by the scaling: "checkpoint", or "file" for the file's
    allow_pixel_scale: bool = False  # embed although the pixel scale is another
    batch_size: int = 256
    device: str = "auto"

    def __post_init__(self) -> None:
        check_turns(self.turns)
        if self.dtype not in ("float32", "float16"):
            raise InputError(f"dtype {self.dtype!r}: allowed are float32 and float16")
        if self.sigma not in ("checkpoint", "file"):
            raise InputError(f"sigma {self.sigma!r}: allowed are checkpoint and file")


def conversion(
    model: CutoutInfo, data: CutoutInfo, path: Path, *, allow_pixel_scale: bool = False
) -> npt.NDArray[np.float32]:
    """Check that cutouts fit a model, and give what to multiply them with.

    Returns:
        (C,) factor 10^(0.4 (zero point of the model - zero point of the data)); 1 where a zero
        point is unknown.

    Raises:
        InputError: if the pixel scales differ by more than 2 %.
    """
    a, b = model.pixel_scale, data.pixel_scale
    differ = np.isfinite([a, b]).all() and abs(a / b - 1) > 0.02
    if differ and not allow_pixel_scale:
        raise InputError(
            f"{path}: {b:.4g} arcsec/pixel, but the model was trained at {a:.4g}; cut at that "
            "scale, or insist with --allow-pixel-scale"
        )
    shift = np.array(model.zero_point) - np.array(data.zero_point)
    known = np.isfinite(shift)
    factor = 10 ** (0.4 * np.where(known, shift, 0.0))
    return np.where(known, factor, 1.0).astype(np.float32)


def noise_note(model: CutoutInfo, data: CutoutInfo, factor: npt.NDArray[np.floating]) -> str:
    """Say by how much the sky noise of cutouts differs from what a model was trained on.

    Args:
        model, data: with the same bands.
        factor: (C,) from the units of the data to those of the model, see `conversion`.

    Returns:
        A line that names the bands of more than twice or less than half the noise; empty if there
        are none, or the noise of either is unknown.
    """
    if model.sky_sigma is None or data.sky_sigma is None:
        return ""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.array(data.sky_sigma) * factor / np.array(model.sky_sigma)
    other = np.isfinite(ratio) & (ratio > 0) & (np.abs(np.log2(np.where(ratio > 0, ratio, 1))) > 1)
    if not other.any():
        return ""
    bands = ", ".join(f"{model.bands[k]} {ratio[k]:.2g}" for k in np.flatnonzero(other))
    return (
        f"noise, in units of that of the survey the model was trained on: {bands}; with --sigma "
        "file images are scaled by their own noise"
    )


def embed_file(
    run: str | Path,
    cutouts: str | Path,
    out: str | Path,
    options: EmbedOptions | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Embed all cutouts of a file or folder into an embeddings file.

    Args:
        run: run directory or checkpoint folder.
        cutouts: anything that `open_cutouts` takes.
        out: the embeddings file.
        options: how.
        progress: called with (rows, rows of this rank).

    Returns:
        A summary: rows, dimensions, notes, seconds per stage.

    Raises:
        InputError: if model and cutouts do not fit together; both are named.
    """
    o = options or EmbedOptions()
    ranks = distributed.start(o.device)
    model, state = checkpoint.load_model(run)
    statistics = checkpoint.load_token_statistics(state.folder)
    data = open_cutouts(cutouts, bands=state.info.bands, size=state.model_config.image_size)
    size = state.model_config.image_size
    if data.shape[1:] != (size, size):
        raise InputError(
            f"{cutouts}: cutouts of {data.shape[1]} x {data.shape[2]} pixels, but the model takes "
            f"{size} x {size}: cut them to that size"
        )
    factor = conversion(state.info, data.info, data.paths[0], allow_pixel_scale=o.allow_pixel_scale)
    other_noise = noise_note(state.info, data.info, factor) if o.sigma == "checkpoint" else ""
    notes = [*data.notes, *([other_noise] if other_noise else [])]
    if o.sigma == "file":
        sigma = usable_sigma(data.info.sky_sigma or ()) * factor
        model.set_sky_sigma(torch.as_tensor(sigma))
    attributes = _attributes(state, data, o)
    target = Path(out)
    parts = _Parts(target, len(data), attributes)
    if ranks.is_first:
        parts.prepare()
    distributed.wait_for_all()

    encoder = model.encoder.to(ranks.device)
    sky = torch.from_numpy(sky_of(data)) if state.model_config.sky_token else None
    mine = parts.missing()[ranks.rank :: ranks.world]
    total, done = sum(stop - start for start, stop in mine), 0
    for start, stop in mine:
        rows = []
        for first in range(start, stop, o.batch_size):
            part = slice(first, min(first + o.batch_size, stop))
            images = torch.from_numpy(data.read(part))
            images = (images * torch.from_numpy(factor)[:, None, None]).to(ranks.device)
            vectors = embed(
                *(encoder, images, statistics, o.pooling),
                turns=o.turns,
                sky=None if sky is None else sky[part].to(ranks.device),
            )
            rows.append(vectors.cpu().numpy())
            done += len(images)
            if progress:
                progress(done, total)
        parts.save(start, stop, np.concatenate(rows))
    distributed.wait_for_all()
    if ranks.is_first:
        _join(parts, data, target, o, attributes, embedding_dim(state.model_config, o.pooling))
    distributed.wait_for_all()
    distributed.finish()
    dimensions = o.project or embedding_dim(state.model_config, o.pooling)
    return {"path": str(target), "rows": len(data), "dimensions": dimensions, "notes": notes}


def _attributes(state: checkpoint.Checkpoint, data: CutoutSet, o: EmbedOptions) -> dict[str, Any]:
    return {
        "checkpoint_sha256": state.sha256(),
        "checkpoint_step": state.step,
        "model": json.dumps(state.table["model"], sort_keys=True),
        "survey": state.info.survey,
        "bands": " ".join(state.info.bands),
        "pooling": o.pooling,
        "turns": o.turns,
        "projection": o.project,
        "dtype": o.dtype,
        "sigma": o.sigma,
        "cutouts": str(data.paths[0] if len(data.paths) == 1 else data.paths[0].parent),
        "cutouts_fingerprint": data.fingerprint(),
        "version": __version__,
    }


class _Parts:
    """The pieces on the way to an embeddings file, in a folder beside it."""

    def __init__(self, target: Path, rows: int, attributes: dict[str, Any]) -> None:
        self.folder = target.with_name(f".{target.name}.parts")
        self.signature = json.dumps({"rows": rows, **attributes}, sort_keys=True)
        starts = range(0, rows, PART_ROWS)
        self.ranges = [(start, min(start + PART_ROWS, rows)) for start in starts]

    def prepare(self) -> None:
        """Keep the pieces of an interrupted run of the same job; clear those of another."""
        sign = self.folder / "job.json"
        if self.folder.exists() and not (sign.exists() and sign.read_text() == self.signature):
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        sign.write_text(self.signature)

    def _file(self, start: int, stop: int) -> Path:
        return self.folder / f"{start:012d}-{stop:012d}.npy"

    def missing(self) -> list[tuple[int, int]]:
        """Give the row ranges still to do."""
        return [r for r in self.ranges if not self._file(*r).exists()]

    def save(self, start: int, stop: int, values: npt.NDArray[np.float32]) -> None:
        """Write one piece, under its name only when complete."""
        temporary = self.folder / f"{start}.{os.getpid()}.partial"
        with temporary.open("wb") as file:
            np.save(file, values, allow_pickle=False)
        os.replace(temporary, self._file(start, stop))

    def read(self) -> Iterator[npt.NDArray[np.float32]]:
        """Give the pieces in order."""
        for bounds in self.ranges:
            yield np.load(self._file(*bounds), mmap_mode="r", allow_pickle=False)


def _join(
    parts: _Parts,
    data: CutoutSet,
    target: Path,
    o: EmbedOptions,
    attributes: dict[str, Any],
    dimensions: int,
) -> None:
    """Put the pieces together, projected if asked for, and clear them away."""
    N, names = len(data), data.column_names
    extra: dict[str, npt.NDArray] = {}
    pieces: Iterator[npt.NDArray[np.floating]] = parts.read()
    if o.project:
        mean, axes = _principal_axes(parts, N, o.project)
        extra = {"projection_mean": mean, "projection_axes": axes}
        pieces = ((piece - mean) @ axes.T for piece in parts.read())
        dimensions = o.project
    unknown = np.full(N, np.nan)
    default = {
        "id": [f"{attributes['cutouts']}:{i}" for i in range(N)],
        "ra": unknown,
        "dec": unknown,
        "tile": [""] * N,
    }
    columns = {
        name: data.column(name) if name in names else np.array(value)
        for name, value in default.items()
    }
    write_embeddings(
        target,
        pieces,
        (N, dimensions),
        dtype=o.dtype,
        columns=columns,
        attributes={**attributes, "time": datetime.now(UTC).isoformat(timespec="seconds")},
        extra=extra,
    )
    shutil.rmtree(parts.folder)


def _principal_axes(
    parts: _Parts, rows: int, count: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Find the first principal axes (count, D) on rows evenly spread over the file."""
    step = -(-rows // _PCA_SAMPLE) or 1
    sample = np.concatenate([np.asarray(piece[::step]) for piece in parts.read()])
    if not 0 < count <= min(sample.shape):
        raise InputError(f"project = {count}: must be 1 to {min(sample.shape)} here")
    mean = sample.mean(axis=0)
    _, _, axes = np.linalg.svd(sample - mean, full_matrices=False)
    return mean.astype(np.float32), axes[:count].astype(np.float32)
