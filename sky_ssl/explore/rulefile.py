"""Selection rules in and out of JSON files.

Vectors are written as lists of numbers in their shortest exact form: scores come out the same to
the last digit, any language can read them, and the reader of a paper can see what they are. A rule
of 512 numbers takes about 30 kB, 25 exemplars 150 kB more, and the 64 axes of a whitened search
200 kB. Reading is strict: sizes, types and finite numbers are checked; unknown keys are left alone.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sky_ssl.errors import InputError
from sky_ssl.explore.axes import Axes
from sky_ssl.explore.rule import KINDS, Floats, Selection
from sky_ssl.explore.whitening import Whitening

SCHEMA = "sky_ssl selection 1"
MOST_BYTES = 64 * 1024 * 1024
_MOST_TEXT = 10_000
_VECTORS = ("coefficients", "mean", "std", "query")
_TEXTS = ("name", "model", "survey", "pooling", "projection_sha256", "calibration_of",
          "made", "version")  # fmt: skip
_TABLES = ("exemplars", "whitening_axes")


def save_selection(selection: Selection, path: str | Path) -> None:
    """Write a rule; it appears under its name when it is complete."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_text(as_text(selection), encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def as_text(selection: Selection) -> str:
    """Write a rule as JSON text, a line for each value, exemplar and axis."""
    lines = []
    for key, value in _document(selection).items():
        if key in _TABLES and value:
            text = "[\n  " + ",\n  ".join(json.dumps(row) for row in value) + "\n ]"
        elif isinstance(value, dict):
            text = json.dumps(value, indent=1, allow_nan=False).replace("\n", "\n ")
        else:
            text = json.dumps(value, allow_nan=False)
        lines.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def content_hash(selection: Selection) -> str:
    """Give the sha256 of a rule, which is that of the file written by `save_selection`."""
    return hashlib.sha256(as_text(selection).encode()).hexdigest()


def _document(s: Selection) -> dict[str, Any]:
    document: dict[str, Any] = {"schema": SCHEMA, "kind": s.kind}
    document |= {name: getattr(s, name) for name in ("name", "model", "dimensions", "survey")}
    document |= {name: getattr(s, name) for name in ("pooling", "projection", "projection_sha256")}
    if s.turns != 1:  # other rules are written as they always were
        document["turns"] = s.turns
    document |= {"bands": list(s.bands), "tokens": s.tokens, "threshold": s.threshold}
    if s.softness:
        document["softness"] = s.softness
    tables = {"measured": s.measured, "origin": s.origin, "calibration": s.calibration}
    document |= {name: _plain(table) for name, table in tables.items()}
    document |= {"calibration_of": s.calibration_of, "made": s.made, "version": s.version}
    document["intercept"] = s.intercept
    for name in _VECTORS:
        values = getattr(s, name)
        document[name] = None if values is None else _numbers(values)
    if s.whitening is not None:  # so are rules of raw embeddings
        axes = s.whitening.axes
        document["whitening_mean"] = _numbers(axes.mean)
        document["whitening_deviation"] = _numbers(s.whitening.deviation)
        document["whitening_axes"] = [_numbers(row) for row in axes.axes]
    document["exemplar_ids"] = list(s.exemplar_ids)
    for name in ("exemplar_ra", "exemplar_dec"):
        document[name] = [v if math.isfinite(v) else None for v in getattr(s, name)]
    document["exemplars"] = [_numbers(row) for row in s.exemplars]
    return document


def _numbers(values: Floats) -> list[float]:
    """Give numbers whose shortest text reads back as the same value of the same type."""
    if values.dtype == np.float64:
        return [float(v) for v in values]
    return [float(str(v)) for v in values.astype(np.float32)]


