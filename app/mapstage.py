"""The maps on the page: what they show, and what the user does on them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app import drawings, mapcluster, maptools, marks, objects, state
from app.cache import maps as kept
from app.cache import stamp
from app.components.map_view import MapContent, Mark, draw_map
from app.routes import SHELF
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.mapview import hidden_rows, mask_bytes, select
from sky_ssl.figures.colours import Colouring

_LIKE, _UNLIKE, _LOOKED_AT = "", "#d55e00", "#e69f00"  # rings; empty = the colour of the text


@dataclass(frozen=True)
class Stage:
    """What the maps of a page have in common."""

    path: Path  # of the embeddings
    data: DataSet
    colours: Colouring
    scheme: str  # what the colours show


def show(stage: Stage, file: Path, key: str, height: str, *, legend: bool = True) -> None:
    """Draw a map.

    Args:
        stage: what is shown on it.
        file: the map.
        key: of the component.
        height: as CSS says it.
        legend: whether it has one; of maps side by side the first does.
    """
    now, data = state.now(), stage.data
    row = data.row_of.get(now.object, -1)
    frame = kept.frame(file)
    draw_map(
        MapContent(
            points=SHELF.put_as(f"points {file} {stamp(file)}", frame.to_bytes),
            codes=SHELF.put(stage.colours.codes.tobytes()),
            mask=_mask(len(data)),
            palette=stage.colours.palette,
            scheme=stage.scheme,
            legend=legend,
            about=objects.address(stage.path),
            marks=_marks(data, row),
            object=row,
            fly=(row, now.fly) if row >= 0 and now.fly else None,
            title=_title(stage, file),
        ),
        key=key,
        on={
            "click": lambda event: _click(data, file, int(event["row"])),
            "lasso": lambda event: _draw(stage, file, event),
            "keys": lambda event: _key(data, str(event["key"]), int(event["row"])),
        },
        height=height,
    )


def _mask(count: int) -> str | None:
    chosen = state.now().chosen
    if chosen is None:
        return None
    mask = np.zeros(count, dtype=bool)
    mask[chosen.rows] = True
    return SHELF.put(mask_bytes(mask))


def _marks(data: DataSet, row: int) -> list[Mark]:
    now = state.now()
    marks = [
        Mark([data.row_of[i] for i in names if i in data.row_of], colour)
        for names, colour in ((now.like, _LIKE), (now.unlike, _UNLIKE))
    ]
    return [*marks, *([Mark([row], _LOOKED_AT, strong=True)] if row >= 0 else [])]


def _title(stage: Stage, file: Path) -> str:
    mock = ", mock sky" if stage.data.is_mock else ""
    name = maptools.map_name(file)
    return f"{stage.path.stem}{mock}, {len(stage.data):,} objects, map {name}, by {stage.scheme}"


def _click(data: DataSet, file: Path, row: int) -> None:
    if 0 <= row < len(data):
        state.look_at(str(data.embeddings.id[row]))
        mapcluster.follow(file, row)


def _draw(stage: Stage, file: Path, event: dict[str, Any]) -> None:
    """Take a lasso or a box into what is chosen."""
    frame, mode, before = kept.frame(file), str(event["mode"]), state.now().chosen
    unseen = hidden_rows(stage.colours.codes, map(int, event.get("hidden", ())))
    was = None if before is None else before.rows
    rows = select(frame, event["polygon"], mode, was, unseen)
    corners = frame.to_map(event["polygon"]).round(4).tolist()
    drawings.keep(
        stage.path, stage.data, rows, stroke={"map": file.name, "mode": mode, "corners": corners}
    )


def _key(data: DataSet, key: str, row: int) -> None:
    """Do what a key on the map stands for."""
    if key in ("undo", "redo"):
        getattr(marks, key)()
    elif key in "jk":
        _step(data, row, 1 if key == "j" else -1)
    elif 0 <= row < len(data):
        names: list[str | None] = [None, *(label.name for label in marks.task().labels)]
        if int(key) < len(names):
            marks.write_labels(data, [row], names[int(key)])


def _step(data: DataSet, row: int, by: int) -> None:
    """Look at the next or the previous of the chosen objects, or of all."""
    chosen = state.now().chosen
    rows: npt.NDArray[np.int64] = np.arange(len(data)) if chosen is None else chosen.rows
    at = np.flatnonzero(rows == row)
    place = int(at[0]) + by if len(at) else 0
    if 0 <= place < len(rows):
        state.look_at(str(data.embeddings.id[rows[place]]))
