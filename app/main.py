"""The frame of all pages: navigation, and what stands above every page."""

from pathlib import Path

import streamlit as st

from app import frame, state, words
from sky_ssl.errors import InputError

st.set_page_config(
    page_title="sky_ssl",
    layout="wide",
    page_icon=str(Path(__file__).parent / "icon.svg"),
    # with an entry of our own the menu is shown, and in it the choice of theme
    menu_items={"About": "sky_ssl: self-supervised learning on multi-band sky surveys."},
)
pages = [
    st.Page(f"../pages/{title.lower()}.py", title=title, default=title == "Home")
    for title in frame.PAGES
]
page = st.navigation(pages, position="top")
frame.style()
try:
    frame.above(page.title)
    page.run()
except InputError as error:
    st.error(words.plain(str(error)), icon=":material/error:")
state.to_address()
