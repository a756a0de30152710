"""Training: the runs of the workspace, live and compared; start one, stop it, go on with it."""

import streamlit as st

from app import jobsboard, runform, runsview

_EVERY = 2.0  # seconds between two looks at what runs

known = runsview.runs()
top = st.columns([6, 1.6], vertical_alignment="bottom")
if known:
    paths = runsview.choose(known, top[0])
    log = top[1].toggle("Logarithmic", key="runs log")
    live = any(runsview.standing(path).is_live for path in known)

    def now() -> None:
        """Show how the chosen runs stand; again and again while one runs."""
        jobsboard.notice()
        if live != any(runsview.standing(path).is_live for path in runsview.runs()):
            st.rerun()
        standing = [runsview.standing(path) for path in paths]
        for one in standing:
            runsview.stand(one)
        if standing:
            runsview.charts([one.run for one in standing], log=log)
        else:
            st.info("Choose a run above, or several to compare them.")

    st.fragment(now, run_every=_EVERY if live else None)()
else:
    jobsboard.notice()
    st.info("No runs in this workspace yet: start one here.", icon=":material/info:")
with st.expander("Start a run", expanded=not known, icon=":material/add:"):
    runform.form()
if known and paths:
    shown = [runsview.standing(path).run for path in paths]
    first, second, third = st.tabs(["Reconstructions", "Settings", "Checkpoints"])
    with first:
        runsview.figures(shown)
    with second:
        runsview.configurations(shown)
    with third:
        runsview.weights(shown)
