"""A cluster of the map: its card, its name, its members."""

from pathlib import Path

import numpy as np
import streamlit as st

from app import cards, objects, panels, state
from app.cache import maps as kept
from app.components.gallery_view import draw_gallery
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.clusternames import name_cluster
from sky_ssl.explore.clusters import Card, Clusters
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.mapclusters import cluster_title, members

_CHOSEN = "cluster shown"
_FAILED = "cluster name failed"
_UNITS = {
    "half_light_radius": "arcsec", "mean_surface_brightness": "mag/arcsec²", "mag_r": "mag",
}  # fmt: skip
_TOLD = ("mag_r", "half_light_radius", "mean_surface_brightness", "zspec")  # first, where known
_MOST = 6  # medians that are told


def follow(file: Path, row: int) -> None:
    """Show the cluster of an object that was clicked."""
    found = kept.clusters(file)
    if found is not None and 0 <= row < len(found.number) and found.number[row] >= 0:
        st.session_state[_CHOSEN] = int(found.number[row])


def card(path: Path, data: DataSet, file: Path) -> None:
    """Show a cluster: how many, what colours, labels held, typical and odd members."""
    found = kept.clusters(file)
    if found is None or not found.count:
        st.caption("No clusters: the objects of this map form no islands.")
        return
    if st.session_state.get(_CHOSEN, 0) >= found.count:
        st.session_state[_CHOSEN] = 0
    names = kept.cluster_names(file)
    number = st.selectbox(
        "Cluster",
        range(found.count),
        key=_CHOSEN,
        format_func=lambda n: cluster_title(n, names.get(n, "")),
        label_visibility="collapsed",
    )
    about = kept.cluster_card(file, path, number)
    st.text_input(
        "Name",
        names.get(number, ""),
        key=f"cluster name {file.name} {number} {names.get(number, '')}",
        placeholder="Name of this cluster",
        label_visibility="collapsed",
        max_chars=60,
        on_change=_rename,
        args=(file, found, number, names.get(number, "")),
    )
    if text := st.session_state.pop(_FAILED, ""):
        st.warning(plain(text))
    share = about.size / len(data)
    words = [f"**{about.size:,}** objects, {share:.1%} of all", _labels(path, file, number)]
    st.caption("  \n".join([*words, *_medians(about)]))
    left, right = st.columns(2)
    for column, by in ((left, "typical"), (right, "odd")):
        column.button(
            f"All, {by} first",
            key=f"cluster {by}",
            on_click=_choose,
            args=(found, number, by, names.get(number, "")),
            use_container_width=True,
        )
    for by, rows in (("typical", about.typical), ("odd", about.odd)):
        st.caption(f"{by} members" if by == "typical" else "members that belong least")
        _strip(path, data, rows, f"cluster strip {by}")


def _labels(path: Path, file: Path, number: int) -> str:
    task = panels.task()
    held = kept.cluster_labels(panels.ledger_place(), task.name, file, path, number)
    words = [f"{plain(name)} **{count:,}**" for name, count in held.items()]
    return f"labels of {plain(task.name)}: " + (" · ".join(words) if words else "none yet")


def _medians(about: Card) -> list[str]:
    """Write the medians: colours in a line, brightness and sizes in another."""
    colours = {n: v for n, v in about.medians.items() if " - " in n}
    others = [n for n in _TOLD if n in about.medians]
    others += [n for n in about.medians if n not in (*colours, *others) and "mag_" not in n]
    lines = []
    if colours:
        words = [
            f"{plain(name.replace(' - ', '–'))} **{value:.2f}**" for name, value in colours.items()
        ]
        lines.append("median colours: " + " · ".join(words) + " mag")
    if others:
        words = [
            f"{plain(name.replace('_', ' '))} **{about.medians[name]:.3g}** {_UNITS.get(name, '')}"
            for name in others[:_MOST]
        ]
        lines.append("medians: " + " · ".join(word.rstrip() for word in words))
    return lines


def _strip(path: Path, data: DataSet, rows: list[int], key: str) -> None:
    draw_gallery(
        cards.items_of(data, np.array(rows, dtype=np.int64), [""] * len(rows)),
        about=objects.address(path),
        task=None,
        key=key,
        thumb=86,
        height=340,
        tools=False,
        on=cards.looks(data),
    )


def _choose(found: Clusters, number: int, by: str, name: str) -> None:
    rows = members(found, number, by)
    scores = found.membership[rows].astype(np.float64)
    state.choose(state.Chosen(rows, "review", cluster_title(number, name), scores))


def _rename(file: Path, found: Clusters, number: int, before: str) -> None:
    name = str(st.session_state[f"cluster name {file.name} {number} {before}"])
    try:
        name_cluster(file, found, kept.sky_map(file).id, number, name)
    except (InputError, OSError) as error:
        st.session_state[_FAILED] = str(error)
