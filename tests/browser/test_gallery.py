"""The gallery under the hand: what is pressed is what the next key labels."""

from collections.abc import Callable
from typing import Any

import pytest

from sky_ssl.explore.labels import Ledger
from sky_ssl.workspace import Workspace


@pytest.fixture
def written(until: Callable, survey: Workspace) -> Callable[[int], list[tuple[str, str]]]:
    """Wait for so many labels; give objects and labels in order."""

    def read(count: int) -> list[tuple[str, str]]:
        ledger = Ledger(survey.labels)
        until(lambda: len(ledger.history()) >= count, "all are written")
        history = ledger.history()
        ledger.close()
        return list(zip(history["object_id"], history["label"], strict=True))

    return read


@pytest.fixture
def chosen(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace
) -> tuple[Any, list[str]]:
    """Open the map with all objects in the gallery; give the hand and their ids."""
    me = hand(visit(f"{serve(survey.root, labeller='ann').address}/map"))
    return me, me.lasso(0, 1)


def test_a_mouse_chooses_as_it_goes_down(chosen: tuple[Any, list[str]], written: Callable) -> None:
    """On a busy server cards are drawn anew before it comes up: the key still labels that one."""
    me, ids = chosen
    me.cards.nth(3).scroll_into_view_if_needed()
    me.cards.nth(3).hover()
    me.page.mouse.down()
    me.press("1")
    me.page.mouse.up()
    me.cards.nth(5).click(modifiers=["Control"])
    me.cards.nth(7).click(modifiers=["Control"])  # chosen besides: each once by a click
    me.press("2")
    me.rest()
    me.cards.nth(8).evaluate("card => card.click()")  # of no mouse
    me.press("3")
    said = written(4)
    assert said[0] == (ids[3], "dwarf")
    assert {(ids[5], "other"), (ids[7], "other")} <= set(said[1:-1])
    assert said[-1] == (ids[8], "unsure")


def test_keys_wait_for_a_gallery_that_is_taken_away_for_a_moment(
    chosen: tuple[Any, list[str]], written: Callable
) -> None:
    """They are not the map's, which would label the object in the inspector once more."""
    me, ids = chosen
    me.cards.nth(3).click()
    me.rest()
    me.press("1")
    me.gallery.evaluate(
        "root => { window.gone = [root, root.parentNode]; root.focus(); root.remove(); }"
    )
    me.page.keyboard.press("2")
    me.page.evaluate("() => { const [root, at] = window.gone; at.append(root); root.focus(); }")
    me.press("3")
    said = written(3)
    assert said == [(ids[3], "dwarf"), (ids[4], "other"), (ids[5], "unsure")]
