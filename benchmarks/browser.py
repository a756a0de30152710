"""The dashboard in a real browser, for scripts: its server on a workspace, Chromium opened on it.

    with serve(workspace) as server, chromium() as browser:
        page = open_page(browser, server.address, dark=True)

Chromium is that of the system, else the one that `playwright install chromium` brought.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from sky_ssl.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
WIDTH, HEIGHT = 1440, 900
_FLAGS = ["--no-sandbox", "--headless=new", "--disable-gpu", "--disable-background-networking"]
_PATIENCE = 120  # seconds that a server has to answer

# components draw in shadow roots, which querySelector does not look into
_HELP = """
window.sky = {
  all(selector, root = document) {
    const found = [...root.querySelectorAll(selector)];
    for (const host of root.querySelectorAll('*'))
      if (host.shadowRoot) found.push(...sky.all(selector, host.shadowRoot));
    return found;
  },
  idle() {
    const app = document.querySelector('[data-testid="stApp"]');
    return app && app.dataset.testScriptState === 'notRunning' &&
      !document.querySelector('[data-testid="stSpinner"], [data-testid="stSkeleton"]');
  },
  frame() { return new Promise((done) => requestAnimationFrame(done)); },
  async until(test, seconds) {
    const end = performance.now() + 1000 * seconds;
    while (!test()) {
      if (performance.now() > end) throw new Error(`after ${seconds} s still not: ${test}`);
      await sky.frame();
    }
    return performance.now();
  },
};
"""


@dataclass(frozen=True)
class Server:
    """A running dashboard."""

    address: str
    started: float  # time.perf_counter() when its process was started
    process: int  # id


@contextmanager
def serve(workspace: Path) -> Iterator[Server]:
    """Run the dashboard on a workspace, on a free port; stop it at the end.

    Raises:
        InputError: it does not answer; with what it printed last.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "app" / "Home.py")]
    command += ["--server.headless", "true", "--server.port", str(port)]
    command += ["--server.fileWatcherType", "none", "--", "--workspace", str(workspace)]
    with tempfile.TemporaryFile() as log:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        try:
            address = f"http://127.0.0.1:{port}"
            while not _answers(f"{address}/_stcore/health"):
                if process.poll() is not None or time.perf_counter() - started > _PATIENCE:
                    log.seek(0)
                    said = log.read().decode("utf-8", "replace").strip().splitlines()
                    raise InputError(f"the dashboard does not start: {' / '.join(said[-3:])}")
                time.sleep(0.02)
            yield Server(address, started, process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a window."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    found = next((path for name in names if (path := shutil.which(name))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, address: str, *, dark: bool = True, path: str = "/") -> Page:
    """Open a page of its own session, 1440 x 900."""
    page = browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light"
    )
    page.set_default_timeout(180_000)
    page.add_init_script(_HELP)
    theme = "Dark" if dark else "Light"
    page.add_init_script(f"""localStorage.setItem("sky_ssl theme", '"{theme}"')""")
    page.goto(address + path)
    return page


def settle(page: Page, *, quiet: float = 0.6, seconds: float = 90.0) -> None:
    """Wait until nothing runs, all pictures in sight are there, and that stays so for a while."""
    ready = """() => sky.idle() && sky.all('img').every((i) => i.complete || i.loading === 'lazy'
      && (i.getBoundingClientRect().top > innerHeight || i.getBoundingClientRect().bottom < 0))"""
    until, since = time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < until:
        if not page.evaluate(ready):
            since = time.monotonic()
        elif time.monotonic() - since > quiet:
            return
        page.wait_for_timeout(100)
    raise InputError(f"{page.url}: still at work after {seconds:g} s")
