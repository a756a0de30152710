"""The form that starts a training run: choices in, a checked command shown, a job started."""

from pathlib import Path

import streamlit as st

from app import cache, darkroom, runsview, state
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.runplan import RunPlan, check_plan, list_configs
from sky_ssl.explore.starting import free_name, read_path, shown
from sky_ssl.model.config import SIZES
from sky_ssl.training.runs import list_runs

_OWN = "a file of mine"


def form() -> None:
    """Let a user choose configuration, data and size; show the command; start it."""
    place = state.workspace()
    configs = list_configs(place)
    top = st.columns([2, 2, 4])
    which = top[0].selectbox("Configuration", [*configs, _OWN], key="plan config")
    try:
        if which == _OWN:
            config = read_path(top[2].text_input("Path of a TOML file", key="plan file"), "TOML")
        else:
            config = configs[which]
        table = cache.config(config)
    except InputError as error:
        st.warning(plain(str(error)))
        return
    taken = [run.name for run in list_runs(place.runs)]
    name = top[1].text_input("Name of the run", free_name(taken, "run"), key="plan name")
    by_tiles = bool(table["data"]["tiles"]) or bool(table.get("survey"))
    cutouts: tuple[Path, ...] = ()
    tiles: tuple[Path, ...] = ()
    size = 0
    if by_tiles:
        text = top[2].text_input("Folder of FITS tiles", key=f"plan tiles {which}")
        tiles = (Path(text).expanduser().absolute(),) if text.strip() else ()
    else:
        files = {path.name: path for path in darkroom.cutout_files()}
        first = list(files)[:1]
        picked = top[2].multiselect("Cutouts", list(files), first, key="plan cutouts")
        cutouts = tuple(files[p] for p in picked)
        size = cache.cutouts(cutouts[0]).shape[1] if cutouts else 0

    train, model = table["train"], table["model"]
    row = st.columns(5)
    sizes = list(SIZES)
    kind = row[0].selectbox(
        "Size of the model",
        sizes,
        sizes.index(model["size"]),
        format_func=_size,
        key=f"plan size {which}",
    )
    steps = row[1].number_input("Steps", 1, None, train["steps"], key=f"plan steps {which}")
    batch = row[2].number_input(
        "Images per step", 1, None, train["batch_size"], key=f"plan batch {which}"
    )
    rate = row[3].number_input(
        "Peak learning rate", 1e-7, 1.0, train["lr"], format="%.1e", key=f"plan lr {which}"
    )
    seed = row[4].number_input("Seed", 0, None, train["seed"], key=f"plan seed {which}")
    more = st.text_input(
        "Further settings", key="plan more", placeholder="--data.noise 0.1 --model.patch_size 4"
    )
    plan = RunPlan(
        config, name, cutouts, tiles, size, kind, int(steps), int(batch), rate, int(seed), more
    )
    _offer(plan)


def _offer(plan: RunPlan) -> None:
    """Show the command of a plan and start it, or say what is wrong with it."""
    try:
        config, run, command = check_plan(plan, state.workspace())
    except InputError as error:
        st.warning(plain(str(error)))
        return
    seen = config.train.steps * config.train.batch_size
    gpus = st.session_state.get("plan ranks", 1)
    st.code(shown(command, int(gpus)), language="sh", wrap_lines=True)
    left, middle, right = st.columns([1.4, 1.6, 5], vertical_alignment="bottom")
    left.button(
        "Start here",
        type="primary",
        on_click=runsview.start,
        args=(run, command),
        use_container_width=True,
    )
    middle.number_input("GPUs of the shown command", 1, 64, key="plan ranks")
    right.caption(
        f"{seen:,} images in all. Runs as a process of its own that goes on when this page is "
        "closed; the command does the same in a terminal or a cluster job."
    )


def _size(name: str) -> str:
    width, depth, _ = SIZES[name]
    return f"{name}: {width} wide, {depth} deep"
