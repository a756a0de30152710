"""Progress of long work, as a plain callback so that a terminal and a page can both show it."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called with (done, total), in units of the work at hand; `done == total` ends it."""


def terminal(label: str, unit: str = "it") -> Progress:
    """Make a progress callback that draws a bar on standard error, on a terminal only."""
    from tqdm import tqdm

    bar = tqdm(desc=label, unit=unit, disable=None, leave=False, dynamic_ncols=True)

    def update(done: int, total: int) -> None:
        bar.total = total
        bar.n = done
        bar.refresh()
        if done >= total:
            bar.close()

    return update
