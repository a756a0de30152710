"""What a survey is: its bands, and how their files are named, scaled and masked.

In: the name of a preset (unions, hsc, legacy, mock) or a TOML file with a section `[survey]`. Out:
a `Survey` of frozen dataclasses. The presets are such TOML files themselves, in `presets/`, and
serve as examples.
"""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError

PRESETS = ("unions", "hsc", "legacy", "mock")


@dataclass(frozen=True)
class Source:
    """One possible origin of a band's pixels: a kind of file and how to read it.

    A pattern without a group `tile` (or whose group is empty) stands for one folder per tile: the
    folder then names the tile. A pattern with a "/" is compared with the end of the path instead
    of the name alone, for bands that only their folder tells apart.
    """

    pattern: str  # regular expression of the whole file name; groups tile, tile2, ... name the tile
    hdu: int | str = 0  # HDU of the image, by number or EXTNAME
    zero_point: float = 30.0  # AB magnitude of one count
    plane: int | None = None  # index along the first axis, where the HDU is a cube of bands
    scale_key: str | None = None  # header keyword whose value multiplies the pixels
    zero_is_no_data: bool = False  # pixels of exactly 0 hold no data
    mask_hdu: int | str | None = None  # HDU with a bit mask
    mask_bits: tuple[str, ...] = ()  # names of the bits that mean no data
    mask_table: tuple[tuple[str, int], ...] = ()  # bit number by name; empty: MP_<NAME> keywords
    mask_replace: tuple[str, str] | None = None  # the mask's file: (text in the name, replacement)
    weight_hdu: int | str | None = None  # HDU with weights or inverse variances: 0 = no data
    weight_replace: tuple[str, str] | None = None  # the weight's file, as mask_replace

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise InputError(
                f"pattern {self.pattern!r} is no regular expression: {error}"
            ) from None
        if not math.isfinite(self.zero_point):
            raise InputError(f"zero_point {self.zero_point} of {self.pattern!r}: must be finite")
        if self.mask_hdu is not None and not self.mask_bits:
            raise InputError(
                f"mask_hdu of {self.pattern!r} without mask_bits: name the bits that mean no data, "
                "for example NO_DATA SAT"
            )


@dataclass(frozen=True)
class Band:
    """A band and the sources it may come from, best first."""

    name: str
    sources: tuple[Source, ...]

    def __post_init__(self) -> None:
        if not self.sources:
            raise InputError(f"band {self.name!r} has no pattern")


@dataclass(frozen=True)
class Survey:
    """A survey: bands on one pixel grid, brought to one zero point when they are read."""

    name: str
    pixel_scale: float  # arcsec per pixel
    bands: tuple[Band, ...]
    zero_point: float = 30.0  # AB magnitude of one count, of the pixels as we read them
    prefix: str = ""  # of object names; empty: the survey's name
    rgb: tuple[str, str, str] | tuple[()] = ()  # bands of colour pictures; empty: chosen

    def __post_init__(self) -> None:
        names = self.band_names
        if not names:
            raise InputError(f"survey {self.name!r} has no bands")
        if len(set(names)) != len(names):
            raise InputError(f"survey {self.name!r}: a band is named twice in {' '.join(names)}")
        if not (math.isfinite(self.pixel_scale) and self.pixel_scale > 0):
            raise InputError(f"pixel_scale {self.pixel_scale} of survey {self.name!r}: must be > 0")
        if not math.isfinite(self.zero_point):
            raise InputError(f"zero_point {self.zero_point} of {self.name!r}: must be finite")
        if self.rgb and (len(self.rgb) != 3 or not set(self.rgb) <= set(names)):
            raise InputError(
                f"rgb {' '.join(self.rgb)} of survey {self.name!r}: give three of {' '.join(names)}"
            )
        object.__setattr__(self, "prefix", self.prefix or self.name)
        object.__setattr__(self, "rgb", self.rgb or _default_rgb(names))

    @property
    def band_names(self) -> tuple[str, ...]:
        """Names of the bands, in the order of the arrays."""
        return tuple(band.name for band in self.bands)


def load_survey(name_or_path: str | Path) -> Survey:
    """Load a preset by its name, or a survey from the section `[survey]` of a TOML file.

    Raises:
        InputError: no such preset or file, or a definition that does not hold.
    """
    name = str(name_or_path)
    if name.lower() in PRESETS:
        text = (resources.files("sky_ssl.sky") / "presets" / f"{name.lower()}.toml").read_text(
            "utf-8"
        )
        return parse_survey(tomllib.loads(text), name)
    path = Path(name_or_path)
    if not path.is_file():
        raise InputError(
            f"survey {name!r}: neither a file nor one of the presets {' '.join(PRESETS)}"
        )
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from None
    return parse_survey(table, str(path))


