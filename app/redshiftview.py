"""Regression on the page: which column, how good, what is predicted for every object."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app import cache, state
from app.later import Later
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore import redshifts
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labelvalues import carried, texts_of
from sky_ssl.explore.redshifts import FORMATS, Regression, table_bytes
from sky_ssl.explore.uploads import CATALOGUES, read_upload
from sky_ssl.figures.redshift import add_outliers, draw_agreement, draw_deviation

WORST, _MANY = "largest |D|", 60  # name of what was predicted worst, and how many
_KINDS = 12  # values of a column that objects may be left out by
_UPLOADED = "redshift catalogue"  # file id, name, table
_HELP = {
    "R²": "1 - squared error / variance: it depends on the range, so quote it with its range",
    "Bias": "Mean of D = (predicted - true) / (1 + true)",
    "NMAD": "1.4826 x median |D - median D|",
    "Outliers": "Share with |D| > 0.15",
    "Mean |error|": "Mean of |predicted - true|",
    "RMS error": "Root of the mean square of predicted - true",
}


def columns(path: Path, data: DataSet) -> list[str]:
    """List the numeric columns that can be predicted, redshifts first."""
    kinds = {n: redshifts.kind_of(cache.column(path, n), n) for n in data.column_names}
    named = [n for n, kind in kinds.items() if kind == "redshift"]
    return [*named, *(n for n, kind in kinds.items() if kind == "regress")]


def source(path: Path, data: DataSet) -> tuple[str, npt.NDArray[Any], str] | None:
    """Let the user choose what is to be predicted.

    Returns:
        Name, values (N,) and a name of their content; None where nothing is chosen yet.
    """
    bar = st.columns([1.6, 1.6, 3, 3], vertical_alignment="bottom")
    known = columns(path, data)
    kinds = ["Column of the data", "Catalogue"] if known else ["Catalogue"]
    kind = bar[0].selectbox("Numbers from", kinds, key="redshift from")
    if kind == "Catalogue":
        return _of_catalogue(data, bar)
    chosen = state.now().regress
    at = known.index(chosen) if chosen in known else 0
    name = bar[1].selectbox("Predict", known, at, key="redshift column")
    state.change(regress=name, data=path.name)
    values, key = cache.column(path, name), f"{path} {cache.stamp(path)} {name}"
    without = _without(path, data, bar[2])
    if without is not None:
        values = np.where(without[0], np.nan, values)
        key += f" without {without[1]}"
    return name, values, key


def _without(path: Path, data: DataSet, place: Any) -> tuple[npt.NDArray[np.bool_], str] | None:
    """Let the user leave out objects by class: which (N,), and in words."""
    if "class" not in data.column_names:
        return None
    texts = texts_of(cache.column(path, "class"))
    names = sorted(set(texts) - {""})
    if not 2 <= len(names) <= 2 * _KINDS:
        return None
    out = place.multiselect("Without the classes", names, key="redshift without",
                            placeholder="none: all objects with a number")  # fmt: skip
    return (np.isin(texts, out), ", ".join(out)) if out else None


def _of_catalogue(data: DataSet, bar: Any) -> tuple[str, npt.NDArray[Any], str] | None:
    file = bar[2].file_uploader("Catalogue with redshifts", CATALOGUES, key="redshift file")
    if file is None:
        st.info(
            "Upload a catalogue with redshifts, or other numbers: CSV, ECSV, FITS, VOTable or "
            "Parquet. Its objects are found by id, or else by position.",
            icon=":material/upload_file:",
        )
        return None
    held = st.session_state.get(_UPLOADED)
    if held is None or held[0] != file.file_id:
        held = (file.file_id, read_upload(file.name, file.getvalue(), need_positions=False))
        st.session_state[_UPLOADED] = held
    table: pd.DataFrame = held[1]
    names = [str(n) for n in table.columns if n not in ("id", "ra", "dec")]
    numeric = [n for n in names if redshifts.kind_of(table[n], n) != "classify"]
    numeric.sort(key=lambda n: redshifts.kind_of(table[n], n) != "redshift")
    if not numeric:
        raise InputError(f"{file.name}: no column of numbers beside ids and positions")
    name = bar[1].selectbox("Predict", numeric, key="redshift table column")
    radius = bar[3].number_input("Within [arcsec]", 0.1, 3600.0, 1.0, key="redshift radius")
    values, report = carried(table, name, data.embeddings, radius_arcsec=float(radius))
    for line in report[:4]:
        st.caption(plain(line))
    content = hashlib.sha256(repr(values.tolist()).encode()).hexdigest()
    return name, values, f"{data.embeddings.path} {content} {name}"


def fitting(data: DataSet, name: str, values: npt.NDArray[Any], key: str) -> Later:
    """Start a regression, or find how far it is.

    Raises:
        InputError: too few numbers.
    """
    kind = redshifts.kind_of(values, name)
    task = "redshift" if kind == "redshift" else "regress"

    def work(tell: redshifts.Tell) -> Iterator[Regression]:
        tell(0.0, "joining numbers and embeddings")
        problem = redshifts.problem_of_values(data.embeddings, values, name, task=task)
        yield from redshifts.regress(problem, tell)

    found: Later = cache.later("redshift", key, work)
    found.check()
    return found


def figures(found: Regression) -> None:
    """Show the figures with their intervals."""
    result = found.outcome.result
    if "r2" not in result:
        st.info("Too few numbers to hold any out: nothing is measured.")
        return
    names = {"R²": "r2", "Mean |error|": "mean_absolute_error",
             "RMS error": "root_mean_squared_error"}  # fmt: skip
    if found.is_redshift:
        names = {"R²": "r2", "Bias": "bias", "NMAD": "nmad", "Outliers": "outlier_fraction"}
    for column, (title, name) in zip(st.columns(4), names.items(), strict=False):
        value = found.figure(name)
        if value is None:
            continue
        form = {"Outliers": "{:.1%}", "Bias": "{:+.4f}"}.get(title, "{:.3f}").format
        column.metric(
            title,
            form(value.mean),
            f"{form(value.low)} to {form(value.high)}",
            delta_color="off",
            delta_arrow="off",
            help=f"{_HELP[title]}; 95 % interval",
        )
    low, high = result["range"]
    digits = ".2f" if found.is_redshift else ".3g"
    folds = f"{result.get('folds', 0)} folds by {result['split']}"
    p = result.get("coverage_68"), result.get("coverage_95")
    held = ""
    if p[0] and p[1]:
        held = f"; ranges of 68 and 95 % hold {p[0]['mean']:.0%} and {p[1]['mean']:.0%}"
    st.caption(
        f"Ridge regression on the embeddings, {result['n_test']:,} objects from "
        f"{low:{digits}} to {high:{digits}}, each predicted without its fold: {folds}"
        f"{held}."
    )
    for note in result["notes"]:
        st.caption(plain(note))


def charts(found: Regression, name: str) -> None:
    """Draw predicted against true, the deviations, and of redshifts the outliers."""
    if not len(found.truth):
        return
    left, right = st.columns(2)
    figure = draw_agreement(found.truth, found.predicted, name, redshift=found.is_redshift)
    left.plotly_chart(figure, key="agreement")
    b = found.bins
    figure = draw_deviation(
        found.truth,
        found.deviation,
        None if b is None else b.centre,
        None if b is None else b.bias,
        None if b is None else b.nmad,
        name,
        redshift=found.is_redshift,
    )
    if found.is_redshift and b is not None:
        add_outliers(figure, b.centre, b.outliers, b.count)
    right.plotly_chart(figure, key="deviation")


def predicted(path: Path, found: Regression, name: str) -> None:
    """Offer the predictions of all objects: as files, and as a colour of the map."""
    if found.table is None:
        return
    table = found.table
    known = table["predicted"].to_numpy(np.float64)
    state.change(predicted=(path.name, name, known))
    outside = int(table["outside_range"].sum())
    st.markdown(
        f"**{np.isfinite(known).sum():,}** objects predicted &nbsp; :gray[{outside:,} of them "
        "outside the range of what was known, and flagged so]"
    )
    places = st.columns([1, 1, 1, 1, 1.6, 2])
    for place, (title, ending) in zip(places, FORMATS.items(), strict=False):
        place.download_button(
            title, partial(table_bytes, table, ending), f"{plain_name(name)}_predicted{ending}",
            key=f"predictions {ending}", on_click="ignore", use_container_width=True,
        )  # fmt: skip
    if places[4].button("Colour the map", key="redshift map", icon=":material/palette:",
                        use_container_width=True):  # fmt: skip
        state.change(colour=f"predicted {name}")
        st.session_state.pop("colour", None)
        st.switch_page("../pages/map.py")
    if places[5].button(f"{_MANY} largest |D| in the gallery", key="redshift worst",
                        use_container_width=True, icon=":material/report:"):  # fmt: skip
        rows, d = found.worst(_MANY)
        state.choose(state.Chosen(rows, "review", WORST, d))
        st.rerun()


def plain_name(name: str) -> str:
    """Make a name of a column fit for a file."""
    return "".join(c if c.isalnum() or c in "_-" else "_" for c in name)[:60] or "column"
