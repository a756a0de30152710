"""The bytes of a FITS file: opened, decompressed where needed, and astropy kept quiet about them.

gz, bz2 and xz files are recognised by their first bytes, not by their names, and decompressed once
into an unnamed temporary file, so that windows can be read from them too.
"""

import bz2
import gzip
import lzma
import os
import shutil
import tempfile
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from astropy import log
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from sky_ssl.errors import InputError

# What astropy raises for damaged files; each was seen on a broken or odd file.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    fits.VerifyError,
    zlib.error,
    lzma.LZMAError,
)
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
# Warning filters and the level of astropy's log belong to the process, so one thread at a time.
_QUIET_LOCK = threading.RLock()


@contextmanager
def quiet() -> Iterator[None]:
    """Silence astropy's remarks on headers while a file is opened.

    Real headers earn many (units, dates, cards that are not standard, distortions); they say
    nothing about the pixels, and what does matter (truncation, no image) is checked here.
    """
    with _QUIET_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        level = log.level
        log.setLevel("ERROR")
        try:
            yield
        finally:
            log.setLevel(level)


def starts_like_fits(path: Path) -> bool:
    """Tell by its first bytes whether a file can be a FITS file, packed or not."""
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except OSError:
        return False
    return head == b"SIMPLE" or any(head.startswith(magic) for magic in _OPENERS)


def file_size(file: IO[bytes]) -> int:
    """Return the number of bytes of an open file."""
    return os.fstat(file.fileno()).st_size


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file at its FITS bytes, decompressed where needed."""
    try:
        file: IO[bytes] = path.open("rb")
    except OSError as error:
        raise InputError(f"{path}: cannot be opened ({error.strerror})") from None
    head = file.read(6)
    opener = next((f for magic, f in _OPENERS.items() if head.startswith(magic)), None)
    if opener is not None:
        file.close()
        file = _decompress(path, opener)
        head = file.read(6)
    if head != b"SIMPLE":
        file.close()
        what = f"it begins with {head!r}" if head else "it is empty"
        raise InputError(f"{path}: not a FITS file ({what})")
    file.seek(0)
    return file


def _decompress(path: Path, opener: Any) -> IO[bytes]:
    """Decompress into a temporary file that vanishes when it is closed."""
    target = tempfile.TemporaryFile()  # noqa: SIM115 (it outlives this function)
    try:
        with opener(path, "rb") as source:
            shutil.copyfileobj(source, target, 1024 * 1024)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        target.close()
        raise InputError(f"{path}: cannot be decompressed ({error})") from None
    target.seek(0)
    # astropy reads only from handles that were opened for reading alone
    with target:
        return os.fdopen(os.dup(target.fileno()), "rb")
