"""Parts that several pages show: the inspector of an object, and the gallery of the chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app import cards, gallerybar, marks, objects, state
from app.components.gallery_view import draw_gallery
from app.gallerybar import MOST_SHOWN
from app.inspector import inspector
from app.marks import labels_by_row, ledger, ledger_place, task, write_labels
from app.words import percent
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.tasks import load_tasks

__all__ = ["MOST_SHOWN", "gallery", "inspector", "labels_by_row", "ledger", "ledger_place",
           "load_tasks", "task", "write_labels"]  # fmt: skip

_BLIND = "audit"  # the source of a selection that is labelled without knowing what a probe says


def gallery(
    path: Path,
    data: DataSet,
    *,
    key: str,
    height: int = 420,
    probability: np.ndarray | None = None,
    empty: str = "Nothing is chosen: draw a lasso on the map, or search.",
) -> None:
    """Show the chosen objects, to be labelled by single keys; the labels of others come in.

    Args:
        path, data: the data set.
        key: of the component.
        height: in pixels.
        probability: (N,) by the probe, shown and sorted by where the session wants it; not in an
            audit, which is labelled blind.
        empty: what to say where nothing is chosen.
    """
    marks.say()
    chosen = state.now().chosen
    places, start = np.zeros(0, dtype=np.int64), 0
    if chosen is not None and len(chosen.rows):
        probability = _probability(path, data, chosen, probability)
        places = gallerybar.arranged(path, data, chosen, probability)
        start = (gallerybar.bar(data, chosen, places, key) - 1) * MOST_SHOWN
    rows = np.zeros(0, dtype=np.int64) if chosen is None else chosen.rows[places]
    shown = slice(start, start + MOST_SHOWN)
    texts = _texts(chosen, places[shown], probability)
    if chosen is not None and len(chosen.rows) and not len(places):
        empty = "None of the chosen objects has such a label: choose another filter above."

    def label(event: dict[str, Any]) -> None:
        name = None if event["label"] == "clear" else str(event["label"])
        wanted = rows.tolist() if event.get("all") else cards.rows_of(event, len(data))
        if wanted:
            write_labels(data, wanted, name)

    draw_gallery(
        cards.items_of(data, rows[shown], texts),
        about=objects.address(path),
        task=task(),
        key=key,
        height=height,
        empty=empty,
        total=len(rows),
        on={"label": label, **cards.looks(data), "undo": lambda _: marks.take_back(),
            "redo": lambda _: marks.restore()},
        say=marks.keep_word,
    )  # fmt: skip


def _probability(
    path: Path, data: DataSet, chosen: state.Chosen, given: np.ndarray | None
) -> np.ndarray | None:
    """Give the probability (N,) that is shown: of an audit none, of others if it is asked for."""
    if chosen.source == _BLIND:
        return None
    if given is None and state.now().probing.sort:
        from app import probeview

        return probeview.probability(path, data)
    return given


def _texts(
    chosen: state.Chosen | None, places: npt.NDArray[np.int64], probability: np.ndarray | None
) -> list[str]:
    """Write the score or the probability of some places of the chosen objects."""
    if chosen is not None and probability is not None:
        return [percent(float(p)) for p in probability[chosen.rows[places]]]
    if chosen is not None and chosen.scores is not None:
        return [f"{score:.3f}" for score in chosen.scores[places]]
    return [""] * len(places)
