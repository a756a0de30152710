"""An address that is sent to a colleague shows the same."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from sky_ssl.workspace import Workspace


def test_a_link_shows_the_same_map_object_and_selection(
    serve: Callable, visit: Callable, hand: Callable, until: Callable, survey: Workspace
) -> None:
    """The address of one browser, opened in another that was never there."""
    here = hand(visit(f"{serve(survey.root).address}/map"))
    chosen = here.lasso(0, 0.5)
    here.cards.nth(1).click()
    here.says(f"^{re.escape(chosen[1])}$")
    until(lambda: chosen[1] in here.address and "selection=" in here.address, "the address")
    there = hand(visit(here.address))
    there.map()
    there.says(f"^{re.escape(chosen[1])}$")
    expect(there.cards).to_have_count(len(chosen))
    assert there.shown() == chosen
    assert here.choices() == there.choices()
    assert len(there.choices()) >= 3  # map, colour, task


def test_a_link_with_names_that_are_gone_opens_all_the_same(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace
) -> None:
    """What is not there, or was never a name of ours, is passed over."""
    bad = "data=../../etc/passwd&map=..%2f..%2fx.h5&object=nobody&selection=../../x&task=none"
    address = serve(survey.root).address
    for page in ("map", "search", "candidates", "probe"):
        me = hand(visit(f"{address}/{page}?{bad}"))
        me.says("300 objects")
        me.rest()
