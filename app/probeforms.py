"""The forms of the probe page: tasks, labels from elsewhere, a rule to keep."""

import shlex
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import panels, probeview, state
from app.words import percent, plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Origin
from sky_ssl.explore.labelvalues import (
    MOST_VALUES,
    as_wanted,
    carried,
    count_values,
    texts_of,
    thinned,
    write_values,
)
from sky_ssl.explore.probemeasure import Measured, rule_of
from sky_ssl.explore.rulefolder import add_rule
from sky_ssl.explore.tasks import MOST_LABELS, LabelKind, Task, load_tasks, save_task
from sky_ssl.explore.uploads import CATALOGUES, read_upload
from sky_ssl.figures.colours import OKABE_ITO, TABLEAU

_NEW, _DONE = "New task", "probe form said"
_TABLE = "label catalogue"  # the uploaded one: name, table


def tasks() -> None:
    """Offer to make a task, or to change the labels of the present one."""
    with st.popover("Tasks", icon=":material/sell:", use_container_width=True):
        present = panels.task()
        which = st.segmented_control(
            "Task", [present.name, _NEW], default=present.name, required=True, key="task form",
            label_visibility="collapsed", format_func=plain,
        )  # fmt: skip
        new = which == _NEW
        name = st.text_input("Name", key="task name", placeholder="strong lens") if new else which
        old: tuple[LabelKind, ...] = () if new else present.labels
        count = st.number_input(
            "Labels", 1, MOST_LABELS, max(len(old), 2), key=f"labels of {which}"
        )
        free = [*OKABE_ITO, *TABLEAU]
        kinds = []
        for i in range(int(count)):
            left, right = st.columns([5, 1], vertical_alignment="bottom")
            known = old[i] if i < len(old) else LabelKind(f"label {i + 1}", free[i])
            text = left.text_input(
                f"Key {i + 1}", known.name if i < len(old) else "", key=f"label {i} of {which}",
                placeholder="what key " + str(i + 1) + " says",
            )  # fmt: skip
            colour = right.color_picker("Colour", known.colour, key=f"colour {i} of {which}",
                                        label_visibility="collapsed")  # fmt: skip
            kinds.append((text.strip(), colour))
        st.caption("The first label is what the probe looks for at first. Labels in the ledger "
                   "keep their names.")  # fmt: skip
        if st.button("Save the task", type="primary", key="task save"):
            try:
                labels = tuple(LabelKind(t, c) for t, c in kinds if t)
                task = Task(str(name or "").strip(), labels)
                if new and task.name in [t.name for t in load_tasks(state.workspace().tasks)]:
                    raise InputError(f"task {task.name!r}: there is one of this name already")
                _save(task)
            except InputError as error:
                st.error(plain(str(error)), icon=":material/error:")
                return
            state.change(task=task.name)
            for key in ("probe task", "task choice", "task form", "task name"):
                st.session_state.pop(key, None)
            st.rerun()


def _save(task: Task) -> None:
    """Keep a task; the first time, beside the one that is there by default."""
    place = state.workspace().tasks
    if not place.exists():
        for one in load_tasks(place):
            save_task(place, one)
    save_task(place, task)


def importing(data: DataSet) -> None:
    """Offer labels from a column of the data, or from a catalogue."""
    with st.popover("Import", icon=":material/upload:", use_container_width=True):
        kinds = ["a column of the data", "a catalogue"] if data.column_names else ["a catalogue"]
        kind = st.segmented_control("Labels from", kinds, default=kinds[0], required=True,
                                    key="import from")  # fmt: skip
        try:
            found = _of_column(data) if kind == kinds[0] and len(kinds) > 1 else _of_catalogue(data)
        except InputError as error:
            st.error(plain(str(error)), icon=":material/error:")
            return
        if found is not None:
            _meanings(data, *found)


def _of_column(data: DataSet) -> tuple[Any, str] | None:
    names = list(data.column_names)
    column = st.selectbox("Column", names, names.index("class") if "class" in names else 0,
                          key="import column")  # fmt: skip
    return data.column(column), f"column {column}"


def _of_catalogue(data: DataSet) -> tuple[Any, str] | None:
    file = st.file_uploader("Catalogue with ids or positions", CATALOGUES, key="import file")
    if file is None:
        st.caption(
            "CSV, ECSV, FITS, VOTable or Parquet. Objects are known by id, else by position."
        )
        return None
    known = st.session_state.get(_TABLE)
    if known is None or known[0] != file.file_id:
        known = (file.file_id, read_upload(file.name, file.getvalue(), need_positions=False))
        st.session_state[_TABLE] = known
    table: pd.DataFrame = known[1]
    names = [str(n) for n in table.columns if n not in ("id", "ra", "dec")]
    if not names:
        raise InputError(f"{file.name}: no column beside ids and positions")
    left, right = st.columns(2)
    column = left.selectbox("Column", names, key="import table column")
    radius = right.number_input("Within [arcsec]", 0.1, 3600.0, 1.0, key="import radius")
    values, report = carried(table, column, data.embeddings, radius_arcsec=float(radius))
    for line in report[:5]:
        st.caption(plain(line))
    return values, file.name


