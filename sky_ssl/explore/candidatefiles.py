"""Candidate lists as files: CSV, ECSV, FITS, VOTable, DS9 regions, by the ending of the name.

In: a table of candidates and what it comes from. Out: a file with units, UCDs, descriptions and
the provenance in its header. Text is made safe for each format: no line breaks or control
characters anywhere, ASCII in FITS, no formulas in CSV.

The CSV starts with lines `# name: value`: `pandas.read_csv(path, comment="#")` skips them, and so
does `astropy.table.Table.read(path, format="ascii.csv", comment="#")`. Text with `#` is in quotes.
"""

import csv
import json
import os
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import numpy.typing as npt
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.candidatecolumns import about
from sky_ssl.sky.tablefiles import VOTABLE_DATA, plain_columns

TITLE = "Candidates by a selection rule of sky_ssl"
ENDINGS = {
    ".csv": "csv", ".ecsv": "ecsv", ".fits": "fits", ".fit": "fits", ".vot": "votable",
    ".votable": "votable", ".xml": "votable", ".reg": "ds9",
}  # fmt: skip
# what a spreadsheet may take for a formula, unless it is just a number or an angle
_FORMULA = re.compile(r"\s*[=+\-@|%]")
_ANGLE = re.compile(r"[+-]?[\d.]+([: ][\d.]+){0,2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")
_FITS_KEYS = {
    "selection": "SELECTN", "selection_sha256": "SELHASH", "selection_made": "SELDATE",
    "model": "MODEL", "survey": "SURVEY", "pooling": "POOLING", "prevalence": "PREVAL",
    "threshold": "THRESH", "probability_of": "PROBOF", "embeddings": "EMBFILE",
    "cutouts_fingerprint": "CUTHASH", "version": "VERSION", "time": "DATE", "scored": "NSCORED",
    "command": "COMMAND",
}  # fmt: skip


def check_ending(path: Path) -> str:
    """Give the format of a file by its ending.

    Raises:
        InputError: another ending.
    """
    kind = ENDINGS.get(path.suffix.lower())
    if kind is None:
        raise InputError(f"{path}: ending {path.suffix!r} is not one of {' '.join(ENDINGS)}")
    return kind


def write_candidates(
    frame: pd.DataFrame, path: str | Path, about_list: Mapping[str, Any], *, title: str = TITLE
) -> None:
    """Write a list; the file appears under its name when it is complete.

    Args:
        frame: columns as `candidates.find_candidates` makes them; may have no rows.
        path: the ending says the format.
        about_list: provenance, names and plain values.
        title: of a VOTable; its first word names the extension of a FITS file.

    Raises:
        InputError: an ending that is not known.
    """
    target = Path(path)
    kind = check_ending(target)
    columns = {name: _clean(values) for name, values in plain_columns(frame).items()}
    head = {name: clean_text(str(value)) for name, value in about_list.items()}
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        if kind in ("csv", "ds9"):
            with temporary.open("w", encoding="utf-8", newline="") as file:
                (_write_csv if kind == "csv" else _write_regions)(columns, head, file)
        else:
            {"ecsv": _write_ecsv, "fits": _write_fits, "votable": _write_votable}[kind](
                columns, head, temporary, title
            )
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def clean_text(text: str) -> str:
    """Put a space in place of line breaks and other characters that no table may hold."""
    return _CONTROL.sub(" ", text).strip()


def _clean(values: npt.NDArray) -> npt.NDArray:
    if values.dtype.kind not in "US":
        return values
    clean = np.array([clean_text(str(v)) for v in values], dtype=str)
    # FITS and VOTable have no column of width 0
    return clean if clean.dtype.itemsize else clean.astype("U1")


Columns = Mapping[str, npt.NDArray]
Head = Mapping[str, str]


def _write_csv(columns: Columns, head: Head, file: TextIO) -> None:
    for name, value in head.items():
        file.write(f"# {name}: {value}\n")
    for name in columns:
        unit, _, description = about(name)
        if description:
            file.write(f"# column {name}: {description}{f' [{unit}]' if unit else ''}\n")
    file.write("# text that a spreadsheet could take for a formula has an apostrophe before it\n")
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    writer.writerow([_quoted(name) for name in columns])
    quoting = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in zip(*(_as_texts(values) for values in columns.values()), strict=True):
        # comment marks inside quotes are text for every reader
        (quoting if any("#" in field for field in row) else writer).writerow(row)


