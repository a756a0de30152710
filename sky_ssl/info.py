"""What is in a file or folder, or what is wrong with it. Nothing is changed, nothing unpickled."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError

_TABLES = (".csv", ".ecsv", ".vot", ".votable", ".xml", ".parquet")
_PICTURES = (".png", ".jpg", ".jpeg")


def describe(path: Path) -> dict[str, Any]:
    """Describe anything of ours, or of the telescope's.

    Returns:
        "path", "kind", "rows", "bands", "columns" and "problems"; more by kind. What cannot be read
        is of kind "unreadable" with the reason among the problems.
    """
    result: dict[str, Any] = {
        "path": str(path),
        "kind": "unknown",
        "rows": None,
        "bands": [],
        "columns": [],
        "problems": [],
    }
    try:
        if not path.exists():
            raise InputError(f"{path}: no such file or folder")
        reader = _folder if path.is_dir() else _reader(path)
        result.update(reader(path))
    except InputError as error:
        result.update(kind="unreadable", problems=[str(error)])
    return result


def _reader(path: Path) -> Callable[[Path], dict[str, Any]]:
    with path.open("rb") as file:
        start = file.read(16)
    suffix = path.suffix.lower()
    if suffix in (".h5", ".hdf5") or start.startswith(b"\x89HDF"):
        return _hdf5
    if suffix == ".safetensors":
        return _weights
    if suffix in _TABLES:
        return _table
    if suffix in _PICTURES:
        return _picture
    if ".fits" in path.name.lower() or suffix == ".fz" or start.startswith(b"SIMPLE"):
        return _fits
    if start.startswith(b"SQLite format 3"):
        return _ledger
    if suffix in (".json", ".toml"):
        return _settings
    raise InputError(
        f"{path}: not a kind of file known here (HDF5, FITS, tables, safetensors, pictures, "
        "JSON, TOML)"
    )


def _hdf5(path: Path) -> dict[str, Any]:
    from sky_ssl.sky.hdf5part import open_hdf5

    file = open_hdf5(path.resolve())
    if "embeddings" in file:
        return _embeddings(path)
    return _map(path) if "xy" in file and "cutouts" not in file else _cutouts(path)


def _map(path: Path) -> dict[str, Any]:
    from sky_ssl.explore.mapfile import open_map

    found = open_map(path)
    said = found.attributes
    names = ("method", "seed", "parameters", "checkpoint_sha256", "time")
    return {
        "kind": "map",
        "rows": len(found),
        "columns": ["id", "ra", "dec"],
        **{name: str(said[name]) for name in names if name in said},
    }


def _ledger(path: Path) -> dict[str, Any]:
    from sky_ssl.explore.labels import Ledger

    ledger = Ledger(path)
    labels = ledger.consensus()
    counts = labels.groupby(["task", "label"]).size()
    result = {
        "kind": "label ledger",
        "rows": ledger.last_event(),
        "labels": [f"{task}: {n} {label or 'in a tie'}" for (task, label), n in counts.items()],
        "labellers": ledger.labellers(),
        "problems": list(ledger.notes),
    }
    ledger.close()
    return result


def _selection(path: Path) -> dict[str, Any]:
    from sky_ssl.explore.selection import load_selection

    rule = load_selection(path)
    return {
        "kind": "selection",
        "rows": 1,
        "bands": list(rule.bands),
        "name": rule.name,
        "rule": rule.kind,
        "model": rule.model,
        "threshold": rule.threshold,
        "measured": {k: v for k, v in rule.measured.items() if not isinstance(v, dict)},
        "made": rule.made,
    }


def _embeddings(path: Path) -> dict[str, Any]:
    from sky_ssl.embedding.store import open_embeddings

    e = open_embeddings(path)
    said = e.attributes
    return {
        "kind": "embeddings",
        "rows": len(e.values),
        "dimensions": e.values.shape[1],
        "dtype": str(e.values.dtype),
        "columns": ["id", "ra", "dec", "tile"],
        "bands": str(said.get("bands", "")).split(),
        "pooling": said.get("pooling"),
        "turns": int(said.get("turns", 1)),
        "checkpoint": said.get("checkpoint_sha256"),
        "cutouts": said.get("cutouts"),
        "time": said.get("time"),
        "problems": [] if "checkpoint_sha256" in said else ["does not say which model made it"],
    }


def _cutouts(path: Path) -> dict[str, Any]:
    from sky_ssl.sky.cutoutset import open_cutouts
    from sky_ssl.sky.hdf5part import count_bands, open_hdf5

    notes: list[str] = []
    names = None
    if path.is_file() and "bands" not in open_hdf5(path.resolve()).attrs:
        count = count_bands(path)
        names = [f"band{i}" for i in range(count)]
        notes.append(f"{path}: the file does not name its {count} bands")
    cutouts = open_cutouts(path, bands=names)
    C, H, W = cutouts.shape
    if len(cutouts):  # the ends: a file that is cut short shows there
        cutouts.read(slice(0, 1))
        cutouts.read(slice(len(cutouts) - 1, len(cutouts)))
    missing = [c for c in ("id", "ra", "dec") if c not in cutouts.column_names]
    if missing:
        notes.append(f"{path}: no column {' '.join(missing)}")
    return {
        "kind": "cutouts",
        "rows": len(cutouts),
        "files": len(cutouts.paths),
        "shape": f"{C} x {H} x {W}",
        "survey": cutouts.info.survey,
        "bands": list(cutouts.info.bands),
        "columns": list(cutouts.column_names),
        "pixel_scale": f"{cutouts.info.pixel_scale:.4g}",
        "zero_point": [f"{z:.3g}" for z in cutouts.info.zero_point],
        "sky_sigma": [f"{s:.3g}" for s in cutouts.info.sky_sigma or ()],
        "problems": notes + [n for n in cutouts.notes if n not in notes],
    }


def _weights(path: Path) -> dict[str, Any]:
    from sky_ssl.training.checkpoint import read_tensors

    tensors = read_tensors(path)
    count = sum(t.numel() for t in tensors.values())
    return {"kind": "weights", "rows": len(tensors), "parameters": count}


def _table(path: Path) -> dict[str, Any]:
    from sky_ssl.sky.catalogue import read_catalogue

    table = read_catalogue(path)
    return {"kind": "catalogue", "rows": len(table), "columns": [str(c) for c in table.columns]}


def _picture(path: Path) -> dict[str, Any]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
            return {
                "kind": "picture",
                "rows": 1,
                "shape": f"3 x {image.height} x {image.width}",
                "bands": ["r", "g", "b"],
            }
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"{path}: cannot be decoded ({error})") from error


def _settings(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        text = path.read_text(encoding="utf-8")
        table = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except ValueError as error:
        raise InputError(f"{path}: not valid {path.suffix[1:].upper()} ({error})") from error
    if isinstance(table, dict) and str(table.get("schema", "")).startswith("sky_ssl selection"):
        return _selection(path)
    if path.suffix == ".toml" and set(table) & {"model", "train", "data"}:
        from sky_ssl.training.config import load_config

        load_config(path)
        return {"kind": "configuration", "columns": list(table)}
    if path.suffix == ".toml" and "survey" in table:
        from sky_ssl.sky.survey import load_survey

        return {"kind": "survey", "bands": list(load_survey(path).band_names)}
    return {"kind": "settings", "columns": list(table) if isinstance(table, dict) else []}


def _fits(path: Path) -> dict[str, Any]:
    from sky_ssl.sky.fitsio import list_images

    planes = list_images(path)
    return {"kind": "FITS", "rows": len(planes), "columns": [str(plane) for plane in planes]}


def _folder(path: Path) -> dict[str, Any]:
    from sky_ssl.sky.pictures import holds_pictures
    from sky_ssl.training.checkpoint import find_checkpoint

    if find_checkpoint(path) is not None:
        return _run(path)
    if any(path.glob("*.h5")) or any(path.glob("*.hdf5")) or holds_pictures(path):
        return _cutouts(path)
    if any((path / name).is_dir() for name in ("cutouts", "runs", "embeddings")):
        return _workspace(path)
    images = [p for p in path.rglob("*") if ".fits" in p.name.lower() or p.suffix == ".fz"]
    if images:
        return {
            "kind": "folder of FITS files",
            "rows": len(images),
            "columns": sorted(str(p.relative_to(path)) for p in images)[:20],
        }
    raise InputError(f"{path}: nothing in this folder that is known here")


def _run(path: Path) -> dict[str, Any]:
    from sky_ssl.training.checkpoint import find_checkpoint, load_model, read_checkpoint
    from sky_ssl.training.log import read_metrics

    newest = find_checkpoint(path)
    if newest is not None and "question" in read_checkpoint(newest).table:
        from sky_ssl.training.predictor import load_predictor

        return load_predictor(path).describe()
    model, state = load_model(path)
    return {
        "kind": "run",
        "rows": len(read_metrics(path)),
        "model": model.describe(),
        "bands": list(state.info.bands),
        "survey": state.info.survey,
        "pixel_scale": f"{state.info.pixel_scale:.4g}",
        "checkpoint": f"{state.folder.name} (newest: {newest.name if newest else 'none'})",
        "sha256": state.sha256(),
        "metrics": {k: round(v, 4) for k, v in state.metrics.items()},
    }


def _workspace(path: Path) -> dict[str, Any]:
    """List what a workspace holds; each broken file is named with its reason."""
    contents, problems = [], []
    folders = ("cutouts", "runs", "embeddings", "maps", "selections")
    items = [item for folder in folders for item in sorted((path / folder).glob("[!.]*"))]
    # an index lies in a folder beside its embeddings, and is made anew where it is missing
    items = [i for i in items if not (i.is_dir() and i.parent.name in ("embeddings", "maps"))]
    items += [path / "labels.db"] if (path / "labels.db").exists() else []
    for item in items:
        found = describe(item)
        place = item.relative_to(path)
        contents.append(f"{place}: {found['kind']}, {found['rows']} rows")
        if found["kind"] == "unreadable":
            problems += found["problems"]
    return {"kind": "workspace", "rows": len(contents), "contents": contents, "problems": problems}
