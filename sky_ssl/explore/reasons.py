"""Why a probe says what it says of an object: the labelled objects most like it.

In: embeddings, a row, and the rows that have a label. Out: the nearest of them with their labels
and similarities, and what they come to in words.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.explore.similarity import Best, Rows, normalised, token_count

_AT_ONCE = 4096  # rows that are read together


@dataclass(frozen=True)
class Likeness:
    """The labelled objects most like one, K of them, the nearest first."""

    rows: Rows  # (K,) of the embeddings
    labels: npt.NDArray[np.object_]  # (K,)
    scores: npt.NDArray[np.float32]  # (K,) mean cosine, 1 = the same

    def __len__(self) -> int:
        return len(self.rows)

    def counts(self) -> dict[str, int]:
        """Count their labels, the most frequent first."""
        names, counts = np.unique(self.labels.astype(str), return_counts=True)
        order = np.argsort(-counts, kind="stable")
        return {str(names[i]): int(counts[i]) for i in order}

    def words(self) -> str:
        """Say what they come to: "Of the 8 labelled objects most like it 6 are dwarf, 2 other"."""
        if not len(self):
            return "No labelled object to compare with"
        if len(self) == 1:
            return f"The only labelled object to compare with is {self.labels[0]}"
        (name, n), *others = self.counts().items()
        first = f"{n} {'is' if n == 1 else 'are'} {name}"
        rest = [f"{n} {name}" for name, n in others]
        return f"Of the {len(self)} labelled objects most like it {', '.join([first, *rest])}"


def nearest_labelled(
    e: Embeddings, row: int, rows: Rows, labels: Sequence[str] | npt.NDArray, k: int = 8
) -> Likeness:
    """Find the labelled objects most like an object, itself left out.

    Likeness is the mean cosine over tokens; of embeddings with one token, the cosine.

    Args:
        e: the embeddings.
        row: of the object.
        rows: (n,) of the labelled objects.
        labels: (n,) theirs.
        k: how many, at most.

    Returns:
        The nearest; none where the embedding of the object is not finite.
    """
    tokens = token_count(e.attributes, e.values.shape[1])
    query = normalised(np.asarray(e.values[row])[None], tokens)[0]
    known = {int(r): str(label) for r, label in zip(rows, labels, strict=True) if int(r) != row}
    wanted = np.array(sorted(known), dtype=np.int64)
    best = Best(k)
    for start in range(0, len(wanted) if np.isfinite(query).all() else 0, _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        best.add(normalised(np.asarray(e.values[some]), tokens) @ query, some)
    found = np.array([known[int(r)] for r in best.rows], dtype=object)
    return Likeness(best.rows, found, best.scores)
