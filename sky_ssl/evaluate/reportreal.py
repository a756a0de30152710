"""The parts of the results that are not about mock skies: real images, and what was tried."""

from collections.abc import Mapping
from typing import Any

from sky_ssl.evaluate.tables import escaped, table, with_error

_TASKS = {"types": "5 classes, balanced accuracy", "dwarfs": "dwarfs, average precision"}


def pictures_section(evidence: Mapping[str, Any]) -> list[str]:
    """Lay out types and dwarfs of real galaxies."""
    found = evidence.get("pictures")
    if not found:
        return []
    head = [""]
    for title in _TASKS.values():
        head += [title, "gain over features by hand"]
    rows = []
    for name, tasks in found["table"].items():
        row = [name]
        for task in _TASKS:
            value = tasks[task]
            row += [_range(value), _range(value["gain"], sign=True)]
        rows.append(row)
    return [
        "## Real galaxies: EFIGI",
        f"{found['pictures']:,} colour pictures with expert types (Baillard et al. 2011), scored "
        "in five folds; the network has seen them without their labels. Intervals are of a "
        "bootstrap of the galaxies, gains in the same draws.",
        table(head, rows),
    ]


def _range(value: Mapping[str, float], *, sign: bool = False) -> str:
    style = "+.3f" if sign else ".3f"
    return f"{value['mean']:{style}} ({value['low']:{style}} to {value['high']:{style}})"


def tile_section(evidence: Mapping[str, Any]) -> list[str]:
    """Lay out the prediction of hidden bands of a real tile."""
    found = evidence.get("tile")
    if not found:
        return []
    low, high = found["rows"]
    parts = [
        "## A real tile: KiDS and VIKING, one band hidden",
        f"R2 of asinh((x - sky) / sigma) on source pixels, rows {low:g} to {high:g} of the tile, "
        "which nothing was trained or fitted on.",
    ]
    names = {"linear": "linear", "linear_5x5": "linear, 5 x 5 pixels", "model": "model"}
    for in_bands, tables in found["tables"].items():
        kinds = [kind for kind in names if kind in tables["mean"]]
        rows = [
            [band, *(f"{row[kind]:.3f}" for kind in kinds), f"{row['pixels']:,.0f}"]
            for band, row in (*tables["bands"].items(), ("mean", tables["mean"]))
        ]
        parts.append(f"Pixels above 3 sigma in at least {in_bands} of the other bands:")
        parts.append(table(["band", *(names[kind] for kind in kinds), "pixels"], rows))
    return parts


def needle_section(evidence: Mapping[str, Any]) -> list[str]:
    """Lay out what was tried to do better, with its gain, losers too."""
    found = evidence.get("needle")
    if not found:
        return []
    figures = list(dict.fromkeys(name for entry in found for name in entry["figures"]))
    rows = []
    for entry in found:
        name = f"**{entry['name']}**" if entry.get("winner") else entry["name"]
        row = [name, entry["what"]]
        for figure in figures:
            gain = entry.get("gain", {}).get(figure)
            more = f" ({with_error(gain, sign=True)})" if gain else ""
            row.append(with_error(entry["figures"].get(figure)) + more)
        rows.append(row)
    return [
        "## What moves the needle",
        "What was tried, one thing at a time, on development skies that nothing else here is "
        "reported on. In brackets the gain over the first row, in the same draws; after ± the "
        "standard error over draws, without the luck of a training. The default is in bold.",
        table(["", "what", *map(escaped, figures)], rows),
    ]
