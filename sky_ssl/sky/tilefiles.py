"""Which files make up which tile of a survey.

In: files and folders, searched with all that lies below them. Out: the files of each tile by band,
and a report of what is missing, doubled or unreadable.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsbytes import starts_like_fits
from sky_ssl.sky.survey import Source, Survey

_PACKED = (".gz", ".bz2", ".xz", ".fz")
_FITS = (".fits", ".fit", ".fts")


@dataclass(frozen=True)
class TileFiles:
    """A tile and the file of each of its bands; a band that is absent is missing."""

    name: str
    files: dict[str, tuple[Path, Source]]


def find_tiles(
    paths: Sequence[str | Path], survey: Survey, *, min_bands: int = 1
) -> tuple[list[TileFiles], list[str]]:
    """Find the tiles of a survey.

    Bands may lie in one folder or in many. A source's pattern is compared with the name of each
    file, with and without an ending .gz, .bz2, .xz or .fz. Of several files for one band the one
    whose source comes first is taken.

    Args:
        paths: files or folders.
        survey: says which names belong to which band and tile.
        min_bands: tiles with fewer bands are left out.

    Returns:
        The tiles, sorted by name, and one line of report for each thing worth knowing.

    Raises:
        InputError: a path does not exist, or no file at all belongs to the survey.
    """
    if not 1 <= min_bands <= len(survey.bands):
        raise InputError(
            f"min_bands {min_bands}: must be from 1 to the {len(survey.bands)} bands of "
            f"{survey.name}"
        )
    report: list[str] = []
    candidates: dict[str, dict[str, list[tuple[int, Path]]]] = {}
    strangers: list[Path] = []
    count = 0
    for path in _walk(paths):
        matches = _matches(path, survey)
        count += 1
        if matches and not starts_like_fits(path):
            report.append(f"{path}: left out, not a FITS file")
        elif matches:
            for tile, band, rank in matches:
                candidates.setdefault(tile, {}).setdefault(band, []).append((rank, path))
        elif _without_packing(path.name).lower().endswith(_FITS):
            strangers.append(path)
    if not candidates:
        raise InputError(_nothing_found(paths, survey, count, strangers, report))
    if strangers:
        report.append(
            f"{len(strangers)} FITS files belong to no band of {survey.name}, e.g. {strangers[0]}"
        )
    tiles = []
    for name in sorted(candidates, key=_natural):
        files = _choose(name, candidates[name], survey, report)
        missing = [band for band in survey.band_names if band not in files]
        if len(files) < min_bands:
            report.append(
                f"tile {name}: left out, {len(files)} bands ({' '.join(files)}) "
                f"are fewer than min_bands {min_bands}"
            )
            continue
        if missing:
            report.append(f"tile {name}: no {' '.join(missing)}")
        tiles.append(TileFiles(name, files))
    return tiles, report


def _walk(paths: Sequence[str | Path]) -> Iterator[Path]:
    """Yield all files below the paths once, in a fixed order, following links to folders."""
    seen: set[str] = set()
    for path in map(Path, paths):
        if path.is_file():
            if os.path.realpath(path) not in seen:
                seen.add(os.path.realpath(path))
                yield path
            continue
        if not path.is_dir():
            raise InputError(f"{path}: no such file or folder")
        for folder, folders, names in os.walk(path, followlinks=True):
            real = os.path.realpath(folder)
            if real in seen:
                # a link back to where we have been
                folders.clear()
                continue
            seen.add(real)
            folders[:] = sorted(f for f in folders if not f.startswith("."))
            for name in sorted(names):
                file = os.path.join(real, name)
                if not name.startswith(".") and file not in seen:
                    seen.add(file)
                    yield Path(folder, name)


def _matches(path: Path, survey: Survey) -> list[tuple[str, str, int]]:
    """List (tile, band, rank of the source) for each band that a file can serve."""
    found = []
    for band in survey.bands:
        for rank, source in enumerate(band.sources):
            match = _match(path, source.pattern)
            if match is not None:
                found.append((_tile_name(match, path), band.name, rank))
                break
    return found


def _match(path: Path, pattern: str) -> re.Match[str] | None:
    """Compare a pattern with a file's name, or with the end of its path if it has a "/"."""
    names = dict.fromkeys([_without_packing(path.name), path.name])
    for name in names:
        match = re.fullmatch(pattern, name)
        # classes like [^/] make the number of folders uncertain: try up to the number of slashes
        parents = path.absolute().parent.parts[1:]
        for depth in range(1, min(pattern.count("/"), len(parents)) + 1):
            match = match or re.fullmatch(pattern, "/".join([*parents[-depth:], name]))
        if match is not None:
            return match
    return None


def _tile_name(match: re.Match[str], path: Path) -> str:
    """Join the tile groups; numbers are compared as integers. Without any, the folder's name."""
    groups = match.groupdict()
    keys = sorted((k for k in groups if re.fullmatch(r"tile\d*", k)), key=lambda k: (len(k), k))
    parts = [groups[key] for key in keys if groups[key]]
    if not parts:
        return path.absolute().parent.name
    return ".".join(str(int(part)) if re.fullmatch(r"\d+", part) else part for part in parts)


def _choose(
    name: str, bands: dict[str, list[tuple[int, Path]]], survey: Survey, report: list[str]
) -> dict[str, tuple[Path, Source]]:
    """Take the best file of each band, in the survey's order."""
    files = {}
    for band in survey.bands:
        if band.name in bands:
            options = sorted(bands[band.name], key=lambda option: option[0])
            rank, path = options[0]
            files[band.name] = (path, band.sources[rank])
            doubled = [str(other) for r, other in options[1:] if r == rank]
            if doubled:
                report.append(
                    f"tile {name}: {path} taken for {band.name}, not {', '.join(doubled)}"
                )
    return files


def _nothing_found(
    paths: Sequence[str | Path],
    survey: Survey,
    count: int,
    strangers: list[Path],
    report: list[str],
) -> str:
    """Word the error for an input without a single file of the survey."""
    where = ", ".join(str(path) for path in paths[:3]) or "no path given"
    example = f", e.g. {strangers[0].name}" if strangers else ""
    if report:
        example += f"; {report[0]}"
    pattern = survey.bands[0].sources[0].pattern
    return (
        f"{where}: none of {count} files belongs to survey {survey.name}{example}; names of band "
        f"{survey.bands[0].name} look like {pattern}"
    )


def _without_packing(name: str) -> str:
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return name


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sort key that puts tile 9 before tile 10."""
    return [(p.isdigit(), int(p) if p.isdigit() else 0, p) for p in re.split(r"(\d+)", name)]
