"""The keys of a page, under a button and under "?": see components/keys/keys.js."""

from collections.abc import Mapping, Sequence

import streamlit as st

from app.components import read_parts

_keys = st.components.v2.component("sky_ssl.keys", **read_parts("keys"))


def draw_keys(groups: Mapping[str, Sequence[tuple[str, str]]], *, find: str = "") -> None:
    """Draw the button.

    Args:
        groups: by title, keys with a space between them, and what they do.
        find: label of the input that "/" goes to; empty for none.
    """
    data = {
        "groups": [
            {"title": title, "rows": [list(r) for r in rows]} for title, rows in groups.items()
        ],
        "find": find,
    }
    _keys(key="keys", data=data, height=34)
