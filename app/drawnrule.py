"""What was drawn on the map as a rule to keep: the same region, on any sky of the same model."""

import numpy as np
import streamlit as st

from app import cache, panels, state
from app.words import percent, plain
from sky_ssl.errors import InputError
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.rulefolder import add_rule
from sky_ssl.explore.selection import lasso_selection

_SAID = "drawn rule said"


def keep(data: DataSet) -> None:
    """Offer to make a rule of the objects that are chosen, and say what it is worth."""
    chosen = state.now().chosen
    assert chosen is not None  # or there is nothing to keep
    with st.popover("Rule", use_container_width=True, help="Keep what was drawn as a rule"):
        st.caption(
            "A plane in all dimensions of the embeddings that tells these objects from the "
            "others, tested on sky that was held out. It can be applied to other sky."
        )
        name = st.text_input("Name", chosen.name, key=f"rule name {chosen.name}")
        kinds = {"": "what was drawn", **{k.name: plain(k.name) for k in panels.task().labels}}
        positive = st.selectbox(
            "It looks for", list(kinds), format_func=kinds.__getitem__, key="rule looks for",
            help="A label: then purity is also measured against what is labelled so",
        )  # fmt: skip
        if st.button("Fit and keep", type="primary", use_container_width=True):
            with st.spinner("Fitting, and testing on other sky"):
                _make(data, name, positive)
        for bad, text in st.session_state.get(_SAID, ()):
            (st.error if bad else st.markdown)(text)
        if any(not bad for bad, _ in st.session_state.get(_SAID, ())):
            st.page_link("../pages/candidates.py", label="Candidates by a rule")


def _make(data: DataSet, name: str, positive: str) -> None:
    chosen = state.now().chosen
    assert chosen is not None
    inside = np.zeros(len(data), dtype=bool)
    inside[chosen.rows] = True
    labels = cache.labels_by_row(panels.ledger_place(), panels.task().name, data)[0]
    known = labels if positive and (labels == positive).any() else None
    try:
        rule = lasso_selection(
            data.embeddings,
            inside,
            name=name.strip(),
            labels=known,
            positive=positive if known is not None else "",
            origin={"map": state.now().map, "chosen_by": chosen.source},
        )
        file = add_rule(state.workspace().selections, rule)
    except InputError as error:
        st.session_state[_SAID] = [(True, plain(str(error)))]
        return
    lines = [f"Kept as **{plain(file.stem)}**; it can be chosen on the page Candidates."]
    of = {"purity": "of what it takes was drawn", "completeness": "of what was drawn is found"}
    of["class_purity"] = f"of the labelled ones it takes are {plain(positive)}"
    lines += [
        f"{percent(m['mean'])} ({percent(m['low'])} to {percent(m['high'])}) {text}"
        for key, text in of.items()
        if isinstance(m := rule.measured.get(key), dict) and m["of"]
    ]
    if positive and known is None:
        lines.append(f"Nothing is labelled {plain(positive)} yet, so only the drawing was tested.")
    if "purity" not in rule.measured:
        lines.append(plain(str(rule.measured.get("how", ""))))
    st.session_state[_SAID] = [(False, line) for line in lines]
