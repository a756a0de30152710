"""Goals are judged by what was measured, and say so when they are missed."""

from typing import Any

from sky_ssl.evaluate.goals import goals, verdict_of


def found(mean: float, error: float | None = 0.002) -> dict[str, Any]:
    """A figure."""
    return {"mean": mean, "low": mean - 0.01, "high": mean + 0.01, "error": error, "n": 60}


def evidence(a: float = 0.96, nearest: float = 0.8, r2: float = 0.7) -> dict[str, Any]:
    """Evidence with some figures, others not measured."""
    tables = {
        "fewshot": {
            "A": {"trained": {"200": {"balanced_accuracy": found(a)}}},
            "Z": {
                "trained": {"all": {"r2": found(r2)}},
                "trained, 8 turns": {"all": {"r2": found(0.9)}},
            },
        },
        "search": {"trained": {"whitened": {"5": {"25": found(nearest)}}}},
        "ceiling": {"Z": {"cnn": {"r2": found(0.75)}, "scratch": {"r2": found(0.78)}}},
    }
    return {"settings": {"turns": 8}, "presets": {"native": tables}}


def test_a_figure_below_its_goal_is_not_reached() -> None:
    """Above, below, nearer than twice the error, and not there."""
    assert verdict_of(found(0.96), 0.95) == "reached"
    assert verdict_of(found(0.93), 0.95) == "not reached"
    assert verdict_of(found(0.949), 0.95) == "not reached, by less than twice its error"
    assert verdict_of(found(0.951), 0.95) == "reached, by less than twice its error"
    assert verdict_of(found(0.93, None), 0.95) == "not reached"
    assert verdict_of(None, 0.95) == "not measured"


def test_goals_take_their_figures_from_the_evidence() -> None:
    """Reached, missed with the ceiling that says why, and not measured."""
    a, b, ap, search, z, *real = goals(evidence())
    assert (a.verdict, b.verdict, ap.verdict) == ("reached", "not measured", "not measured")
    assert search.verdict == "not reached"
    assert search.reached.startswith("20.0")
    assert z.verdict == "not reached"  # whatever the average over turns comes to
    assert z.averaged == "0.900 ± 0.002"
    assert z.ceiling == "0.780 ± 0.002 (scratch)"
    assert "comes to 0.780: the goal is above" in z.note
    assert {goal.verdict for goal in real} == {"not measured"}
    assert goals(evidence(nearest=0.95))[3].verdict == "reached"


def test_real_images_are_judged_by_gains() -> None:
    """A gain whose interval holds zero says so; one band below is not reached."""
    e = evidence()
    value = {"mean": 0.7, "low": 0.6, "high": 0.8}
    gain = {"mean": 0.02, "low": -0.01, "high": 0.05}
    sure = {**gain, "low": 0.01}
    by_hand = {"types": value, "dwarfs": value}
    mine = {"types": {**value, "gain": gain}, "dwarfs": {**value, "gain": sure}}
    e["pictures"] = {"table": {"29 by hand": by_hand, "trained, rings, 8 turns": mine}}
    rows = {
        band: {"linear": 0.5, "linear_5x5": 0.65, "model": 0.5 + gain}
        for band, gain in (("u", 0.1), ("g", -0.1), ("r", 0.2))
    }
    e["tile"] = {"tables": {"1": {"bands": rows}}}
    types, dwarfs, tile = goals(e)[5:]
    assert types.verdict == "reached, but the interval of the gain holds zero"
    assert dwarfs.verdict == "reached"
    assert tile.verdict == "not reached"
    assert tile.reached == "in 2 of 3 bands; least gain -0.100 (g)"
    e["tile"]["tables"]["2"] = {
        "bands": {name: {**row, "model": 0.9} for name, row in rows.items()}
    }
    assert (
        "in at least 2 other bands it is above the linear regression in 3 of 3" in goals(e)[7].note
    )


def test_a_ceiling_below_the_probe_is_none() -> None:
    """A network that fails where a probe does not says nothing of what can be reached."""
    notes = {g.what: g.note for g in goals(evidence(r2=0.79))}
    assert any("it is no ceiling" in note for note in notes.values())
    assert not any("goal is above" in note for note in notes.values())
