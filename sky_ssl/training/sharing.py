"""A trained model as a folder to give away: weights, settings, curves and a card.

In: a run directory. Out: a folder that every command takes for a run (`--run FOLDER`), without the
state of the optimizer and without the paths of the machine that trained it.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from sky_ssl import __version__
from sky_ssl.errors import InputError
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.training import checkpoint
from sky_ssl.training.checkpointfolder import Checkpoint, read_checkpoint, weights_file
from sky_ssl.training.log import read_metrics

CARD = "README.md"
_PATHS = (("data", "cutouts"), ("data", "tiles"))


@dataclass(frozen=True)
class Words:
    """What a card says that no file knows."""

    name: str
    about: str = ""  # what it is for, what it was trained on, its limits (Markdown)
    licence: str = ""
    command: str = ""  # that trained it


def share_model(run: str | Path, out: str | Path, words: Words) -> dict[str, Any]:
    """Write the folder; one that is there is replaced when the new one is complete.

    Args:
        run: run directory or checkpoint folder; the best checkpoint is taken, or else the latest.
        out: the folder to write; must be new, empty, or of a model that was shared before.
        words: for the card.

    Returns:
        What was written: step, sha256, bytes, files.

    Raises:
        InputError: no checkpoint, a predictor, or a folder with something else in it.
    """
    source, target = Path(run), Path(out)
    model, state = checkpoint.load_model(source)
    _check_place(target, state.folder)
    partial = target.with_name(f".{target.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write_all(partial, model.describe(), state, words)
        _replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    files = sorted(p for p in target.rglob("*") if p.is_file())
    return {
        "path": str(target),
        "step": state.step,
        "sha256": state.sha256(),
        "bytes": sum(p.stat().st_size for p in files),
        "files": [str(p.relative_to(target)) for p in files],
    }


def _check_place(target: Path, source: Path) -> None:
    """Refuse to write over anything but a model that was shared before.

    Args:
        target: the folder to write.
        source: the checkpoint that is shared.
    """
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a file; name a new folder")
    if source.resolve().is_relative_to(target.resolve()):
        raise InputError(f"{target}: holds the run itself; name a new folder")
    if target.is_dir() and any(target.iterdir()):
        shared = (target / CARD).is_file() and (target / "checkpoint").is_dir()
        if not shared or any(target.glob("checkpoint/*/optimizer.safetensors")):
            raise InputError(f"{target}: holds something else; name a new folder")


def _write_all(partial: Path, what: str, state: Checkpoint, words: Words) -> None:
    """Write all files of the folder."""
    folder = partial / "checkpoint" / state.folder.name
    folder.mkdir(parents=True)
    # one set of weights, those that are used: the average where there is one
    shutil.copyfile(weights_file(state.folder), folder / "model.safetensors")
    shutil.copyfile(state.folder / "tokens.safetensors", folder / "tokens.safetensors")
    record = json.loads((state.folder / "state.json").read_text(encoding="utf-8"))
    record["mock_skies"] = mock_skies(state)[0]
    record["config"] = table = without_paths(record["config"])
    (folder / "state.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (partial / "config.toml").write_text(tomli_w.dumps(table), encoding="utf-8")
    shown = [r for r in read_metrics(_home(state.folder)) if r.get("step", 0) <= state.step]
    lines = "".join(json.dumps(r) + "\n" for r in shown)
    (partial / "metrics.jsonl").write_text(lines, encoding="utf-8")
    if shown:
        (partial / "training.png").write_bytes(_curves(shown, words.name, what))
    (partial / CARD).write_text(card_of(what, state, words, shown), encoding="utf-8")
    read_checkpoint(folder)  # what is given away can be read


def _home(folder: Path) -> Path:
    """Give the run directory that a checkpoint lies in."""
    return folder.parent.parent if folder.parent.name == "checkpoint" else folder


def mock_skies(state: Checkpoint) -> tuple[list[int], list[str]]:
    """Find the seeds of the mock skies that a model was trained on.

    Returns:
        The seeds, and the files of its training that are gone, whose skies are not known. A model
        that was shared keeps the seeds, so that none of its files is looked for.
    """
    record = json.loads((state.folder / "state.json").read_text(encoding="utf-8"))
    if "mock_skies" in record:
        return [int(seed) for seed in record["mock_skies"]], []
    seeds, gone = set(), []
    for name in state.table.get("data", {}).get("cutouts", ()):
        path = Path(name)
        files = sorted(path.glob("*.h5")) if path.is_dir() else [path]
        try:
            found = [open_hdf5(file.resolve()).attrs.get("seed", -1) for file in files]
        except InputError:
            found = []
        seeds |= {int(seed) for seed in found if int(seed) >= 0}
        if not found:
            gone.append(str(name))
    return sorted(seeds), gone


def _replace(partial: Path, target: Path) -> None:
    """Put a complete folder in the place of an older one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    if target.exists():
        os.replace(target, old)
    os.replace(partial, target)
    shutil.rmtree(old, ignore_errors=True)


