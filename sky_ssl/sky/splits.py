"""Split objects into training, validation and test by their place on the sky.

The part of a block of sky follows from its number and the seed alone, so objects added elsewhere,
or another file with the same seed, change nothing. Without coordinates tiles take the place of the
blocks; without tiles the split is random.
"""

import hashlib
import warnings
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.sky.coords import block_number, columns_of, ring_of, sky_blocks

FRACTIONS: Mapping[str, float] = {"train": 0.7, "validation": 0.15, "test": 0.15}
BUFFER = "buffer"

_Parts = npt.NDArray[np.int64]


def split_by_sky(
    ra: npt.ArrayLike,
    dec: npt.ArrayLike,
    tile: npt.ArrayLike | None = None,
    *,
    fractions: Mapping[str, float] = FRACTIONS,
    seed: int = 0,
    block_deg: float = 1.0,
    buffer_deg: float = 0.05,
) -> npt.NDArray[np.str_]:
    """Give each object the name of its part, or "buffer".

    An object is in the buffer if it lies within `buffer_deg` of a block of a part that is named
    after its own in `fractions`: training gives way to validation, and both to test. So no two
    objects of different parts are closer than the buffer, in this set or in any other that was
    split with the same arguments.

    Few blocks meet the fractions only roughly. Where a part would get none of the blocks that hold
    objects, it is given one, if there are enough; this is the one way in which the other objects
    of a set matter.

    Args:
        ra, dec: (N,) degrees, NaN if unknown.
        tile: (N,) names, or None.
        fractions: share of the sky of each part; they add up to 1.
        seed: another seed, another split.
        block_deg: least width and height of a block of sky, degrees.
        buffer_deg: default 0.05 (3 arcmin), more than the field of a cutout or a group of galaxies.

    Returns:
        (N,) names of parts. Objects without coordinates on a tile with others that have some are
        "buffer". A warning says when the split is random, or when there is one block only.

    Raises:
        InputError: fractions, block or buffer out of range.
    """
    ra, dec = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    names = _check(fractions, buffer_deg)
    parts: _Parts = np.full(ra.shape, len(names), dtype=np.int64)
    known = np.isfinite(ra) & np.isfinite(dec)
    if known.any():
        parts[known] = _by_block(ra[known], dec[known], fractions, seed, block_deg, buffer_deg)
    if not known.all():
        rest = ~known
        parts[rest] = _without_position(tile, known, fractions, seed)
    return np.array([*names, BUFFER])[parts]


def _check(fractions: Mapping[str, float], buffer_deg: float) -> list[str]:
    if not fractions or min(fractions.values()) < 0 or abs(sum(fractions.values()) - 1) > 1e-6:
        raise InputError(f"fractions {dict(fractions)}: must be 0 or more and add up to 1")
    if BUFFER in fractions:
        raise InputError(f"fractions {dict(fractions)}: {BUFFER!r} is no name for a part")
    if not 0 <= buffer_deg < 90:
        raise InputError(f"buffer_deg {buffer_deg}: must be from 0 to 90")
    return list(fractions)


def _by_block(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    fractions: Mapping[str, float],
    seed: int,
    block_deg: float,
    buffer_deg: float,
) -> _Parts:
    """Split by blocks of sky; the number of parts stands for the buffer."""
    blocks = sky_blocks(ra, dec, block_deg)
    numbers, inverse = np.unique(blocks, return_inverse=True)
    occupied = [str(number) for number in numbers]
    moved = _repair(occupied, fractions, seed)
    if len(numbers) == 1 and np.count_nonzero(list(fractions.values())) > 1:
        _warn(f"all {ra.size} objects lie in one block of {block_deg} degrees of sky", fractions)
    own = np.array([moved[name] for name in occupied])[inverse]
    last = own.copy()
    for row, near in _neighbours(ra, dec, block_deg, buffer_deg):
        around, where = np.unique(near, return_inverse=True)
        found = [moved.get(str(n), _draw(str(n), fractions, seed)[0]) for n in around]
        np.maximum.at(last, row, np.array(found, dtype=np.int64)[where])
    return np.where(last > own, len(fractions), own)


