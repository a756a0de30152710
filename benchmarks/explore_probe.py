"""Quick refit of a probe and scoring of all embeddings; the full, cross-validated fit; memory.

    OMP_NUM_THREADS=2 python benchmarks/explore_probe.py [--n 1000000] [--d 512] [--json FILE]

The embeddings are written to a temporary folder in blocks and mapped, never read as a whole.
Memory is that of the process's own (anonymous) pages; pages of the mapped file are the system's.
As in `sky-ssl probe`, tokens are softened as they are read, and the classifier is told which axes
of the whole file are wide, which is found once for a file.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from sky_ssl.embedding.store import open_embeddings, write_embeddings
from sky_ssl.explore.features import features_of
from sky_ssl.explore.surveyprior import find_prior
from sky_ssl.probes.crossval import cross_validate_classes, tune_classes
from sky_ssl.probes.hits import calibrated_hits
from sky_ssl.probes.learning import next_to_label
from sky_ssl.probes.metrics import class_figures

BLOCK = 16_384
SHARE = 0.02


def blocks(n: int, d: int) -> Iterator[np.ndarray]:
    """Make embeddings whose first rows in a hundred are a kind of their own."""
    rng = np.random.default_rng(0)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        x = rng.standard_normal((len(rows), d), dtype=np.float32)
        x[is_positive(rows), :20] += 0.8
        yield x


def is_positive(rows: np.ndarray) -> np.ndarray:
    return rows % 100 < 100 * SHARE


class Memory:
    """The most anonymous memory [MiB] of this process while it runs, above that at the start."""

    def __enter__(self) -> "Memory":
        self.start = self.peak = self._now()
        self.done = threading.Event()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.watcher.join()

    @property
    def used(self) -> float:
        return self.peak - self.start

    def _watch(self) -> None:
        while not self.done.wait(0.005):
            self.peak = max(self.peak, self._now())

    @staticmethod
    def _now() -> float:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) / 1024
        return 0.0


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Give the median of seconds and the most memory [MiB]."""
    seconds, used = [], 0.0
    for _ in range(rounds):
        with Memory() as memory:
            start = time.perf_counter()
            work()
            seconds.append(time.perf_counter() - start)
        used = max(used, memory.used)
    return float(np.median(seconds)), used


def measure(path: Path, labels: int, full: int, rounds: int) -> list[dict[str, object]]:
    """Time each step on an embeddings file."""
    e = open_embeddings(path)
    values, prior = features_of(e), find_prior(e)
    rng = np.random.default_rng(1)
    truth = is_positive(np.arange(len(values)))
    few = draw(rng, truth, labels)
    many = draw(rng, truth, full)
    x, y = np.asarray(values[few]), truth[few]
    x_full, y_full = np.asarray(values[many]), truth[many]
    tuned = tune_classes(x, y, prior=prior)
    decision = tuned.model.decision(values)
    calibration = tuned.calibration
    assert calibration is not None
    known = np.sort(few)
    left = np.delete(decision, known)  # a list leaves out what is labelled
    moved = calibration.moved_to(SHARE).seen_in(left)

    def refit() -> None:
        tune_classes(x, y, prior=prior).model.decision(values)

    def validated() -> None:
        held = cross_validate_classes(x_full, y_full, prior=prior)
        class_figures(y_full, held.values, np.array([False, True]))

    steps: list[tuple[str, Callable[[], object]]] = [
        ("the axes of the file, once", lambda: find_prior(e)),
        (f"fit of {labels} labels", lambda: tune_classes(x, y, prior=prior)),
        ("scoring of all", lambda: tuned.model.decision(values)),
        ("refit and scoring", refit),
        ("expected hits of the first 300", lambda: calibrated_hits(left, 300, moved)),
        ("next to label: uncertainty", lambda: next_to_label("uncertainty", 100, decision)),
        (
            "next to label: diversity",
            lambda: next_to_label("diversity", 100, decision, values, known),
        ),
        (f"cross-validation of {full} labels, with intervals", validated),
    ]
    result = []
    for name, work in steps:
        seconds, used = timed(work, 1 if name.startswith("cross") else rounds)
        result.append({"step": name, "seconds": seconds, "mebibytes": used})
        print(f"{name:50s} {seconds:9.3f} s  {used:7.0f} MiB", flush=True)
    hits = calibrated_hits(left, 300, moved)
    found = int(np.delete(truth, known)[np.argsort(-left)[:300]].sum())
    expected = f"{hits.mean:.0f} expected ({hits.low:.0f} to {hits.high:.0f})"
    print(f"the first 300: {expected}, {found} found")
    return result


def draw(rng: np.random.Generator, truth: np.ndarray, labels: int) -> np.ndarray:
    """Draw as many rows of either kind."""
    sides = [np.flatnonzero(truth), np.flatnonzero(~truth)]
    return np.concatenate([rng.choice(s, min(labels // 2, len(s)), replace=False) for s in sides])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--d", type=int, default=512)
    parser.add_argument("--labels", type=int, default=200)
    parser.add_argument("--full", type=int, default=4000, help="labels of the full fit")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.h5"
        unknown = np.full(args.n, np.nan)
        write_embeddings(
            path,
            blocks(args.n, args.d),
            (args.n, args.d),
            dtype="float32",
            columns={"ra": unknown, "dec": unknown},
            attributes={"pooling": "central"},
        )
        with h5py.File(path) as file:
            size = file["embeddings"].id.get_storage_size() / 2**20
        print(f"{args.n:,} x {args.d} float32, {size:,.0f} MiB on disk")
        result = measure(path, args.labels, args.full, args.rounds)
    if args.json:
        table = {"n": args.n, "d": args.d, "labels": args.labels, "steps": result}
        args.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
