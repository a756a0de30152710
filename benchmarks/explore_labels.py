"""The label ledger: writes a second, and the time to read a ledger of many events.

OMP_NUM_THREADS=1 python benchmarks/explore_labels.py [--events 1000000] [--ledger URL] [--json F]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sky_ssl.explore.labels import Ledger, Origin

BATCH = 50_000
ORIGIN = Origin("ann", "lasso", "d" * 64, "island", "m" * 64)


def seconds(work: Callable[[], object], repeats: int = 1) -> float:
    """Measure the median time of a few runs."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def fill(ledger: Ledger, events: int) -> list[float]:
    """Label in batches, a third of the objects twice; give the time of each batch."""
    place = np.random.default_rng(0).uniform(-60, 60, BATCH)
    times = []
    for batch in range(events // BATCH):
        first = batch * BATCH * 2 // 3
        ids = [f"UNIONS J{number:012d}" for number in range(first, first + BATCH)]
        labels = ["dwarf" if number % 3 else "spiral" for number in range(BATCH)]

        def write(ids: list[str] = ids, labels: list[str] = labels) -> None:
            ledger.label(ids, labels, task="class", origin=ORIGIN, ra=place, dec=place)

        times.append(seconds(write))
    return times


def measure(place: str, events: int) -> dict[str, float]:
    """Fill a new ledger and ask it what pages ask."""
    ledger = Ledger(place)
    batches = fill(ledger, events)
    bob = Origin("bob")
    single = seconds(lambda: ledger.label(["one"], "dwarf", task="single", origin=bob), 200)
    few = [f"UNIONS J{number:012d}" for number in range(25)]
    result = {
        "events": float(ledger.last_event()),
        "single_labels_per_second": 1 / single,
        "batch_labels_per_second": BATCH / float(np.median(batches)),
        "undo_batch_seconds": seconds(lambda: ledger.undo(origin=ORIGIN)),
        "current_labels": float(len(ledger.current(task="class"))),
        "current_seconds": seconds(lambda: ledger.current(task="class"), 3),
        "consensus_seconds": seconds(lambda: ledger.consensus(task="class")),
        "current_of_25_objects_ms": 1e3 * seconds(lambda: ledger.current(objects=few), 20),
        "poll_ms": 1e3 * seconds(ledger.last_event, 200),
        "last_100_changes_ms": 1e3
        * seconds(lambda: ledger.history(since=ledger.last_event() - 100), 20),
    }
    ledger.close()
    result["open_ms"] = 1e3 * seconds(lambda: Ledger(place).close(), 20)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--ledger", help="an empty database on a server (default: a new file)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = args.ledger or str(Path(folder) / "labels.db")
        result = measure(place, args.events)
        if not args.ledger:
            result["megabytes"] = Path(place).stat().st_size / 1e6
    for name, value in result.items():
        print(f"{name.replace('_', ' '):30s} {value:14,.2f}")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
