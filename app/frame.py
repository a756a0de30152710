"""What stands around every page: style, the mark of a mock sky, what is open, help on keys."""

from pathlib import Path

import streamlit as st

from app import cache, state, words
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet

PAGES = {
    "Home": "What is here, and where to begin",
    "Map": "Look, lasso, label",
    "Probe": "Label, and see what the labels teach",
    "Search": "Objects like a few exemplars, and unlike others",
    "Candidates": "A ranked list by a rule: vet it, compare it, take it away",
    "Redshift": "Redshifts, or other numbers, read off the embeddings",
    "Reconstructions": "What the model makes of what it is not shown",
    "Training": "Runs, live and compared; start, stop, resume",
    "Data": "What is in the workspace, and what fills it",
}
"""Pages, and what one does there; `pages/title.py` in small letters."""
_STYLE = """
.block-container { padding: 3.4rem 1.4rem 1rem; max-width: none; }
[data-testid="stVerticalBlock"] { gap: 0.6rem; }
h1 { font-size: 1.5rem !important; padding: 0 0 .2rem !important; }
h2, h3 { font-size: 1.08rem !important; padding: .3rem 0 .1rem !important; }
[data-testid="stMetricValue"] { font-size: 1.35rem; font-variant-numeric: tabular-nums; }
table, [data-testid="stDataFrame"] { font-variant-numeric: tabular-nums; }
.stImage img { image-rendering: pixelated; }
"""
_KEYS = """
| on the map | |
|---|---|
| `l` `b` `v` | lasso, box, move |
| Shift, Alt, both | add to, subtract from, intersect with the selection |
| `+` `-` `f` arrows | nearer, farther, all, move |
| Esc | lay the tool down; again: drop the selection |

| in the gallery | |
|---|---|
| `j` `k` arrows | next, previous; with Shift a range |
| `1` to `9`, `0` | label, clear |
| Space | open in the inspector |
| `x`, Ctrl-a | choose this one, choose all |
| `+` `-` | exemplar, counter-example for the search |
| Ctrl-z, Ctrl-y | undo, redo |
"""


def style() -> None:
    """Set the type and the margins of all pages."""
    st.html(f"<style>{_STYLE}</style>")


def datasets() -> list[Path]:
    """List the embeddings files of the workspace, the newest first."""
    found = state.workspace().embeddings.glob("[!.]*.h5")
    return sorted(found, key=lambda p: -p.stat().st_mtime)


def maps(data: DataSet) -> list[Path]:
    """List the maps of a data set, the newest first."""
    from sky_ssl.explore.mapfile import open_map

    found = []
    for path in state.workspace().maps.glob("[!.]*.h5"):
        try:
            known = open_map(path)
        except InputError:
            continue
        if len(known.xy) == len(data) and (known.id == data.embeddings.id).all():
            found.append(path)
    return sorted(found, key=lambda p: -p.stat().st_mtime)


def dataset_path() -> Path | None:
    """Give the data set that is open; the newest where none was chosen; None without any."""
    files = datasets()
    chosen = [path for path in files if path.name == state.now().data]
    return (chosen or files or [None])[0]


def need_data() -> tuple[Path, DataSet]:
    """Give the open data set, or say what to do and stop the page."""
    path = dataset_path()
    if path is None:
        st.info(
            "No embeddings in this workspace yet. Build the demo on Home, or embed cutouts of "
            "your own, as Home says.",
            icon=":material/info:",
        )
        st.page_link("../pages/home.py", label="Home")
        st.stop()
    return path, cache.data(path)


def above() -> None:
    """Show what is open; mark a mock sky; offer help on keys."""
    path = dataset_path()
    left, right = st.columns([6, 1], vertical_alignment="center")
    with right.popover("Keys", icon=":material/keyboard:", use_container_width=True):
        st.markdown(_KEYS)
    if path is None:
        left.caption(f"workspace {state.workspace().root}")
        return
    data = cache.data(path)
    parts = [f"**{words.plain(path.stem)}**", f"{len(data):,} objects"]
    if data.is_mock:
        parts.append(":orange-badge[mock sky: simulated, not observed]")
    left.markdown(" &nbsp; ".join(parts))
