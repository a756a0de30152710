"""Forms that fill the workspace: detect, cut out, embed, map. Each shows its command."""

from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st

from app import cache, darkroom, frame, jobsboard, state
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore import starting
from sky_ssl.sky.survey import PRESETS, load_survey

_OWN = "a TOML file of mine"
_FILE = "a file of mine"
_CATALOGUE, _RANDOM, _GRID = "objects of a catalogue", "random places", "a grid over each tile"
_POOLINGS = ("central", "rings", "mean", "max", "central16", "mean+central", "attention")

Make = Callable[[], tuple[str, ...]]


def detect() -> None:
    """Detect sources on tiles."""
    tiles, survey = _tiles("detect")
    row = st.columns([2, 2, 2, 2], vertical_alignment="bottom")
    first = _free(_catalogues(), "objects")
    name = row[0].text_input("Name of the catalogue", first, key=f"detect name {first}")
    threshold = row[1].number_input(
        "Threshold per pixel, in sigma", 0.5, 20.0, 1.5, 0.1, key="detect threshold"
    )
    reproject = row[2].toggle(
        "Bands on other pixel grids",
        key="detect reproject",
        help="Brings each band to the grid of the first",
    )
    place = state.workspace()
    _offer(
        "detect",
        lambda: starting.detect_command(
            place, _read(tiles), _survey(survey), name, threshold=threshold, reproject=reproject
        ),
        ready=bool(tiles),
    )


def cut() -> None:
    """Cut images out of tiles."""
    tiles, survey = _tiles("cut")
    row = st.columns([2.2, 3, 1.4, 1.4, 1.4], vertical_alignment="bottom")
    how = row[0].selectbox("Cut out", [_CATALOGUE, _RANDOM, _GRID], key="cut how")
    text, n, overlap = "", 0, 0.0
    if how == _CATALOGUE:
        known = {path.name: str(path) for path in _catalogues()}
        picked = row[1].selectbox("Catalogue", [*known, _FILE], key=f"cut known {len(known)}")
        text = known.get(picked, "")
        if not text:
            text = st.text_input(
                "Path of the catalogue",
                key="cut catalogue",
                placeholder="CSV, ECSV, FITS, VOTable or Parquet with positions",
            )
    elif how == _RANDOM:
        n = int(row[1].number_input("Per tile", 1, None, 1000, key="cut random"))
    else:
        overlap = row[1].slider("Overlap", 0.0, 0.9, 0.5, 0.1, key="cut overlap")
    size = int(row[2].number_input("Pixels a side", 8, 1024, 64, 8, key="cut size"))
    fov = row[3].number_input(
        "Field, arcsec",
        0.0,
        None,
        0.0,
        key="cut fov",
        help="0: so many native pixels; else binned, flux conserved",
    )
    dtype = row[4].selectbox("Stored as", ["float32", "float16"], key="cut dtype")
    first = _free(darkroom.cutout_files(), "cutouts")
    name = st.text_input("Name of the cutout file", first, key=f"cut name {first}")
    place = state.workspace()

    def make() -> tuple[str, ...]:
        catalogue = starting.read_path(text, "catalogue") if how == _CATALOGUE else None
        return starting.cut_command(
            place,
            _read(tiles),
            _survey(survey),
            name,
            catalogue=catalogue,
            random=n,
            overlap=overlap,
            fov=fov,
            size=size,
            dtype=dtype,
        )

    if how == _CATALOGUE and not text.strip():
        st.caption("Give a catalogue of objects: your own, or one from the tab Detect.")
        return
    _offer("cut", make, ready=bool(tiles))


def embed() -> None:
    """Embed cutouts with a model."""
    place = state.workspace()
    runs = {run.name: run for run in darkroom.runs()}
    files = {path.name: path for path in darkroom.cutout_files()}
    if not runs or not files:
        st.info(
            "Embedding takes a trained model and cutouts: "
            + ("start a run on the page Training." if not runs else "cut some out first.")
        )
        return
    row = st.columns([2, 2, 1.6, 1.2, 1.4, 1.4], vertical_alignment="bottom")
    run = row[0].selectbox("Model", list(runs), key="embed run")
    file = row[1].selectbox("Cutouts", list(files), key="embed cutouts")
    pooling = row[2].selectbox(
        "Pooling",
        _POOLINGS,
        key="embed pooling",
        help="central: the tokens in the middle, best for search of small objects; rings: mean and "
        "scatter in rings around the centre, for galaxies that fill the cutout",
    )
    ways = "Average over quarter turns (4) and mirror images (8): steadier, and as much slower"
    turns = row[3].selectbox("Turns", [1, 4, 8], key="embed turns", help=ways)
    project = int(
        row[4].number_input(
            "Project to",
            0,
            None,
            0,
            key="embed project",
            help="Numbers per object, by PCA; 0 keeps all",
        )
    )
    dtype = row[5].selectbox("Stored as", ["float32", "float16"], key="embed dtype")
    taken = [path.stem for path in frame.datasets()]
    stem = Path(file).stem
    first = stem if stem not in taken else starting.free_name(taken, f"{stem}-{run}")
    name = st.text_input("Name of the embeddings", first, key=f"embed name {first}")
    _offer(
        "embed",
        lambda: starting.embed_command(
            place,
            runs[run],
            files[file],
            name,
            pooling=pooling,
            turns=turns,
            project=project,
            dtype=dtype,
        ),
    )


