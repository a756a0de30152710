"""A server of the dashboard, a browser on it, and what one does there with mouse and keys."""

import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from sky_ssl.explore.labels import LABELLER
from sky_ssl.jobs import list_jobs, state_of, stop_job
from sky_ssl.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE = 120.0  # seconds that a state may be waited for; a busy machine is slow


def until(true: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait until something holds, looking again and again."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"waited {seconds:.0f} s in vain: {what}"
        time.sleep(0.05)


@dataclass
class Server:
    """A dashboard that runs, as `streamlit run app/Home.py` starts it."""

    workspace: Workspace
    port: int
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        return f"http://localhost:{self.port}"

    @property
    def is_up(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5) as answer:
                return bool(answer.read() == b"ok")
        except OSError:
            return False

    def kill(self) -> None:
        """End it at once: it gets no chance to write anything."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start the dashboard on a workspace, on a free port or a given one; it ends with the test."""
    started: list[Server] = []

    def start(root: Path, *options: str, labeller: str = "ann", port: int = 0) -> Server:
        port = port or free_port()
        command = [sys.executable, "-m", "streamlit", "run", "app/Home.py", "--server.port",
                   str(port), "--server.address", "localhost", "--server.headless", "true",
                   "--server.fileWatcherType", "none",
                   *options, "--", "--workspace", str(root)]  # fmt: skip
        log = tmp_path / f"server-{len(started)}.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=out, stderr=out, env={**os.environ, LABELLER: labeller}
            )
        server = Server(Workspace(root), port, process)
        started.append(server)
        until(lambda: server.is_up or process.poll() is not None, "the server answers", 90)
        assert process.poll() is None, log.read_text()
        return server

    yield start
    for server in started:
        for job in list_jobs(server.workspace.jobs):
            if state_of(job).status == "running":
                stop_job(job)
        server.kill()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Chromium, as Debian has it."""
    wanted = (os.environ.get("SKY_SSL_CHROMIUM", ""), *NAMES)
    found = next((path for name in wanted if name and (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("no Chromium for the browser tests: apt-get install chromium", pytrace=False)
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=found, args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open an address in a browser that was never there; scripts of pages must not fail."""
    expect.set_options(timeout=PATIENCE * 1000)
    failed: list[str] = []
    contexts = []

    def opened(address: str) -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(PATIENCE * 1000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(address)
        return page

    yield opened
    for n, context in enumerate(contexts):
        for page in context.pages:  # to look at when a test failed
            with contextlib.suppress(Exception):  # a page that hangs must not hide why
                page.screenshot(path=tmp_path / f"last-{n}.png", timeout=5000)
        context.close()
    assert not failed, failed


@pytest.fixture(scope="session")
def small_survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of 300 objects with a model of two steps, made once for all; read only."""
    # tests that run side by side have folders of their own within one
    together = tmp_path_factory.getbasetemp()
    together = together.parent if "PYTEST_XDIST_WORKER" in os.environ else together
    root = together / "small_survey"
    command = [sys.executable, "-m", "sky_ssl", "demo", "--workspace", str(root),
               "--n", "300", "--steps", "2"]  # fmt: skip
    with (together / "small_survey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "made").exists():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            (root / "made").touch()
    return root


@pytest.fixture
def survey(small_survey: Path, tmp_path: Path) -> Workspace:
    """A copy of the small survey, to write into."""
    shutil.copytree(small_survey, tmp_path / "survey")
    return Workspace(tmp_path / "survey")


class Hand:
    """What one does on a page with mouse and keys, and what one waits to see."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.gallery = page.locator(".gallery")
        self.cards = page.locator(".gallery .card")

    @property
    def address(self) -> str:
        """What stands in the address bar at this moment."""
        return str(self.page.evaluate("location.href"))

    def rest(self) -> None:
        """Wait until the page is drawn."""
        app = self.page.locator('[data-testid="stApp"]')
        expect(app).to_have_attribute("data-test-script-state", "notRunning")
        expect(self.page.locator('[data-testid="stException"]')).to_have_count(0)

    def turn_to(self, title: str) -> None:
        """Go to another page by its name at the top."""
        self.page.get_by_role("link", name=title, exact=True).click()
        until(lambda: f"/{title.lower()}" in self.address, f"the address is that of {title}")
        self.rest()

    def map(self) -> Locator:
        """Wait until the points are drawn; give the map."""
        found = self.page.locator(".map[data-drawn]").first
        expect(found).to_be_visible()
        return found

    def lasso(self, left: float, right: float) -> list[str]:
        """Draw round all points between two shares of the map's width; give the ids inside.

        The points fill a square in the middle, whatever the shape of the map.
        """
        self.map().locator("[data-do=lasso]").click()
        box = self.map().locator(".over").bounding_box()
        assert box is not None
        side = 0.96 * min(box["width"], box["height"])
        x0 = box["x"] + box["width"] / 2 - side / 2
        y0 = box["y"] + box["height"] / 2 - side / 2
        # begun at half height, where neither tools nor legend are in the way
        ends = [(left, 0.5), (left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0), (left, 0.6)]
        corners = [(x0 + x * side, y0 + y * side) for x, y in ends]
        before = self.shown()
        self.page.mouse.move(*corners[0])
        self.page.mouse.down()
        for corner in corners[1:]:
            self.page.mouse.move(*corner, steps=8)
        self.page.mouse.up()
        until(lambda: self.shown() not in ([], before), "the gallery shows what was drawn round")
        self.rest()
        return self.shown()

    def shown(self) -> list[str]:
        """Give the ids of the gallery, in order."""
        titles = self.cards.evaluate_all("cards => cards.map((card) => card.title)")
        return [str(title).split(": ")[0] for title in titles]

    def labels(self) -> dict[str, str]:
        """Give the labels of the gallery by id, as its cards say them."""
        titles = self.cards.evaluate_all("cards => cards.map((card) => card.title)")
        return dict(str(title).split(": ") for title in titles if ": " in str(title))

    def figures(self) -> list[str]:
        """Give the numbers on the cards of the gallery."""
        return self.page.locator(".gallery .card footer b").all_text_contents()

    def choices(self) -> list[str]:
        """Give what is chosen in the lists of the page."""
        return self.page.locator('[data-testid="stSelectbox"] input').evaluate_all(
            "inputs => inputs.map((input) => input.value)"
        )

    def press(self, *keys: str) -> None:
        """Press keys with the gallery in focus."""
        for key in keys:
            self.gallery.press(key)

    def says(self, pattern: str) -> Locator:
        """Wait for a paragraph with words that a regular expression matches."""
        paragraphs = self.page.locator("p, code, [role=alert]")
        found = paragraphs.filter(has_text=re.compile(pattern)).first
        expect(found).to_be_visible()
        return found


@pytest.fixture
def hand() -> type[Hand]:
    """Take a page in hand."""
    return Hand


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., None]:
    """Wait until something holds."""
    return until
