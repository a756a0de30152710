"""How well a predictor does: its loss, its figures on sky it was not trained on, its ranges.

In: a network and labelled images. Out: plain values for logs and for `predictor.json`.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from sky_ssl import __version__
from sky_ssl.model.predictor import Predictor
from sky_ssl.probes.bootstrap import Interval
from sky_ssl.probes.metrics import average_precision_at, class_figures, confusion_matrix
from sky_ssl.probes.redshift import FOR_95, fit_intervals, value_figures
from sky_ssl.progress import Progress
from sky_ssl.sky.coords import sky_blocks
from sky_ssl.training.augment import turn
from sky_ssl.training.fitstate import FitState
from sky_ssl.training.learnt import keep_learnt
from sky_ssl.training.predictconfig import FitConfig
from sky_ssl.training.predictdata import Images, Labels, Part, Question, Rows

SCHEMA = "sky_ssl predictor 1"
_BATCH = 128
Floats = npt.NDArray[np.float64]


def loss_of(
    answers: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    question: Question,
    config: FitConfig,
) -> torch.Tensor:
    """Give the weighted loss (B,) of answers (B, K).

    Args:
        answers: scores of classes, or scaled numbers.
        targets: (B, 1) classes, or (B, K) scaled numbers.
        weights: (B, 1) or (B, K); 0 where a number is unknown.
        question, config: what is asked, and which loss.
    """
    if question.classes:
        each = F.cross_entropy(
            answers, targets[:, 0], reduction="none", label_smoothing=config.smoothing
        )
        return each * weights[:, 0]
    if config.loss == "huber":
        each = F.huber_loss(answers, targets, reduction="none")
    else:
        each = (answers - targets).square()
    return (each * weights).sum(dim=1)


@torch.no_grad()
def look_at(
    model: Predictor,
    part: Part,
    memory: torch.Tensor | None,
    question: Question,
    config: FitConfig,
) -> dict[str, float]:
    """Measure a network on the validation part while it is trained.

    Args:
        model: put into evaluation mode.
        part: m labels.
        memory: (m, 1, ...) what its frozen body makes of them, or None.
        question, config: what is asked, and which loss.

    Returns:
        "validation_loss", and "balanced_accuracy" or "r2".
    """
    device = part_device(model)
    model.eval()
    if memory is not None:
        answers = torch.cat([model.finish(piece[:, 0]) for piece in memory.split(_BATCH)]).cpu()
    else:
        answers = torch.from_numpy(answer(model, part.read, len(part), device=device))
    loss = loss_of(answers, part.targets, part.weights, question, config).sum()
    metrics = {"validation_loss": float(loss / part.weights.sum().clamp(min=1e-12))}
    if question.classes:
        truth, hit = part.targets[:, 0], answers.argmax(dim=1) == part.targets[:, 0]
        shares = [hit[truth == k].float().mean() for k in truth.unique()]
        metrics["balanced_accuracy"] = float(torch.stack(shares).mean())
    else:
        known = part.weights > 0
        residual = torch.where(known, answers - part.targets, 0.0).square().sum()
        metrics["r2"] = float(1 - residual / _about_mean(part.targets, known))
    return metrics


def _about_mean(values: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Sum the squares of known values (m, K) about the mean of their column."""
    mean = torch.where(known, values, 0.0).sum(0) / known.sum(0).clamp(min=1)
    squares: torch.Tensor = torch.where(known, values - mean, 0.0).square().sum()
    return squares.clamp(min=1e-12)


def part_device(model: Predictor) -> torch.device:
    """Say where a network lives."""
    return model.head.weight.device


@torch.no_grad()
def answer(
    model: Predictor,
    read: Callable[[Rows], npt.NDArray[np.float32]],
    n: int,
    *,
    device: torch.device,
    turns: bool = False,
    progress: Progress | None = None,
) -> npt.NDArray[np.float32]:
    """Give the answers (n, K) to images 0 to n - 1, batch by batch, in float32.

    Args:
        model: in evaluation mode.
        read: gives images (m, C, H, W) for numbers (m,).
        n: images.
        device: of the model.
        turns: average over the eight flips and quarter turns.
        progress: called with (images done, n).
    """
    found = [np.empty((0, model.head.out_features), dtype=np.float32)]
    ways = 8 if turns else 1  # the first is the image as it is
    for first in range(0, n, _BATCH):
        rows = np.arange(first, min(first + _BATCH, n))
        images = torch.from_numpy(read(rows)).to(device)
        seen = [turn(images, torch.full((len(images),), w, device=device)) for w in range(ways)]
        found.append(torch.stack([model(x) for x in seen]).mean(dim=0).cpu().numpy())
        if progress:
            progress(int(rows[-1]) + 1, n)
    return np.concatenate(found)


def in_units(answers: npt.NDArray[np.floating], question: Question) -> Floats:
    """Bring scaled numbers (n, K) to the units of the targets."""
    return np.asarray(answers * np.array(question.spread) + np.array(question.center), np.float64)