def lay_out() -> None:
    """Make a map of embeddings."""
    place = state.workspace()
    files = {path.name: path for path in frame.datasets()}
    if not files:
        st.info("A map is made of embeddings, and there are none yet: embed cutouts first.")
        return
    maps = {path.name: path for path in sorted(place.maps.glob("[!.]*.h5"))}
    row = st.columns([2, 1.4, 1.4, 1.2, 2], vertical_alignment="bottom")
    file = row[0].selectbox("Embeddings", list(files), key="map embeddings")
    method = row[1].selectbox(
        "Method",
        ["umap", "tsne", "pca"],
        key="map method",
        format_func={"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}.__getitem__,
    )
    neighbours, perplexity = 15, 30.0
    if method == "umap":
        neighbours = int(row[2].number_input("Neighbours", 2, 500, 15, key="map neighbours"))
    elif method == "tsne":
        perplexity = row[2].number_input("Perplexity", 2.0, 500.0, 30.0, key="map perplexity")
    seed = int(row[3].number_input("Seed", 0, None, 0, key="map seed"))
    none = "nothing"
    warm = row[4].selectbox(
        "Start from",
        [none, *maps],
        key="map warm",
        help="An older map, so that known objects stay near their place",
    )
    first = (
        Path(file).stem if f"{Path(file).stem}.h5" not in maps else f"{Path(file).stem}-{method}"
    )
    name = st.text_input("Name of the map", first, key=f"map name {first}")
    _offer(
        "map",
        lambda: starting.map_command(
            place,
            files[file],
            name,
            method=method,
            seed=seed,
            neighbours=neighbours,
            perplexity=perplexity,
            warm=None if warm == none or method == "pca" else maps[warm],
        ),
    )


def _tiles(form: str) -> tuple[str, str]:
    """Ask for tiles and the survey that says how they are named and scaled."""
    row = st.columns([4, 2, 3], vertical_alignment="bottom")
    tiles = row[0].text_input(
        "FITS file, or folder of tiles",
        key=f"{form} tiles",
        placeholder="/data/tiles",
        on_change=_share,
        args=(form,),
    )
    survey = row[1].selectbox(
        "Survey", [*PRESETS, _OWN], key=f"{form} survey", on_change=_share, args=(form,)
    )
    if survey == _OWN:
        survey = row[2].text_input(
            "Path of the TOML file with [survey]",
            key=f"{form} toml",
            on_change=_share,
            args=(form,),
        )
    _tell_tiles(tiles, survey, form)
    return tiles, survey


def _share(form: str) -> None:
    """Let the other form begin with the same tiles and survey."""
    other = "cut" if form == "detect" else "detect"
    for what in ("tiles", "survey", "toml"):
        if f"{form} {what}" in st.session_state:
            st.session_state[f"{other} {what}"] = st.session_state[f"{form} {what}"]


def _tell_tiles(tiles: str, survey: str, form: str) -> None:
    """List the tiles that are found, when asked to."""
    if not tiles.strip() or not st.toggle("List the tiles", key=f"{form} list"):
        return
    try:
        table, notes = cache.tiles(_read(tiles), _survey(survey))
    except InputError as error:
        st.warning(plain(str(error)))
        return
    st.dataframe(table, hide_index=True, height=min(220, 38 + 35 * max(1, len(table))))
    for note in notes[:5]:
        st.caption(plain(note))
    if len(notes) > 5:
        st.caption(f"and {len(notes) - 5} more notes of this kind")


def _read(tiles: str) -> Path:
    return starting.read_path(tiles, "tiles")


def _survey(survey: str) -> str:
    """Check a survey, and give it as the command takes it."""
    if survey in PRESETS:
        return survey
    path = starting.read_path(survey, "survey")
    load_survey(path)
    return str(path)


def _catalogues() -> list[Path]:
    found = state.workspace().catalogues.glob("[!.]*")
    return sorted(found, key=lambda path: -path.stat().st_mtime)


def _free(taken: Sequence[Path], wanted: str) -> str:
    return starting.free_name([path.stem for path in taken], wanted)


def _offer(form: str, make: Make, *, ready: bool = True) -> None:
    """Show the command and start it, or say what is wrong; replace a file only when told to."""
    if not ready:
        st.caption("Give the path of the tiles: any that this machine can read.")
        return
    try:
        command = make()
    except InputError as error:
        st.warning(plain(str(error)))
        return
    st.code(starting.shown(command), language="sh", wrap_lines=True)
    out = starting.written_by(command)
    assert out is not None
    busy = [starting.written_by(job.command) for job in jobsboard.running()]
    if out in busy:
        st.info("A job that writes this file runs already: see above.")
        return
    allowed = True
    if out.exists():
        allowed = st.checkbox("Replace the file of this name, which is there", key=f"{form} over")
    st.button(
        "Start",
        key=f"{form} start",
        type="primary",
        disabled=not allowed,
        on_click=jobsboard.start,
        args=(f"{form} {out.stem}", command),
    )
