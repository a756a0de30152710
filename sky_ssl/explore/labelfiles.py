"""Labels from tables into the ledger, and out of it into tables.

In: any file of objects with a column of labels; a ledger. Out: events and a report to read; CSV,
ECSV, FITS, VOTable or Parquet by the ending of the name.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.labelmatch import DataSet, labels_of
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.matching import Match, match_objects
from sky_ssl.explore.objects import read_objects
from sky_ssl.sky.tablefiles import check_ending

_FIRST = ("id", "ra", "dec", "task", "label", "labeller", "time", "source", "n_events", "note")
_FIRST_OF_ALL = ("event", "kind", "id", "ra", "dec", "task", "label", "labeller", "time", "source")
_SHOWN = 20  # labels that are counted by name; numbers are all different
_NO_DATA = "no data set was named: labels are kept under the ids and positions of the table"
# what XML 1.0 has no way to write
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


def as_labels(column: pd.Series) -> list[str | None]:
    """Write the values of a column (n,) as labels: text; 1.0 is 1; None where there is none."""
    kind = column.dtype
    whole = pd.api.types.is_float_dtype(kind) and bool((column.dropna() % 1 == 0).all())
    texts = [
        None if pd.isna(v) else str(int(v)) if whole else str(v).strip() for v in column.tolist()
    ]
    return [text or None for text in texts]


def import_labels(
    ledger: Ledger,
    path: str | Path,
    *,
    task: str,
    origin: Origin,
    column: str | None = None,
    value: str | None = None,
    data: DataSet | None = None,
    radius_arcsec: float = 1.0,
    take_nearest: bool = False,
) -> dict[str, Any]:
    """Write the labels of a table into a ledger, all of them in one transaction.

    What the same labeller says already is not written again, so a file may be imported twice.
    Objects are known by their ids in the data set; rows that match none of its objects are left
    out. Without a data set all rows are taken, under their own ids and positions.

    Args:
        ledger: where to.
        path: anything that `read_objects` takes.
        task: what the labels answer.
        origin: who, and from what; its data set is replaced by `data`.
        column: the column of labels; empty cells are no labels.
        value: a label for all rows, in place of a column.
        data: the objects that are meant.
        radius_arcsec: for positions.
        take_nearest: label the nearest of several objects that are as near, not none of them.

    Returns:
        "path", "task", "rows", "written", "unchanged", "without_label", "unmatched", "ambiguous",
        "contradicting", "by_id", "by_position", "labels" (how often each, the 20 most
        common), "different_labels" (how many), "report" (lines).

    Raises:
        InputError: no such column, or text that cannot be kept.
    """
    table = read_objects(path)
    answers = _answers(table, path, column, value)
    match = None
    if data is not None:
        match = match_objects(table, data.id, data.ra, data.dec, radius_arcsec=radius_arcsec)
    wanted = _wanted(table, answers, data, match, take_nearest)
    opposed = _contradicting(wanted)
    chosen = wanted[~opposed].drop_duplicates("id")
    fingerprint = data.fingerprint if data is not None else ""
    who = Origin(origin.labeller, origin.source, fingerprint, origin.selection or Path(path).name)
    new = _not_said_yet(ledger, chosen, task, who)
    ledger.label(
        new["id"].tolist(),
        new["label"].tolist(),
        task=task,
        origin=who,
        ra=new["ra"],
        dec=new["dec"],
    )
    counts = chosen["label"].value_counts()
    report = [*table.attrs.get("notes", []), *(match.report if match else [_NO_DATA])]
    if opposed.any():
        some = ", ".join(str(name)[:60] for name in wanted["id"][opposed].unique()[:5])
        report.append(f"{int(opposed.sum())} rows contradict each other, left out: {some}")
    return {
        **{"path": str(path), "task": task, "labeller": who.labeller, "rows": len(table)},
        **{"written": len(new), "unchanged": len(chosen) - len(new)},
        **{"without_label": answers.count(None), "contradicting": int(opposed.sum())},
        **_matched(match, take_nearest),
        "labels": {str(k): int(n) for k, n in counts.head(_SHOWN).items()},
        "different_labels": len(counts),
        "report": report,
    }


def _wanted(
    table: pd.DataFrame,
    answers: list[str | None],
    data: DataSet | None,
    match: Match | None,
    take_nearest: bool,
) -> pd.DataFrame:
    """Give id, label, ra, dec of the rows that name an object, and whether they share it."""
    wanted = pd.DataFrame(
        {
            "id": table["id"].to_numpy(dtype=object),
            "label": np.array(answers, dtype=object),
            "ra": table["ra"].to_numpy(np.float64),
            "dec": table["dec"].to_numpy(np.float64),
            "shared": table["id"].duplicated(keep=False).to_numpy(),
        }
    )
    keep = np.array([answer is not None for answer in answers], dtype=bool)
    if data is not None and match is not None:
        keep &= (match.rows >= 0) & (~match.ambiguous | match.shared | take_nearest)
        rows = match.rows[keep]
        wanted = wanted[keep].assign(
            id=np.asarray(data.id, dtype=object)[rows], shared=match.shared[keep]
        )
        for name, known in (("ra", data.ra[rows]), ("dec", data.dec[rows])):
            wanted[name] = np.where(np.isfinite(known), known, wanted[name])
        return wanted
    return wanted[keep]


def _contradicting(wanted: pd.DataFrame) -> pd.Series:
    """Flag rows of one object with different labels, but not the one with by far the best claim."""
    groups = wanted.groupby("id")
    differ = groups["label"].transform("nunique") > 1
    return differ & (wanted["shared"] | groups["shared"].transform("all"))


def _not_said_yet(ledger: Ledger, chosen: pd.DataFrame, task: str, who: Origin) -> pd.DataFrame:
    """Leave the rows whose label this labeller has not given already."""
    known = ledger.current(
        task=task, dataset=who.dataset, labeller=who.labeller, objects=chosen["id"].tolist()
    )
    said = dict(zip(known["object_id"], known["label"], strict=True))
    pairs = zip(chosen["id"], chosen["label"], strict=True)
    return chosen[np.array([said.get(name) != label for name, label in pairs], dtype=bool)]


def _answers(
    table: pd.DataFrame, path: str | Path, column: str | None, value: str | None
) -> list[str | None]:
    if value is not None:
        return [value] * len(table)
    if column not in table:
        names = [str(name) for name in table.columns]
        more = f" and {len(names) - 30} more" if len(names) > 30 else ""
        raise InputError(f"{path}: no column {column!r}; there are {' '.join(names[:30])}{more}")
    return as_labels(table[column])


def _matched(match: Match | None, take_nearest: bool) -> dict[str, int]:
    if match is None:
        return dict.fromkeys(("unmatched", "ambiguous", "by_id", "by_position"), 0)
    left_out = match.ambiguous & ~match.shared & (not take_nearest)
    return {
        "unmatched": int((match.rows < 0).sum()),
        "ambiguous": int(left_out.sum()),
        "by_id": int((match.by == "id").sum()),
        "by_position": int((match.by == "position").sum()),
    }


def export_labels(
    ledger: Ledger,
    path: str | Path,
    *,
    task: str | None = None,
    every_event: bool = False,
    data: DataSet | None = None,
    radius_arcsec: float = 1.0,
) -> dict[str, Any]:
    """Write the labels in force, or all of the history, as a table.

    Args:
        ledger: where from.
        path: .csv, .ecsv, .fits, .vot or .parquet.
        task: only this one.
        every_event: a row for each event, undone ones and the undoing as well.
        data: only labels of these objects, under their ids, carried over from other data.
        radius_arcsec: for positions.

    Returns:
        "path", "rows", "columns", "report" (lines).

    Raises:
        InputError: an ending that is not known, or nothing to write.
    """
    from sky_ssl.sky.catalogue import write_catalogue

    path = Path(path)
    check_ending(path)
    report: list[str] = []
    table = ledger.history(task=task) if every_event else ledger.current(task=task)
    if data is not None and not every_event:
        table, report = labels_of(table, data, radius_arcsec=radius_arcsec)
        table = table.drop(columns=["row", "by"])
    if not len(table):
        of = f" of task {task!r} (there are: {', '.join(ledger.tasks()) or 'none'})" if task else ""
        raise InputError(f"{ledger.name}: no labels{of} to write to {path}")
    table = table.rename(columns={"object_id": "id"})
    first = list(_FIRST_OF_ALL if every_event else _FIRST)
    table = table[[*first, *(name for name in table.columns if name not in first)]]
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    table = table.assign(**{name: _writable(table[name], path) for name in texts})
    write_catalogue(table, path)
    return {
        **{"path": str(path), "rows": len(table), "columns": [str(c) for c in table.columns]},
        "report": report,
    }


def _writable(column: pd.Series, path: Path) -> npt.NDArray[np.object_]:
    """Write what a format cannot hold as escapes: control characters; in FITS, all but ASCII."""
    ending = path.suffix.lower()
    values = np.array(column.tolist(), dtype=object)
    if ending in (".fits", ".fit"):
        return np.array([_ascii(v) for v in values], dtype=object)
    if ending in (".vot", ".votable", ".xml", ".ecsv"):
        return np.array([_UNPRINTABLE.sub(_escape, v) for v in values], dtype=object)
    return values


def _ascii(text: str) -> str:
    plain = text.encode("ascii", "backslashreplace").decode("ascii")
    return re.sub("[\x00-\x1f\x7f]", _escape, plain)


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
