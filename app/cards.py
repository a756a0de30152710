"""Objects as cards of a gallery, and what becomes of the keys pressed on them."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app import marks, objects, state
from app.components.gallery_view import draw_gallery
from sky_ssl.explore.dataset import DataSet


def strip(
    path: Path,
    data: DataSet,
    rows: npt.NDArray[np.int64],
    scores: npt.NDArray[np.floating],
    *,
    key: str,
    height: int,
    empty: str = "",
) -> None:
    """Draw a small gallery beside something else: to go on to an object, and to label by keys."""

    def label(event: dict[str, Any]) -> None:
        name = None if event["label"] == "clear" else str(event["label"])
        marks.write_labels(data, rows_of(event, len(data)), name)

    draw_gallery(
        items_of(data, rows, [f"{score:.3f}" for score in scores]),
        about=objects.address(path),
        task=marks.task(),
        key=key,
        thumb=84,
        height=height,
        empty=empty,
        tools=False,
        on={"label": label, **looks(data), "undo": lambda _: marks.take_back(),
            "redo": lambda _: marks.restore()},
        say=marks.keep_word,
    )  # fmt: skip


def items_of(data: DataSet, rows: npt.NDArray[np.int64], texts: list[str]) -> list[dict[str, Any]]:
    """Describe objects with their labels for a gallery; a text beside each."""
    labels, ties = marks.labels_by_row(data), marks.ties_by_row(data)
    colours = marks.task().colours
    names = data.embeddings.id
    return [
        {
            "row": int(row),
            "name": str(names[row]),
            "text": text,
            "label": str(labels[row]) or ties.get(int(row), ""),
            "colour": colours.get(str(labels[row]), "#9ca3af"),
        }
        for row, text in zip(rows, texts, strict=True)
    ]


def looks(data: DataSet) -> dict[str, Any]:
    """Give what galleries do when an object is opened, or made an exemplar."""
    ids = data.embeddings.id
    return {
        "open": lambda event: state.look_at(str(ids[int(event["row"])]), fly=True),
        "mark": lambda event: state.mark(str(ids[int(event["row"])]), str(event["how"])),
    }


def rows_of(event: dict[str, Any], count: int) -> list[int]:
    """Take the rows of an event that the browser sent, leaving out what cannot be."""
    return [int(row) for row in event["rows"] if 0 <= int(row) < count]
