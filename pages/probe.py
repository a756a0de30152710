"""Probe: label, and see at once what the labels teach."""

import streamlit as st

from app import cache, frame, labelling, panels, probeforms, probeview, state
from app.later import Later
from app.words import plain
from sky_ssl.errors import InputError
from sky_ssl.explore.liveprobe import Live

_HEIGHT, _INSPECTOR = 330, 700  # pixels of the gallery, and of what is beside it
_EVERY = 0.6  # seconds between two looks at figures that are being made

path, data = frame.need_data()
cache.warm(path)


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
    rest = [name for name in names if name != positive]
    out = columns[2].multiselect(
        "Left out", rest, [n for n in asked.left_out if n in rest],
        key=f"left out {asked.task} {positive}", placeholder="none",
        help="Labels that are neither positive nor negative, such as unsure",
    )  # fmt: skip
    share = columns[3].text_input(
        "Share in this sky", state.now().probing.share, key="probe share",
        placeholder="0.001 or 3/500",
        help="Of what the probe looks for. Empty: from an audit sample of 50 or more, else as "
        "among the labels, which is seldom that of the sky",
    )  # fmt: skip
    probeview.look_for(positive, tuple(out), share)
    with columns[4]:
        probeforms.tasks()
    with columns[5]:
        probeforms.importing(data)
    with columns[6]:
        probeforms.saving(path, data)


@st.fragment
def instrument() -> None:
    """Everything on the page; a label reruns this much and no more."""
    try:
        page()
    except InputError as error:
        st.error(plain(str(error)), icon=":material/error:")


def page() -> None:
    """Draw the page."""
    bar()
    probe = probeview.live(path, data)
    prevalence, given, words = probeview.share(data, probe)
    everything = cache.probability(probe, prevalence) if probe.scores is not None else None
    left, right = st.columns([7, 3])
    begun = None
    if probe.problem is not None:
        begun = probeview.measuring(probe, prevalence, given)
    with left:
        probeview.standing(path, data, probe)
        if begun is not None:
            figures(probe, begun)
        first, second = st.tabs(["Label", "How good it is"])
        with first:
            labelling.queues(path, data, probe)
            panels.gallery(
                path, data, key="probe gallery", height=_HEIGHT, probability=everything,
                empty="Nothing to label yet: fetch what to label next, or draw an audit sample.",
            )  # fmt: skip
            labelling.history(data)
        with second:
            if begun is not None and everything is not None:
                st.fragment(probeview.charts)(probe, begun, everything, words)
            else:
                st.info("The charts come with a probe: see above.", icon=":material/info:")
    with right, st.container(height=_INSPECTOR, border=False):
        if state.now().object in data.row_of:
            panels.inspector(path, data)
        else:
            st.caption("Click an object of the gallery to look at it.")


def figures(probe: Live, work: Later) -> None:
    """Show the figures again and again while they are made; the charts when there is something."""
    going, first = not work.is_done, work.best is None

    def drawn() -> None:
        if going and (work.is_done or (first and work.best is not None)):
            st.rerun()
        probeview.figures(probe, work)

    st.fragment(drawn, run_every=_EVERY if going else None)()


instrument()
