"""What was drawn on maps, kept so that a link opens it again: which objects, and by what strokes.

In: rows that were chosen. Out: a small file in the workspace, named by its content. To publish a
selection one makes a rule of it; this is for reload, colleagues and the ledger.
"""

import hashlib
import json
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError

_NAME = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class Drawing:
    """Chosen objects."""

    rows: npt.NDArray[np.int64]
    source: str  # as the ledger names it
    name: str  # in words
    strokes: tuple[dict[str, object], ...] = ()  # map, mode, corners in its coordinates


def save_drawing(folder: Path, drawing: Drawing, objects: str, count: int) -> str:
    """Keep a drawing; give its name, the same for the same objects.

    Args:
        folder: of drawings.
        drawing: what was chosen.
        objects: what the rows are of: the name of the embeddings, or a fingerprint.
        count: N, of all objects.
    """
    mask = np.zeros(count, dtype=bool)
    mask[drawing.rows] = True
    packed = np.packbits(mask).tobytes()
    name = hashlib.sha256(f"{objects} {count} ".encode() + packed).hexdigest()[:12]
    said = {
        "objects": objects,
        "count": count,
        "source": drawing.source,
        "name": drawing.name,
        "strokes": list(drawing.strokes),
        "mask": zlib.compress(packed).hex(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    temporary = folder / f".{name}.{os.getpid()}"
    try:
        temporary.write_text(json.dumps(said), encoding="utf-8")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return name


def load_drawing(folder: Path, name: str, objects: str, count: int) -> Drawing | None:
    """Open a drawing; None where there is none of this name, or it is of other objects.

    Raises:
        InputError: the file is no drawing.
    """
    if not _NAME.fullmatch(name):  # it comes from an address that anybody can write
        return None
    path = folder / f"{name}.json"
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        if (said["objects"], said["count"]) != (objects, count):
            return None
        packed = np.frombuffer(zlib.decompress(bytes.fromhex(said["mask"])), np.uint8)
        rows = np.flatnonzero(np.unpackbits(packed, count=count))
        return Drawing(rows, str(said["source"]), str(said["name"]), tuple(said["strokes"]))
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise InputError(f"{path}: not a drawing ({error})") from None