def _quoted(text: str) -> str:
    """Defuse a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _ANGLE.fullmatch(text) else text


def _as_texts(values: npt.NDArray) -> list[str]:
    """Write a column: numbers in their shortest exact form, empty where there is none."""
    if values.dtype.kind == "U":
        return [_quoted(v) for v in values.tolist()]
    if values.dtype.kind == "f":
        return ["" if np.isnan(v) else str(v) for v in values]
    return [str(v) for v in values.tolist()]


def _table(columns: Columns, head: Head) -> Any:
    """Make an astropy table with units, descriptions and UCDs."""
    from astropy.table import Table

    table = Table(dict(columns), meta=dict(head))
    for name in table.colnames:
        unit, ucd, description = about(name)
        table[name].unit = unit or None
        table[name].description = description or None
        if ucd:
            table[name].meta["ucd"] = ucd
    return table


def _write_ecsv(columns: Columns, head: Head, path: Path, title: str) -> None:
    _table(columns, {"title": title, **head}).write(path, format="ascii.ecsv", overwrite=True)


def _write_fits(columns: Columns, head: Head, path: Path, title: str) -> None:
    from astropy.io import fits

    ascii_columns = {
        name: np.array([_ascii(v) for v in values], dtype=values.dtype)
        if values.dtype.kind == "U" and len(values)
        else values
        for name, values in columns.items()
    }
    table = _table(ascii_columns, {})
    hdu = fits.table_to_hdu(table)
    hdu.name = title.split()[0].upper()
    for number, name in enumerate(table.colnames, start=1):
        _, ucd, description = about(name)
        if ucd:
            hdu.header[f"TUCD{number}"] = ucd
        if description:
            hdu.header[f"TCOMM{number}"] = description
    hdu.header["RADESYS"] = "ICRS"
    for key, value in head.items():
        word = _FITS_KEYS.get(key, re.sub(r"[^A-Z0-9]", "", key.upper())[:8])
        hdu.header[word] = (_ascii(value), key.replace("_", " ") if len(value) < 40 else "")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)


def _ascii(text: str) -> str:
    """Write text in ASCII: letters without their accents, a question mark for all else."""
    plain = unicodedata.normalize("NFKD", str(text))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode()


def _write_votable(columns: Columns, head: Head, path: Path, title: str) -> None:
    from astropy.io.votable import from_table
    from astropy.io.votable.tree import CooSys, Info

    table = _table(columns, {})
    file = from_table(table, table_id=title.split()[0].lower())
    file.description = title
    resource = file.resources[0]
    resource.coordinate_systems.append(CooSys(ID="icrs", system="ICRS", epoch="J2000"))
    inner = file.get_first_table()
    for field in inner.fields:
        if field.name in ("ra", "dec"):
            field.ref = "icrs"
    for name, value in head.items():
        inner.infos.append(Info(name=name, value=value))
    file.to_xml(str(path), tabledata_format=VOTABLE_DATA)


def _write_regions(columns: Columns, head: Head, file: TextIO) -> None:
    """Write DS9 regions: a circle of two half-light radii, 5 arcsec where the size is unknown."""
    file.write("# Region file format: DS9 version 4.1\n")
    for name, value in head.items():
        file.write(f"# {name}: {value}\n")
    file.write("global color=green width=1\nicrs\n")
    N = len(columns["ra"])
    sizes = columns.get("half_light_radius", np.full(N, np.nan)).astype(np.float64)
    radius = np.where(np.isfinite(sizes) & (sizes > 0), np.clip(2 * sizes, 2.0, 600.0), 5.0)
    for i in range(N):
        ra, dec = float(columns["ra"][i]), float(columns["dec"][i])
        if np.isfinite(ra) and np.isfinite(dec):
            title = re.sub(r"[{}\"']", "_", str(columns["id"][i]))
            place = f'{ra:.7f},{dec:.7f},{radius[i]:.2f}"'
            number = f"{columns['rank'][i]} " if "rank" in columns else ""
            file.write(f"circle({place}) # text={{{number}{title}}}\n")


def as_rows(frame: pd.DataFrame, most: int) -> list[dict[str, Any]]:
    """Give the first rows as plain values for JSON; null where there is none."""
    text: str = frame.head(most).to_json(orient="records", double_precision=15)
    rows: list[dict[str, Any]] = json.loads(text)
    return rows
