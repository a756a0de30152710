"""Cutouts and tables into what a predictor is fitted on, and its answers into a table.

In: a cutout file, and a table of labels by id or position (or the columns of the cutouts
themselves). Out: `Labels` and images for `training.finetune.fit`; predictions with provenance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.embedding.encode import conversion
from sky_ssl.errors import InputError
from sky_ssl.explore.labelcolumn import (
    as_classes,
    as_numbers,
    bias_notes,
    kinds_of,
    task_of,
)
from sky_ssl.explore.matching import match_objects
from sky_ssl.explore.objects import cutouts_of, read_objects
from sky_ssl.explore.probing import one_each
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.sky.cutoutset import CutoutSet, open_cutouts
from sky_ssl.training.predictdata import Labels, Question


@dataclass
class CutoutImages:
    """Cutouts in the photometric units of a network."""

    cutouts: CutoutSet
    info: CutoutInfo
    factor: npt.NDArray[np.float32]  # (C,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Bands, height and width."""
        return self.cutouts.shape

    def read(self, rows: npt.NDArray[np.integer]) -> npt.NDArray[np.float32]:
        """Read images (n, C, H, W)."""
        return self.cutouts.read(rows) * self.factor[:, None, None]

    def fingerprint(self) -> str:
        """Hash what identifies the cutouts."""
        return self.cutouts.fingerprint()


def open_images(
    path: str | Path,
    info: CutoutInfo | None = None,
    size: int | None = None,
    *,
    allow_pixel_scale: bool = False,
) -> CutoutImages:
    """Open cutouts for a network.

    Args:
        path: file or folder.
        info: bands, zero points and pixel scale of the network; None takes those of the file.
        size: pixels a side that the network takes; None: any.
        allow_pixel_scale: take another pixel scale.

    Raises:
        InputError: other bands, another size or pixel scale.
    """
    if info is None:
        cutouts = cutouts_of(Path(path))
        return CutoutImages(cutouts, cutouts.info, np.ones(cutouts.shape[0], dtype=np.float32))
    cutouts = open_cutouts(path, bands=info.bands, size=size)
    if size is not None and cutouts.shape[1:] != (size, size):
        raise InputError(
            f"{path}: cutouts of {cutouts.shape[1]} x {cutouts.shape[2]} pixels, but the model "
            f"takes {size} x {size}: cut them to that size"
        )
    factor = conversion(info, cutouts.info, Path(path), allow_pixel_scale=allow_pixel_scale)
    return CutoutImages(cutouts, info, factor)


def objects_of(cutouts: CutoutSet) -> pd.DataFrame:
    """Give id, ra, dec (degrees, NaN = unknown) and tile of cutouts, one row each."""
    names, N = cutouts.column_names, len(cutouts)
    source = cutouts.paths[0] if len(cutouts.paths) == 1 else cutouts.paths[0].parent
    unknown = np.full(N, np.nan)
    ids = cutouts.column("id") if "id" in names else [f"{source}:{row}" for row in range(N)]
    table = {
        "id": np.array(ids, dtype=object),
        "ra": cutouts.column("ra").astype(np.float64) if "ra" in names else unknown,
        "dec": cutouts.column("dec").astype(np.float64) if "dec" in names else unknown,
    }
    if "tile" in names:
        table["tile"] = cutouts.column("tile").astype(str)
    return pd.DataFrame(table)


