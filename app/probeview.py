"""The probe on the pages: its question, its answers at once, and its figures a little later."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app import cache, panels, state
from app.later import Later
from app.words import percent, plain
from sky_ssl.errors import InputError
from sky_ssl.explore import probemeasure
from sky_ssl.explore.candidatelist import parse_prevalence
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.liveprobe import Live, Question, kinds_in_use, prevalence_for, rule_now
from sky_ssl.explore.probemeasure import FIGURES, Measured
from sky_ssl.explore.rulefile import save_selection
from sky_ssl.figures import curves
from sky_ssl.figures.colours import Colouring
from sky_ssl.probes.prevalence import Prevalence

_WORDS = {
    "balanced_accuracy": ("Balanced accuracy", "Mean of the shares of either kind that are found"),
    "roc_auc": ("ROC AUC", "Chance that a positive scores above a negative; 0.5 is guessing"),
    "average_precision": ("Average precision", "Purity averaged over completeness, in the labels"),
}
_NEITHER = ("unsure", "unclear", "skip", "unknown", "?")
_SLIDER = "least probability"
_LAST = "probe measured"  # figures of the last labels, shown until those of the present are there


def keep(**values: Any) -> None:
    """Change what the probe looks for, or how its answers are used."""
    state.change(probing=replace(state.now().probing, **values))


def question() -> Question:
    """Give the question of the session."""
    task, now = panels.task(), state.now().probing
    now = now if now.task == task.name else state.Probing()
    names = [label.name for label in task.labels]
    positive = now.positive if now.positive in names else names[0]
    out = now.left_out
    if out is None:
        out = tuple(name for name in names if name.lower() in _NEITHER)
    return Question(task.name, positive, tuple(n for n in out if n != positive))


def look_for(positive: str, left_out: tuple[str, ...], share_text: str) -> None:
    """Keep a question for the present task; another one has another threshold."""
    before = question()
    keep(task=panels.task().name, positive=positive, left_out=left_out, share=share_text)
    if question() != before:
        keep(threshold=None)


def labelled(data: DataSet) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Give rows and labels of the objects of a data set that have one."""
    found = cache.labels(panels.ledger_place(), panels.task().name, data.fingerprint)
    rows = np.array([data.row_of.get(str(name), -1) for name in found["object_id"]], dtype=np.int64)
    labels = found["label"].to_numpy(dtype=object)
    use = (rows >= 0) & (labels != "")
    return rows[use], labels[use]


def sources(data: DataSet) -> pd.DataFrame:
    """Count the labels (rows) by where they are from (columns)."""
    found = cache.current(panels.ledger_place(), panels.task().name, data.fingerprint)
    newest = found.drop_duplicates("object_id", keep="last")
    return pd.crosstab(newest["label"], newest["source"])


def live(path: Path, data: DataSet) -> Live:
    """Give the probe of this moment."""
    found: Live = cache.live(path, *labelled(data), question())
    return found


def share(data: DataSet, probe: Live) -> tuple[Prevalence, Prevalence | None, str]:
    """Choose the share of positives that probabilities are for; a bad one typed is said so."""
    audit = cache.audit(panels.ledger_place(), panels.task().name, data.fingerprint)
    typed = None
    try:
        typed = parse_prevalence(state.now().probing.share)
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")
    return prevalence_for(probe, typed, audit["label"].tolist())


def probability(path: Path, data: DataSet) -> npt.NDArray[np.float32] | None:
    """Give the probability of every object; None without a probe."""
    probe = live(path, data)
    if probe.scores is None:
        return None
    return cache.probability(probe, share(data, probe)[0])


def rule_file(path: Path, data: DataSet) -> Path:
    """Write the probe of this moment as a hidden rule, once, and give its file.

    Raises:
        InputError: there is no probe.
    """
    probe = live(path, data)
    prevalence = share(data, probe)[0]
    name = f".probe-{probe.key[:8]}-{prevalence.value:.3g}.json"
    file = state.workspace().selections / name
    if not file.exists():
        save_selection(rule_now(probe, prevalence), file)
    return file


