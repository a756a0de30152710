"""Probe: label, and see at once what the labels teach."""

import streamlit as st

from app import cache, frame, labelling, panels, probeforms, probeview, state
from app.probeview import keep

_HEIGHT = 300  # pixels of the gallery
_EVERY = 0.6  # seconds between two looks at figures that are being made

path, data = frame.need_data()


def bar() -> None:
    """Choose task, label and share; and the forms that stand behind buttons."""
    columns = st.columns([1.7, 1.7, 2.2, 1.5, 1, 1, 1], vertical_alignment="bottom")
    tasks = [t.name for t in panels.load_tasks(state.workspace().tasks)]
    at = tasks.index(panels.task().name)
    state.change(task=columns[0].selectbox("Task", tasks, at, key="probe task"), data=path.name)
    names = [label.name for label in panels.task().labels]
    asked = probeview.question()
    positive = columns[1].selectbox(
        "Looks for", names, names.index(asked.positive), key=f"positive {asked.task}"
    )
    keep(positive=positive)
    rest = [name for name in names if name != positive]
    out = columns[2].multiselect(
        "Left out", rest, [n for n in probeview.question().left_out if n in rest],
        key=f"left out {asked.task} {positive}", placeholder="none",
        help="Labels that are neither positive nor negative, such as unsure",
    )  # fmt: skip
    share = columns[3].text_input(
        "Share in this sky", state.now().probing.share, key="probe share",
        placeholder="0.001 or 3/500",
        help="Of what the probe looks for. Empty: from an audit sample of 50 or more, else as "
        "among the labels, which is seldom that of the sky",
    )  # fmt: skip
    keep(left_out=tuple(out), share=share)
    with columns[4]:
        probeforms.tasks()
    with columns[5]:
        probeforms.importing(data)
    with columns[6]:
        probeforms.saving(path, data)


@st.fragment
def instrument() -> None:
    """Everything on the page; a label reruns this much and no more."""
    bar()
    probe = probeview.live(path, data)
    prevalence, given, words = probeview.share(data, probe)
    everything = cache.probability(probe, prevalence) if probe.scores is not None else None
    left, right = st.columns([7, 3])
    with left:
        probeview.standing(data, probe)
        labelling.queues(path, data, probe)
        panels.gallery(
            path, data, key="probe gallery", height=_HEIGHT, probability=everything,
            empty="Nothing to label yet: fetch what to label next, or draw an audit sample.",
        )  # fmt: skip
    with right, st.container(height=_HEIGHT + 190, border=False):
        panels.inspector(path, data)
    if probe.problem is not None and everything is not None:
        work = probeview.measuring(probe, prevalence, given)

        def measured() -> None:
            """Show figures and charts; again and again while they are being made."""
            found = probeview.last_measured(probe, work.best)
            if not work.is_done:
                st.progress(work.share, f"measuring with the new labels: {work.words}")
            elif begun:
                st.rerun()
            probeview.figures(probe, found)
            if found is not None:
                probeview.charts(probe, found, everything, words)

        begun = not work.is_done
        st.fragment(measured, run_every=_EVERY if begun else None)()
    labelling.history(data)


instrument()
