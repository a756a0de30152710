"""Vetting a candidate list: what was said of it so far, beside what was expected.

In: a ranked list and the verdicts on its objects. Out: the task they are labels of, counts, what is
left to look at, and curves of true objects against the length of the list.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.explore.tasks import VETTING, LabelKind, Task
from sky_ssl.probes.calibration import Calibration
from sky_ssl.probes.hits import hits_along

ACCEPT, REJECT, UNSURE = "accept", "reject", "unsure"
VERDICTS = (
    LabelKind(ACCEPT, "#009e73"),
    LabelKind(REJECT, "#d55e00"),
    LabelKind(UNSURE, "#f0e442"),
)
FILTERS = ("all", "unvetted", "accepted")
_LONGEST = 100  # characters in the name of a task
_MOST = 4_000_000  # numbers at once
Verdicts = npt.NDArray[np.object_]


def vetting_task(rule: str) -> Task:
    """Give the task that the verdicts on a rule's list are labels of."""
    return Task(f"{VETTING}{rule}"[:_LONGEST].strip(), VERDICTS)


@dataclass(frozen=True)
class Tally:
    """How far the vetting of a list is."""

    accepted: int
    rejected: int
    unsure: int
    of: int

    @property
    def vetted(self) -> int:
        """Objects with a verdict."""
        return self.accepted + self.rejected + self.unsure

    def words(self) -> str:
        """Say it in a line."""
        text = f"{self.vetted} of {self.of} vetted"
        counts = ((self.accepted, "accepted"), (self.rejected, "rejected"), (self.unsure, "unsure"))
        return ", ".join([text, *(f"{n} {what}" for n, what in counts if n)])


def tally(verdicts: Verdicts) -> Tally:
    """Count the verdicts (n,) on a list, empty where there is none."""
    accepted, rejected, unsure = (int((verdicts == kind.name).sum()) for kind in VERDICTS)
    return Tally(accepted, rejected, unsure, len(verdicts))


def passing(verdicts: Verdicts, which: str) -> npt.NDArray[np.int64]:
    """Give the places of a list that a filter of FILTERS leaves, by their verdicts (n,)."""
    if which == "accepted":
        return np.flatnonzero(verdicts == ACCEPT)
    return np.flatnonzero(verdicts == "") if which == "unvetted" else np.arange(len(verdicts))


def next_unvetted(verdicts: Verdicts, after: int) -> int | None:
    """Give the next place of a list without a verdict (n,), from the start after its end."""
    left = np.flatnonzero(verdicts == "")
    if not left.size:
        return None
    later = left[left > after]
    return int(later[0] if later.size else left[0])


@dataclass(frozen=True)
class HitsCurve:
    """True objects expected among the first so many of a list, with 95 % intervals."""

    length: npt.NDArray[np.int64]  # (m,) 1 to n
    mean: npt.NDArray[np.float64]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    def at(self, length: int) -> tuple[float, float, float]:
        """Give mean, low and high of the first so many."""
        place = min(int(np.searchsorted(self.length, length)), len(self.length) - 1)
        return float(self.mean[place]), float(self.low[place]), float(self.high[place])


def hits_curve(
    scores: npt.NDArray[np.floating],
    calibration: Calibration,
    *,
    points: int = 200,
    draws: int = 500,
    seed: int = 0,
) -> HitsCurve:
    """Count the true objects expected along a list; see `probes.hits`.

    Args:
        scores: (n,) of the list, the best first, as `expectation.supported` gives them.
        calibration: that of the list, see `candidates.Candidates`.
        points: lengths of the list at most.
        draws, seed: of the uncertainties.
    """
    s = np.asarray(scores, dtype=np.float64)
    n = len(s)
    lengths = np.unique(np.linspace(1, n, min(points, n)).round().astype(np.int64))
    draws = max(50, min(draws, _MOST // max(n, 1)))
    found = hits_along(s, lengths, calibration, draws=draws, seed=seed)
    # draws differ from length to length: a longer list never holds fewer
    return HitsCurve(lengths, *(np.maximum.accumulate(values) for values in found))


def accepted_so_far(verdicts: Verdicts | Sequence[str]) -> npt.NDArray[np.int64]:
    """Count the accepted among the first 1, 2, ... of a list, as far as all of them are vetted."""
    known = np.asarray(verdicts, dtype=object)
    bare = np.flatnonzero(known == "")
    end = int(bare[0]) if bare.size else len(known)
    return np.cumsum(known[:end] == ACCEPT)
