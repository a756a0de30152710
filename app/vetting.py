"""Vetting on the page: a candidate list as thumbnails, a verdict by a key or a button."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app import cards, listing, marks, objects, panels, state
from app.components.gallery_view import draw_gallery
from app.listing import Made
from app.words import percent
from sky_ssl.explore import review
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.labels import Origin
from sky_ssl.explore.tasks import load_tasks, save_task

_SHOWN = "vetting shown"  # which list and filter, and the places that it left when it was chosen
MOST_SHOWN = 600


def write(data: DataSet, made: Made, rows: list[int], verdict: str | None) -> None:
    """Keep a verdict on objects; None takes it back."""
    task, e = review.vetting_task(made.rule.name), data.embeddings
    place = state.workspace().tasks
    known = load_tasks(place)
    if task.name not in [t.name for t in known]:
        for one in [*known, task]:
            save_task(place, one)
    origin = Origin(
        state.now().labeller,
        source="review",
        dataset=data.fingerprint,
        selection=made.rule.name,
        model=data.model,
    )
    ids = [str(e.id[row]) for row in rows]
    panels.ledger().label(
        ids, verdict, task=task.name, origin=origin, ra=e.ra[rows], dec=e.dec[rows]
    )


def progress(data: DataSet, made: Made) -> None:
    """Say how far the vetting is, and let the user choose what is shown."""
    said = listing.verdicts(data, made)
    count = review.tally(said)
    left, right = st.columns([3, 2], vertical_alignment="center")
    left.progress(count.vetted / count.of if count.of else 0.0, count.words())
    with right:
        st.segmented_control(
            "Show",
            review.FILTERS,
            default="all",
            required=True,
            key="vetting filter",
            label_visibility="collapsed",
        )


def places(data: DataSet, made: Made) -> npt.NDArray[np.int64]:
    """Give the places of the list that the filter leaves.

    What was vetted since the filter was chosen stays, so that nothing moves under the cursor.
    """
    which = str(st.session_state.get("vetting filter") or "all")
    key = (id(made), which)
    known = st.session_state.get(_SHOWN)
    if known is None or known[0] != key:
        known = (key, review.passing(listing.verdicts(data, made), which))
        st.session_state[_SHOWN] = known
    shown: npt.NDArray[np.int64] = known[1]
    return shown


def gallery(path: Path, data: DataSet, made: Made, *, height: int) -> None:
    """Show the list, to be vetted by single keys; the verdicts of others come in."""
    marks.say()
    task, said = review.vetting_task(made.rule.name), listing.verdicts(data, made)
    frame, rows = made.found.frame, made.found.rows
    by = "probability" if "probability" in frame else "score"
    values = frame[by].to_numpy()
    form = "{:.0%}" if by == "probability" else "{:.3f}"
    which = places(data, made)
    items = [
        {
            "row": int(rows[i]),
            "name": f"{i + 1} {frame['id'].iat[i]}",
            "text": percent(float(values[i])) if by == "probability" else form.format(values[i]),
            "label": str(said[i]),
            "colour": task.colours.get(str(said[i]), "#9ca3af"),
        }
        for i in which[:MOST_SHOWN]
    ]

    def vet(event: dict[str, Any]) -> None:
        chosen = rows[which].tolist() if event.get("all") else cards.rows_of(event, len(data))
        name = str(event["label"])
        write(data, made, chosen, None if name == "clear" else name)

    draw_gallery(
        items,
        about=objects.address(path),
        task=task,
        key="vetting",
        height=height,
        empty=_empty(str(st.session_state.get("vetting filter")), len(rows)),
        total=len(which),
        on={"label": vet, **cards.looks(data), "undo": lambda _: marks.take_back(),
            "redo": lambda _: marks.restore()},
        say=marks.keep_word,
    )  # fmt: skip
    if len(which) > MOST_SHOWN:
        st.caption(f"The first {MOST_SHOWN} of {len(which):,} are shown; the table has all.")


def _empty(which: str, listed: int) -> str:
    if not listed:
        return "The list is empty: see the notes below."
    if which == "accepted":
        return "None is accepted yet: press 1 on a good one."
    return "All are vetted."


def buttons(data: DataSet, made: Made) -> None:
    """Offer the verdicts on the object in the inspector; a verdict goes on to the next."""
    rows = made.found.rows
    row = data.row_of.get(state.now().object, -1)
    place = np.flatnonzero(rows == row)
    if not place.size:
        st.caption("Click a candidate to look at it. Keys 1 accept, 2 reject, 3 unsure.")
        return
    at, said = int(place[0]), listing.verdicts(data, made)

    def decide(verdict: str) -> None:
        write(data, made, [row], None if said[at] == verdict else verdict)
        following = review.next_unvetted(listing.verdicts(data, made), at)
        if following is not None and said[at] != verdict:
            state.look_at(str(data.embeddings.id[rows[following]]), fly=True)

    st.caption(f"Candidate {at + 1} of {len(rows)}")
    columns = st.columns(len(review.VERDICTS))
    for column, kind in zip(columns, review.VERDICTS, strict=True):
        column.button(
            kind.name,
            key=f"verdict {kind.name}",
            type="primary" if said[at] == kind.name else "secondary",
            on_click=decide,
            args=(kind.name,),
            use_container_width=True,
        )
