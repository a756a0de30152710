"""The map on the page: see components/map/map.js for what goes in and what comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.components import read_parts

_map = st.components.v2.component("sky_ssl.map", **read_parts("map"))


@dataclass(frozen=True)
class Mark:
    """Rings around objects."""

    rows: list[int]
    colour: str = ""  # empty = that of the text
    strong: bool = False


@dataclass(frozen=True)
class MapContent:
    """What a map shows; addresses are those of `routes.SHELF`."""

    points: str
    codes: str
    mask: str | None
    palette: list[dict[str, Any]]
    about: str
    scheme: str = ""  # what the colours show
    legend: bool = True
    marks: Sequence[Mark] = field(default_factory=tuple)
    object: int = -1  # row that is looked at
    fly: tuple[int, int] | None = None  # row, and a number that is new for each flight
    title: str = ""  # of the picture that is saved
    busy: str = ""


def draw_map(
    content: MapContent,
    *,
    key: str,
    on: dict[str, Callable[[dict[str, Any]], None]],
    height: str = "640px",
) -> None:
    """Draw a map and hand on what the user does.

    Args:
        content: what it shows.
        key: of the component; with the same key its view stays as the user left it.
        on: by event what to call: "click" {row, mode}, "lasso" {polygon, mode, hidden}, corners in
            units of the grid, "keys" {key, row}.
        height: as CSS says it.
    """

    def pass_on(name: str) -> Callable[[], None]:
        def handler() -> None:
            value = st.session_state[key].get(name)
            if value:
                on[name](dict(value))

        return handler

    data = {
        "points": content.points,
        "codes": content.codes,
        "mask": content.mask,
        "palette": content.palette,
        "scheme": content.scheme,
        # levels of a scale are not counted
        "scale": any("count" not in entry for entry in content.palette),
        "legend": content.legend,
        "about": content.about,
        "marks": [vars(mark) for mark in content.marks],
        "object": content.object,
        "fly": {"row": content.fly[0], "nonce": content.fly[1]} if content.fly else None,
        "title": content.title,
        "busy": content.busy,
        "height": height,
    }
    _map(
        key=key,
        data=data,
        on_click_change=pass_on("click"),
        on_lasso_change=pass_on("lasso"),
        on_keys_change=pass_on("keys"),
    )
