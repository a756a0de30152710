"""Screenshots of every page of the dashboard, in both themes, on a mock sky.

    python docs/make_screenshots.py [--workspace DIR] [--out docs/screenshots] [--pages map probe]

DIR is a demo workspace (`sky-ssl demo --workspace DIR`); it is copied and stays as it is. The copy
gets labels from the truth of the mock, a rule, verdicts on its candidates, and a run that trains.
Each page is opened at 1440 x 900 and waited for; PNG files of more than 300 kB get fewer colours.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from browser import chromium, open_page, serve, settle  # noqa: E402

from sky_ssl.errors import InputError  # noqa: E402
from sky_ssl.explore.audit import draw_audit  # noqa: E402
from sky_ssl.explore.candidatelist import known_table  # noqa: E402
from sky_ssl.explore.candidates import ListOptions, find_candidates  # noqa: E402
from sky_ssl.explore.dataset import DataSet, open_dataset  # noqa: E402
from sky_ssl.explore.knownobjects import labels_of  # noqa: E402
from sky_ssl.explore.labelmatch import DataSet as Objects  # noqa: E402
from sky_ssl.explore.labels import LABELLER, Ledger, Origin  # noqa: E402
from sky_ssl.explore.liveprobe import Question, problem_of  # noqa: E402
from sky_ssl.explore.probemeasure import measure_probe, rule_of  # noqa: E402
from sky_ssl.explore.review import vetting_task  # noqa: E402
from sky_ssl.explore.rulefile import load_selection  # noqa: E402
from sky_ssl.explore.rulefolder import add_rule  # noqa: E402
from sky_ssl.explore.similarity import scores, token_count  # noqa: E402
from sky_ssl.explore.tasks import load_tasks, save_task  # noqa: E402
from sky_ssl.figures.printed.style import small_png  # noqa: E402
from sky_ssl.jobs import Job, start_job, stop_job  # noqa: E402
from sky_ssl.probes.prevalence import Prevalence  # noqa: E402
from sky_ssl.workspace import Workspace  # noqa: E402

TASK, RULE = "dwarf", "dwarfs"
_VETTED = 24
_PATIENCE = 900_000  # ms that figures and curves may take on a busy machine
_WHO = ("ada", "henrietta")
_ANY = "MOCK-0-000001"
_WITHOUT = """folder => {  // commands that are shown name no folder of this machine
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode())
    texts.currentNode.data = texts.currentNode.data.replaceAll(folder, "");
}"""


def main() -> int:
    """Make them all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=ROOT / "workspace")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--pages", nargs="+", choices=list(PAGES), default=list(PAGES))
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="sky-") as folder:
            place = copy_workspace(args.workspace, Path(folder) / "workspace")
            dwarf = furnish(place)
            args.out.mkdir(parents=True, exist_ok=True)
            os.environ[LABELLER] = _WHO[0]
            with training(place) as train, serve(place.root) as server:
                for group in GROUPS:
                    wanted = [name for name in group if name in args.pages]
                    if "training" in wanted:
                        train()
                    for dark in (True, False) if wanted else ():
                        shoot(server.address, place, args.out, group, wanted, dwarf, dark=dark)
    except InputError as error:
        print(f"make_screenshots.py: {error}", file=sys.stderr)
        return 2
    return 0


# ---- the workspace -----------------------------------------------------------------------------


def copy_workspace(source: Path, to: Path) -> Workspace:
    """Copy a demo workspace without its labels; large files are linked where that is possible.

    Raises:
        InputError: it has no embeddings or no map.
    """
    if not list(source.glob("embeddings/*.h5")) or not list(source.glob("maps/*.h5")):
        raise InputError(
            f"{source}: no demo workspace; make one: sky-ssl demo --workspace {source}"
        )
    left_out = shutil.ignore_patterns("labels.db*", "jobs", "selections", "tasks.json")
    shutil.copytree(source, to, ignore=left_out, copy_function=_link)
    return Workspace(to)


def _link(source: str, to: str) -> None:
    if source.endswith(".h5"):
        try:
            os.link(source, to)
            return
        except OSError:  # on another disk
            pass
    shutil.copy2(source, to)