def none_yet(path: Path, data: DataSet) -> str:
    """Say why there is no probe, and what to do."""
    return (
        f"No probe yet: {plain(live(path, data).missing)}. Two labels, one of each kind, are "
        "enough to begin with: label objects of the gallery or of the map, or import labels on "
        "the page Probe."
    )


def sort_toggle(key: str) -> None:
    """Let the user sort galleries by probability."""
    sort = st.toggle("By probability", state.now().probing.sort, key=key,
                     help="Sort the gallery by what the probe says of each object")  # fmt: skip
    keep(sort=sort)


def colouring(path: Path, data: DataSet) -> Colouring | None:
    """Colour the objects by probability; None without a probe."""
    probe = live(path, data)
    return None if probe.scores is None else cache.probability_colours(probe, share(data, probe)[0])


def measuring(probe: Live, prevalence: Prevalence, given: Prevalence | None) -> Later:
    """Start to measure a probe, or find how far that is."""
    problem = probe.problem
    assert problem is not None

    def work(tell: probemeasure.Tell) -> Iterator[Measured]:
        return probemeasure.measure_probe(problem, prevalence, given, tell)

    about = f"{probe.e.path} {probe.question} {prevalence} {given is None}"
    found: Later = cache.later(about, probe.key, work)
    found.check()
    return found


def standing(path: Path, data: DataSet, probe: Live) -> None:
    """Say how many labels there are, from where, and what is too little to judge."""
    hits, others = probe.counts
    table = sources(data)
    colours = panels.task().colours
    words = []
    for name in [*colours, *(n for n in table.index if n not in colours)]:
        count = int(table.loc[name].sum()) if name in table.index else 0
        note = " :gray[left out]" if name in probe.question.left_out else ""
        words.append(f"{plain(name)} **{count:,}**{note}")
    origins = ", ".join(f"{kind} {int(n):,}" for kind, n in table.sum().items())
    fitted = f":gray[refitted and {len(probe.e.id):,} scored in {probe.seconds:.2f} s]"
    line = " &nbsp;·&nbsp; ".join(words) + (f" &nbsp; :gray[from {origins}]" if origins else "")
    st.markdown(f"{line} &nbsp; {fitted if probe.scores is not None else ''}")
    if probe.problem is None:
        st.info(none_yet(path, data), icon=":material/info:")
        return
    for text in (
        probemeasure.verdict(hits, others),
        probemeasure.bias_words({str(k): int(n) for k, n in table.sum().items()}),
    ):
        if text:
            st.markdown(f":orange[:material/warning: {plain(text)}]")


def figures(probe: Live, work: Later) -> None:
    """Show the figures with their intervals; at first those of earlier labels."""
    measured = last_measured(probe, work.best)
    columns = st.columns([1] * len(FIGURES) + [1.5])
    for column, name in zip(columns, FIGURES, strict=False):
        title, help_ = _WORDS[name]
        found = None if measured is None else measured.figure(name)
        if found is None or not np.isfinite(found.mean):
            column.metric(title, "–", "not measured", delta_color="off", delta_arrow="off",
                          help=help_)  # fmt: skip
            continue
        column.metric(
            title,
            f"{found.mean:.3f}",
            f"{found.low:.3f} to {found.high:.3f}",
            delta_color="off",
            delta_arrow="off",
            help=f"{help_}; 95 % interval, cross-validated",
        )
    if work.is_done:
        columns[-1].caption(_how(measured))
    else:
        columns[-1].caption(f"measuring with the new labels: {work.words}, {work.share:.0%}")


def _how(measured: Measured | None) -> str:
    """Say how a probe was measured."""
    result = {} if measured is None else measured.outcome.result
    if "folds" not in result:
        return "Nothing could be held out, so nothing is measured: label more of the rarer kind."
    return (
        f"Cross-validated on {result['labels']:,} labels, {result['folds']} folds by "
        f"{result['split']}; under each figure its 95 % interval."
    )


