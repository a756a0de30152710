"""Names and notes with HTML, scripts and Markdown in them are text wherever they are shown."""

import csv
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import h5py
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from sky_ssl.explore.dataset import open_dataset
from sky_ssl.explore.labels import Ledger, Origin
from sky_ssl.explore.tasks import LabelKind, Task, save_task
from sky_ssl.workspace import Workspace

IMAGE = '<img src=x onerror="window.ran=1">'
SCRIPT = "</script><script>window.ran=2</script>"
MARKS = "`code` **bold** [a](javascript:window.ran=3) $x^2$ :red[red] ![b](http://x/y.png)"
IDS = (f"{IMAGE} a", f"{SCRIPT} b", f"{MARKS} c")
CLASS, REMARK = f"{IMAGE} class", f"{SCRIPT} remark"
TASK, LABEL, OTHER = f"{IMAGE} task", f"{IMAGE} label", f"{MARKS} other"
NAME = "<img src=x onerror=window.ran=4>"  # of a file: no slash


def rename(path: Path, **texts: np.ndarray) -> None:
    """Put other text into columns of an HDF5 file."""
    with h5py.File(path, "r+") as file:
        for name, values in texts.items():
            if name in file:
                del file[name]
            file.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())


@pytest.fixture
def hostile(survey: Workspace) -> Workspace:
    """The small survey with such text in every place that text can come from."""
    cutouts = survey.cutouts / f"{NAME}.h5"
    (survey.cutouts / "mock.h5").rename(cutouts)
    with h5py.File(cutouts) as file:
        ids, kinds = file["id"].asstr()[:].astype(object), file["class"].asstr()[:].astype(object)
    ids[:3] = IDS
    kinds[::2] = CLASS
    rename(cutouts, id=ids, remark=np.full(len(ids), REMARK, dtype=object))
    rename(cutouts, **{"class": kinds})
    for folder in (survey.embeddings, survey.maps):
        (folder / "mock.h5").rename(folder / f"{NAME}.h5")
        rename(folder / f"{NAME}.h5", id=ids)
    with h5py.File(survey.embeddings / f"{NAME}.h5", "r+") as file:
        file.attrs["cutouts"] = str(cutouts)
    (survey.cutouts / f"broken {NAME}.h5").write_bytes(b"no HDF5")
    labels = (LabelKind(LABEL, "#009e73"), LabelKind(OTHER, "#d55e00"))
    save_task(survey.tasks, Task(TASK, labels))
    ledger = Ledger(survey.labels)
    fingerprint = open_dataset(survey.embeddings / f"{NAME}.h5").fingerprint
    who = Origin(f"{IMAGE} me", "import", fingerprint, selection=f"{IMAGE} drawn")
    ledger.label([str(i) for i in ids[:20]], LABEL, task=TASK, origin=who, notes=f"{IMAGE} note")
    ledger.label([str(i) for i in ids[20:40]], OTHER, task=TASK, origin=who)
    ledger.close()
    return survey


def nothing_ran(page: Page) -> None:
    """No script of the text was run, no picture of it was made, no link of it is there."""
    assert page.evaluate("window.ran") is None
    bad = "img[src='x'], img[src='http://x/y.png'], [onerror], a[href^='javascript']"
    expect(page.locator(bad)).to_have_count(0)
    expect(page.locator('[data-testid="stException"]')).to_have_count(0)


def shows(page: Page, text: str) -> Locator:
    """Expect text to be seen, letter by letter."""
    found = page.get_by_text(text).filter(visible=True).first
    expect(found).to_be_visible()
    return found


def in_table(page: Page, text: str) -> None:
    """Expect text in a cell of a table; tables are drawn, their cells are for screen readers."""
    expect(page.locator('[role="gridcell"]').filter(has_text=text).first).to_be_attached()


