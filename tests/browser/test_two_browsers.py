"""Two people who label one workspace at the same time."""

import os
import time
from collections.abc import Callable

import pytest

from sky_ssl.explore.labels import Ledger
from sky_ssl.workspace import Workspace

SECONDS = float(os.environ.get("SKY_SSL_TWO_BROWSERS", "10"))  # how long; 60 to be thorough
LABELS = {"1": "dwarf", "2": "other", "3": "unsure"}
WITHIN = 20.0  # seconds in which both must have seen everything, on a machine that is busy


class Labeller:
    """Somebody who goes through a part of the gallery, again and again, with another label."""

    def __init__(self, me: object, cards: list[int], name: str) -> None:
        self.me, self.cards, self.name = me, cards, name
        self.ids = me.shown()
        self.said: list[tuple[str, str]] = []

    def label_one(self) -> None:
        """Label the next object by a key, and see the label on its card."""
        round_, place = divmod(len(self.said), len(self.cards))
        key = list(LABELS)[round_ % len(LABELS)]
        card = self.cards[place]
        if place == 0:
            self.me.cards.nth(card).click()
        self.me.press(key)
        self.said.append((self.ids[card], LABELS[key]))


@pytest.mark.parametrize("servers", [1, 2])
def test_nothing_is_lost_and_both_see_all(
    serve: Callable, visit: Callable, hand: Callable, until: Callable, survey: Workspace,
    servers: int,
) -> None:  # fmt: skip
    """Two browsers on one server, or each on a server of its own; both on one ledger."""
    names = ["ann", "bob"][:servers]
    addresses = [serve(survey.root, labeller=name).address for name in names]
    people = []
    for n in (0, 1):
        me = hand(visit(f"{addresses[n % servers]}/map"))
        half = len(me.lasso(0, 1)) // 2
        people.append(Labeller(me, list(range(n * half, (n + 1) * half)), names[n % servers]))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for person in people:
            person.label_one()
    written = Ledger(survey.labels)
    until(lambda: len(written.history()) >= sum(len(p.said) for p in people), "all is written")
    events = written.history()
    written.close()
    for name in names:
        found = events[events["labeller"] == name]
        said = [p.said for p in people if p.name == name]
        for one in said:
            of_one = found[found["object_id"].isin([i for i, _ in one])]
            assert list(zip(of_one["object_id"], of_one["label"], strict=True)) == one
        assert len(found) == sum(map(len, said))
    last = {i: label for p in people for i, label in p.said}
    for person in people:
        until(lambda p=person: p.me.labels() == last, "everybody sees every label", WITHIN)
