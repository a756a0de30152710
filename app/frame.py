"""What stands around every page: style, the mark of a mock sky, what is open, help on keys."""

from pathlib import Path

import streamlit as st

from app import cache, drawings, marks, state, words
from app.cache import maps as kept
from app.components.keys_view import draw_keys
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet

PAGES = {
    "Home": "What is here, and where to begin",
    "Map": "Look, lasso, label",
    "Probe": "Label, and see what the labels teach",
    "Labels": "Who labelled what when; agreement, and taking it back",
    "Search": "Objects like a few exemplars, and unlike others",
    "Candidates": "A ranked list by a rule: vet it, compare it, take it away",
    "Redshift": "Redshifts, or other numbers, read off the embeddings",
    "Reconstructions": "What the model makes of what it is not shown",
    "Training": "Runs, live and compared; start, stop, resume",
    "Data": "What is in the workspace, and what fills it",
}
"""Pages, and what one does there; `pages/title.py` in small letters."""
_WITH_LABELS = ("Map", "Probe", "Labels", "Search", "Candidates", "Redshift")
_STYLE = """
.block-container { padding: 4.3rem 1.4rem 1rem; max-width: none; }
[data-testid="stVerticalBlock"] { gap: 0.6rem; }
h1 { font-size: 1.5rem !important; padding: 0 0 .2rem !important; }
h2, h3 { font-size: 1.08rem !important; padding: .3rem 0 .1rem !important; }
[data-testid="stMetricValue"] { font-size: 1.35rem; font-variant-numeric: tabular-nums; }
table, [data-testid="stDataFrame"] { font-variant-numeric: tabular-nums; }
.stImage img { image-rendering: pixelated; }
"""
_KEYS = {
    "Map": (
        ("l b v", "lasso, box, move"),
        ("Shift Alt", "held while drawing: add to, take from the selection; both: intersect"),
        ("+ - f", "nearer, farther, all"),
        ("\u2190 \u2191 \u2193 \u2192", "move the map"),
        ("1 - 9 0", "label the object looked at; clear its label"),
        ("j k", "next, previous of the chosen objects"),
        ("Esc", "lay the tool down; again: drop the selection"),
    ),
    "Gallery": (
        ("j k", "next, previous; with Shift a range; arrows too"),
        ("1 - 9 0", "label the chosen ones, or the one at the cursor; clear"),
        ("Shift 1 - 9", "label all of the selection, also what is on other pages"),
        ("Space", "look at it in the inspector"),
        ("x Ctrl-a", "choose this one, choose all"),
        ("+ -", "exemplar, counter-example for the search"),
        ("Esc", "choose none"),
    ),
    "Picture": (
        ("[ ]", "darker, brighter"),
        ("{ }", "less, more contrast"),
        ("\u2190 \u2192", "the bands, where the picture has been clicked"),
        ("c r", "back to colour, to the first stretch"),
        ("1 - 9 0", "label it; clear its label"),
    ),
    "Everywhere": (
        ("Ctrl-z Ctrl-y", "undo, redo the last labels"),
        ("/", "look for an object"),
        ("?", "these keys"),
    ),
}
_KEYS_OF = {
    "Map": ("Map", "Gallery", "Picture"),
    "Probe": ("Gallery", "Picture"),
    "Labels": ("Gallery", "Picture"),
    "Search": ("Gallery", "Picture"),
    "Candidates": ("Gallery", "Picture"),
}
"""Pages on which more than the last group counts."""
_FIND = {"Map": "Go to", "Search": "Add an object by id, or the nearest to a position"}
"""Label of the input of a page that "/" goes to."""


def style() -> None:
    """Set the type and the margins of all pages."""
    st.html(f"<style>{_STYLE}</style>")


def set_height(key: str, height: str) -> None:
    """Give a container with a key a height as CSS says it, such as one that follows the window."""
    rule = f".st-key-{key} {{ max-height: {height}; min-height: {height}; overflow-y: auto; }}"
    st.html(f"<style>{rule} .st-key-{key} > * {{ flex-shrink: 0 !important; }}</style>")


def datasets() -> list[Path]:
    """List the embeddings files of the workspace, the newest first."""
    found = state.workspace().embeddings.glob("[!.]*.h5")
    return sorted(found, key=lambda p: -p.stat().st_mtime)


def maps(data: DataSet) -> list[Path]:
    """List the maps of a data set, the newest first."""
    found = []
    for file in state.workspace().maps.glob("[!.]*.h5"):
        try:
            if kept.is_of(file, Path(data.embeddings.path)):
                found.append(file)
        except InputError:  # the page Data says what is wrong with it
            continue
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
    data = cache.data(path)
    drawings.restore(path, data)
    return path, data


def above(page: str = "") -> None:
    """Show what is open; mark a mock sky; offer help on the keys of a page."""
    path = dataset_path()
    left, right = st.columns([9, 1], vertical_alignment="center")
    with right:
        groups = (*_KEYS_OF.get(page, ()), "Everywhere")
        draw_keys({name: _KEYS[name] for name in groups}, find=_FIND.get(page, ""))
    if path is None:
        left.caption(f"workspace {state.workspace().root}")
        return
    data = cache.data(path)
    parts = [f"**{words.plain(path.stem)}**", f"{len(data):,} objects"]
    if data.is_mock:
        parts.append(":orange-badge[mock sky: simulated, not observed]")
    left.markdown(" &nbsp; ".join(parts))
    if page in _WITH_LABELS:
        marks.watch()
