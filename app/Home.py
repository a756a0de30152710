"""The dashboard: `streamlit run app/Home.py`."""

import streamlit as st
from starlette.middleware import Middleware

from app.routes import ROUTES
from app.theme import DarkAtFirst

app = st.App("main.py", routes=ROUTES, middleware=[Middleware(DarkAtFirst)])
