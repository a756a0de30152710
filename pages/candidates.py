"""Candidates: a rule's ranked list, vetted, compared and taken away."""

import shlex
from dataclasses import replace
from functools import partial

import numpy as np
import streamlit as st

from app import frame, listing, panels, state, vetting, words
from sky_ssl.errors import InputError
from sky_ssl.explore import review
from sky_ssl.explore.candidatelist import FORMATS, list_bytes
from sky_ssl.explore.expectation import count_words
from sky_ssl.explore.rulefile import as_text
from sky_ssl.explore.uploads import CATALOGUES
from sky_ssl.figures.hits import draw_hits

_HEIGHT = 400  # pixels of the gallery
_KNOWN = {"drop": "left out", "keep": "kept"}

path, data = frame.need_data()


def choose(names: list[str]) -> state.Listing:
    """Let the user choose how the list is made."""
    now = state.now().listing
    bar = st.columns([2.6, 1.5, 1.3, 1.2, 1.3, 1.3], vertical_alignment="bottom")
    rule = bar[0].selectbox("Rule", names, names.index(now.rule) if now.rule in names else 0,
                            key="rule")  # fmt: skip
    prevalence = bar[1].text_input(
        "Prevalence", now.prevalence, key="prevalence", placeholder="0.001 or 3/500",
        help="Share of true ones in this sky: a share, or hits / objects of an audit of a random "
        "sample. Empty: as among the objects that the rule was made with.",
    )  # fmt: skip
    threshold = bar[2].number_input(
        "Least score", value=now.threshold, key="threshold", format="%.3f", step=0.1,
        placeholder="the rule's",
    )  # fmt: skip
    top = bar[3].number_input("At most", 1, 100_000, now.top, key="list top", placeholder="all")
    known = bar[4].selectbox(
        "Labelled objects", list(_KNOWN), list(_KNOWN).index(now.known), key="known",
        format_func=lambda name: _KNOWN[name],
    )  # fmt: skip
    with bar[5], st.popover("More", icon=":material/tune:", use_container_width=True):
        tasks = listing.tasks()
        task = st.selectbox("Labels of the task", tasks, _place(tasks, now.task), key="known task")
        merge = st.number_input("Objects closer than this are one [arcsec]", 0.0, 3600.0, now.merge,
                                0.5, key="merge")  # fmt: skip
        radius = st.number_input("Known objects are named within [arcsec]", 0.1, 3600.0, now.radius,
                                 1.0, key="radius")  # fmt: skip
    chosen = replace(now, rule=rule, prevalence=prevalence, threshold=threshold, top=top,
                     known=known, task=task, merge=merge, radius=radius)  # fmt: skip
    state.change(listing=chosen, data=path.name)
    return chosen


def _place(names: list[str], wanted: str) -> int:
    named = wanted or panels.task().name
    return names.index(named) if named in names else 0


def summary(made: listing.Made) -> None:
    """Say in a line what the list is."""
    n = made.found.counts
    said = [f"**{n['listed']:,}** candidates of {n['scored']:,} objects"]
    if made.found.threshold is not None:
        said.append(f"{n['passed']:,} reach {made.found.threshold:.3g}")
    if n["known_left_out"]:
        said.append(f"{n['known_left_out']:,} known ones left out")
    if n["merged"]:
        said.append(f"{n['merged']:,} repeats merged")
    lines = [" &nbsp;·&nbsp; ".join(said)]
    if made.curve is not None and n["listed"]:
        mean, low, high = made.curve.at(n["listed"])
        pure = [words.percent(x / n["listed"]) for x in (mean, low, high)]
        lines.append(
            f"**{count_words(mean)}** expected to be true ({low:.0f} to {high:.0f}) &nbsp;·&nbsp; "
            f"purity **{pure[0]}** ({pure[1]} to {pure[2]}) &nbsp; :gray[95 % intervals]"
        )
    line, button = st.columns([5, 1.3], vertical_alignment="center")
    line.markdown("  \n".join(lines))
    if button.button("Show on the map", key="to map", use_container_width=True):
        listing.to_map(made)
        st.toast(f"{n['listed']:,} candidates are the selection of the map")


def expected(made: listing.Made) -> None:
    """Show how many true ones to expect, and the notes of the list."""
    left, right = st.columns([3, 2])
    with left:
        chart(made)
    with right:
        st.markdown(words.plain(listing.outlook(made, listing.verdicts(data, made))))
        for note in made.notes:
            st.caption(words.plain(note))


def chart(made: listing.Made) -> None:
    """Draw how many true ones to expect, and how many were accepted so far."""
    if made.curve is not None:
        accepted = review.accepted_so_far(listing.verdicts(data, made))
        c = made.curve
        figure = draw_hits(c.length, c.mean, c.low, c.high, accepted=accepted)
        st.plotly_chart(figure, key="hits", theme="streamlit")
    elif len(made.found.rows):
        st.info(
            "This rule ranks and does not count. Vet some of its list and train a probe on the "
            "verdicts: the rule of a probe says how many true ones to expect.",
            icon=":material/info:",
        )