def _plain(value: Any) -> Any:
    """Turn numpy values into plain ones, and what is not finite into null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def load_selection(path: str | Path) -> Selection:
    """Read a rule.

    Raises:
        InputError: not a rule, damaged, of a newer version, or larger than 64 MB.
    """
    file = Path(path)
    try:
        size = file.stat().st_size
        if size > MOST_BYTES:
            raise InputError(f"{path}: {size} bytes, a selection rule has at most {MOST_BYTES}")
        document = json.loads(file.read_bytes(), parse_constant=_no_constant)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{path}: not a selection rule, no valid JSON ({reason})") from None
    try:
        return _selection(document)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise InputError(f"{path}: not a selection rule ({reason[:200]})") from None


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number that JSON allows")


def _selection(d: Any) -> Selection:
    if not isinstance(d, dict) or not str(d.get("schema", "")).startswith("sky_ssl selection "):
        raise ValueError(f"it lacks the key schema = {SCHEMA!r}")
    if d["schema"] != SCHEMA:
        raise ValueError(f"schema {str(d['schema'])[:60]!r}, this version reads {SCHEMA!r}")
    if d.get("kind") not in KINDS:
        raise ValueError(f"kind {str(d.get('kind'))[:40]!r}: allowed are {', '.join(KINDS)}")
    D = _whole(d, "dimensions", 1)
    needed = ("query",) if d["kind"] == "search" else ("coefficients", "mean", "std")
    tokens = _whole(d, "tokens", 1 if d["kind"] == "search" else 0)
    if tokens and D % tokens:
        raise ValueError(f"{tokens} tokens do not divide {D} numbers")
    whitening = _whitening(d, D, tokens)
    sizes = dict.fromkeys(_VECTORS, D) | {"query": D if whitening is None else len(whitening)}
    vectors: dict[str, Any] = {
        name: _vector(d, name, size, required=name in needed) for name, size in sizes.items()
    }
    if vectors["std"] is not None and not (vectors["std"] > 0).all():
        raise ValueError("std holds numbers that are not above 0")
    threshold = d.get("threshold")
    ids = _texts(d, "exemplar_ids")
    exemplars = _rows(d, "exemplars", D)
    places: dict[str, Any] = {
        name: _places(d, name, len(exemplars)) for name in ("exemplar_ra", "exemplar_dec")
    }
    if len(ids) != len(exemplars):
        raise ValueError(f"{len(ids)} exemplar_ids for {len(exemplars)} exemplars")
    texts: dict[str, Any] = {name: _text(d, name) for name in _TEXTS}
    return Selection(
        kind=d["kind"],
        **texts,
        dimensions=D,
        turns=_whole(d, "turns", 1) if "turns" in d else 1,
        projection=_whole(d, "projection", 0),
        bands=_texts(d, "bands"),
        tokens=tokens,
        softness=_softness(d),
        threshold=None if threshold is None else _number(threshold, "threshold"),
        intercept=_number(d.get("intercept", 0.0), "intercept"),
        **vectors,
        whitening=whitening,
        exemplars=np.array(exemplars, dtype=np.float32).reshape(-1, D),
        exemplar_ids=ids,
        **places,
        calibration=_table(d, "calibration") or None,
        measured=_table(d, "measured"),
        origin=_table(d, "origin"),
    )


def _number(value: Any, name: str) -> float:
    good = isinstance(value, int | float) and not isinstance(value, bool)
    # a whole number may be too large for a float
    if not good or not abs(value) < 1e300:
        raise ValueError(f"{name} holds {str(value)[:40]!r}, which is not a finite number")
    return float(value)


def _whole(d: Mapping[str, Any], name: str, least: int) -> int:
    value = d[name]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= 10_000_000:
        raise ValueError(f"{name} {str(value)[:40]!r}: must be a whole number from {least}")
    return value


def _text(d: Mapping[str, Any], name: str) -> str:
    value = d.get(name, "")
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise ValueError(f"{name} is not a text of at most {_MOST_TEXT} characters")
    return value


def _texts(d: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = d.get(name, [])
    if not isinstance(values, list):
        raise ValueError(f"{name} is not a list")
    return tuple(_text({name: value}, name) for value in values)


def _table(d: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = d.get(name)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{name} is not an object")
    return value or {}


def _vector(d: Mapping[str, Any], name: str, D: int, *, required: bool) -> Floats | None:
    values = d.get(name)
    if values is None and not required:
        return None
    if not isinstance(values, list) or len(values) != D:
        length = len(values) if isinstance(values, list) else "no list"
        raise ValueError(f"{name} must be a list of {D} numbers ({length})")
    return np.array([_number(v, name) for v in values], dtype=np.float64)


def _rows(d: Mapping[str, Any], name: str, D: int) -> list[Floats | None]:
    rows = d.get(name) or []
    if not isinstance(rows, list):
        raise ValueError(f"{name} is not a list")
    return [_vector({name: row}, name, D, required=True) for row in rows]


def _softness(d: Mapping[str, Any]) -> float:
    softness = _number(d.get("softness", 0.0), "softness")
    if not 0 <= softness < 1e30:
        raise ValueError(f"softness {softness:g}: must be 0 or more")
    return softness


def _whitening(d: Mapping[str, Any], D: int, tokens: int) -> Whitening | None:
    rows = _rows(d, "whitening_axes", D)
    if not rows:
        return None
    axes = np.array(rows)
    mean = _vector(d, "whitening_mean", D, required=True)
    deviation = _vector(d, "whitening_deviation", len(rows), required=True)
    assert mean is not None
    assert deviation is not None
    # within what float32 holds, and far from where a division by it would leave that
    if not ((deviation > 1e-30) & (deviation < 1e30)).all():
        raise ValueError("whitening_deviation holds numbers that are not above 0")
    if max(np.abs(axes).max(), np.abs(mean).max()) > 1e30:
        raise ValueError("whitening_axes or whitening_mean hold numbers above 1e30")
    kept = Axes(mean.astype(np.float32), axes.astype(np.float32), tokens)
    return Whitening(kept, deviation.astype(np.float32))


def _places(d: Mapping[str, Any], name: str, M: int) -> tuple[float, ...]:
    values = d.get(name, [])
    if not isinstance(values, list) or len(values) not in (0, M):
        raise ValueError(f"{name} must be a list of {M} numbers")
    places = tuple(math.nan if v is None else _number(v, name) for v in values)
    return places or (math.nan,) * M