def _neighbours(
    ra: npt.NDArray[np.float64],
    dec: npt.NDArray[np.float64],
    block_deg: float,
    buffer_deg: float,
) -> list[tuple[npt.NDArray[np.integer], npt.NDArray[np.int64]]]:
    """List (rows, blocks) that the box around a circle of the buffer's radius touches."""
    if buffer_deg == 0:
        return []
    # a hair more than the buffer, so that rounding never lets a pair through
    reach = buffer_deg * (1 + 1e-9)
    sine = np.sin(np.radians(reach)) / np.maximum(np.cos(np.radians(dec)), 1e-300)
    width = np.where(np.abs(dec) + reach >= 90, 180.0, np.degrees(np.arcsin(np.minimum(sine, 1))))
    low, high = ring_of(dec - reach, block_deg), ring_of(dec + reach, block_deg)
    result = []
    for step in range(int((high - low).max()) + 1):
        rows = np.flatnonzero(low + step <= high)
        ring = low[rows] + step
        count = columns_of(ring, block_deg)
        first = np.floor((ra[rows] - width[rows]) / 360.0 * count).astype(np.int64)
        last = np.floor((ra[rows] + width[rows]) / 360.0 * count).astype(np.int64)
        last = np.minimum(last, first + count - 1)
        for more in range(int((last - first).max()) + 1):
            use = first + more <= last
            column = (first[use] + more) % count[use]
            result.append((rows[use], block_number(ring[use], column)))
    return result


def _without_position(
    tile: npt.ArrayLike | None,
    known: npt.NDArray[np.bool_],
    fractions: Mapping[str, float],
    seed: int,
) -> _Parts:
    """Split the objects that have no coordinates, by tile or at random."""
    count = int((~known).sum())
    if tile is None:
        warnings.warn(
            f"{count} objects have neither coordinates nor a tile: split at random, so that "
            "neighbours on the sky may lie in different parts",
            UserWarning,
            stacklevel=3,
        )
        return np.array(
            [_draw(f"row {row}", fractions, seed)[0] for row in np.flatnonzero(~known)],
            dtype=np.int64,
        )
    tiles = np.asarray(tile).astype(str)
    placed = set(tiles[known].tolist())
    groups = sorted(set(tiles[~known].tolist()) - placed)
    parts = {**dict.fromkeys(placed, len(fractions)), **_repair(groups, fractions, seed)}
    if len(groups) == 1 and not placed and np.count_nonzero(list(fractions.values())) > 1:
        _warn(f"{count} objects without coordinates lie on one tile, {groups[0]}", fractions)
    return np.array([parts[name] for name in tiles[~known].tolist()], dtype=np.int64)


def _draw(name: str, fractions: Mapping[str, float], seed: int) -> tuple[int, float]:
    """Draw the part of a block or tile, with the number in [0, 1) behind it."""
    digest = hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest()
    u = int.from_bytes(digest, "big") / 2**64
    edges = np.cumsum(list(fractions.values()))
    return min(int(np.searchsorted(edges, u, side="right")), _largest_last(fractions)), u


def _largest_last(fractions: Mapping[str, float]) -> int:
    """Find the last part that has any share: rounding of the sum must not fill an empty one."""
    return max(index for index, share in enumerate(fractions.values()) if share > 0)


def _repair(groups: list[str], fractions: Mapping[str, float], seed: int) -> dict[str, int]:
    """Draw the parts of the groups that hold objects; give an empty part the nearest draw."""
    drawn = {name: _draw(name, fractions, seed) for name in groups}
    parts = {name: part for name, (part, _) in drawn.items()}
    shares = list(fractions.values())
    middles = np.cumsum(shares) - np.array(shares) / 2
    for part in sorted(range(len(shares)), key=lambda index: -shares[index]):
        if shares[part] == 0 or part in parts.values():
            continue
        held = list(parts.values())
        # the largest part comes first: it may take the last group of another one
        spare = [n for n in groups if held.count(parts[n]) > 1 or part == int(np.argmax(shares))]
        if spare:
            nearest = min(spare, key=lambda name: (abs(drawn[name][1] - middles[part]), name))
            parts[nearest] = part
    return parts


def _warn(what: str, fractions: Mapping[str, float]) -> None:
    largest = max(fractions, key=lambda name: fractions[name])
    warnings.warn(f"{what}: all of them go to {largest!r}", UserWarning, stacklevel=4)