def parse_survey(table: Mapping[str, Any], origin: str) -> Survey:
    """Build a survey from a parsed TOML document, or from `dataclasses.asdict` of a survey.

    Args:
        table: with a key `survey` that is a table or a preset's name; or that table itself.
        origin: where it comes from, named in errors.

    Raises:
        InputError: unknown or missing keys, wrong types, or values that do not hold.
    """
    section = table if "bands" in table else table.get("survey")
    if isinstance(section, str):
        return load_survey(section)
    if not isinstance(section, Mapping):
        raise InputError(f"{origin}: no section [survey]")
    _check_keys(section, Survey, {"name", "pixel_scale", "bands"}, f"{origin}: [survey]")
    try:
        values = {key: _plain(value) for key, value in section.items() if key != "bands"}
        values["pixel_scale"] = float(section["pixel_scale"])
        bands = tuple(_parse_band(band, origin) for band in section["bands"])
        return Survey(bands=bands, **values)
    except InputError as error:
        raise InputError(_prefixed(origin, error)) from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{origin}: [survey] has a value of the wrong type: {error}") from None


def _parse_band(table: Mapping[str, Any], origin: str) -> Band:
    """Parse one `[[survey.bands]]`; its own keys are defaults for each of its sources."""
    if not isinstance(table, Mapping):
        raise InputError(f"{origin}: bands must be tables ([[survey.bands]])")
    if not isinstance(table.get("name"), str):
        raise InputError(f"{origin}: a band without a name")
    where = f"{origin}: band {table['name']!r}"
    common = {key: value for key, value in table.items() if key not in ("name", "sources")}
    sources = []
    for own in table.get("sources") or [{}]:
        values = {**common, **own}
        _check_keys(values, Source, {"pattern"}, where)
        sources.append(Source(**{key: _source_value(key, values[key], where) for key in values}))
    return Band(table["name"], tuple(sources))


def _source_value(key: str, value: Any, where: str) -> Any:
    """Check the type of one key of a source and freeze its value."""
    if key == "mask_table" and isinstance(value, Mapping):
        value = list(value.items())
    allowed: dict[str, tuple[type, ...]] = {
        "pattern": (str,),
        "scale_key": (str, type(None)),
        "zero_point": (int, float),
        "plane": (int, type(None)),
        "zero_is_no_data": (bool,),
        "hdu": (int, str),
        "mask_hdu": (int, str, type(None)),
        "weight_hdu": (int, str, type(None)),
        "mask_replace": (list, tuple, type(None)),
        "weight_replace": (list, tuple, type(None)),
    }
    types = allowed.get(key, (list, tuple))
    wrong_bool = isinstance(value, bool) and bool not in types
    wrong_pair = key.endswith("_replace") and value is not None and len(value) != 2
    if not isinstance(value, types) or wrong_bool or wrong_pair:
        names = "two texts" if wrong_pair else " or ".join(t.__name__ for t in types)
        raise InputError(f"{where}: {key} = {value!r}, must be {names}")
    return _plain(value)


def _plain(value: Any) -> Any:
    """Turn lists into tuples, so that the dataclasses are hashable."""
    return tuple(_plain(item) for item in value) if isinstance(value, list | tuple) else value


def _check_keys(table: Mapping[str, Any], kind: type, needed: set[str], where: str) -> None:
    allowed = [field.name for field in fields(kind)]
    unknown = sorted(set(table) - set(allowed))
    if unknown:
        raise InputError(f"{where}: unknown {' '.join(unknown)}; allowed are {' '.join(allowed)}")
    missing = sorted(needed - set(table))
    if missing:
        raise InputError(f"{where}: {' '.join(missing)} missing")


def _prefixed(origin: str, error: InputError) -> str:
    return str(error) if str(error).startswith(origin) else f"{origin}: {error}"


def _default_rgb(names: tuple[str, ...]) -> tuple[str, str, str]:
    """Choose red, green and blue: i r g or z r g where there are, else spread over the bands."""
    for choice in (("i", "r", "g"), ("z", "r", "g")):
        if set(choice) <= set(names):
            return choice
    return names[-1], names[len(names) // 2], names[0]
