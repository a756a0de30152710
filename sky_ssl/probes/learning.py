"""What to label next: where a label teaches most, what is likely real, or a random audit.

In: decision values of all objects, their embeddings, and which are labelled. Out: rows, the one to
look at first at the front.
"""

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.probes.scoring import class_probabilities

Features = npt.NDArray[np.floating]
Numbers = npt.NDArray[np.floating]
Rows = npt.NDArray[np.int64]

STRATEGIES = ("uncertainty", "margin", "diversity", "top", "audit")
_POOL = 20  # times as many uncertain objects are looked at for diverse ones
_KNOWN = 2000  # labelled objects that new ones should differ from


def next_to_label(
    strategy: str,
    count: int,
    decision: Numbers,
    values: Features | None = None,
    labelled: Rows | None = None,
    *,
    seed: int = 0,
) -> Rows:
    """Choose objects to label.

    uncertainty: the highest entropy of the class probabilities. margin: the least difference of
    the two likeliest classes (for two classes the same order). diversity: k-means++ among the most
    uncertain, away from each other and from what is labelled (Arthur & Vassilvitskii 2007). top:
    the highest decision value of the second class, or the surest class of several. audit: random,
    labelled objects included, which alone estimates a prevalence.

    Args:
        strategy: one of STRATEGIES.
        count: objects wanted; fewer come where there are fewer.
        decision: (N,) log-odds or (N, K); NaN is never chosen.
        values: (N, D) embeddings, which may be a memory map; for diversity.
        labelled: rows that have a label, left out except in an audit.
        seed: of what is random.

    Raises:
        InputError: another strategy, a count below 1, or diversity without embeddings.
    """
    if strategy not in STRATEGIES:
        raise InputError(f"strategy {strategy!r}: allowed are {', '.join(STRATEGIES)}")
    if count < 1:
        raise InputError(f"count {count}: must be 1 or more")
    N = len(decision)
    if strategy == "audit":
        return np.random.default_rng(seed).permutation(N)[:count]
    score = worth(strategy, decision)
    known = np.zeros(0, dtype=np.int64) if labelled is None else np.asarray(labelled)
    score[known] = -np.inf
    if strategy != "diversity":
        return best_rows(score, count)
    if values is None:
        raise InputError("strategy 'diversity': needs the embeddings")
    return _diverse(values, best_rows(score, count * _POOL), known, count, seed)


def worth(strategy: str, decision: Numbers) -> Numbers:
    """Score rows (N,) by how much a strategy wants them; NaN becomes -inf."""
    two = decision.ndim == 1
    result: Numbers
    if strategy == "top" and two:
        result = decision.astype(np.float64)
    elif two:
        result = -np.abs(decision.astype(np.float64))
    else:
        p = class_probabilities(decision.astype(np.float64))
        ordered = np.sort(p, axis=1)
        if strategy == "top":
            result = ordered[:, -1]
        elif strategy == "margin":
            result = ordered[:, -2] - ordered[:, -1]
        else:
            result = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1)
    return np.where(np.isnan(result), -np.inf, result)


def best_rows(score: Numbers, count: int) -> Rows:
    """Give the rows with the highest scores, best first, ties by row; -inf is left out."""
    count = min(count, int(np.count_nonzero(score > -np.inf)))
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    least = np.partition(score, len(score) - count)[len(score) - count]
    sure, tied = np.flatnonzero(score > least), np.flatnonzero(score == least)
    rows = np.concatenate([sure, tied[: count - len(sure)]])
    return rows[np.argsort(-score[rows], kind="stable")]


def _diverse(values: Features, pool: Rows, known: Rows, count: int, seed: int) -> Rows:
    """Draw rows of the pool, each with a chance that grows with its distance from those before."""
    rng = np.random.default_rng(seed)
    order = np.sort(pool)  # a memory map is read in order
    x = np.asarray(values[order], dtype=np.float64)
    usable = np.isfinite(x).all(axis=1)
    order, x = order[usable], x[usable]
    pool = pool[np.isin(pool, order)]
    if len(pool) <= count:
        return pool
    mean, std = x.mean(axis=0), x.std(axis=0)
    std[std == 0] = 1.0
    x = (x - mean) / std
    distance = np.full(len(x), np.inf)
    if len(known):
        some = np.sort(rng.permutation(known)[:_KNOWN])
        z = (np.asarray(values[some], dtype=np.float64) - mean) / std
        z = z[np.isfinite(z).all(axis=1)]
        for start in range(0, len(z), 256):
            part = z[start : start + 256]
            square = (x**2).sum(1)[:, None] + (part**2).sum(1) - 2 * x @ part.T
            distance = np.minimum(distance, np.maximum(square.min(axis=1, initial=np.inf), 0))
    chosen: list[int] = []
    for _ in range(count):
        if not np.isfinite(distance).all():
            pick = int(np.flatnonzero(order == pool[0])[0])  # the most uncertain of all
        elif distance.sum() == 0:
            pick = int(np.setdiff1d(np.arange(len(x)), chosen)[0])
        else:
            pick = int(rng.choice(len(x), p=distance / distance.sum()))
        chosen.append(pick)
        distance = np.minimum(distance, ((x - x[pick]) ** 2).sum(axis=1))
        distance[chosen] = 0.0
    return order[chosen]
