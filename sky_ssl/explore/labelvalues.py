"""Labels from the values of a column: which value is which label, for as many objects as wanted.

In: a column of a data set, or of a table that is matched to it by id or position. Out: labels by
row, written into the ledger as imports.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.labelfiles import as_labels
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.matching import match_objects

Texts = npt.NDArray[np.object_]

MOST_VALUES = 40


def texts_of(values: npt.ArrayLike) -> Texts:
    """Write the values of a column (N,) as text, empty where there is none; 1.0 is 1."""
    found = as_labels(pd.Series(np.asarray(values)))
    return np.array([text or "" for text in found], dtype=object)


def count_values(texts: Texts) -> dict[str, int]:
    """Count the values of a column, the most frequent first; empty text is left out."""
    counts = pd.Series(texts[texts != ""], dtype=object).value_counts()
    return {str(name): int(n) for name, n in counts.items()}


def carried(
    table: pd.DataFrame, column: str, e: Embeddings, *, radius_arcsec: float = 1.0
) -> tuple[npt.NDArray, list[str]]:
    """Carry a column of a table over to the objects of embeddings, by id or else by position.

    Args:
        table: as `read_objects` gives it; M rows.
        column: its name.
        e: the embeddings.
        radius_arcsec: for positions.

    Returns:
        Values (N,), None where no row means the object or two do; lines to read.

    Raises:
        InputError: no such column, or no row means an object.
    """
    if column not in table:
        raise InputError(f"no column {column!r}; there are {' '.join(map(str, table.columns))}")
    match = match_objects(table, e.id, e.ra, e.dec, radius_arcsec=radius_arcsec)
    clear = (match.rows >= 0) & ~match.ambiguous
    if not clear.any():
        raise InputError(
            f"none of the {len(table)} rows means one of the {len(e.id)} objects, by id or within "
            f"{radius_arcsec:g} arcsec"
        )
    values = np.full(len(e.id), None, dtype=object)
    values[match.rows[clear]] = table[column].to_numpy(dtype=object)[clear]
    return values, match.report


def as_wanted(texts: Texts, wanted: Mapping[str, Sequence[str]], rest: str = "") -> Texts:
    """Turn values (N,) into labels.

    Args:
        texts: values as text, empty where there is none.
        wanted: the values that mean each label.
        rest: label of all other values; empty: none.

    Raises:
        InputError: one value means two labels.
    """
    label_of: dict[str, str] = {}
    for label, values in wanted.items():
        for value in values:
            if label_of.setdefault(value, label) != label:
                raise InputError(f"value {value!r}: it is both {label_of[value]!r} and {label!r}")
    return np.array([label_of.get(text, rest) if text else "" for text in texts], dtype=object)


def thinned(labels: Texts, most: int, seed: int = 0) -> Texts:
    """Keep at most `most` random objects of each label (N,)."""
    kept = np.full(len(labels), "", dtype=object)
    rng = np.random.default_rng(seed)
    for name in sorted(set(labels) - {""}):
        rows = rng.permutation(np.flatnonzero(labels == name))[:most]
        kept[rows] = name
    return kept


def write_values(
    ledger: Ledger, e: Embeddings, labels: Texts, *, task: str, origin: Origin
) -> dict[str, Any]:
    """Write labels by row (N,) into the ledger; what this labeller says already is left.

    Returns:
        "written", "unchanged", "labels" (how often each).
    """
    rows = np.flatnonzero(labels != "")
    known = ledger.current(task=task, dataset=origin.dataset, labeller=origin.labeller)
    said = dict(zip(known["object_id"], known["label"], strict=True))
    new = np.array([said.get(str(e.id[r])) != labels[r] for r in rows], dtype=bool)
    fresh = rows[new]
    if len(fresh):
        ledger.label(
            [str(name) for name in e.id[fresh]],
            [str(label) for label in labels[fresh]],
            task=task,
            origin=origin,
            ra=e.ra[fresh],
            dec=e.dec[fresh],
        )
    counts = count_values(labels)
    return {"written": len(fresh), "unchanged": len(rows) - len(fresh), "labels": counts}
