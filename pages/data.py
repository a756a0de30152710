"""Data: what the workspace holds and what is wrong with it; detect, cut out, embed and map."""

import streamlit as st

from app import holdingsview, jobsboard, makeforms

with st.container():  # a place of its own, so that the tabs stay when a job comes or goes
    jobsboard.board()
tabs = st.tabs(
    ["In this workspace", "Detect", "Cut out", "Embed", "Map", "Finished jobs"], key="data tabs"
)
with tabs[0]:
    found = holdingsview.holdings()
    if found:
        holdingsview.overview(found)
        holdingsview.closer(holdingsview.picked(found))
    else:
        st.info(
            "Nothing in this workspace yet. Detect and cut out objects of your own tiles here, or "
            "build the demo on Home.",
            icon=":material/info:",
        )
with tabs[1]:
    makeforms.detect()
with tabs[2]:
    makeforms.cut()
with tabs[3]:
    makeforms.embed()
with tabs[4]:
    makeforms.lay_out()
with tabs[5]:
    jobsboard.history()
