"""The dashboard: `streamlit run app/Home.py`."""

import streamlit as st

from app.routes import ROUTES

app = st.App("main.py", routes=ROUTES)
