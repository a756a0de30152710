"""Home: what is here, and where to begin."""

import sys
from pathlib import Path

import streamlit as st

from app import frame, homeview, jobsview, state
from sky_ssl.jobs import start_job

_OWN = """
With FITS tiles of a survey (`unions`, `hsc`, `legacy`, or a few lines of TOML for another):

```
sky-ssl detect TILES --survey unions --out objects.ecsv
sky-ssl cut TILES --survey unions --catalogue objects.ecsv --out {w}/cutouts/mine.h5
python train.py configs/demo.toml --out {w}/runs/mine --data.cutouts {w}/cutouts/mine.h5
sky-ssl embed --run {w}/runs/mine --cutouts {w}/cutouts/mine.h5 --out {w}/embeddings/mine.h5
sky-ssl map --embeddings {w}/embeddings/mine.h5 --method umap --out {w}/maps/mine.h5
```

Embeddings made elsewhere open as well: an HDF5 file with `embeddings` (N, D), in
`{w}/embeddings/`.
"""


def build_demo() -> None:
    """Start the command that builds the demo."""
    place = state.workspace()
    command = [sys.executable, "-m", "sky_ssl", "demo", "--workspace", str(place.root)]
    for option in ("n", "steps"):
        if number := st.session_state.get(f"demo {option}"):
            command += [f"--{option}", str(number)]
    start_job(place.jobs, "demo", command)


def open_folder() -> None:
    """Open another workspace."""
    folder = str(st.session_state.get("folder", "")).strip()
    if folder:
        st.session_state["workspace"] = str(Path(folder).expanduser())
        state.change(data="", map="", object="", selection="", chosen=None)


def more(*, open_first: bool) -> None:
    """Say how to bring data, and how to open another workspace."""
    root = state.workspace().root
    with st.expander("Your own data", expanded=open_first):
        st.markdown(_OWN.format(w=root.name))
    with st.expander("Another workspace"):
        st.text_input("Folder", str(root), key="folder", on_change=open_folder)
        st.caption("Or start with `streamlit run app/Home.py -- --workspace FOLDER`.")


st.title("sky_ssl")
st.markdown(
    "Look at a survey as a network sees it that learned the sky without labels: a map where like "
    "lies by like, search from a few examples, a probe from a handful of labels, and a list to "
    "take to the telescope."
)
workspace = state.workspace()
running = jobsview.running("demo")
files = frame.datasets()
if running:
    jobsview.show_job(running)
elif not files:
    st.subheader("Try it on a mock sky")
    st.markdown(
        "12,000 simulated cutouts in u g r i z with dwarf galaxies among them, their embeddings by "
        "the network that comes along, and a map. It takes a minute or two and is built in "
        f"`{workspace.root}`. Give training steps to train a small network of your own instead."
    )
    row = st.columns([1.4, 1.4, 1.4, 6], vertical_alignment="bottom")
    row[0].number_input("Cutouts", 300, 1_000_000, None, placeholder="12,000", key="demo n",
                        help="Fewer are quicker, and show less")  # fmt: skip
    row[1].number_input("Training steps", 1, 1_000_000, None, placeholder="none: it comes along",
                        key="demo steps")  # fmt: skip
    row[2].button("Build the demo", type="primary", on_click=build_demo, use_container_width=True)
    jobsview.show_last("demo")
else:
    left, right = st.columns([5, 6], gap="large")
    with left:
        homeview.pages()
        more(open_first=False)
    with right:
        homeview.choose(files)
        path, data = frame.need_data()
        homeview.figures(path, data)
        homeview.sky(data)
if not files:
    more(open_first=True)
