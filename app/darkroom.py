"""Masked reconstructions on the page: what is hidden of what, and the pictures of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app import cache, frame, state
from app.state import Darkroom
from sky_ssl.explore.dataset import DataSet
from sky_ssl.figures import masked
from sky_ssl.figures.contact import rgb_bands
from sky_ssl.training.runs import list_trained
from sky_ssl.workspace import MODELS

MOST = 24  # objects at once
_WIDE, _NARROW = 256, 192  # pixels of a picture, where there are four beside each other, or six
COLOUR = "colour"


@dataclass(frozen=True)
class Objects:
    """The objects that are looked at."""

    path: Path  # of their cutouts
    rows: tuple[int, ...]  # in that file
    names: tuple[str, ...]
    note: str = ""


def runs() -> list[Path]:
    """List the runs of the workspace that have weights, the newest first, then shipped ones."""
    return [*list_trained(state.workspace().runs), *list_trained(MODELS)]


def keep(**values: Any) -> None:
    """Change what is hidden or shown."""
    state.change(darkroom=replace(state.now().darkroom, **values))


def run_of(room: Darkroom, known: list[Path], model: str = "") -> Path:
    """Give the run that was chosen, else that of a model (its hash), else the newest."""
    chosen = next((run for run in known if run.name == room.run), None)
    made = cache.made_with(tuple(known), model) if model and chosen is None else None
    return chosen or made or known[0]


def cutout_files() -> list[Path]:
    """List the cutout files of the workspace."""
    folder = state.workspace().cutouts
    return sorted([*folder.glob("[!.]*.h5"), *folder.glob("[!.]*.hdf5")])


def choices() -> list[str]:
    """Say which objects there are to choose from."""
    now = state.now()
    chosen = ["chosen"] if now.chosen is not None and frame.dataset_path() else []
    inspected = ["inspected"] if now.object and frame.dataset_path() else []
    return ["random", *chosen, *inspected]


def objects_of(room: Darkroom) -> Objects | None:
    """Find the objects that are asked for; None where there are no cutouts."""
    from sky_ssl.explore.hiding import choose_random

    path = frame.dataset_path()
    data = None if path is None else cache.data(path)
    if data is None or data.cutouts is None:
        files = cutout_files()
        if not files:
            return None
        file = next((f for f in files if f.name == room.cutouts), files[0])
        found = cache.cutouts(file)
        rows = choose_random(len(found), room.count, room.seed)
        ids = cache.cutout_ids(file)
        return Objects(file, tuple(rows), tuple(ids[row] for row in rows))
    kind = room.objects if room.objects in choices() else "random"
    note = ""
    if kind == "inspected":
        wanted = [data.row_of[state.now().object]] if state.now().object in data.row_of else []
    elif kind == "chosen":
        every = state.now().chosen.rows  # type: ignore[union-attr]
        wanted = [int(row) for row in every[: room.count]]
        note = (
            f"the first {len(wanted)} of {len(every):,} chosen" if len(every) > len(wanted) else ""
        )
    else:
        wanted = choose_random(len(data), room.count, room.seed)
    return replace(in_cutouts(data, wanted), note=note)


def in_cutouts(data: DataSet, wanted: Sequence[int]) -> Objects:
    """Find objects of a data set among its cutouts, leaving out those that have none."""
    assert data.cutouts is not None
    rows = list(wanted) if data.rows is None else [int(data.rows[row]) for row in wanted]
    names = data.embeddings.id
    kept = [(int(row), str(names[i])) for i, row in zip(wanted, rows, strict=True) if row >= 0]
    place = data.cutouts.paths[0] if len(data.cutouts.paths) == 1 else data.cutouts.paths[0].parent
    return Objects(place, tuple(row for row, _ in kept), tuple(name for _, name in kept))


def fill(room: Darkroom, run: Path, objects: Objects) -> Any:
    """Let the model fill what is hidden."""
    from sky_ssl.explore.hiding import Hiding

    hiding = Hiding(room.ratio, room.shared, room.hide, room.draws, room.seed)
    return cache.filled(run, objects.path, objects.rows, hiding)


def show(room: Darkroom, found: Any, objects: Objects) -> None:
    """Draw a row of pictures for each object."""
    several = found.hidden.shape[1] > 1
    width = _NARROW if several else _WIDE
    titles = ["image", "what the model sees", "reconstruction", "residual"]
    titles += ["mean of the draws", "spread of the draws"] if several else []
    shape = [2.6 * _NARROW - 1.4 * width, *[width + 14] * len(titles)]
    head = st.columns(shape)
    for column, title in zip(head[1:], titles, strict=True):
        column.markdown(f"**{title}**")
    for place, name in enumerate(objects.names):
        line = st.columns(shape)
        with line[0]:
            st.text(name)
            _say(found, place)
        for column, picture in zip(line[1:], pictures(room, found, place), strict=True):
            column.image(masked.enlarge(picture, width), width=width)


def _places(room: Darkroom, names: tuple[str, ...]) -> list[int]:
    return [names.index(room.show)] if room.show in names else list(rgb_bands(names))


def pictures(room: Darkroom, found: Any, place: int) -> list[masked.Picture]:
    """Draw one object: image, what the model sees, reconstruction, residual; of draws two more."""
    bands = _places(room, found.bands)
    draw = min(room.draw, found.hidden.shape[1]) - 1
    image, hidden = found.images[place], found.hidden[place]
    sigma, light = found.sigma, room.brightness
    made = [
        masked.draw_light(image, sigma, bands, light),
        masked.draw_seen(image, hidden[draw], sigma, bands, light),
        masked.draw_made(
            image, found.filled[place, draw], hidden[draw], sigma, bands, light, room.tint
        ),
        masked.draw_residual(found.residual_of(place)[draw], image, bands),
    ]
    if len(hidden) > 1:
        mean = found.mean[place]
        every = hidden.any(axis=0)
        made.append(masked.draw_made(image, mean, every, sigma, bands, light, tint=False))
        made.append(masked.draw_spread(found.spread[place], image, sigma, bands))
    return made


def _say(found: Any, place: int) -> None:
    from sky_ssl.explore.hiding import agreement

    said = agreement(found, place)
    if not said.pixels:
        st.caption("nothing hidden that has data")
        return
    st.markdown(f"χ² **{digits(said.chi2)}**")
    st.caption(f"expected 1 ± {said.error:.2g}  \nblank sky {digits(said.blank)}")


def verdict(found: Any, place: int) -> str:
    """Say in a line how well the hidden part of an object is met."""
    from sky_ssl.explore.hiding import agreement

    said = agreement(found, place)
    if not said.pixels:
        return "Nothing is hidden that has data."
    return (
        f"χ² per hidden pixel {digits(said.chi2)}, of a perfect model 1 ± {said.error:.2g}, of "
        f"blank sky {digits(said.blank)}. Residual from −{masked.BEYOND:.0f} (blue) to "
        f"+{masked.BEYOND:.0f} (red) times the sky noise."
    )


def digits(value: float) -> str:
    """Write a number with three digits that count, never in powers of ten."""
    if not np.isfinite(value):
        return "none"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def scales(found: Any) -> None:
    """Draw the scales of residual and spread."""
    several = found.hidden.shape[1] > 1
    left, right, _ = st.columns([2, 2, 3])
    left.image(masked.draw_scale(masked.DIVERGING, 240), width=240)
    left.caption(
        f"residual, −{masked.BEYOND:.0f} to +{masked.BEYOND:.0f} sky noise; red: the "
        "model is brighter"
    )
    if several:
        right.image(masked.draw_scale("viridis", 240), width=240)
        right.caption("spread of the draws, 0 to 2 sky noise")


def table(found: Any) -> pd.DataFrame:
    """Give the agreement by band, with sensible digits."""
    from sky_ssl.explore.hiding import agreement_by_band

    frame_ = agreement_by_band(found)
    return pd.DataFrame(
        {
            "band": frame_["band"],
            "χ² of the reconstruction": [digits(x) for x in frame_["reconstruction"]],
            "χ² of a blank sky": [digits(x) for x in frame_["blank sky"]],
            "expected": [f"1 ± {x:.2g}" for x in frame_["error"]],
            "hidden pixels": [f"{x:,}" for x in frame_["hidden pixels"]],
        }
    )


def has_cutouts() -> bool:
    """Say whether there are images to hide something of."""
    path = frame.dataset_path()
    return bool(cutout_files()) or (path is not None and cache.data(path).cutouts is not None)


def hidden_share(found: Any) -> float:
    """Give the share of the pixels that the model did not see."""
    return float(np.mean(found.hidden))