def test_on_the_map_and_in_the_gallery(
    serve: Callable, visit: Callable, hand: Callable, hostile: Workspace
) -> None:
    """Legend, inspector, cards, keys, and the words beside a point."""
    address = serve(hostile.root).address
    for name in IDS:
        page = visit(f"{address}/map?colour=class&task={quote(TASK)}&object={quote(name)}")
        me = hand(page)
        me.map()
        shows(page, name)
        shows(page, CLASS)
        shows(page, LABEL)
        shows(page, OTHER)
        in_table(page, REMARK)
        nothing_ran(page)
    inside = me.lasso(0, 1)
    assert set(IDS) <= set(inside)
    shows(page, LABEL)
    me.cards.nth(inside.index(IDS[0])).click()
    box = me.map().bounding_box()
    tip = page.locator(".map .tip")
    for step in range(200):  # the map flies to the object meanwhile
        page.mouse.move(box["x"] + box["width"] / 2 + step % 2, box["y"] + box["height"] / 2)
        if tip.is_visible() and IDS[0] in tip.inner_text():
            break
    expect(tip).to_contain_text(IDS[0])
    expect(tip).to_contain_text(CLASS)
    nothing_ran(page)


def test_on_the_probe(serve: Callable, visit: Callable, hand: Callable, hostile: Workspace) -> None:
    """Labels counted, actions with their labellers, the names in charts, all labels."""
    page = visit(f"{serve(hostile.root).address}/probe?task={quote(TASK)}")
    me = hand(page)
    me.says("refitted")
    shows(page, f"{LABEL} 20")
    shows(page, f"{OTHER} 20")
    page.get_by_text("Who labelled what when").click()
    in_table(page, f"{IMAGE} me")
    in_table(page, LABEL)
    in_table(page, OTHER)
    nothing_ran(page)
    page.get_by_role("tab", name="How good it is").click()
    expect(page.get_by_text("Confusion at the threshold")).to_be_visible()
    nothing_ran(page)
    me.turn_to("Labels")
    shows(page, LABEL)
    nothing_ran(page)


def test_on_search_and_candidates(
    serve: Callable, visit: Callable, hand: Callable, hostile: Workspace, tmp_path: Path
) -> None:
    """Exemplars, commands, results, a list, a catalogue with its name and objects."""
    page = visit(f"{serve(hostile.root).address}/search")
    me = hand(page)
    field = page.get_by_label("Add an object by id, or the nearest to a position")
    field.fill(IDS[0])
    field.press("Enter")
    expect(page.locator(".exemplars .item")).to_contain_text(IDS[0])
    expect(me.cards).to_have_count(25)
    nothing_ran(page)
    page.get_by_role("button", name="Save as a rule").click()
    page.get_by_label("Name", exact=True).fill(f"{IMAGE} rule")
    page.get_by_label("Name", exact=True).press("Enter")
    page.get_by_role("button", name="Save", exact=True).click()
    shows(page, "saved as")
    me.turn_to("Candidates")
    me.says(" vetted")
    ra, dec = position(hostile, me.shown()[0].split(" ", 1)[1])
    catalogue = tmp_path / f"{NAME}.csv"
    with catalogue.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "ra", "dec"], [f"{IMAGE} known", ra, dec]])
    page.get_by_role("tab", name="Known objects").click()
    page.locator('input[type="file"]').set_input_files(catalogue)
    shows(page, "1 of ")
    in_table(page, f"{IMAGE} known")
    nothing_ran(page)


def position(workspace: Workspace, name: str) -> tuple[float, float]:
    """Give the position of an object, degrees."""
    with h5py.File(workspace.embeddings / f"{NAME}.h5") as file:
        row = list(file["id"].asstr()[:]).index(name)
        return float(file["ra"][row]), float(file["dec"][row])


def test_on_home_and_data(
    serve: Callable, visit: Callable, hand: Callable, hostile: Workspace
) -> None:
    """Names of files, and what is wrong with them."""
    address = serve(hostile.root).address
    page = visit(address)
    hand(page).says("300 objects")
    shows(page, NAME)
    nothing_ran(page)
    page = visit(f"{address}/data")
    shows(page, f"broken {NAME}.h5")
    in_table(page, NAME)
    nothing_ran(page)
