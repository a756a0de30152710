"""The name by which somebody labels, kept by the browser: see components/who/who.js."""

from urllib.parse import unquote

import streamlit as st

from app.components import read_parts

COOKIE = "sky_ssl_labeller"
_who = st.components.v2.component("sky_ssl.who", **read_parts("who"))


def remember(name: str) -> None:
    """Let the browser remember a name."""
    _who(key="who", data={"name": name})


def remembered() -> str:
    """Give the name that the browser remembers, empty if none."""
    return unquote(str(st.context.cookies.get(COOKIE, ""))).strip()
