"""A column of labels as classes or numbers, and what must be said about it.

In: a column of a table. Out: what it is for, text or numbers (N,) with what is missing marked, the
two sides of a question, notes.
"""

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError

_FEW = 20  # different whole numbers that are classes
_MOST_CLASSES = 100
_REDSHIFT = re.compile(r"(?i)^(z|z_?spec|z_?phot|z_?best|z_?true|redshift|z_redshift|specz)$")
_UNBIASED = {"audit", "random", "import", ""}


def task_of(values: pd.Series, column: str, positive: str | None = None) -> str:
    """Say what a column is for: numbers with fractions, or many of them, are regressed."""
    numbers = values.dropna()
    if (
        positive is not None
        or pd.api.types.is_bool_dtype(values.dtype)
        or not pd.api.types.is_numeric_dtype(values.dtype)
    ):
        return "classify"
    numbers = numbers.to_numpy(np.float64)
    whole = bool((numbers == np.round(numbers)).all()) if numbers.size else True
    if whole and len(np.unique(numbers)) <= _FEW:
        return "classify"
    return "redshift" if _REDSHIFT.match(column) else "regress"


def as_classes(values: pd.Series) -> npt.NDArray[np.str_]:
    """Give classes (N,) as text, empty where there is none; 1.0 is 1."""

    def text(value: object) -> str:
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            return ""
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return str(value).strip()

    return np.array([text(v) for v in values.tolist()], dtype=str)


def as_numbers(values: pd.Series, task: str, notes: list[str]) -> npt.NDArray[np.float64]:
    """Give numbers (N,), NaN where there is none; redshifts of -1 and below stand for none."""
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if task == "redshift" and (numbers <= -1).any():
        notes.append(f"{int((numbers <= -1).sum())} redshifts of -1 or below taken as unknown")
        numbers = np.where(numbers <= -1, np.nan, numbers)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def bias_notes(table: pd.DataFrame, column: str, use: npt.NDArray[np.integer]) -> list[str]:
    """Warn where labels of a column, the rows `use` of them, were picked and not drawn.

    Where they are from is known from the ledger, or from the column `source`.
    """
    known = table.attrs.get("sources", {})
    if column in known:
        return biased_sources(pd.Series(known[column], index=table.index).iloc[use])
    return biased_sources(table["source"].iloc[use]) if "source" in table else []


def biased_sources(sources: pd.Series) -> list[str]:
    """Warn where labels come from a lasso, a search or a review instead of a random sample."""
    names = sources.fillna("").astype(str).str.strip().str.lower()
    chosen = names[~names.isin(_UNBIASED)]
    if not len(chosen):
        return []
    kinds = ", ".join(f"{count} {name}" for name, count in chosen.value_counts().items())
    return [
        f"{kinds} of {len(names)} labels were picked, not drawn: purity and completeness measured "
        "on them are biased; label a random audit sample (sky-ssl labels audit)"
    ]


def kinds_of(
    y: npt.NDArray[np.str_], column: str, positive: str | None, notes: list[str]
) -> tuple[npt.NDArray, tuple[str, str], npt.NDArray[np.int64]]:
    """Turn text into truth values where there are two kinds; give also their names and the rows."""
    names, counts = np.unique(y, return_counts=True)
    listed = ", ".join(f"{n} ({c})" for n, c in list(zip(names, counts, strict=True))[:20])
    everything = np.arange(len(y))
    if positive is not None:
        hits = [n for n in names if n == positive or n.lower() == positive.lower()]
        if not hits:
            raise InputError(f"positive {positive!r}: no such value of {column!r}; it has {listed}")
        names = np.array(["rest", hits[0]]) if len(names) > 1 else names
    if len(names) < 2:
        raise InputError(f"labels: all {len(y)} of {column!r} are {listed}; two kinds are needed")
    if len(names) > _MOST_CLASSES:
        raise InputError(
            f"column {column!r}: {len(names)} different values, more than {_MOST_CLASSES} classes; "
            "choose one with --positive, or --task regress for numbers"
        )
    if len(names) == 2:
        return y == names[1], (str(names[1]), str(names[0])), everything
    single = names[counts < 2]
    if single.size:
        notes.append(f"classes with one label cannot be learnt and tested: {', '.join(single)}")
        everything = np.flatnonzero(~np.isin(y, single))
        left = np.unique(y[everything])
        if len(left) == 2:
            return y[everything] == left[1], (str(left[1]), str(left[0])), everything
        if len(left) < 2:
            raise InputError(f"labels: {column!r} has {listed}; two kinds with 2 labels are needed")
    return y[everything], ("", ""), everything
