"""A candidate list on the screen: what it is made from, and its files in memory.

In: an open data set, a rule, the ledger. Out: what `candidates.find_candidates` needs, the same as
`sky-ssl candidates` takes from files; and the list in any format, as bytes.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sky_ssl.explore.candidatecolumns import measured_columns
from sky_ssl.explore.candidatefiles import write_candidates
from sky_ssl.explore.dataset import DataSet
from sky_ssl.explore.knownobjects import known_table
from sky_ssl.probes.prevalence import parse_prevalence

__all__ = [
    "FORMATS",
    "field_of_view",
    "known_table",
    "list_bytes",
    "measured_table",
    "parse_prevalence",
]

FORMATS = {
    "CSV": ".csv",
    "ECSV": ".ecsv",
    "FITS": ".fits",
    "VOTable": ".vot",
    "DS9 regions": ".reg",
}
"""Endings of the files that a list can be had as."""


def measured_table(data: DataSet) -> pd.DataFrame | None:
    """Give magnitudes, sizes and flags of all objects; None where there are none."""
    names = measured_columns(list(data.column_names))
    if not names:
        return None
    e = data.embeddings
    columns = {name: data.column(name) for name in names}
    return pd.DataFrame({"id": e.id.astype(object), "ra": e.ra, "dec": e.dec, **columns})


def field_of_view(data: DataSet) -> float:
    """Measure the width of a cutout, arcsec; 60 if unknown."""
    if data.cutouts is None:
        return 60.0
    width = float(data.cutouts.shape[2] * data.cutouts.info.pixel_scale)
    return width if np.isfinite(width) and width > 0 else 60.0


def list_bytes(frame: pd.DataFrame, ending: str, about: Mapping[str, Any]) -> bytes:
    """Write a list as a file of a kind, and give its bytes; see `write_candidates`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"candidates{ending}"
        write_candidates(frame, path, about)
        return path.read_bytes()
