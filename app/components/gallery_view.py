"""The gallery on the page: see components/gallery/gallery.js for what goes in and comes out."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from app.components import read_parts
from app.components.onceonly import do_each, last_done
from sky_ssl.explore.tasks import Task

_gallery = st.components.v2.component("sky_ssl.gallery", **read_parts("gallery"))


def draw_gallery(
    items: Sequence[dict[str, Any]],
    *,
    about: str,
    task: Task | None,
    key: str,
    on: dict[str, Callable[[dict[str, Any]], str | None]],
    say: Callable[[str], None] = lambda words: None,
    empty: str = "",
    thumb: int = 96,
    height: int = 420,
    total: int = 0,
    tools: bool = True,
) -> None:
    """Draw thumbnails and hand on what the user does.

    Args:
        items: {"row", "name", "text", "label", "colour"} each.
        about: address that rows are appended to.
        task: whose labels have keys; None for none.
        key: of the component.
        on: by event what to call: "label" {rows, label, all}, "open" {row}, "mark" {row, how},
            "undo", "redo"; `all`: those that are not among the items as well. They ask the session
            before they write, see `onceonly`, and give words for the user, if any.
        say: says these.
        empty: what to say where there are no items.
        thumb: width of a thumbnail, pixels.
        height: of the scrolling part, pixels.
        total: objects of the selection, if there are more than items.
        tools: show the labels and what is chosen above the thumbnails.
    """

    sender_key = f"{key} sender"

    def acts() -> None:
        value = st.session_state[key].get("acts")
        if value:
            sender = str(value["client"])
            st.session_state[sender_key] = sender
            do_each(sender, value["events"], act, say)

    def act(event: dict[str, Any]) -> str | None:
        return on[event["name"]](event) if event["name"] in on else None

    sender = st.session_state.get(sender_key)
    keys: list[dict[str, str]] = []
    if task is not None:
        keys = [
            {"key": str(n), "name": label.name, "colour": label.colour}
            for n, label in enumerate(task.labels, start=1)
        ]
        keys.append({"key": "0", "name": "clear", "colour": "#6b7280"})
    data = {
        "items": list(items),
        "about": about,
        "place": key,
        "keys": keys,
        "empty": empty,
        "thumb": thumb,
        "height": height,
        "total": max(total, len(items)),
        "tools": tools,
        "seen": {"client": sender, "n": last_done(sender)} if sender else None,
    }
    _gallery(key=key, data=data, on_acts_change=acts)
