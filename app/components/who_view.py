"""The name by which somebody labels, kept by the browser: see components/who/who.js."""

from urllib.parse import unquote

import streamlit as st

from app.components import read_parts
from sky_ssl.errors import InputError
from sky_ssl.explore.events import check_text

COOKIE = "sky_ssl_labeller"
_who = st.components.v2.component("sky_ssl.who", **read_parts("who"))


def remember(name: str) -> None:
    """Let the browser remember a name."""
    _who(key="who", data={"name": name})


def remembered() -> str:
    """Give the name that the browser remembers, empty if none."""
    name = unquote(str(st.context.cookies.get(COOKIE, ""))).strip()
    return name if is_name(name) else ""


def is_name(name: str) -> bool:
    """Say whether the ledger can keep a name."""
    try:
        check_text("labeller", [name])
    except InputError:
        return False
    return True