def last_measured(probe: Live, now: Measured | None) -> Measured | None:
    """Give the newest figures for a question; until there are some, those of earlier labels."""
    about = (str(probe.e.path), probe.question)
    if now is not None:
        st.session_state[_LAST] = (about, now)
        return now
    known = st.session_state.get(_LAST)
    return known[1] if known is not None and known[0] == about else None


def threshold_of(measured: Measured) -> float:
    """Let the user choose the least probability."""
    levels = sorted({float(f"{t:.3g}") for t in measured.curves()["threshold"]})
    wanted = state.now().probing.threshold
    wanted = measured.best_threshold() if wanted is None else wanted
    nearest = min(levels, key=lambda t: abs(curves.log_odds(t) - curves.log_odds(wanted)))
    if len(levels) < 2:
        return nearest
    st.session_state[_SLIDER] = nearest
    chosen = st.select_slider(
        "Least probability", levels, key=_SLIDER, format_func=percent,
        on_change=lambda: keep(threshold=float(st.session_state[_SLIDER])),
        help="At first that of the best F1 on held-out objects",
    )  # fmt: skip
    return float(chosen)


def charts(probe: Live, work: Later, everything: npt.NDArray[np.floating], words: str) -> None:
    """Draw the charts of a measured probe."""
    measured = last_measured(probe, work.best)
    if measured is None:
        st.caption("The charts come when the probe is measured.")
        return
    if not measured.has_curves:
        st.info("Too few labels to hold any out: the charts come with more of them.")
        return
    at = threshold_of(measured)
    found, c = measured.at(at), measured.curves()
    truth, held = measured.held_out()
    passing = int(np.count_nonzero(everything >= at))
    pure, complete = found["purity"], found["completeness"]
    st.markdown(
        f"At **{percent(at)}** and above: purity **{pure.mean:.0%}** "
        f":gray[({pure.low:.0%} to {pure.high:.0%})], completeness **{complete.mean:.0%}** "
        f":gray[({complete.low:.0%} to {complete.high:.0%})]; {passing:,} of "
        f"{len(everything):,} objects pass &nbsp; :gray[share of "
        f"{plain(probe.question.positive)} {percent(measured.prevalence.value)}, {words}]"
    )
    r = measured.reliability()
    matrix = measured.confusion(at)
    names = [measured.problem.negative, measured.problem.positive]
    left, right = st.columns(2)
    with left:
        _titled("Purity and completeness against threshold")
        figure = curves.draw_thresholds(c["threshold"], c["purity"], c["completeness"], at)
        st.plotly_chart(figure, key="thresholds")
        _titled("Calibration: is the promised probability kept?")
        figure = curves.draw_reliability(
            np.array(r["promised"]), np.array(r["found"]), np.array(r["count"])
        )
        st.plotly_chart(figure, key="reliability")
    with right:
        _titled("Learning curve: would more labels help?")
        if measured.curve:
            st.plotly_chart(curves.draw_learning(measured.curve), key="learning")
        else:
            st.info("Comes with about ten labels of each kind, a moment after the other charts.")
        _titled("Confusion at the threshold")
        figure = curves.draw_confusion(matrix, probemeasure.share_limits(matrix), names)
        st.plotly_chart(figure, key="confusion")
    _titled("Probabilities of all objects, and of labelled ones when they were held out")
    figure = curves.draw_probabilities(everything, held[truth], held[~truth], at, height=260)
    st.plotly_chart(figure, key="probabilities")


def _titled(text: str) -> None:
    st.markdown(f"##### {text}")


def strategies(probe: Live) -> list[str]:
    """List the ways to choose what to label next that make sense now."""
    if probe.scores is None:
        return ["diversity"]
    names = ["uncertainty", "margin", "diversity", "top"]
    return names if len(kinds_in_use(probe)) > 2 else [n for n in names if n != "margin"]
