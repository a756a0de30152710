"""Parts that several pages show: the inspector of an object, and the gallery of the chosen."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import cache, objects, state
from app.components.gallery_view import draw_gallery
from app.words import percent
from sky_ssl.explore.candidatecolumns import as_dms, as_hms
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.skylinks import SITES, sky_links
from sky_ssl.explore.tasks import Task, load_tasks
from sky_ssl.figures.rgb import lupton_rgb
from sky_ssl.figures.thumbnail import grey

MOST_SHOWN = 600
_ENLARGED = 320  # pixels of the picture in the inspector


def ledger() -> Ledger:
    """Open the label ledger of the workspace."""
    return cache.ledger(ledger_place())


def ledger_place() -> str:
    """Say where the ledger is."""
    folder = state.workspace()
    folder.root.mkdir(parents=True, exist_ok=True)
    return str(folder.labels)


def task() -> Task:
    """Give the task that is being worked on."""
    tasks = load_tasks(state.workspace().tasks)
    chosen = [t for t in tasks if t.name == state.now().task]
    return (chosen or tasks)[0]


def labels_by_row(data: DataSet) -> np.ndarray:
    """Give the labels of the present task (N,), empty where there is none."""
    found = cache.labels(ledger_place(), task().name, data.fingerprint)
    return cache.label_column(found, data.row_of, len(data))


def write_labels(data: DataSet, rows: list[int], label: str | None) -> None:
    """Label objects of the present task; None clears."""
    now, e = state.now(), data.embeddings
    # what lies outside the chosen objects is not from the lasso, search or audit that chose them
    chosen = now.chosen if now.chosen is not None and np.isin(rows, now.chosen.rows).all() else None
    origin = Origin(
        now.labeller,
        source=chosen.source if chosen else "click",
        dataset=data.fingerprint,
        selection=chosen.saved if chosen else "",
        model=data.model,
    )
    ids = [str(e.id[row]) for row in rows]
    ledger().label(ids, label, task=task().name, origin=origin, ra=e.ra[rows], dec=e.dec[rows])


def gallery(
    path: Path,
    data: DataSet,
    *,
    key: str,
    height: int = 420,
    probability: np.ndarray | None = None,
    empty: str = "Nothing is chosen: draw a lasso on the map, or search.",
) -> None:
    """Show the chosen objects, to be labelled by single keys.

    Args:
        path, data: the data set.
        key: of the component.
        height: in pixels.
        probability: (N,) by the probe, shown and sorted by where the session wants it; not in an
            audit, which is labelled blind.
        empty: what to say where nothing is chosen.
    """
    if said := st.session_state.pop("said", ""):
        st.toast(said)
    chosen, e = state.now().chosen, data.embeddings
    present = task()
    labels, colours = labels_by_row(data), present.colours
    rows = chosen.rows if chosen else np.zeros(0, dtype=np.int64)
    texts = [f"{score:.3f}" for score in _scores(chosen)]
    if probability is not None and chosen is not None and chosen.source != "audit":
        if state.now().probing.sort:
            rows = rows[np.argsort(-np.nan_to_num(probability[rows], nan=-1), kind="stable")]
        texts = [percent(float(p)) for p in probability[rows[:MOST_SHOWN]]]
    rows = rows[:MOST_SHOWN]
    items = [
        {
            "row": int(row),
            "name": str(e.id[row]),
            "text": texts[i] if i < len(texts) else "",
            "label": str(labels[row]),
            "colour": colours.get(str(labels[row]), "#9ca3af"),
        }
        for i, row in enumerate(rows)
    ]
    origin = Origin(state.now().labeller)

    def label(event: dict[str, Any]) -> None:
        name = None if event["label"] == "clear" else str(event["label"])
        write_labels(data, _rows(event, len(data)), name)

    draw_gallery(
        items,
        about=objects.address(path),
        task=present,
        key=key,
        height=height,
        empty=empty,
        on={
            "label": label,
            "open": lambda event: state.look_at(str(e.id[int(event["row"])]), fly=True),
            "mark": lambda event: state.mark(str(e.id[int(event["row"])]), str(event["how"])),
            "undo": lambda event: _said(ledger().undo(origin=origin), "undone"),
            "redo": lambda event: _said(ledger().redo(origin=origin), "restored"),
        },
    )


def _scores(chosen: state.Chosen | None) -> np.ndarray:
    if chosen is None or chosen.scores is None:
        return np.zeros(0)
    return np.asarray(chosen.scores[:MOST_SHOWN])


def _rows(event: dict[str, Any], count: int) -> list[int]:
    """Take the rows of an event that the browser sent, leaving out what cannot be."""
    return [int(row) for row in event["rows"] if 0 <= int(row) < count]


def _said(written: Any, what: str) -> None:
    n = len(written.events)
    text = f"{n} label{'s' * (n != 1)} {what}" if n else f"nothing to be {what}"
    # said where the gallery is drawn next: a callback must draw nothing
    st.session_state["said"] = text


def inspector(path: Path, data: DataSet) -> None:
    """Show the object that was clicked: pictures, place, measurements, label, links."""
    row = data.row_of.get(state.now().object)
    if row is None:
        st.caption("Click a point on the map to look at the object.")
        return
    e = data.embeddings
    st.markdown(f"**`{e.id[row]}`**")
    if data.cutouts is not None:
        _pictures(data, row)
    _label_buttons(data, row)
    ra, dec = float(e.ra[row]), float(e.dec[row])
    if np.isfinite(ra) and np.isfinite(dec):
        place = np.array([ra]), np.array([dec])
        sexagesimal = f"{as_hms(place[0])[0]} {as_dms(place[1])[0]}"
        st.code(f"{ra:.6f} {dec:+.6f}\n{sexagesimal}", language=None)
        links = sky_links(*place, 60.0)
        st.markdown(" · ".join(f"[{_SITE[site]}]({links[site][0]})" for site in SITES))
    _table(path, data, row)


_SITE = {"legacy": "Legacy Surveys", "aladin": "Aladin Lite", "esasky": "ESASky"}


def _pictures(data: DataSet, row: int) -> None:
    assert data.cutouts is not None
    image = data.images([row])[0]
    brightness = st.slider("Brightness", 0.25, 8.0, 1.0, 0.25, key="brightness")
    bands, stretch = objects.stretch_of(data, brightness)
    colour = lupton_rgb(image[None, list(bands)], stretch)[0, ::-1]
    times = max(1, round(_ENLARGED / colour.shape[0]))
    st.image(np.repeat(np.repeat(colour, times, 0), times, 1), width=_ENLARGED)
    info = data.cutouts.info
    shown = " ".join(info.bands[b] for b in bands)
    scale = info.pixel_scale * image.shape[1]
    field = f", {scale:.1f} arcsec wide" if np.isfinite(scale) else ""
    st.caption(f"{shown} as red, green, blue, Lupton asinh{field}")
    sigma = info.sky_sigma or (1.0,) * len(info.bands)
    strip = np.concatenate([grey(band, s)[::-1] for band, s in zip(image, sigma, strict=True)], 1)
    st.image(strip, width=_ENLARGED, caption=" · ".join(info.bands))


def _label_buttons(data: DataSet, row: int) -> None:
    present, now = task(), labels_by_row(data)[row]
    columns = st.columns(len(present.labels))
    for column, label in zip(columns, present.labels, strict=True):
        kind = "primary" if label.name == now else "secondary"
        column.button(
            label.name,
            key=f"label {label.name}",
            type=kind,
            on_click=write_labels,
            args=(data, [row], None if label.name == now else label.name),
            use_container_width=True,
        )
    like, unlike = state.now().like, state.now().unlike
    left, right = st.columns(2)
    name = str(data.embeddings.id[row])
    left.button(
        "Exemplar",
        type="primary" if name in like else "secondary",
        on_click=state.mark,
        args=(name, "" if name in like else "like"),
        use_container_width=True,
    )
    right.button(
        "Counter-example",
        type="primary" if name in unlike else "secondary",
        on_click=state.mark,
        args=(name, "" if name in unlike else "unlike"),
        use_container_width=True,
    )


def _table(path: Path, data: DataSet, row: int) -> None:
    if not data.column_names:
        return
    values = {name: cache.column(path, name)[row] for name in data.column_names}
    shown = [(name.replace("_", " "), _shown(value)) for name, value in values.items()]
    st.dataframe(
        pd.DataFrame(shown, columns=["column", "value"]), hide_index=True, height="content"
    )


def _shown(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return f"{value:.4g}" if np.isfinite(value) else "unknown"
    return str(value)
