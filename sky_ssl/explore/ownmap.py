"""Coordinates of a user's own as a map of embeddings.

In: a table with two columns of positions, by id. Out: a map file with the objects of the
embeddings, in their order; those that the table lacks have no place.
"""

from pathlib import Path
from typing import Any

import numpy as np

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.mapfile import embeddings_fingerprint, read_own_map, write_map
from sky_ssl.explore.mapjob import rows_of
from sky_ssl.explore.maps import NO_VECTOR


def place_own(
    table: Path, e: Embeddings, out: Path, *, x: str | None = None, y: str | None = None
) -> dict[str, Any]:
    """Write the map of embeddings that a table of positions makes.

    Args:
        table: CSV, FITS, VOTable or Parquet with ids, or with one row per object in their order.
        e: the embeddings.
        out: the map file.
        x, y: names of the columns; usual ones are found.

    Returns:
        "rows", "placed", "notes".

    Raises:
        InputError: no such columns, or not one of the objects.
    """
    own = read_own_map(table, x=x, y=y)
    by_order = len(own) == len(e.id) and (own.id == np.arange(len(own)).astype(str)).all()
    rows = np.arange(len(own)) if by_order else rows_of(e.id, own.id)
    known = rows >= 0
    if not known.any():
        raise InputError(
            f"{table.name}: not one of its {len(own):,} ids is in these embeddings, whose ids look "
            f"like {e.id[0]!s}"
        )
    xy = np.where(known[:, None], own.xy[np.maximum(rows, 0)], np.nan).astype(np.float32)
    how = np.where(known, own.how[np.maximum(rows, 0)], NO_VECTOR).astype(np.uint8)
    xy[how == NO_VECTOR] = np.nan
    columns = {"id": e.id, "ra": e.ra, "dec": e.dec, "how": how}
    attributes = {
        **own.attributes,
        "method": "own",
        "source": table.name,
        "embeddings": str(e.path),
        "embeddings_fingerprint": embeddings_fingerprint(e),
    }
    write_map(out, xy, columns, attributes)
    placed = int((how != NO_VECTOR).sum())
    lost = len(e.id) - placed
    notes = [*own.notes, *([f"{lost:,} objects have no position there"] if lost else [])]
    return {"rows": len(e.id), "placed": placed, "notes": notes}