def furnish(place: Workspace) -> str:
    """Put a workspace into a telling state; give the id of a fine dwarf."""
    data = open_dataset(next(iter(sorted(place.embeddings.glob("*.h5")))))
    kind = data.column("class").astype(str)
    ledger, rng = Ledger(place.labels), np.random.default_rng(3)
    rows = label(ledger, data, kind, rng)
    ledger.close()
    size, light = data.column("half_light_radius"), data.column("mag_r")
    fine = np.flatnonzero((kind == "dwarf") & (size > 2.2) & ~np.isin(np.arange(len(data)), rows))
    keep_rule(place, data)
    return str(data.embeddings.id[fine[np.argmin(light[fine])]])


def label(ledger: Ledger, data: DataSet, kind: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Label 200 objects: half of what a search finds, half of an audit sample; give the rows."""
    e = data.embeddings
    dwarfs = np.flatnonzero(kind == "dwarf")
    exemplars = np.asarray(e.values[rng.choice(dwarfs, 5, replace=False)], dtype=np.float32)
    near = np.argsort(
        -scores(e.values, exemplars.mean(axis=0), token_count(e.attributes, e.values.shape[1]))
    )[:130]
    rows = near
    origin = Origin(_WHO[0], "search", data.fingerprint, model=data.model)
    _write(ledger, data, kind, near, origin)
    origin = Origin(_WHO[1], "audit", data.fingerprint, model=data.model)
    objects = Objects(data.fingerprint, e.id, e.ra, e.dec)
    sample = draw_audit(ledger, objects, 70, task=TASK, origin=origin)
    rows = np.array([data.row_of[name] for name in sample["id"]])
    _write(ledger, data, kind, rows, origin)
    return np.concatenate([near, rows])


def _write(
    ledger: Ledger, data: DataSet, kind: np.ndarray, rows: np.ndarray, origin: Origin
) -> None:
    """Label objects with the truth of the mock."""
    e = data.embeddings
    said = np.where(kind[rows] == "dwarf", "dwarf", "other").tolist()
    ids = [str(name) for name in e.id[rows]]
    ledger.label(ids, said, task=TASK, origin=origin, ra=e.ra[rows], dec=e.dec[rows])


def keep_rule(place: Workspace, data: DataSet) -> None:
    """Keep the probe of these labels as a rule, and vet the head of its list."""
    ledger, e = Ledger(place.labels), data.embeddings
    known = ledger.consensus(task=TASK)
    rows = np.array([data.row_of[name] for name in known["object_id"]])
    question = Question(TASK, "dwarf", ("unsure",))
    problem = problem_of(e, rows, known["label"].to_numpy(object), question)
    prevalence = Prevalence(0.02)
    for measured in measure_probe(problem, prevalence, prevalence, lambda share, words: None):
        if measured.has_curves:
            break
    rule = rule_of(measured, measured.best_threshold(), name=RULE)
    file = add_rule(place.selections, rule)
    for task in [*load_tasks(place.tasks), vetting_task(RULE)]:
        save_task(place.tasks, task)
    said, _ = labels_of(
        known_table(ledger, TASK), e.id, e.ra, e.dec, column="label", radius_arcsec=1.0
    )
    found = find_candidates(load_selection(file), e, ListOptions(top=200), labels=said)
    head = found.rows[:_VETTED]
    truth = data.column("class").astype(str)[head]
    alike = data.column("is_look_alike")[head].astype(bool)
    verdicts = np.where(truth == "dwarf", "accept", np.where(alike, "unsure", "reject")).tolist()
    origin = Origin(_WHO[0], "review", data.fingerprint, RULE, data.model)
    ids = [str(name) for name in e.id[head]]
    ledger.label(ids, verdicts, task=vetting_task(RULE).name, origin=origin,
                 ra=e.ra[head], dec=e.dec[head])  # fmt: skip
    ledger.close()


@contextmanager
def training(place: Workspace) -> Iterator[Callable[[], None]]:
    """Give what starts a small run beside the model that comes along; stop it at the end."""
    shutil.copytree(ROOT / "data" / "models" / "mock", place.runs / "mock", dirs_exist_ok=True)
    cutouts = next(iter(sorted(place.cutouts.glob("*.h5"))))
    command = [sys.executable, str(ROOT / "train.py"), str(ROOT / "configs" / "demo.toml")]
    command += ["--out", str(place.runs / "narrow"), "--data.cutouts", str(cutouts)]
    command += ["--model.depth", "2", "--model.width", "64", "--model.heads", "2"]
    command += ["--train.steps", "3000"]
    started: list[Job] = []

    def start() -> None:
        if not started:
            started.append(start_job(place.jobs, "train narrow", command))

    try:
        yield start
    finally:
        for job in started:
            stop_job(job, 60.0)


# ---- the pages ---------------------------------------------------------------------------------


def shoot(
    address: str,
    place: Workspace,
    out: Path,
    group: Sequence[str],
    wanted: list[str],
    dwarf: str,
    *,
    dark: bool,
) -> None:
    """Open the pages one after the other in one session, and keep a picture of each."""
    theme = "dark" if dark else "light"
    with chromium() as browser:
        page = open_page(browser, address, dark=dark, path=f"/?object={dwarf.replace(' ', '+')}")
        page.on("pageerror", lambda error: print(f"in the page: {error}", file=sys.stderr))
        settle(page)
        for name in group:
            if name != "home":
                page.get_by_role("link", name=name.capitalize(), exact=True).first.click()
                page.wait_for_url(re.compile(f"/{name}"))
            settle(page, seconds=300)
            if name in wanted or "training" not in group:  # pages follow from each other
                PAGES[name](page)
            settle(page, quiet=1.2, seconds=300)
            if name in wanted:
                page.wait_for_function("!document.querySelector('[data-testid=stToast]')")
                page.mouse.move(720, 4)
                file = out / f"{name}-{theme}.png"
                page.evaluate(_WITHOUT, str(place.root.parent) + os.sep)
                file.write_bytes(small_png(page.screenshot(), flat=True))
                print(f"{file.name:32} {file.stat().st_size / 1000:6.0f} kB", flush=True)
        page.close()


def _nothing(page: Page) -> None:
    """Show the page as it opens."""


def _map(page: Page) -> None:
    """Wait until the points are drawn."""
    page.locator(".map[data-drawn]").first.wait_for()


def _search(page: Page) -> None:
    """Search by the dwarf, after another one: the first search prepares what all later ones use."""
    dwarf = re.search(r"object=([^&]+)", page.url)
    box = page.get_by_label("Add an object by id, or the nearest to a position")
    found = page.get_by_text(re.compile("objects most like")).first
    for name in (_ANY, (dwarf.group(1) if dwarf else _ANY).replace("+", " ")):
        clear = page.get_by_role("button", name="Clear", exact=True)
        if name != _ANY and clear.is_visible():
            clear.click()
            found.wait_for(state="hidden")
        box.fill(name)
        box.press("Enter")
        found.wait_for()
        settle(page)


def _probe(page: Page) -> None:
    """Wait for the figures and the charts; fetch what to label next."""
    page.get_by_role("button", name="Fetch").click()
    page.get_by_text(re.compile("Cross-validated on")).first.wait_for(timeout=_PATIENCE)


def _candidates(page: Page) -> None:
    """Wait for the list."""
    page.get_by_text(re.compile("vetted")).first.wait_for()


def _reconstructions(page: Page) -> None:
    """Show what was found by the search."""
    page.get_by_label("Objects", exact=True).first.click()
    page.get_by_role("option", name=re.compile("^(chosen|inspected)$")).first.click()


def _redshift(page: Page) -> None:
    """Wait for the predictions."""
    page.get_by_text(re.compile("objects predicted")).first.wait_for(timeout=_PATIENCE)


def _training(page: Page) -> None:
    """Show both runs, the second with some lines in its log."""
    box = page.get_by_test_id("stMultiSelect").first
    if not box.get_by_text("mock", exact=True).count():
        box.locator("input").click()
        page.get_by_role("option", name="mock", exact=True).click()
        page.keyboard.press("Escape")
    page.get_by_text(re.compile(r"step (\d\d\d|\d,\d\d\d) of 3,000")).first.wait_for(
        timeout=_PATIENCE
    )


PAGES: dict[str, Callable[[Page], None]] = {
    "home": _nothing,
    "map": _map,
    "search": _search,
    "reconstructions": _reconstructions,
    "probe": _probe,
    "labels": _nothing,
    "candidates": _candidates,
    "redshift": _redshift,
    "training": _training,
    "data": _nothing,
}

GROUPS = (
    ("home", "map", "search", "reconstructions", "probe", "labels", "candidates", "redshift"),
    ("training", "data"),  # last: a run that trains is announced on every page
)

if __name__ == "__main__":
    sys.exit(main())
