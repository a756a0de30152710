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
    colour: str
    strong: bool = False


@dataclass(frozen=True)
class MapContent:
    """What a map shows; addresses are those of `routes.SHELF`."""

    points: str
    codes: str
    mask: str | None
    palette: list[dict[str, Any]]
    about: str
    marks: Sequence[Mark] = field(default_factory=tuple)
    fly: tuple[int, int] | None = None  # row, and a number that is new for each flight
    busy: str = ""


def draw_map(
    content: MapContent,
    *,
    key: str,
    on_click: Callable[[dict[str, Any]], None],
    on_lasso: Callable[[dict[str, Any]], None],
    height: int = 640,
) -> None:
    """Draw a map and hand on what the user does.

    Args:
        content: what it shows.
        key: of the component; with the same key its view stays as the user left it.
        on_click: called with {"row", "mode"}.
        on_lasso: called with {"polygon", "mode"}, corners in units of the grid.
        height: pixels.
    """

    def pass_on(name: str, act: Callable[[dict[str, Any]], None]) -> Callable[[], None]:
        def handler() -> None:
            value = st.session_state[key].get(name)
            if value:
                act(dict(value))

        return handler

    data = {
        "points": content.points,
        "codes": content.codes,
        "mask": content.mask,
        "palette": content.palette,
        "about": content.about,
        "marks": [vars(mark) for mark in content.marks],
        "fly": {"row": content.fly[0], "nonce": content.fly[1]} if content.fly else None,
        "busy": content.busy,
        "height": height,
    }
    _map(
        key=key,
        data=data,
        on_click_change=pass_on("click", on_click),
        on_lasso_change=pass_on("lasso", on_lasso),
    )