def read_labels(
    cutouts: CutoutSet,
    targets: Sequence[str],
    *,
    table: str | Path | None = None,
    errors: Sequence[str] = (),
    positive: str | None = None,
    task: str | None = None,
    radius_arcsec: float = 1.0,
    asked: Question | None = None,
) -> Labels:
    """Join labels to cutouts.

    Args:
        cutouts: the images.
        targets: one column of classes, or columns of numbers.
        table: where the columns are, found by id or position; None: with the cutouts.
        errors: columns of standard deviations of the numbers, one for each.
        positive: one class against the rest.
        task: "classify" or "regress"; None looks at the first column.
        radius_arcsec: for objects found by position.
        asked: what a predictor was fitted to answer: its classes and scales are used; objects of
            other classes are left out.

    Raises:
        InputError: columns that are not there or do not go together, nothing matched.
    """
    source = table or cutouts.paths[0]
    objects = objects_of(cutouts)
    frame = read_objects(table) if table else _own_columns(cutouts, objects)
    for name in (*targets, *errors):
        if name not in frame:
            raise InputError(f"{source}: no column {name!r}; there are {' '.join(frame.columns)}")
    notes = [*cutouts.notes, *([] if table is None else frame.attrs.get("notes", []))]
    rows = np.arange(len(objects))
    if table:
        match = match_objects(
            frame, objects["id"], objects["ra"], objects["dec"], radius_arcsec=radius_arcsec
        )
        rows = match.rows
        notes += match.report if (rows < 0).any() or match.ambiguous.any() else []
    task = task or task_of(frame[targets[0]], targets[0], positive)
    if task == "classify":
        question, values, error = _classes(frame, targets, errors, positive, asked, notes)
    else:
        question, values, error = _numbers(frame, targets, errors, notes)
        question = asked or question  # with its scales
    use = np.flatnonzero((rows >= 0) & np.isfinite(values).any(axis=1))
    if not use.size:
        raise InputError(
            f"{source}: no object with a value of {targets[0]!r} is among the {len(objects)} "
            "cutouts"
        )
    notes += bias_notes(frame, targets[0], use)
    ra, dec = _positions(objects, frame, rows)
    single = values[use, 0]
    use = use[one_each(rows[use], single, ra[use], dec[use], task, notes)]
    tile = objects["tile"].to_numpy(dtype=str)[rows[use]] if "tile" in objects else None
    picked = None if error is None else error[use]
    return Labels(question, rows[use], values[use], picked, ra[use], dec[use], tile, notes)


def _own_columns(cutouts: CutoutSet, objects: pd.DataFrame) -> pd.DataFrame:
    more = {n: cutouts.column(n) for n in cutouts.column_names if n not in objects}
    return pd.concat([objects, pd.DataFrame(more)], axis=1)


def _positions(
    objects: pd.DataFrame, frame: pd.DataFrame, rows: npt.NDArray[np.int64]
) -> list[npt.NDArray[np.float64]]:
    """Give RA and Dec of the rows of a table, of the cutouts or else its own."""
    found = []
    for name in ("ra", "dec"):
        there = objects[name].to_numpy(np.float64)[np.maximum(rows, 0)]
        here = frame[name].to_numpy(np.float64) if name in frame else np.full(len(rows), np.nan)
        found.append(np.where(np.isfinite(there), there, here))
    return found


def _classes(
    frame: pd.DataFrame,
    targets: Sequence[str],
    errors: Sequence[str],
    positive: str | None,
    asked: Question | None,
    notes: list[str],
) -> tuple[Question, npt.NDArray[np.float64], None]:
    """Number the classes of a column; NaN where there is none."""
    if len(targets) > 1 or errors:
        raise InputError(
            f"target {' '.join(targets)}: classes are predicted from one column, without errors"
        )
    text = as_classes(frame[targets[0]])
    known = np.flatnonzero(text != "")
    values = np.full((len(text), 1), np.nan)
    if asked is not None:
        names = asked.classes
        number = {name: k for k, name in enumerate(names)}
        rest = 0.0 if len(names) == 2 and names[0] == "rest" else np.nan
        values[known, 0] = [number.get(t, rest) for t in text[known].tolist()]
        return asked, values, None
    _, sides, kept = kinds_of(text[known], targets[0], positive, notes)
    known = known[kept]
    if positive is None:
        names = tuple(np.unique(text[known]).tolist())
        values[known, 0] = np.searchsorted(np.array(names), text[known])
    else:
        names = ("rest", sides[0])
        values[known, 0] = text[known] == sides[0]
    return Question(tuple(targets), names), values, None


def _numbers(
    frame: pd.DataFrame, targets: Sequence[str], errors: Sequence[str], notes: list[str]
) -> tuple[Question, npt.NDArray[np.float64], npt.NDArray[np.float64] | None]:
    """Read columns of numbers and their errors; NaN where either is unknown."""
    if errors and len(errors) != len(targets):
        raise InputError(f"errors {' '.join(errors)}: give one for each of {' '.join(targets)}")
    looks = [task_of(frame[name], name) for name in targets]
    kinds = tuple("redshift" if look == "redshift" else "regress" for look in looks)
    columns = [as_numbers(frame[n], kind, notes) for n, kind in zip(targets, kinds, strict=True)]
    values, error = np.stack(columns, axis=1), None
    if errors:
        error = np.stack([as_numbers(frame[n], "regress", notes) for n in errors], axis=1)
        bad = np.isfinite(values) & ~(error > 0)
        if bad.any():
            notes.append(f"{int(bad.sum())} labels without an error above 0 left out")
            values = np.where(bad, np.nan, values)
    return Question(tuple(targets), (), kinds), values, error
