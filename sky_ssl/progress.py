"""Progress of long work, as a plain callback so that a terminal and a page can both show it.

Where the environment names a file in SKY_SSL_PROGRESS, the progress is written there too, one JSON
object that is replaced as a whole: for whoever started the work and looks on.
"""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

Progress = Callable[[int, int], None]
"""Called with (done, total), in units of the work at hand; `done == total` ends it."""

ENVIRONMENT = "SKY_SSL_PROGRESS"
_EVERY = 0.25  # seconds between two writings of the file


def terminal(label: str, unit: str = "it") -> Progress:
    """Make a progress callback that draws a bar on standard error, on a terminal only."""
    from tqdm import tqdm

    bar = tqdm(desc=label, unit=unit, disable=None, leave=False, dynamic_ncols=True)
    reported = reporter(label, unit)

    def update(done: int, total: int) -> None:
        bar.total = total
        bar.n = done
        bar.refresh()
        if done >= total:
            bar.close()
        reported(done, total)

    return update


def reporter(label: str, unit: str = "it") -> Progress:
    """Make a progress callback that writes to the file that the environment names, if any."""
    place = os.environ.get(ENVIRONMENT)
    file = Path(place) if place else None
    started = time.time()
    written = 0.0
    first: dict[str, float] = {}  # work that goes on where it was begun earlier does not begin at 0

    def update(done: int, total: int) -> None:
        nonlocal written
        now = time.time()
        if file is None or (done < total and now - written < _EVERY):
            return
        written = now
        if not first:
            first.update(first_done=done, first_time=now)
        said = {"label": label, "unit": unit, "done": done, "total": total, "started": started}
        temporary = file.with_name(f".{file.name}.{os.getpid()}")
        temporary.write_text(json.dumps({**said, **first, "time": now}), encoding="utf-8")
        temporary.replace(file)

    return update
