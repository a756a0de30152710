"""The objects that a user means by a text: ids, or a position in any usual form.

In: open embeddings and the text. Out: rows, and how far the object is from the position.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.queries import row_at, rows_of_ids
from sky_ssl.sky.coords import parse_coordinate, separation_arcsec

RADIUS = 60.0
"""An object farther than this from a position is not what was meant, arcsec."""


@dataclass(frozen=True)
class Found:
    """Objects that a text names."""

    rows: npt.NDArray[np.int64]
    distance_arcsec: float | None = None  # from the position; None where ids were given

    def words(self, e: Embeddings) -> str:
        """Say what was found."""
        names = [str(name) for name in e.id[self.rows]]
        if self.distance_arcsec is not None:
            return f"{names[0]}, {self.distance_arcsec:.1f} arcsec from that position"
        return names[0] if len(names) == 1 else f"{len(names)} objects"


def find_objects(e: Embeddings, text: str, radius_arcsec: float = RADIUS) -> Found:
    """Find what a text names: one or several ids, else the object nearest to a position.

    Args:
        text: as a user types it.
        radius_arcsec: the object must be within this distance of the position.

    Raises:
        InputError: neither an id nor a position, or no object there.
    """
    try:
        return Found(rows_of_ids(e, [text]))
    except InputError as error:
        no_id = error
    try:
        ra, dec = parse_coordinate(text)
    except InputError:
        looks = " ".join(map(repr, map(str, e.id[:1])))
        raise InputError(
            f"{text!r} is neither an id of these {len(e.id)} objects (ids look like {looks}) nor a "
            'position such as "12:34:56.7 -00:30:12" or "188.736 -0.503"'
        ) from no_id
    row = row_at(e, text, radius_arcsec)
    distance = float(separation_arcsec(e.ra[row], e.dec[row], ra, dec))
    return Found(np.array([row]), distance)
