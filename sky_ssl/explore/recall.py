"""How many of the true neighbours an approximate search finds.

In: vectors, and a search that looks into some of its cells. Out: into how many it must look, and
the recall at 25, on other objects than that number was chosen on.
"""

from collections.abc import Callable

import numpy as np

from sky_ssl.explore.similarity import Floats, Rows, normalised, top_of_many

AT = 25
"""Neighbours that recall is measured on."""
_QUERIES = 128  # a quarter of them to choose the number of cells, the others to measure
Search = Callable[[Floats, int, Rows, int], Rows]
"""(query (D,), k, rows to leave out, cells to look into) -> rows (k,)."""


def recall(found: list[Rows], exact: list[Rows]) -> float:
    """Give the share of the exact neighbours of all queries that were found."""
    hits = sum(len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True))
    return hits / max(sum(map(len, exact)), 1)


def measure_recall(
    values: Floats,
    tokens: int,
    search: Search,
    *,
    lists: int,
    probes: int | None = None,
    target: float = 0.95,
) -> tuple[int, float, int]:
    """Choose the number of cells, and measure the recall at 25 on rows spread over the file.

    Args:
        values: (N, D) raw.
        tokens: T.
        search: leaves out the row that the query is of.
        lists: number of cells.
        probes: how many to look into; None: the fewest (doubling from 1) that reach the target.
        target: recall to reach.

    Returns:
        Cells to look into, recall, and the number of objects that it was measured on.
    """
    spread = np.linspace(0, len(values) - 1, min(_QUERIES, len(values))).astype(np.int64)
    queries = normalised(np.asarray(values[spread]), tokens)
    good = np.isfinite(queries).all(axis=1)
    spread, queries = spread[good], queries[good]
    near = top_of_many(values, queries, tokens, AT + 1)
    exact = [rows[rows != own][:AT] for rows, own in zip(near, spread, strict=True)]

    def measure(which: Rows, cells: int) -> float:
        found = [search(queries[i], AT, spread[i : i + 1], cells) for i in which]
        return recall(found, [exact[i] for i in which])

    order = np.random.default_rng(0).permutation(len(spread))
    tune, test = order[: len(order) // 4], order[len(order) // 4 :]
    if probes is None:
        probes = 1
        while probes < lists and measure(tune, probes) < target:
            probes = min(2 * probes, lists)
    return probes, measure(test, probes), len(test)
