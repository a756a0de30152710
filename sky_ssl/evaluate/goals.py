"""What was to be shown, and whether it was: each goal beside what the evidence says.

In: the evidence (see `evidence`). Out: one `Goal` per figure, with a verdict in plain words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Evidence = Mapping[str, Any]
Figure = Mapping[str, Any]

PRESET = "native"
"""The mock survey that the goals are about."""
HAND_MADE = "29 by hand"
PICTURES = ("trained, rings, 8 turns", "trained, rings, 1 turn", "trained, central, 1 turn")
"""Features of pictures that are judged: the first that was measured."""
FITTED = ("cnn", "scratch", "finetune", "attentive")
_SURE = 2.0  # standard errors


@dataclass(frozen=True)
class Goal:
    """One figure that was to be reached."""

    item: int  # 1 to 5
    what: str
    goal: str
    reached: str  # by embeddings as they are made by default, with its error or range
    verdict: str  # "reached", "not reached" or "not measured", perhaps with a remark
    averaged: str = "–"  # the same, of embeddings averaged over turns
    prototype: str = "–"
    ceiling: str = "–"
    fitted: str = "–"  # the best network fitted on as many labels
    note: str = ""  # what stands in the way, where it is not reached


def goals(evidence: Evidence) -> list[Goal]:
    """Judge all goals."""
    return [
        _few_shot(evidence, "A", "balanced_accuracy", 0.95, "0.927"),
        _few_shot(evidence, "B", "balanced_accuracy", 0.85, "0.793"),
        _few_shot(evidence, "A", "average_precision", 0.50, "0.39"),
        _search(evidence),
        _redshift(evidence),
        *(_pictures(evidence, task) for task in ("types", "dwarfs")),
        _tile(evidence),
    ]


MAIN = "trained"
"""The features that are judged: embeddings as `sky-ssl embed` makes them by default."""


def averaged_features(evidence: Evidence) -> str:
    """Name the embeddings that are averaged over turns, shown beside those that are judged."""
    return f"trained, {evidence['settings']['turns']} turns"


def at(evidence: Evidence, *path: str) -> Any:
    """Look up nested tables; None where something is missing."""
    found: Any = evidence
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def verdict_of(found: Figure | None, goal: float) -> str:
    """Say whether a figure is at least the goal, and whether by more than twice its error."""
    if found is None:
        return "not measured"
    distance = found["mean"] - goal
    word = "reached" if distance >= 0 else "not reached"
    if found["error"] is not None and abs(distance) < _SURE * found["error"]:
        return f"{word}, by less than twice its error"
    return word


def _said(found: Figure | None, digits: int = 3, times: float = 1.0) -> str:
    if found is None:
        return "–"
    error = "" if found["error"] is None else f" ± {found['error'] * times:.{digits}f}"
    return f"{found['mean'] * times:.{digits}f}{error}"


def best_of(table: Any, names: tuple[str, ...], *path: str) -> tuple[str, Figure] | None:
    """Find the entry with the highest mean among some names."""
    found = [(name, at(table, name, *path)) for name in names if isinstance(table, Mapping)]
    there = [(name, value) for name, value in found if value is not None]
    return max(there, key=lambda pair: pair[1]["mean"]) if there else None


def _few_shot(e: Evidence, task: str, figure: str, goal: float, prototype: str) -> Goal:
    table = at(e, "presets", PRESET, "fewshot", task)
    found = at(table, MAIN, "200", figure)
    ceiling = best_of(at(e, "presets", PRESET, "ceiling", task), FITTED, figure)
    fitted = best_of(table, FITTED, "200", figure)
    against = "look-alikes" if task == "B" else "all others"
    name = figure.replace("_", " ") + (" at 2 %" if figure == "average_precision" else "")
    return Goal(
        item=1,
        what=f"dwarfs against {against}, 200 labels: {name}",
        goal=f"{goal:.2f}",
        reached=_said(found),
        averaged=_said(at(table, averaged_features(e), "200", figure)),
        verdict=verdict_of(found, goal),
        prototype=prototype,
        ceiling=_named(ceiling),
        fitted=_named(fitted),
        note=_why(found, goal, ceiling),
    )


def _named(found: tuple[str, Figure] | None) -> str:
    return f"{_said(found[1])} ({found[0]})" if found else "–"


def _why(found: Figure | None, goal: float, ceiling: tuple[str, Figure] | None) -> str:
    """Say what stands in the way, as far as the ceiling tells."""
    if found is None or found["mean"] >= goal:
        return ""
    if ceiling is None:
        return "The ceiling has not been measured."
    top = ceiling[1]["mean"]
    if top < found["mean"]:
        return (
            f"The network fitted on all labels of the ceiling comes to {top:.3f}, below the probe: "
            "it is no ceiling, and what can be reached is not known."
        )
    if top < goal:
        return (
            f"The best supervised network with all labels of the ceiling comes to {top:.3f}: the "
            "goal is above what that many labels reach."
        )
    return (
        f"The best supervised network with all labels of the ceiling comes to {top:.3f}: it lies "
        "in the images, but not yet in these embeddings with these labels."
    )


def _search(e: Evidence) -> Goal:
    search = at(e, "presets", PRESET, "search")
    table, found = at(search, MAIN), at(search, MAIN, "whitened", "5", "25")
    others = [
        f"{what}: {_said(at(table, scoring, '5', '25'), 1, 25)}"
        for scoring, what in (
            ("tokens", "scored by tokens"),
            ("expanded", "expanded by the best it finds"),
        )
        if at(table, scoring, "5", "25")
    ]
    return Goal(
        item=2,
        what="search: dwarfs among the 25 nearest to 5 exemplars",
        goal="23",
        reached=_said(found, 1, 25),
        averaged=_said(at(search, averaged_features(e), "whitened", "5", "25"), 1, 25),
        verdict=verdict_of(found, 23 / 25),
        prototype="20",
        note=f"As `sky-ssl search` does without options; {'; '.join(others)}." if others else "",
    )


def _redshift(e: Evidence) -> Goal:
    table = at(e, "presets", PRESET, "fewshot", "Z")
    found = at(table, MAIN, "all", "r2")
    trees = at(table, "photometry, trees", "all", "r2")
    ceiling = best_of(at(e, "presets", PRESET, "ceiling", "Z"), FITTED, "r2")
    note = _why(found, 0.80, ceiling)
    if trees:
        note = f"{note} Boosted trees on photometry: {_said(trees)}.".strip()
    return Goal(
        item=3,
        what="redshift from a linear probe, all spectra of the training half: R2",
        goal="0.80",
        reached=_said(found),
        averaged=_said(at(table, averaged_features(e), "all", "r2")),
        verdict=verdict_of(found, 0.80),
        prototype="0.69",
        ceiling=_named(ceiling),
        note=note,
    )


def _pictures(e: Evidence, task: str) -> Goal:
    table = at(e, "pictures", "table")
    name = next((n for n in PICTURES if at(table, n, task)), "")
    found, by_hand = at(table, name, task), at(table, HAND_MADE, task)
    what = {
        "types": "EFIGI, 5 classes: balanced accuracy",
        "dwarfs": "EFIGI, dwarfs: average precision",
    }[task]
    if not found or not by_hand:
        return Goal(4, what, "above features by hand", "–", "not measured")
    gain = found["gain"]
    verdict = "reached" if gain["mean"] > 0 else "not reached"
    if gain["low"] <= 0 <= gain["high"]:
        verdict += ", but the interval of the gain holds zero"
    return Goal(
        item=4,
        what=what,
        goal=f"above features by hand ({by_hand['mean']:.3f})",
        reached=f"{found['mean']:.3f} (gain {gain['mean']:+.3f}, {gain['low']:+.3f} to "
        f"{gain['high']:+.3f})",
        verdict=verdict,
    )


def _tile(e: Evidence) -> Goal:
    what = "KiDS/VIKING tile, hidden band: R2 in every band"
    bands = at(e, "tile", "tables", "1", "bands")
    if not bands or any("model" not in row for row in bands.values()):
        return Goal(5, what, "above linear regression", "–", "not measured")
    gains = {name: row["model"] - row["linear"] for name, row in bands.items()}
    wide = {name: row["model"] - row["linear_5x5"] for name, row in bands.items()}
    worst, above = min(gains, key=lambda name: gains[name]), sum(g > 0 for g in gains.values())
    note = (
        f"Against a regression on the 5 x 5 pixels around it is above in "
        f"{sum(g > 0 for g in wide.values())} of {len(wide)}."
    )
    for in_bands, stricter in at(e, "tile", "tables").items():
        rows = stricter["bands"].values()
        if in_bands != "1" and all("model" in row for row in rows):
            higher = sum(row["model"] > row["linear"] for row in rows)
            note += (
                f" On pixels that stand out in at least {in_bands} other bands it is above the "
                f"linear regression in {higher} of {len(rows)}."
            )
    return Goal(
        item=5,
        what=what,
        goal="above linear regression",
        reached=f"in {above} of {len(gains)} bands; least gain {gains[worst]:+.3f} ({worst})",
        verdict="reached" if above == len(gains) else "not reached",
        note=note,
    )
