"""The identity of what a file holds, for the keys of all that is kept."""

from pathlib import Path

Stamp = tuple[int, int]


def stamp(path: Path) -> Stamp:
    """Identify the content of a file: time of change and size; zeros if it is not there."""
    try:
        said = path.stat()
    except OSError:
        return 0, 0
    return said.st_mtime_ns, said.st_size
