"""Tables in and out of files: CSV and other text, ECSV, FITS, VOTable, Parquet.

In: a file, recognised by its first bytes. Out: a pandas DataFrame of plain columns and the units
that the file gives; and the other way round, by the ending of the name. Nothing is unpickled.
"""

import bz2
import gzip
import lzma
import os
import re
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.sky.fitsbytes import DAMAGED, quiet

_PACKED: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_HEAD_BYTES = 65536
_FORMATS = "CSV, ECSV, FITS, VOTable or Parquet"
VOTABLE_DATA = "binary2"
"""How VOTables are written: every bit of a number kept, and none of astropy 8's writer of plain
rows, which now and then spoils the memory of the process (astropy issue 20419)."""
_ENDINGS = ".csv .ecsv .fits .fit .vot .votable .xml .parquet .pq"
Units = dict[str, str]


def read_table(path: Path, as_text: Callable[[str], bool]) -> tuple[pd.DataFrame, Units]:
    """Read any table.

    Args:
        as_text: says which columns of a text file must keep their digits as they are (ids).

    Raises:
        InputError: the file is missing, damaged, empty, or of another kind.
    """
    head = _head(path)
    try:
        with quiet():
            if head.startswith(b"SIMPLE"):
                return _from_fits(path)
            if head.startswith(b"PAR1"):
                return pd.read_parquet(path), {}
            if re.match(rb"\s*(<\?xml|<VOTABLE|<!--)", head):
                return _from_votable(path)
            if head.lstrip().startswith(b"# %ECSV"):
                return _from_astropy(_ecsv(path))
            _check_text(path, head)
            return _from_text(path, head, as_text), {}
    except InputError:
        raise
    except DAMAGED as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path}: cannot be read as a table ({reason})") from None