def _meanings(data: DataSet, values: Any, origin: str) -> None:
    """Ask which value is which label, and write them."""
    texts = texts_of(values)
    counts = count_values(texts)
    if not counts or len(counts) > MOST_VALUES:
        st.info(f"{len(counts):,} different values: choose a column with 1 to {MOST_VALUES}.")
        return
    task, options = panels.task(), list(counts)
    wanted = {}
    for label in task.labels:
        same = [value for value in options if value.lower() == label.name.lower()]
        wanted[label.name] = st.multiselect(
            plain(label.name), options, same, key=f"import {origin} {task.name} {label.name}",
            format_func=lambda value: f"{value} ({counts[value]:,})", placeholder="no value",
        )  # fmt: skip
    left, right = st.columns(2, vertical_alignment="bottom")
    rest = left.selectbox("All other values", ["no label", *wanted], key=f"import rest {task.name}")
    most = right.number_input("At most of each label", 1, None, None, key="import most",
                              placeholder="all", help="Drawn at random")  # fmt: skip
    labels = as_wanted(texts, wanted, "" if rest == "no label" else rest)
    if most:
        labels = thinned(labels, int(most))
    made = count_values(labels)
    st.caption(", ".join(f"{plain(k)} {n:,}" for k, n in made.items()) or "No label comes of it.")
    st.button("Import", type="primary", key="import", disabled=not made, on_click=_import,
              args=(data, labels, task.name, origin))  # fmt: skip
    if said := st.session_state.pop(_DONE, ""):
        st.toast(said)


def _import(data: DataSet, labels: Any, task: str, origin: str) -> None:
    """Write labels by row into the ledger; what came of it is said when the page is drawn."""
    who = Origin(state.now().labeller, "import", data.fingerprint, origin, data.model)
    try:
        done = write_values(panels.ledger(), data.embeddings, labels, task=task, origin=who)
    except InputError as error:
        st.session_state[_DONE] = plain(str(error))
        return
    same = done["unchanged"]
    st.session_state[_DONE] = f"{done['written']:,} labels imported" + (
        f", {same:,} were there already" if same else ""
    )


def saving(path: Path, data: DataSet) -> None:
    """Offer to keep the probe as a rule."""
    with st.popover("Save", icon=":material/save:", use_container_width=True):
        probe = probeview.live(path, data)
        st.caption("A rule scores any embeddings of this model; Candidates makes a list of it.")
        if probe.problem is None:
            st.info("There is no probe yet.")
            return
        prevalence, given, _ = probeview.share(data, probe)
        measured: Measured | None = probeview.measuring(probe, prevalence, given).best
        if measured is None:
            st.info("The probe is being measured: a moment.")
            return
        if not measured.has_curves:
            st.info("Too few labels to measure the probe, so there is no threshold for a rule.")
            return
        wanted = state.now().probing.threshold
        at = measured.best_threshold() if wanted is None else wanted
        name = st.text_input("Name of the rule", placeholder=f"{probe.question.positive} probe",
                             key="probe rule")  # fmt: skip
        st.caption(f"From a probability of {percent(at)} on, as the slider stands.")
        if st.button("Save as a rule", type="primary", key="probe rule save",
                     disabled=not name.strip()):  # fmt: skip
            counts = probeview.sources(data).sum()
            origins = {str(k): int(n) for k, n in counts.items()}
            try:
                rule = rule_of(measured, at, name=name.strip(), sources=origins)
                file = add_rule(state.workspace().selections, rule)
            except InputError as error:
                st.error(plain(str(error)), icon=":material/error:")
                return
            state.change(listing=_opened_on(file.stem))
            st.success(f"saved as `{file.name}`", icon=":material/check:")
            out = state.workspace().exports / f"{file.stem}.vot"
            command = ["sky-ssl", "candidates", "--selection", str(file), "--embeddings", str(path),
                       "--out", str(out)]  # fmt: skip
            st.code(shlex.join(command), language="sh", wrap_lines=True)


def _opened_on(name: str) -> state.Listing:
    """Let the candidates page open on a rule."""
    from dataclasses import replace

    return replace(state.now().listing, rule=name)
