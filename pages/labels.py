"""Labels: who labelled what when, how far people agree, and taking it back."""

import streamlit as st

from app import frame, ledgerview, marks, panels, probeforms, state
from app.words import plain
from sky_ssl.errors import InputError

path, data = frame.need_data()


@st.fragment
def instrument() -> None:
    """Everything on the page; a change reruns this much and no more."""
    marks.say()
    left, middle, right, _ = st.columns([2, 2, 1.2, 3], vertical_alignment="bottom")
    tasks = [task.name for task in panels.load_tasks(state.workspace().tasks)]
    at = tasks.index(marks.task().name)
    chosen = left.selectbox("Task", tasks, at, key="labels task")
    state.change(task=chosen, data=path.name)
    with middle:
        ledgerview.who()
    with right:
        probeforms.tasks()
    try:
        show()
    except InputError as error:  # a fragment runs without the frame around it
        st.error(plain(str(error)), icon=":material/error:")


def show() -> None:
    """Draw the labels, what is looked at, and the history."""
    looking = state.now().object in data.row_of
    left, right = st.columns([7, 3]) if looking else (st.container(), None)
    with left:
        ledgerview.counts(data)
        ledgerview.agreement()
        if state.now().chosen is not None:
            panels.gallery(path, data, key="labels gallery", height=300)
    if right is not None:
        with right, st.container(height=620, border=False):
            panels.inspector(path, data)
    st.markdown("##### What was done")
    ledgerview.history()
    ledgerview.place()


instrument()
