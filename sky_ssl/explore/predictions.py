"""Predictions of all cutouts of a file as a table with its provenance.

In: a fitted predictor and cutouts. Out: id, RA, Dec and probabilities, or numbers with their
ranges; CSV, ECSV, FITS or VOTable by the ending of the name.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl import __version__
from sky_ssl.errors import InputError
from sky_ssl.explore.predicting import CutoutImages, objects_of
from sky_ssl.progress import Progress
from sky_ssl.training.fitscore import figures, sky_groups_of
from sky_ssl.training.predictdata import Labels
from sky_ssl.training.predictor import Fitted

ENDINGS = (".csv", ".ecsv", ".fits", ".fit", ".vot", ".votable", ".xml")


def check_ending(path: Path) -> None:
    """Refuse a name that no table of predictions is written under.

    Raises:
        InputError: another ending.
    """
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: ending {path.suffix!r} is not one of {' '.join(ENDINGS)}")


def answer_all(
    fitted: Fitted,
    images: CutoutImages,
    *,
    turns: bool = False,
    device: str = "auto",
    progress: Progress | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Give the answers (N, K) to all cutouts, and which of them hold any data (N,).

    Cutouts are read batch by batch; an answer to a cutout without data is NaN.
    """
    N = len(images.cutouts)
    seen = np.zeros(N, dtype=bool)

    def read(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        pixels = images.read(rows)
        seen[rows] = np.isfinite(pixels).any(axis=(1, 2, 3))
        return pixels

    answers = fitted.answer(read, N, turns=turns, device=device, progress=progress)
    answers[~seen] = np.nan
    return answers, seen


def prediction_table(
    fitted: Fitted, images: CutoutImages, answers: npt.NDArray[np.float32]
) -> pd.DataFrame:
    """Lay answers (N, K) out.

    Returns:
        id, ra, dec (degrees), tile where it is known; of classes "prediction" and
        "probability_CLASS" for each; of numbers NAME, and "NAME_low_68", "NAME_high_68",
        "NAME_low_95", "NAME_high_95" where there was a validation sky.
    """
    frame, q = objects_of(images.cutouts), fitted.question
    if q.classes:
        shares = fitted.probabilities(answers)
        known = np.isfinite(shares).all(axis=1)
        best = np.where(known, np.nan_to_num(shares).argmax(axis=1), 0)
        frame["prediction"] = np.where(known, np.array(q.classes)[best], "").astype(object)
        for name, share in zip(q.classes, shares.T, strict=True):
            frame[f"probability_{name}"] = share
        return frame
    for name, (values, ranges) in zip(q.targets, fitted.numbers(answers), strict=True):
        column = f"predicted_{name}" if name in frame else name
        frame[column] = values
        if ranges is not None:
            known = np.isfinite(values)[:, None]
            for place, side in enumerate(("low_68", "high_68", "low_95", "high_95")):
                frame[f"{column}_{side}"] = np.where(known, ranges, np.nan)[:, place]
    return frame


def provenance(fitted: Fitted, images: CutoutImages, turns: bool) -> dict[str, Any]:
    """Say what a table of predictions comes from, for its header."""
    q, said = fitted.question, fitted.said
    about: dict[str, Any] = {
        "predictor": str(fitted.path),
        "model": fitted.sha256,
        "pretrained": said["pretrained"] or "none",
        "mode": said["mode"] + ("" if said["mode"] == "cnn" else f", {said['head']} head"),
        "target": " ".join(q.targets),
        "classes": " ".join(q.classes),
        "fitted_on": f"{said['n_train']} labels, {said['n_validation']} to stop early",
        "survey": fitted.info.survey,
        "bands": " ".join(fitted.info.bands),
        "cutouts": str(images.cutouts.paths[0]),
        "cutouts_fingerprint": images.cutouts.fingerprint(),
        "averaged_over_turns": "yes" if turns else "no",
        "version": __version__,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if q.classes:
        natural = fitted.config.natural
        about["frequencies"] = "as the labels were" if natural else "all classes equal"
    about |= {f"test_{k}": _in_words(v) for k, v in said.get("test", {}).items() if _is_figure(v)}
    return {name: value for name, value in about.items() if value != ""}


def _is_figure(value: Any) -> bool:
    return isinstance(value, dict) and value.get("mean") is not None


def _in_words(value: dict[str, float]) -> str:
    low, high = value.get("low"), value.get("high")
    span = f" ({low:.3g} to {high:.3g})" if low is not None and high is not None else ""
    return f"{value['mean']:.3g}{span}"


def measured(
    labels: Labels,
    answers: npt.NDArray[np.float32],
    prevalence: float | None = None,
    learnt: npt.NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """Compare answers (N, K) with labels (n) of the same cutouts; see `fitscore.figures`.

    Args:
        labels: of rows of the answers.
        answers: of all cutouts.
        prevalence: of positives, for an average precision.
        learnt: (n,) labels of objects that it was fitted on, which do not count.

    Raises:
        InputError: no label of an object with an answer that it was not fitted on.
    """
    known = np.isfinite(answers[labels.rows]).all(axis=1)
    if not known.any():
        raise InputError("labels: none of an object with data")
    known &= True if learnt is None else ~learnt
    if not known.any():
        raise InputError(
            "labels: all are of objects that it was fitted on, which say nothing of new ones; "
            "check it on other cutouts, or see the figures of its test sky in predictor.json"
        )
    index = np.flatnonzero(known)
    truth, said = labels.values[index], answers[labels.rows[index]]
    found = figures(labels.question, truth, said, sky_groups_of(labels, index), prevalence)
    return {"n": len(index), **found}
