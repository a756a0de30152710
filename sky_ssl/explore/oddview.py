"""How odd objects are, from measures kept beside their embeddings by `sky-ssl anomalies`.

In: the embeddings file, labels of artefacts. Out: a score per object. The measures take minutes for
many objects and are made once; what is labelled as an artefact is weighed down at once.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.anomaly import Scores, combined, ranks, unlike_artefacts
from sky_ssl.explore.graph import Points
from sky_ssl.explore.keptcolumns import read_columns

_MEASURES = ("isolation", "neighbour_distance", "reconstruction_error")
_ARTEFACTS = ("artefact", "artifact", "spurious", "junk", "trail", "ghost", "cosmic ray")
_ARTEFACT_WORK = 20_000_000  # objects times artefacts that are compared: seconds
_MOST_ARTEFACTS = 200  # more say nothing new of what an artefact looks like


def odd_table(embeddings: Path) -> Path:
    """Give the table beside embeddings that holds the measures."""
    return embeddings.parent / "odd" / f"{embeddings.stem}.fits"


def kept_measures(embeddings: Path, ids: npt.NDArray) -> dict[str, Scores] | None:
    """Read the measures (N,) of embeddings; None where there are none, or those of an older file.

    Raises:
        InputError: the table is none.
    """
    return read_columns(odd_table(embeddings), embeddings, ids, _MEASURES)


def is_artefact(label: str) -> bool:
    """Say whether a label means that something is no object of the sky."""
    return any(word in label.lower() for word in _ARTEFACTS)


def oddness(
    measures: dict[str, Scores], points: Points | None, artefacts: npt.NDArray[np.int64]
) -> Scores:
    """Score how odd objects are (N,), 0 to 1, the oddest highest; NaN where nothing is known.

    Args:
        measures: of `kept_measures`.
        points: (N, P) projected embeddings; not needed where there are no artefacts.
        artefacts: rows of labelled artefacts; they lose rank, and what is like them with them.
    """
    joined = combined(measures)
    if len(artefacts) and points is not None:
        most = min(_MOST_ARTEFACTS, max(10, _ARTEFACT_WORK // len(points)), len(artefacts))
        spread = np.linspace(0, len(artefacts) - 1, most)
        weight = unlike_artefacts(points, artefacts[np.unique(spread.astype(int))])
        weight[artefacts] = 0
        joined = joined * weight
    return ranks(joined)
