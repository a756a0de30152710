"""The dashboard in a real browser: how long one waits for what, at 12,000 to a million objects.

    python benchmarks/dashboard.py [--rows 12000 200000 1000000] [--dimensions 512] [--repeats 5]
        [--folder DIR] [--json FILE]

Each size gets a made-up workspace (see bigsky.py; kept in --folder, where it is found again). Its
map is a UMAP up to --umap objects (default 12,000, as in the demo), beyond that positions that the
workspace brings along. All times are from what the user does to what the user sees, in seconds:

first map       from the start of the server's process to the drawn map
second map      the same page in a new session of the running server
to PAGE         from the click on its name until it is drawn and nothing runs
hover           from the pointer resting on an object to its picture
inspector       from the click on an object to its name and picture beside the map
lasso           from letting go of the mouse to the first picture of the gallery
label           from the key to the map redrawn with the refitted probability of every object
undo            from Ctrl-z to the same

One needs Chromium, and two idle cores: both the server and the browser work.
"""

import argparse
import json
import platform
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bigsky import build
from browser import Server, chromium, open_page, serve, settle
from playwright.sync_api import Browser, Page

from sky_ssl.errors import InputError
from sky_ssl.workspace import Workspace

# seconds from an event of the user, by the clock of the page
_ARM = """(kind) => { sky.t0 = null;
  performance.clearResourceTimings();  // a full list takes no more
  addEventListener(kind, () => { sky.t0 = performance.now(); }, { capture: true, once: true }); }"""
_UNTIL = "async (test) => (await sky.until(eval(test), 600)) - sky.t0"
_WATCH = """() => { sky.draws = [];
  const map = sky.all('.map')[0];
  if (sky.watcher) sky.watcher.disconnect();
  sky.watcher = new MutationObserver(() => sky.draws.push(performance.now()));
  sky.watcher.observe(map, { attributes: true, attributeFilter: ['data-drawn'] }); }"""
_DRAWN = "() => sky.all('.map[data-drawn]').length > 0"
# bytes that came since the event, and a map drawn after them
_REDRAWN = """() => { const came = performance.getEntriesByType('resource')
    .filter((r) => r.startTime > sky.t0 && r.name.includes('/sky/bytes/'));
  return came.length && sky.draws.some((t) => t > Math.max(...came.map((r) => r.responseEnd))); }"""
_FIRST_CARD = """() => { const picture = sky.all('.gallery .card img')[0];
  return picture && picture.complete && picture.naturalWidth > 0; }"""
PAGES = {
    "search": "Add an object by id",
    "probe": "objects pass",
    "candidates": "candidates of",
    "redshift": "Predict",
    "reconstructions": "No trained model in this workspace",
    "training": "No runs in this workspace yet",
    "data": "files and runs",
    "home": "Look at a survey",
    "map": "",
}


