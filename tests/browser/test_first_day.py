"""A first day with the dashboard, from an empty folder to a list on another machine."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from playwright.sync_api import Page, expect

from sky_ssl.embedding.store import open_embeddings
from sky_ssl.explore.labels import Ledger
from sky_ssl.workspace import Workspace

OBJECTS = 400
VERDICTS = ["accept", "accept", "reject", "accept", "unsure"]
VETTED = r"5 of \d+ vetted, 3 accepted, 1 rejected, 1 unsure"
KEYS = {"accept": "1", "reject": "2", "unsure": "3"}


def test_a_first_day(serve: Callable, visit: Callable, hand: Callable, until: Callable,
                     tmp_path: Path) -> None:  # fmt: skip
    """Build, look, label, probe, search, vet, take away; then reload, and kill the server."""
    workspace = Workspace(tmp_path / "workspace")
    server = serve(workspace.root)
    page = visit(server.address)
    me = hand(page)
    first_run(page, me)
    known = label_on_the_map(me, workspace, until)
    known = refit(me, known, until)
    search(page, me, [name for name, label in known.items() if label == "dwarf"][:2], until)
    vet(page, me)
    take_away(me, workspace, tmp_path / "list.vot", known)
    chosen = look_at_one(me, until)
    page.reload()
    everything_is_there(page, me, known, chosen)
    server.kill()
    serve(workspace.root, port=server.port)
    page.reload()
    everything_is_there(page, me, known, chosen)
    assert labels(workspace) == known


def first_run(page: Page, me: Callable) -> None:
    """Build a small demo by the button of Home; how far it is can be seen."""
    page.get_by_role("spinbutton", name="Cutouts").fill(str(OBJECTS))
    page.get_by_role("spinbutton", name="Training steps").fill("30")
    page.get_by_role("spinbutton", name="Training steps").press("Enter")
    page.get_by_role("button", name="Build the demo").click()
    progress = page.locator('[data-testid="stProgress"]')
    expect(progress).to_contain_text("demo:")
    # the later stages can be over between two looks at them
    expect(progress).to_contain_text(re.compile(r"demo: .*train.* \d+%"), timeout=240_000)
    expect(page.get_by_role("button", name="Stop").last).to_be_visible()
    expect(page.get_by_text(f"{OBJECTS} objects")).to_be_visible(timeout=240_000)
    expect(page.get_by_text("mock sky: simulated, not observed")).to_be_visible()


def labels(workspace: Workspace) -> dict[str, str]:
    """Read the labels of the task from the ledger."""
    ledger = Ledger(workspace.labels)
    found = ledger.current(task="dwarf")
    ledger.close()
    return dict(zip(found["object_id"], found["label"], strict=True))


def label_on_the_map(me: Callable, workspace: Workspace, until: Callable) -> dict[str, str]:
    """Draw round one end of the map and the other; label all that is inside."""
    me.turn_to("Map")
    known: dict[str, str] = {}

    def label(left: float, right: float, key: str, name: str) -> None:
        inside = me.lasso(left, right)
        assert 0 < len(inside) < OBJECTS / 2
        me.press("Control+a", key)
        known.update(dict.fromkeys(inside, name))
        until(lambda: labels(workspace) == known, f"{len(known)} labels are in the ledger")
        assert me.labels() == dict.fromkeys(inside, name)

    label(0, 0.2, "1", "dwarf")
    label(0.8, 1, "2", "other")
    return known


def refit(me: Callable, known: dict[str, str], until: Callable) -> dict[str, str]:
    """Label one more; the probe and the probabilities of all others follow."""
    me.turn_to("Probe")
    count = list(known.values()).count("dwarf")
    me.says(rf"dwarf {count}\b.*refitted and {OBJECTS} scored")
    me.page.get_by_role("button", name="Fetch").click()
    until(lambda: me.shown() and not set(me.shown()) & set(known), "something new to label")
    me.rest()
    name, before = me.shown()[0], me.figures()
    me.press("1")
    me.says(rf"dwarf {count + 1}\b.*refitted and {OBJECTS} scored")
    until(lambda: me.figures() != before, "the probabilities are new")
    return {**known, name: "dwarf"}


def search(page: Page, me: Callable, exemplars: list[str], until: Callable) -> None:
    """Find what is like two labelled objects."""
    me.turn_to("Search")
    field = page.get_by_label("Add an object by id, or the nearest to a position")
    for n, name in enumerate(exemplars, start=1):
        field.fill(name)
        field.press("Enter")
        expect(page.locator(".exemplars .item")).to_have_count(n)
        expect(field).to_have_value("")
    me.says("25 objects most like 2 exemplars")
    expect(me.cards).to_have_count(25)
    until(lambda: not set(me.shown()) & set(exemplars), "the exemplars are not among the results")


def vet(page: Page, me: Callable) -> None:
    """Judge the first five of the list of the probe by keys."""
    me.turn_to("Candidates")
    me.says("0 of [0-9]+ vetted")
    me.press(*(KEYS[verdict] for verdict in VERDICTS))
    expect(page.get_by_text(re.compile(VETTED))).to_be_visible()


def take_away(me: Callable, workspace: Workspace, file: Path, known: dict[str, str]) -> None:
    """Download the list as a VOTable and read it as astronomers do."""
    page = me.page
    page.get_by_role("tab", name="Files").click()
    me.rest()
    with page.expect_download() as download:
        page.get_by_role("button", name="VOTable").click()
    download.value.save_as(file)
    table = Table.read(file, format="votable")
    e = open_embeddings(workspace.embeddings / "mock.h5")
    row_of = {str(name): row for row, name in enumerate(e.id)}
    names = [str(name) for name in table["id"]]
    assert len(names) >= 5
    assert set(names) <= set(row_of) - set(known)
    assert (table["ra"].unit, table["dec"].unit) == (u.deg, u.deg)
    assert table["half_light_radius"].unit == u.arcsec
    assert table["mag_r"].unit == u.mag
    rows = [row_of[name] for name in names]
    there = SkyCoord(e.ra[rows], e.dec[rows], unit="deg")
    here = SkyCoord(table["ra"].quantity, table["dec"].quantity)
    assert there.separation(here).max() < 1e-3 * u.arcsec
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    assert [str(verdict) for verdict in table["verdict"][:5]] == VERDICTS


def look_at_one(me: Callable, until: Callable) -> list[str]:
    """Choose a region of the map, and one object of it."""
    me.turn_to("Map")
    chosen: list[str] = me.lasso(0.3, 0.6)
    me.cards.nth(2).click()
    me.says(f"^{chosen[2]}$")
    until(lambda: {"object", "selection"} <= set(address(me)), "the address names both")
    return chosen


def address(me: Callable) -> dict[str, str]:
    """Read what the address carries."""
    return {name: value[0] for name, value in parse_qs(urlsplit(me.address).query).items()}


def everything_is_there(page: Page, me: Callable, known: dict[str, str], chosen: list[str]) -> None:
    """The page, the object, the selection, the labels, the verdicts: all as it was left."""
    assert urlsplit(me.address).path == "/map"
    me.map()
    me.says(f"^{chosen[2]}$")
    expect(me.cards).to_have_count(len(chosen))
    assert me.shown() == chosen
    me.turn_to("Probe")
    count = list(known.values()).count("dwarf")
    me.says(rf"dwarf {count}\b.*refitted and {OBJECTS} scored")
    me.turn_to("Candidates")
    expect(page.get_by_text(re.compile(VETTED))).to_be_visible()
    me.turn_to("Map")
