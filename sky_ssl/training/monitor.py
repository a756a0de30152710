"""Looks at a model while it trains: validation loss, linear probes, a figure of reconstructions."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sky_ssl.figures.reconstruction import save_reconstructions
from sky_ssl.model.embedding import embed
from sky_ssl.model.masking import random_masks
from sky_ssl.model.reconstruct import reconstruct
from sky_ssl.probes.linear import probe_classes, probe_values
from sky_ssl.training.run import RunState, weights_to_use

_BATCH = 64
_SHOWN = 6


class Monitor:
    """Measure a run on the sky that it does not train on.

    The images and the masks are the same at every look, so that the figures can be compared.

    Args:
        state: the run.
        autocast: precision to run in.
    """

    def __init__(self, state: RunState, autocast: Any) -> None:
        self.state, self.autocast = state, autocast
        log, source = state.config.log, state.source
        held_out = source.validation_rows
        self._device = next(state.model.parameters()).device
        self._images, self._sky = _read(state, _spread(held_out, log.validation_size))
        shown, sky = (
            (self._images, self._sky)
            if len(self._images)
            else _read(state, source.train_rows[:_SHOWN])
        )
        self._shown, self._shown_sky = shown[:_SHOWN], sky[:_SHOWN]
        rows = _spread(held_out, log.probe_size)
        self._labels = _probe_labels(state, rows)
        self._probe_images, self._probe_sky = _read(state, rows if self._labels else rows[:0])

    def measure(self, step: int) -> dict[str, float]:
        """Give the figures of this moment; draw the reconstructions into the run directory."""
        model = self.state.model
        model.eval()
        with torch.no_grad(), self.autocast, weights_to_use(model, self.state.average):
            metrics = self._validation_loss()
            metrics.update(self._probes())
            self._draw(step)
        return metrics

    def _masks(self, n: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(12345)
        masks = random_masks(
            n,
            self.state.source.shape[0],
            self.state.model.grid,
            config=self.state.config.model,
            generator=generator,
        )
        return masks.to(self._device)

    def _validation_loss(self) -> dict[str, float]:
        if not len(self._images):
            return {}
        masks, total, count = self._masks(len(self._images)), 0.0, 0.0
        parts = [values.split(_BATCH) for values in (self._images, masks, self._sky)]
        for images, mask, sky in zip(*parts, strict=True):
            loss_sum, hidden = self.state.model(images.to(self._device), mask, sky.to(self._device))
            total, count = total + float(loss_sum), count + float(hidden)
        return {"validation_loss": total / max(count, 1.0)}

    def _probes(self) -> dict[str, float]:
        """Score linear probes: the first half of the held-out images trains, the second tests."""
        if not self._labels:
            return {}
        statistics = self.state.token_statistics()
        features = torch.cat(
            [
                embed(
                    self.state.model.encoder,
                    part.to(self._device),
                    statistics,
                    sky=sky.to(self._device),
                ).cpu()
                for part, sky in zip(
                    self._probe_images.split(_BATCH), self._probe_sky.split(_BATCH), strict=True
                )
            ]
        ).numpy()
        metrics: dict[str, float] = {}
        for name, labels in self._labels.items():
            known = np.isfinite(labels) if labels.dtype.kind == "f" else labels != ""
            x, y = features[known], labels[known]
            half = len(y) // 2
            if half < 20:
                continue
            if labels.dtype.kind == "f":
                score = probe_values(x[:half], y[:half], x[half:], y[half:]).r2
                metrics[f"probe_{name}_r2"] = score
            elif len(set(y[:half])) > 1:
                scores = probe_classes(x[:half], y[:half], x[half:], y[half:])
                metrics[f"probe_{name}_balanced_accuracy"] = scores.balanced_accuracy
        return metrics

    def _draw(self, step: int) -> None:
        if not len(self._shown):
            return
        images = self._shown.to(self._device)
        masks = self._masks(len(images))
        sky = self._shown_sky.to(self._device)
        result = reconstruct(self.state.model, images, masks[:, None], sky)
        folder = self.state.run / "reconstructions"
        folder.mkdir(exist_ok=True)
        save_reconstructions(
            folder / f"step-{step:08d}.png",
            result.images.cpu().numpy(),
            result.hidden[:, 0].cpu().numpy(),
            result.filled[:, 0].cpu().numpy(),
            bands=self.state.info.bands,
            sky_sigma=self.state.info.sky_sigma or (),
        )


def _read(state: RunState, rows: npt.NDArray[np.integer]) -> tuple[torch.Tensor, torch.Tensor]:
    """Read images (n, C, H, W) and their RA and Dec (n, 2)."""
    if len(rows) == 0:
        return torch.empty(0, *state.source.shape), torch.empty(0, 2, dtype=torch.float64)
    images, sky = state.source.read_placed(rows)
    return torch.from_numpy(images), torch.from_numpy(sky)


def _spread(rows: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.integer]:
    """Choose rows evenly over the held-out sky."""
    if len(rows) == 0:
        return rows
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]


def _probe_labels(state: RunState, rows: npt.NDArray[np.integer]) -> dict[str, npt.NDArray]:
    """Give the label columns that the data has: text and few whole numbers are classes."""
    names = state.config.log.probe_columns or ("class", "zspec")
    found = {}
    for name in names:
        values = state.source.labels(name, rows) if len(rows) else None
        if values is None:
            continue
        is_number = values.dtype.kind == "f" or (
            values.dtype.kind in "iu" and len(np.unique(values)) > 20
        )
        found[name] = values.astype(np.float64) if is_number else values.astype(str)
    return found