def without_paths(table: dict[str, Any]) -> dict[str, Any]:
    """Give a configuration (nested tables) that names data by its last name alone."""
    result: dict[str, Any] = {n: dict(v) if isinstance(v, dict) else v for n, v in table.items()}
    for section, name in _PATHS:
        if name in result.get(section, {}):
            result[section][name] = [Path(path).name for path in result[section][name]]
    if isinstance(result.get("survey"), str):
        result["survey"] = Path(result["survey"]).name
    return result


def card_of(what: str, state: Checkpoint, words: Words, records: list[dict[str, Any]]) -> str:
    """Write the card of a model in Markdown.

    Args:
        what: the network in a few words.
        state: its checkpoint.
        words: what no file knows.
        records: of the training, for the curves and the last measurements.
    """
    info, table, seeds = state.info, without_paths(state.table), mock_skies(state)[0]
    train, data = table.get("train", {}), table.get("data", {})
    images = state.step * int(train.get("batch_size", 0))
    rows = {
        "network": what,
        "bands": " ".join(info.bands),
        "pixel scale": f"{info.pixel_scale:g} arcsec" if info.pixel_scale else "unknown",
        "zero points": " ".join(f"{z:g}" for z in info.zero_point or ()) or "unknown",
        "sky noise of the scaling": " ".join(f"{s:.4g}" for s in info.sky_sigma or ()),
        "trained on": " ".join(map(str, (*data.get("cutouts", ()), *data.get("tiles", ()))))
        + (f" (mock skies of seed {', '.join(map(str, seeds))})" if seeds else ""),
        "steps": f"{state.step:,} of {train.get('batch_size')} images ({images:,} views)",
        "weights and token blocks (sha256)": f"`{state.sha256()}`",
        "licence": words.licence or "not stated",
        "made with": f"sky_ssl {__version__}",
    }
    last = {k: v for r in records for k, v in r.items() if k.startswith(("validation", "probe_"))}
    measured = [f"- {k.replace('_', ' ')}: {v:.3f}" for k, v in last.items()]
    folder = words.name or "FOLDER"
    parts = [f"# {folder}", words.about.strip()]
    parts.append("| | |\n|---|---|\n" + "\n".join(f"| {k} | {v} |" for k, v in rows.items()))
    parts.append(f"    sky-ssl embed --run {folder} --cutouts cutouts.h5 --out embeddings.h5")
    if words.command:
        parts.append("Trained by\n\n    " + words.command.strip().replace("\n", "\n    "))
    if measured:
        parts.append("On sky that training never saw, at the last step:\n\n" + "\n".join(measured))
    if records:
        parts.append("![Losses and probes against step](training.png)")
    return "\n\n".join(part for part in parts if part) + "\n"


def _curves(records: list[dict[str, Any]], name: str, what: str) -> bytes:
    from sky_ssl.figures.printed.style import to_png
    from sky_ssl.figures.printed.training import draw_training

    return to_png(draw_training(records, f"Training of {name}", what))