def figures(
    question: Question,
    truth: Floats,
    answers: npt.NDArray[np.floating],
    groups: npt.NDArray | None = None,
    prevalence: float | None = None,
) -> dict[str, Any]:
    """Measure answers.

    Args:
        question: what was asked.
        truth: (n, 1) classes or (n, K) numbers, NaN = unknown.
        answers: (n, K) of the network.
        groups: (n,) blocks of sky, resampled as wholes.
        prevalence: of the second of two classes, for an average precision there.

    Returns:
        By scikit-learn's names {"mean", "low", "high"}, of several numbers as "r2[name]"; for
        classes also "confusion_matrix" (rows are the truth).
    """
    if not question.classes:
        return _value_figures(question, truth, in_units(answers, question), groups)
    number = truth[:, 0].astype(int)
    names = np.array(question.classes)
    if len(names) > 2:
        found = class_figures(names[number], answers, names, groups=groups)
    else:
        margin = (answers[:, 1] - answers[:, 0]).astype(np.float64)
        found = class_figures(number == 1, margin, np.array([False, True]), groups=groups)
        if prevalence is not None:
            at = average_precision_at(number == 1, margin, prevalence)
            value = float(at(np.ones((1, len(margin))))[0, 0])
            found["average_precision_at_prevalence"] = Interval(value, np.nan, np.nan)
    counts = confusion_matrix(number, answers.argmax(axis=1), np.arange(len(names)))
    return {**_plain(found), "confusion_matrix": counts.astype(int).tolist()}


def _value_figures(
    question: Question, truth: Floats, predicted: Floats, groups: npt.NDArray | None
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for k, (name, kind) in enumerate(zip(question.targets, question.kinds, strict=True)):
        known = np.isfinite(truth[:, k])
        if known.sum() < 2:
            continue
        inside = None if groups is None else groups[known]
        values = value_figures(
            truth[known, k], predicted[known, k], redshift=kind == "redshift", groups=inside
        )
        several = len(question.targets) > 1
        found |= {f"{n}[{name}]" if several else n: v for n, v in _plain(values).items()}
    return found


def _plain(found: dict[str, Interval]) -> dict[str, Any]:
    """Give figures as plain values; what could not be measured is None, not NaN."""
    return {
        name: {k: v if np.isfinite(v) else None for k, v in value.as_dict().items()}
        for name, value in found.items()
    }


def sky_groups_of(labels: Labels, index: Rows) -> npt.NDArray | None:
    """Give the block of sky (n,) of some labels, or their tile; None if neither is known."""
    ra, dec = labels.ra[index], labels.dec[index]
    if len(index) and np.isfinite(ra).all() and np.isfinite(dec).all():
        return sky_blocks(ra, dec, 0.5)
    if labels.tile is not None:
        return np.unique(labels.tile[index], return_inverse=True)[1]
    return None


def finish_fit(
    state: FitState,
    labels: Labels,
    images: Images,
    index: dict[str, Rows],
    notes: list[str],
    done: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Measure the best weights and write `predictor.json`.

    Returns:
        What it says: "targets", "classes", "steps", "best_step", counts and figures of "validation"
        and "test", "ranges" of numbers (see `probes.redshift.fit_intervals`), "notes".
    """
    state.take_best()
    state.model.eval()
    device, q = part_device(state.model), state.question
    result: dict[str, Any] = {
        **{"schema": SCHEMA, "version": __version__, "path": str(state.run)},
        **{"mode": state.config.mode, "head": state.config.head},
        **{"targets": list(q.targets), "classes": list(q.classes)},
        **{"steps": done, "best_step": state.best_step or done, **state.about},
        **{f"n_{name}": len(rows) for name, rows in index.items()},
    }
    ranges: list[dict[str, Any]] = []
    for name in ("validation", "test"):
        rows = index[name]
        if not len(rows):
            continue
        read = _reader(images, labels.rows[rows])
        shown = progress if name == "test" else None
        answers = answer(state.model, read, len(rows), device=device, progress=shown)
        truth = labels.values[rows]
        result[name] = figures(q, truth, answers, sky_groups_of(labels, rows))
        if name == "validation" and not q.classes:
            ranges = _ranges(truth, in_units(answers, q))
            fewest = int(np.isfinite(truth).sum(axis=0).min())
            if 2 <= fewest < FOR_95:
                notes.append(
                    f"{fewest} labels to take ranges from: those called 95 % hold "
                    f"{100 * (fewest - 1) / (fewest + 1):.0f} % of new objects"
                )
    result |= {"ranges": ranges, "notes": notes}
    keep_learnt(state.run, labels, np.concatenate([index["train"], index["validation"]]))
    write_json(state.run / "predictor.json", result)
    return result


def _reader(images: Images, rows: Rows) -> Callable[[Rows], npt.NDArray[np.float32]]:
    return lambda places: images.read(rows[places])


def _ranges(truth: Floats, predicted: Floats) -> list[dict[str, Any]]:
    """Learn the ranges of each number from its residuals on the validation sky."""
    ranges: list[dict[str, Any]] = []
    for k in range(truth.shape[1]):
        known = np.isfinite(truth[:, k])
        if known.sum() < 2:
            ranges.append({})
            continue
        fitted = fit_intervals(truth[known, k], predicted[known, k])
        ranges.append({"edges": fitted.edges.tolist(), "offsets": fitted.offsets.tolist()})
    return ranges


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a file that is there as a whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")
    os.replace(temporary, path)
