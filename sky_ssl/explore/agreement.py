"""How far labellers agree, and how common a class is by a random sample.

In: labels, as arrays or a table of them. Out: Cohen's kappa and Krippendorff's alpha; a fraction
with its 95 % interval.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError


@dataclass(frozen=True)
class Prevalence:
    """The fraction of objects of a class, with its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int  # labels that it rests on


def estimate_prevalence(labels: Sequence[str] | npt.NDArray, positive: str) -> Prevalence:
    """Estimate how common a class is from the labels of a simple random sample.

    Args:
        labels: (n,) of the sample; "" or None where there is none yet, which is left out: label
            the whole sample, or what is left out may be what is hard to tell.
        positive: the class.

    Returns:
        The fraction and Jeffreys' interval (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101).

    Raises:
        InputError: no labels at all.
    """
    from scipy.stats import beta

    known = [x for x in labels if isinstance(x, str) and x]
    n, k = len(known), sum(x == positive for x in known)
    if not n:
        raise InputError(f"prevalence of {positive!r}: none of {len(labels)} objects has a label")
    low = 0.0 if k == 0 else float(beta.ppf(0.025, k + 0.5, n - k + 0.5))
    high = 1.0 if k == n else float(beta.ppf(0.975, k + 0.5, n - k + 0.5))
    return Prevalence(k / n, low, high, n)


def cohen_kappa(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Measure the agreement of two labellers beyond chance (Cohen 1960).

    Args:
        first, second: (n,) labels of the same objects.

    Returns:
        1 for full agreement, 0 for that of chance; NaN without objects, or where both gave one
        and the same label to all of them.
    """
    a, b = np.asarray(first).astype(str), np.asarray(second).astype(str)
    if not a.size:
        return float("nan")
    classes = np.unique(np.concatenate([a, b]))
    chance = float(sum((a == name).mean() * (b == name).mean() for name in classes))
    seen = float((a == b).mean())
    return (seen - chance) / (1 - chance) if chance < 1 else float("nan")


def krippendorff_alpha(labels: pd.DataFrame) -> float:
    """Measure the agreement of any number of labellers (nominal data, any gaps).

    After Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.

    Args:
        labels: columns `unit` (the object) and `label`, a row for each label given.

    Returns:
        1 for full agreement, 0 for that of chance; NaN where no object has two labels, or all
        labels are the same.
    """
    counts = pd.crosstab(labels["unit"], labels["label"]).to_numpy(np.float64)
    given = counts.sum(axis=1)
    counts, given = counts[given > 1], given[given > 1]
    if not given.size:
        return float("nan")
    total, by_class = given.sum(), counts.sum(axis=0)
    differ = ((given**2 - (counts**2).sum(axis=1)) / (given - 1)).sum() / total
    expected = (total**2 - (by_class**2).sum()) / (total * (total - 1))
    return float(1 - differ / expected) if expected > 0 else float("nan")


def agreement(labels: pd.DataFrame) -> dict[str, Any]:
    """Compare the labellers of each task on the objects that several of them labelled.

    Args:
        labels: as `labelview.current` gives them.

    Returns:
        By task: "objects" (labelled by two or more), "percent" (of pairs of labels that agree),
        "alpha" (Krippendorff), "pairs" (a list of first, second, objects, percent, kappa). NaN is
        None.
    """
    result: dict[str, Any] = {}
    for task, group in labels.groupby("task"):
        units = group["dataset"] + "\0" + group["object_id"]
        wide = group.assign(unit=units).pivot(index="unit", columns="labeller", values="label")
        pairs = []
        for a, b in itertools.combinations(wide.columns, 2):
            both = wide[[a, b]].dropna()
            if len(both):
                same = float((both[a] == both[b]).mean())
                kappa = _number(cohen_kappa(both[a], both[b]))
                pairs.append({"first": a, "second": b, "objects": len(both), "kappa": kappa})
                pairs[-1]["percent"] = 100 * same
        weights = [pair["objects"] for pair in pairs]
        percent = np.average([p["percent"] for p in pairs], weights=weights) if pairs else None
        result[str(task)] = {
            "objects": int((wide.notna().sum(axis=1) > 1).sum()),
            "percent": None if percent is None else float(percent),
            "alpha": _number(krippendorff_alpha(group.assign(unit=units))),
            "pairs": pairs,
        }
    return result


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
