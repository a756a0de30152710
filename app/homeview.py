"""What Home shows of a workspace with something in it: the pages, what there is, and the sky."""

from pathlib import Path

import streamlit as st

from app import cache, frame, panels, state
from app.cache.sheets import sheet
from app.words import plain
from sky_ssl.explore.dataset import DataSet
from sky_ssl.training.runs import list_trained

_THUMBNAILS, _WIDTH = 20, 700  # pictures of the sheet, and its pixels


def pages() -> None:
    """List the pages, and what one does there."""
    for title, what in list(frame.PAGES.items())[1:]:
        st.page_link(f"../pages/{title.lower()}.py", label=f"**{title}** &nbsp; :gray[{what}]")


def choose(files: list[Path]) -> None:
    """Let the user choose the data set that all pages are about."""
    names = [file.stem for file in files]
    current = frame.dataset_path()
    at = names.index(current.stem) if current else 0
    chosen = st.selectbox("Embeddings", names, at, key=f"home data {len(names)}")
    if chosen and (current is None or chosen != current.stem):
        state.change(data=f"{chosen}.h5", map="", object="", selection="", chosen=None)
        st.rerun()


def figures(path: Path, data: DataSet) -> None:
    """Count what there is."""
    task = panels.task().name
    labelled = len(cache.labels(panels.ledger_place(), task, data.fingerprint))
    runs = list_trained(state.workspace().runs)
    numbers = {
        "Objects": len(data),
        "Dimensions": data.embeddings.values.shape[1],
        f"Labels, {plain(task)}": labelled,
        "Maps": len(frame.maps(data)),
        "Runs": len(runs),
    }
    for column, (name, number) in zip(st.columns(len(numbers)), numbers.items(), strict=True):
        column.metric(name, f"{number:,}")


def sky(data: DataSet) -> None:
    """Show some objects of the first file."""
    if data.cutouts is None:
        for note in data.notes:
            st.caption(plain(note))
    elif len(data.cutouts):
        picture = sheet(data.cutouts.paths[0], _THUMBNAILS, _WIDTH)
        st.image(picture, width=picture.shape[1])