def main() -> int:
    """Measure, print the table, write JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[12_000, 200_000, 1_000_000])
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--umap", type=int, default=12_000, help="make a UMAP up to so many")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the workspaces here")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    found: dict[int, dict[str, float]] = {}
    try:
        if min(args.rows) < 1000 or args.repeats < 1:
            raise InputError("--rows: 1,000 or more; --repeats: 1 or more")
        with tempfile.TemporaryDirectory(prefix="sky-") as temporary:
            for rows in args.rows:
                place = Workspace((args.folder or Path(temporary)).resolve() / f"sky-{rows}")
                build(place, rows, args.dimensions, umap=rows <= args.umap, say=_say(rows))
                with chromium() as browser, serve(place.root) as server:
                    found[rows] = measure(browser, server, args.repeats)
                show({rows: found[rows]})
    except InputError as error:
        print(f"dashboard.py: {error}", file=sys.stderr)
        return 2
    if len(found) > 1:
        show(found)
    if args.json:
        machine = {"python": platform.python_version(), "processor": platform.processor()}
        result: dict[str, Any] = {"dimensions": args.dimensions, "repeats": args.repeats}
        result |= {**machine, "seconds": {str(n): f for n, f in found.items()}}
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _say(rows: int) -> Any:
    return lambda words: print(f"{rows:,} objects: making {words}", file=sys.stderr, flush=True)


def show(found: dict[int, dict[str, float]]) -> None:
    """Print figures (by rows, by name) as a table."""
    print(f"\n{'seconds':28}" + "".join(f"{rows:>12,}" for rows in found))
    for name in next(iter(found.values())):
        values = "".join(f"{figures.get(name, float('nan')):12.2f}" for figures in found.values())
        print(f"{name:28}{values}", flush=True)


def measure(browser: Browser, server: Server, repeats: int) -> dict[str, float]:
    """Do what a user does, and take the times: the median of a few, and the worst."""
    import time

    page = open_page(browser, server.address, path="/map")
    page.evaluate("async (test) => sky.until(eval(test), 600)", _DRAWN)
    found = {"first map": time.perf_counter() - server.started}
    settle(page, seconds=600)
    other = open_page(browser, server.address, path="/map")
    found["second map"] = other.evaluate("async (t) => sky.until(eval(t), 600)", _DRAWN) / 1000
    other.close()
    found |= summed("inspector", [inspect(page, number) for number in range(repeats)])
    found |= summed("lasso", [lasso(page, number) for number in range(repeats)])
    colour_by_probability(page)
    labels = [press(page, "1", number) for number in range(repeats)]
    found |= summed("label", labels)
    found |= summed("undo", [press(page, "Control+z", number) for number in range(repeats)])
    found |= switches(page, repeats)
    found["server memory, GB"] = memory(server.process)
    return found


def summed(name: str, seconds: list[float]) -> dict[str, float]:
    """Give the first of some times, which finds nothing prepared, and the median of the others."""
    print(f"{name}: {' '.join(f'{s:.2f}' for s in seconds)} s", file=sys.stderr, flush=True)
    rest = seconds[1:] or seconds
    return {f"{name}, first": seconds[0], f"{name}, median": statistics.median(rest)}


def timed(page: Page, event: str, act: Any, test: str) -> float:
    """Do something, and give the seconds from its event until a test of the page holds."""
    page.evaluate(_ARM, event)
    act()
    return float(page.evaluate(_UNTIL, test)) / 1000


def place_of_point(page: Page, number: int) -> tuple[float, float]:
    """Find a place of the screen where the pointer rests on an object."""
    box = page.locator(".map .over").first.bounding_box()
    assert box is not None
    for step in range(400):
        # a spiral around another centre each time
        turn, reach = 2.4 * step, 6.0 * step**0.5
        x = box["width"] * (0.42 + 0.04 * number) + reach * _cos(turn)
        y = box["height"] * 0.5 + reach * _cos(turn + 1.5708)
        page.mouse.move(box["x"] + x, box["y"] + y)
        cursor = page.locator(".map .over").first.evaluate("(o) => o.style.cursor")
        if cursor == "pointer":
            return box["x"] + x, box["y"] + y
    raise InputError("the map: no object under the pointer near its middle")


def _cos(angle: float) -> float:
    from math import cos

    return cos(angle)


def inspect(page: Page, number: int) -> float:
    """Click an object; its name and pictures appear beside the map."""
    x, y = place_of_point(page, number)
    page.wait_for_timeout(300)
    row = page.evaluate("() => sky.all('.map .tip img')[0].src.match(/(\\d+)\\.jpg/)?.[1]")
    name = f"SKY {int(row):07d}"
    seen = f"() => sky.all('.closeup').some((picture) => picture.dataset.drawn === '{name}')"
    return timed(page, "pointerdown", lambda: page.mouse.click(x, y), seen)


def lasso(page: Page, number: int) -> float:
    """Draw a lasso around the middle; its objects appear in the gallery."""
    drop = page.get_by_role("button", name="Drop", exact=True)
    if drop.count():  # nothing of the gallery before must count
        drop.click()
        drop.wait_for(state="detached", timeout=600_000)
        settle(page, quiet=0.3, seconds=600)
    box = page.locator(".map .over").first.bounding_box()
    assert box is not None
    page.locator(".map").first.evaluate("(map) => map.focus()")
    page.keyboard.press("l")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reach = (0.3 + 0.02 * number) * box["height"]
    corners = [(x + reach * _cos(0.4 * k), y + reach * _cos(0.4 * k + 1.5708)) for k in range(16)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    seconds = timed(page, "pointerup", page.mouse.up, _FIRST_CARD)
    page.keyboard.press("v")
    settle(page, quiet=0.3, seconds=600)
    return seconds


def colour_by_probability(page: Page) -> None:
    """Colour the map by what the probe says."""
    box = page.get_by_role("combobox", name=re.compile("Colour")).first
    box.click()
    box.fill("probability")
    page.get_by_role("option", name="probe probability", exact=True).first.click()
    settle(page, seconds=600)
    page.evaluate(_WATCH)


def press(page: Page, key: str, number: int) -> float:
    """Press a key in the gallery that changes a label; the map follows."""
    page.locator(".gallery").first.evaluate("(gallery) => gallery.focus({preventScroll: true})")
    seconds = timed(page, "keydown", lambda: page.keyboard.press(key), _REDRAWN)
    settle(page, quiet=0.3, seconds=600)
    return seconds


def switches(page: Page, repeats: int) -> dict[str, float]:
    """Go from page to page; the first time and, later, with everything warm."""
    times: dict[str, list[float]] = {name: [] for name in PAGES}
    for _ in range(max(2, repeats // 2)):
        for name, words in PAGES.items():
            link = page.get_by_role("link", name=name.capitalize(), exact=True).first
            where = "/" if name == "home" else f"/{name}"
            test = f"() => location.pathname === '{where}' && sky.idle()"
            if name == "map":
                test = f"{test} && ({_DRAWN})()"
            elif words:
                test = f"{test} && document.body.textContent.includes('{words}')"
            times[name].append(timed(page, "pointerdown", link.click, test))
            settle(page, quiet=0.3, seconds=600)
    found: dict[str, float] = {}
    for name, seconds in times.items():
        found |= summed(f"to {name}", seconds)
    return found


def memory(process: int) -> float:
    """Give the most memory that a process held, in GB; NaN where this cannot be asked."""
    try:
        text = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return float("nan")
    most = re.search(r"VmHWM:\s+(\d+) kB", text)
    return int(most.group(1)) / 1e6 if most else float("nan")


if __name__ == "__main__":
    sys.exit(main())
