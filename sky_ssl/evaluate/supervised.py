"""Networks fitted on labels of a mock sky, by the code of `sky-ssl predict fit`, and their scores.

In: cutouts with the truth of their sky, and how many labels may be used. Out: figures on the test
half of a sky. Four ways: "cnn" (a small convolutional network), "scratch" (the network of the run,
random), "finetune" (the run, trained further), "attentive" (the run, frozen, attention on top).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sky_ssl.evaluate.measures import PREVALENCE, value_scores
from sky_ssl.evaluate.networks import Trained
from sky_ssl.evaluate.testsky import Truth
from sky_ssl.explore.predicting import CutoutImages, open_images
from sky_ssl.probes.metrics import average_precision_at
from sky_ssl.progress import Progress, terminal
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training import finetune
from sky_ssl.training.checkpoint import load_token_statistics
from sky_ssl.training.fitstate import Pretrained
from sky_ssl.training.predictconfig import FitConfig, fit_config
from sky_ssl.training.predictdata import Labels, Question
from sky_ssl.training.predictor import Fitted, load_predictor

WAYS = ("cnn", "scratch", "finetune", "attentive")
OF_RUN = ("scratch", "finetune", "attentive")
"""Those that use the network of the run, or its weights."""
CEILING = ("A", "B", "Z")
"""Tasks that the ceiling is measured on; Z is the redshift."""
_STOPPED = 143  # exit status of a process ended by SIGTERM

Rows = npt.NDArray[np.integer]


@dataclass(frozen=True)
class LabelledSky:
    """Cutouts of a mock sky and what is true of them."""

    path: Path
    truth: Truth

    def images(self, start: Pretrained | None) -> CutoutImages:
        """Open the images for a network; without one, in the units of the file."""
        if start is None:
            return open_images(self.path)
        size = start.config.image_size
        return open_images(self.path, start.info, size, allow_pixel_scale=True)


def settings_of(way: str, **values: Any) -> FitConfig:
    """Give the settings of a fit, those of `sky-ssl predict fit` but for what is given.

    Nothing is kept for testing: the test half of a sky is another part of it altogether.
    """
    how = {"mode": "frozen", "head": "attentive"} if way == "attentive" else {"mode": way}
    return fit_config(**{**how, "test": 0.0, **values})


def start_of(way: str, trained: Trained, sky: LabelledSky) -> Pretrained | None:
    """Give what a fit starts from; None for the small convolutional network."""
    if way == "cnn":
        return None
    info = open_cutouts(sky.path).info
    sigma = trained.sigma_for(info)
    mine = replace(trained.state.info, sky_sigma=sigma)
    if way == "scratch":
        return Pretrained(trained.state.model_config, mine)
    trained.model.set_sky_sigma(torch.tensor(sigma))
    statistics = load_token_statistics(trained.state.folder)
    encoder = trained.model.encoder.cpu()
    return Pretrained(trained.state.model_config, mine, encoder, statistics, trained.sha256)


def labels_of(truth: Truth, task: str, rows: npt.NDArray[np.bool_]) -> Labels:
    """Give the labels of a task ("A", "B", "C" or "Z") among some rows (N,)."""
    columns = truth.columns
    if task == "Z":
        use = np.flatnonzero(truth.with_redshift & rows)
        question = Question(("zspec",), kinds=("redshift",))
        values = np.asarray(columns["zspec"], dtype=np.float64)[use]
    else:
        asked = truth.task(task)
        use = np.flatnonzero(asked.use & rows)
        kinds = np.unique(asked.kinds[asked.use])
        names = ("rest", "dwarf") if kinds.dtype == bool else tuple(map(str, kinds))
        question = Question(("class",), names)
        values = np.searchsorted(kinds, asked.kinds[use]).astype(np.float64)
    place = {name: np.asarray(columns[name], dtype=np.float64)[use] for name in ("ra", "dec")}
    tile = np.asarray(columns["tile"], dtype=str)[use]
    return Labels(question, use, values[:, None], None, place["ra"], place["dec"], tile)


def fitted_on(
    sky: LabelledSky,
    task: str,
    rows: npt.NDArray[np.bool_],
    config: FitConfig,
    start: Pretrained | None,
    folder: Path,
    progress: Callable[[str, str], Progress] | None = terminal,
) -> Fitted:
    """Fit a network, or go on with it, or read it where it is done.

    Args:
        sky: to learn from.
        task: what to learn.
        rows: (N,) that may be used.
        config: how.
        start: see `start_of`.
        folder: its run directory.
        progress: see `finetune.fit`.

    Raises:
        SystemExit: a signal stopped it; called again it goes on.
    """
    if not (folder / "predictor.json").is_file():
        labels = labels_of(sky.truth, task, rows)
        done = finetune.fit(config, labels, sky.images(start), folder, start, progress)
        if "stopped" in done:
            raise SystemExit(_STOPPED)
    return load_predictor(folder)


def score_on(
    fitted: Fitted,
    sky: LabelledSky,
    task: str,
    progress: Progress | None = None,
    *,
    device: str = "auto",
) -> dict[str, list[float]]:
    """Score a network on the test half of a sky, on a device that need not be that of its fit.

    Returns:
        Lists of one number: "balanced_accuracy" and "average_precision" at 2 %, or "r2", "nmad",
        "outlier_fraction" and "bias".
    """
    labels = labels_of(sky.truth, task, ~sky.truth.train)
    images = open_images(sky.path, fitted.info, fitted.image_size, allow_pixel_scale=True)

    def read(places: Rows) -> npt.NDArray[np.float32]:
        return images.read(labels.rows[places])

    answers = fitted.answer(read, len(labels.rows), device=device, progress=progress)
    answers = answers.astype(np.float64)
    truth = labels.values[:, 0]
    if task == "Z":
        predicted = fitted.numbers(answers)[0][0]
        return {name: [value] for name, value in value_scores(truth, predicted).items()}
    right = [np.mean(answers.argmax(axis=1)[truth == k] == k) for k in np.unique(truth)]
    found = {"balanced_accuracy": [float(np.mean(right))]}
    if answers.shape[1] == 2:
        margin = answers[:, 1] - answers[:, 0]
        at = average_precision_at(truth == 1, margin, PREVALENCE)
        found["average_precision"] = [float(at(np.ones((1, len(margin))))[0, 0])]
    return found