def _head(path: Path) -> bytes:
    """Read the first bytes, decompressed where needed."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
        opener = next((f for magic, f in _PACKED.items() if head.startswith(magic)), None)
        if opener is not None:
            with opener(path, "rb") as file:
                head = file.read(_HEAD_BYTES)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None
    if not head.strip():
        raise InputError(f"{path}: empty, a catalogue with RA and Dec is needed")
    return head


def _check_text(path: Path, head: bytes) -> None:
    """Refuse binary files, pickles among them, before they are taken for text."""
    if head.startswith(b"\x89HDF"):
        raise InputError(f"{path}: HDF5, not a catalogue ({_FORMATS})")
    if head.startswith((b"\x80", b"PK")) or b"\0" in head:
        raise InputError(f"{path}: a binary file of unknown kind, not a catalogue ({_FORMATS})")


def _from_text(path: Path, head: bytes, as_text: Callable[[str], bool]) -> pd.DataFrame:
    """Read CSV and its relatives: other delimiters, comments before the header."""
    try:
        encoding = "utf-8-sig"
        # the last character may be cut in two
        text = head.decode("utf-8-sig", errors="strict" if len(head) < _HEAD_BYTES else "ignore")
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = head.decode(encoding)
    lines = text.splitlines()
    data = next((i for i, line in enumerate(lines) if line.strip() and line.strip()[0] != "#"), 0)
    separator = _separator(lines[data])
    names = _commented_header(lines[:data], lines[data], separator)
    options: dict[str, Any] = {
        "sep": separator,
        "encoding": encoding,
        "skiprows": data,
        "skipinitialspace": True,
        "compression": _compression(path),
    }
    if names:
        options |= {"header": None, "names": names}
    columns = pd.read_csv(path, nrows=0, **options).columns
    keep = {name: str for name in columns if as_text(str(name))}
    frame = pd.read_csv(path, dtype=keep, low_memory=False, index_col=False, **options)
    return frame.rename(columns=lambda name: str(name).strip())


def _separator(line: str) -> str:
    counts = {mark: line.count(mark) for mark in ",\t;|"}
    best = max(counts, key=lambda mark: counts[mark])
    return best if counts[best] else r"\s+"


def _commented_header(comments: list[str], first: str, separator: str) -> list[str] | None:
    """Take the names from the last comment line if it has as many as the data have fields."""

    def split(line: str) -> list[str]:
        return re.split(re.escape(separator) if separator != r"\s+" else separator, line.strip())

    fields = split(first)
    has_names = any(re.search("[A-Za-z]", f) and not _is_value(f) for f in fields[:3])
    for line in reversed([c for c in comments if c.strip()]):
        names = split(line.strip().lstrip("#"))
        if len(names) == len(fields) > 1 and not has_names:
            return names
    return None


def _is_value(text: str) -> bool:
    return bool(re.fullmatch(r"(?i)[\"']?(nan|inf|null|none)[\"']?", text.strip()))


def _compression(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(6)
    names = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "xz"}
    return next((name for magic, name in names.items() if start.startswith(magic)), None)


def _from_fits(path: Path) -> tuple[pd.DataFrame, Units]:
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(path, memmap=False) as hdus:
        tables = [h for h in hdus if isinstance(h, fits.BinTableHDU | fits.TableHDU)]
        tables = [h for h in tables if not isinstance(h, fits.CompImageHDU)]
        if not tables:
            kinds = " ".join(type(h).__name__ for h in hdus)
            raise InputError(f"{path}: a FITS file without a table (it holds {kinds})")
        return _from_astropy(Table.read(tables[0]))


def _from_votable(path: Path) -> tuple[pd.DataFrame, Units]:
    from astropy.io.votable import parse
    from astropy.io.votable.exceptions import VOTableSpecError

    try:
        tables = [t for t in parse(str(path), verify="ignore").iter_tables() if not t.is_empty()]
    except (VOTableSpecError, SyntaxError) as error:
        raise InputError(f"{path}: not a VOTable ({' '.join(str(error).split())})") from None
    if not tables:
        raise InputError(f"{path}: a VOTable without a table in it")
    return _from_astropy(tables[0].to_table(use_names_over_ids=True))


def _ecsv(path: Path) -> Any:
    from astropy.table import Table

    return Table.read(path, format="ascii.ecsv")


def _from_astropy(table: Any) -> tuple[pd.DataFrame, Units]:
    """Turn an astropy table into plain columns; positions and the like are split, arrays left."""
    from astropy.table.serialize import represent_mixins_as_columns

    plain = represent_mixins_as_columns(table)
    arrays = [name for name in plain.colnames if plain[name].ndim > 1]
    plain.remove_columns(arrays)
    units = {name: str(plain[name].unit) for name in plain.colnames if plain[name].unit}
    frame = plain.to_pandas(index=False)
    for name in frame.columns:
        if frame[name].dtype == object:
            frame[name] = [v.decode() if isinstance(v, bytes) else v for v in frame[name]]
    return frame, units


def check_ending(path: Path) -> str:
    """Give the ending of a table's name, in small letters; to be asked before long work.

    Raises:
        InputError: no table is written under that name.
    """
    ending = path.suffix.lower()
    if ending not in _ENDINGS.split():
        raise InputError(f"{path}: ending {path.suffix!r} is not one of {_ENDINGS}")
    return ending


def write_table(frame: pd.DataFrame, path: Path, units: Mapping[str, str]) -> None:
    """Write a table in the format of the ending; it appears under its name when it is complete.

    Raises:
        InputError: an ending that is not known.
    """
    ending = check_ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if ending == ".csv":
            frame.to_csv(temporary, index=False)
        elif ending in (".parquet", ".pq"):
            frame.to_parquet(temporary, index=False)
        else:
            _write_astropy(frame, temporary, ending, units)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _write_astropy(frame: pd.DataFrame, path: Path, ending: str, units: Mapping[str, str]) -> None:
    from astropy.table import Table

    columns = plain_columns(frame)
    if ending in (".fits", ".fit"):
        columns = _distinct_without_case(columns)
    table = Table(columns)
    for name, unit in units.items():
        if name in table.colnames:
            table[name].unit = unit
    formats = {".ecsv": "ascii.ecsv", ".fits": "fits", ".fit": "fits"}
    # columns of text without any: FITS and VOTable have no width for them
    for name in table.colnames:
        if table[name].dtype.kind == "U" and table[name].dtype.itemsize == 0:
            table[name] = table[name].astype("U1")
    # astropy remarks on names like b/a, which it writes and reads back all the same
    with quiet():
        if ending in formats:
            table.write(path, format=formats[ending], overwrite=True)
        else:
            table.write(path, format="votable", tabledata_format=VOTABLE_DATA, overwrite=True)


def _distinct_without_case(columns: Mapping[str, npt.NDArray]) -> dict[str, npt.NDArray]:
    """Number names that differ in case alone, which FITS takes for one."""
    result: dict[str, npt.NDArray] = {}
    seen: set[str] = set()
    for name, values in columns.items():
        new, number = name, 2
        while new.lower() in seen:
            new, number = f"{name}_{number}", number + 1
        seen.add(new.lower())
        result[new] = values
    return result


def plain_columns(frame: pd.DataFrame) -> dict[str, npt.NDArray]:
    """Give each column as numbers, truth values or text (N,), one type for all its rows.

    Missing numbers are NaN, missing text is empty.
    """
    return {str(name): _plain(frame[name]) for name in frame.columns}


def _plain(column: pd.Series) -> npt.NDArray:
    if pd.api.types.is_bool_dtype(column.dtype) and not column.isna().any():
        return column.to_numpy(dtype=bool)
    if pd.api.types.is_numeric_dtype(column.dtype):
        if column.isna().any():
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        return column.to_numpy(dtype=getattr(column.dtype, "numpy_dtype", column.dtype))
    return np.array(["" if pd.isna(v) else str(v) for v in column], dtype=str)
