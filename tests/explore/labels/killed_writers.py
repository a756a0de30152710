"""Eight processes write to one ledger and are killed at random; prints what was acknowledged.

python killed_writers.py LEDGER FOLDER KILLS SEED
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from sky_ssl.explore.labels import Ledger, Origin

WRITERS = 8


def write_on(place: str, acknowledged: Path, seed: int) -> None:
    """Label, undo and redo without end; after each write note that it was acknowledged."""
    draw = random.Random(seed)
    origin = Origin(f"writer {seed}")
    ledger = Ledger(place)
    with acknowledged.open("ab", buffering=0) as file:
        for number in range(1_000_000):
            uid, n = f"{seed}-{number}", draw.choice([1, 1, 1, 20])
            objects = [f"{uid}-{i}" for i in range(n)]
            written = ledger.label(objects, "x", task="t", origin=origin, uid=uid)
            file.write(f"{json.dumps([uid, written.events.tolist()])}\n".encode())
            if number % 5 == 4:
                events = ledger.undo(origin=origin).events.tolist()
                file.write(f"{json.dumps(['', events])}\n".encode())


def start(place: str, folder: Path, seed: int) -> int:
    """Start a writer."""
    process = os.fork()
    if process == 0:
        try:
            write_on(place, folder / f"{seed}.txt", seed)
        finally:
            os._exit(3)
    return process


def main() -> None:
    """Kill and replace writers, then stop all of them."""
    place, folder, kills, seed = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    draw = random.Random(seed)
    alive = [start(place, folder, number) for number in range(WRITERS)]
    unasked = 0
    for number in range(WRITERS, WRITERS + kills):
        time.sleep(draw.uniform(0.01, 0.2))
        which = draw.randrange(WRITERS)
        os.kill(alive[which], signal.SIGKILL)
        _, status = os.waitpid(alive[which], 0)
        unasked += not os.WIFSIGNALED(status)
        alive[which] = start(place, folder, number)
    time.sleep(0.5)
    for process in alive:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    lines = [line for file in folder.glob("*.txt") for line in file.read_text().splitlines()]
    print(json.dumps({"kills": kills, "unasked": unasked, "lines": lines}))


if __name__ == "__main__":
    main()
