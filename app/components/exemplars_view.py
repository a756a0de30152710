"""Exemplars on the page: see components/exemplars/exemplars.js for what goes in and comes out."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.components import read_parts

_exemplars = st.components.v2.component("sky_ssl.exemplars", **read_parts("exemplars"))
_EVENTS = ("out", "turn", "open")


def draw_exemplars(
    items: Sequence[dict[str, Any]],
    *,
    key: str,
    on: dict[str, Callable[[str], None]],
    empty: str = "",
) -> None:
    """Draw exemplars and hand on what the user does.

    Args:
        items: {"key", "name", "picture", "how", "fixed"} each.
        key: of the component.
        on: by event ("out", "turn", "open") what to call with the key of an item.
        empty: what to say where there are none.
    """

    def pass_on(name: str) -> Callable[[], None]:
        def handler() -> None:
            value = st.session_state[key].get(name)
            if value:
                on[name](str(value["key"]))

        return handler

    data = {"items": list(items), "empty": empty}
    _exemplars(key=key, data=data, **{f"on_{name}_change": pass_on(name) for name in _EVENTS})