def table(made: listing.Made) -> None:
    """Show the list as a table; a click on a row opens the object."""
    which = vetting.places(data, made)
    shown = listing.to_show(made, listing.verdicts(data, made)).iloc[which]
    event = st.dataframe(
        shown, hide_index=True, column_config=listing.column_config(shown), height=330,
        placeholder="", key=f"table {len(which)}", on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    picked = event.selection.rows
    if picked and picked[0] < len(which) and st.session_state.get("table row") != picked:
        st.session_state["table row"] = picked
        state.look_at(str(shown["id"].iat[picked[0]]), fly=True)
        st.rerun(scope="fragment")


def known_objects(made: listing.Made) -> None:
    """Compare the list with catalogues."""
    now = state.now().listing
    left, right = st.columns([2, 3])
    with left:
        count = st.session_state.setdefault("catalogues", 0)
        file = st.file_uploader("Catalogue of known objects (CSV, ECSV, FITS, VOTable, Parquet)",
                                CATALOGUES, key=f"catalogue {count}")  # fmt: skip
        if file is not None:
            try:
                with st.spinner("Reading the catalogue"):
                    read = listing.read_known(file.name, file.getvalue())
            except InputError as error:
                st.error(words.plain(str(error)), icon=":material/error:")
            else:
                others = tuple(c for c in now.catalogues if c[0] != read[0])
                state.change(listing=replace(now, catalogues=(*others, read)))
                st.session_state["catalogues"] = count + 1
                st.rerun(scope="fragment")
        for name, rows, _ in now.catalogues:
            st.button(f"Take {words.plain(name)} out ({len(rows):,} objects)", key=f"out {name}",
                      on_click=listing.forget, args=(name,))  # fmt: skip
            for note in rows.attrs.get("notes", [])[:5]:
                st.caption(words.plain(note))
    with right:
        frame_ = made.found.frame
        if "nearest_known" not in frame_:
            st.caption("Each candidate gets its nearest known object and the separation.")
            return
        near = frame_[np.isfinite(frame_["nearest_separation"])].sort_values("nearest_separation")
        st.markdown(f"**{len(near)}** of {len(frame_)} candidates lie within {now.radius:g} arcsec "
                    "of a known object.")  # fmt: skip
        columns = ["rank", "id", "nearest_known", "nearest_separation", "nearest_catalogue"]
        st.dataframe(near[columns], hide_index=True, height=260,
                     column_config=listing.column_config(near[columns]))  # fmt: skip


def files(made: listing.Made) -> None:
    """Offer the list as files, and to other programs."""
    said = listing.verdicts(data, made)
    accepted = int((said == review.ACCEPT).sum())
    only = st.checkbox(f"Accepted ones only ({accepted})", key="only accepted")
    shown = listing.to_write(made, said, accepted_only=only)
    if not len(shown):
        st.caption("Nothing to write: no candidate is accepted." if only else "The list is empty.")
        return
    name = listing.slug(made)
    columns = st.columns([1, 1, 1, 1, 1.3, 1.5, 1.8])
    for column, (title, ending) in zip(columns, FORMATS.items(), strict=False):
        column.download_button(
            title, partial(list_bytes, shown, ending, made.about), f"{name}{ending}",
            key=f"get {ending}", on_click="ignore", use_container_width=True,
        )  # fmt: skip
    columns[5].download_button(
        "Rule as JSON", partial(as_text, made.rule), f"{name}.json", "application/json",
        key="get rule", on_click="ignore", use_container_width=True,
    )  # fmt: skip
    if columns[6].button("Send by SAMP", key="samp", use_container_width=True,
                         help="To TOPCAT, Aladin or DS9, where one of them runs."):  # fmt: skip
        try:
            with st.spinner("Sending"):
                to = listing.send(made, shown)
        except InputError as error:
            st.error(words.plain(str(error)), icon=":material/error:")
        else:
            st.success(f"sent to {words.plain(', '.join(to))}", icon=":material/check:")


@st.fragment
def instrument() -> None:
    """Everything on the page; a click reruns this much and no more."""
    names = listing.rules(data)
    if not names:
        st.info(
            "No rule yet. A rule gives every object a score: save one from a search or a probe, "
            "or write one with a command such as:",
            icon=":material/rule:",
        )
        st.code(listing.example(path), language="sh", wrap_lines=True)
        st.page_link("../pages/search.py", label="Search")
        return
    chosen = choose(names)
    try:
        file = listing.file_of(path, data, chosen.rule)
        with st.spinner("Scoring", show_time=True):
            made = listing.make(path, data, file, chosen)
        shown = listing.command(path, file, chosen)
    except InputError as error:
        st.error(words.plain(str(error)), icon=":material/error:")
        return
    left, right = st.columns([7, 3])
    with left:
        summary(made)
        vetting.progress(data, made)
        vetting.gallery(path, data, made, height=_HEIGHT)
    with right, st.container(height=_HEIGHT + 150, border=False):
        vetting.buttons(data, made)
        if state.now().object in data.row_of:
            panels.inspector(path, data)
    tabs = st.tabs(["Expected", "Table", "Known objects", "Files"])
    for tab, draw in zip(tabs, (expected, table, known_objects, files), strict=True):
        with tab:
            draw(made)
    st.code(shlex.join(shown), language="sh", wrap_lines=True)


instrument()
