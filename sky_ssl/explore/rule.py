"""The selection rule: what gives any embeddings of one model a score, and from which score on.

In: embeddings (N, D). Out: scores (N,), larger = more like what was selected. A rule holds all it
needs, so that it goes on without the files that it was made from.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore import similarity
from sky_ssl.explore.features import softened
from sky_ssl.explore.whitening import Whitening
from sky_ssl.probes.scoring import project
from sky_ssl.progress import Progress
from sky_ssl.sky.hdf5part import open_hdf5

Floats = npt.NDArray[np.floating]
Doubles = npt.NDArray[np.float64]
KINDS = ("probe", "search", "threshold")


def _no_vectors() -> Floats:
    return np.empty((0, 0), dtype=np.float32)


@dataclass(frozen=True)
class Selection:
    """A rule that scores embeddings of one model.

    Kinds "probe" and "threshold" score by the decision value of a linear classifier, "search" by
    the cosine to a query vector: of whitened embeddings, or the mean over tokens of raw ones.
    """

    kind: str  # "probe", "search" or "threshold" (a probe fitted to a cut on a column)
    name: str
    model: str  # sha256 of the checkpoint; empty for vectors of one's own
    dimensions: int  # D
    survey: str = ""
    pooling: str = ""
    turns: int = 1  # ways to look at an image that embeddings are averaged over
    projection: int = 0  # PCA to this many numbers; 0 = none
    projection_sha256: str = ""  # of its mean and axes, which each projected file has of its own
    bands: tuple[str, ...] = ()
    tokens: int = 0  # pieces of an embedding that are brought to unit length; 0: as it is
    softness: float = 0.0  # that numbers are bent with, see `features.softened`; 0: as they are
    threshold: float | None = None  # least score of a selected object; None = a ranking alone
    coefficients: Doubles | None = None  # (D,) per standard deviation
    intercept: float = 0.0
    mean: Doubles | None = None  # (D,)
    std: Doubles | None = None  # (D,), above 0
    query: Floats | None = None  # (D,), or (q,) of whitened embeddings
    whitening: Whitening | None = None  # of the survey that was searched; None: the query is of raw
    exemplars: Floats = field(default_factory=_no_vectors)  # (M, D), raw as in the file
    exemplar_ids: tuple[str, ...] = ()  # (M,)
    exemplar_ra: tuple[float, ...] = ()  # (M,) degrees, NaN if unknown
    exemplar_dec: tuple[float, ...] = ()
    calibration: dict[str, Any] | None = None  # of probes.calibration.Calibration
    calibration_of: str = ""  # what the probability is the probability of
    measured: dict[str, Any] = field(default_factory=dict)  # figures with intervals, and "how"
    origin: dict[str, Any] = field(default_factory=dict)  # what was drawn, cut or asked for
    made: str = ""  # time, ISO 8601
    version: str = ""

    def scores(
        self, values: npt.NDArray[np.floating], progress: Progress | None = None
    ) -> npt.NDArray[np.float32]:
        """Score embeddings, block by block.

        Args:
            values: (N, D), may be a memory map of any size.
            progress: called with (rows done, N).

        Returns:
            (N,); NaN for a row with numbers that are not finite.

        Raises:
            InputError: another D.
        """
        N, D = values.shape
        if self.dimensions != D:
            raise InputError(
                f"selection {self.name!r} is for embeddings of {self.dimensions} numbers, not {D}"
            )
        if self.kind == "search":
            assert self.query is not None
            if self.whitening is not None:
                return self.whitening.scores(values, self.query, progress)
            return similarity.scores(values, self.query, self.tokens, progress)
        assert self.coefficients is not None
        assert self.mean is not None
        assert self.std is not None
        coefficients, intercept = self.coefficients[None], np.array([self.intercept])
        result = np.full(N, np.nan, dtype=np.float32)
        for start, raw in similarity.blocks(values, progress):
            block = similarity.normalised(raw, self.tokens) if self.tokens else raw
            block = softened(block, self.softness) if self.softness else block
            found = project(block, coefficients, intercept, self.mean, self.std)[:, 0]
            result[start : start + len(block)] = np.where(np.isfinite(found), found, np.nan)
        return result


def model_of(e: Embeddings) -> dict[str, Any]:
    """Say which model and pooling embeddings are of, as arguments of `Selection`."""
    a = e.attributes
    projection = int(a.get("projection", 0) or 0)
    return {
        "model": str(a.get("checkpoint_sha256", "")),
        "dimensions": int(e.values.shape[1]),
        "survey": str(a.get("survey", "")),
        "pooling": str(a.get("pooling", "")),
        "turns": int(a.get("turns", 1)),
        "projection": projection,
        "projection_sha256": _projection_hash(e) if projection else "",
        "bands": tuple(str(a.get("bands", "")).split()),
    }


def _projection_hash(e: Embeddings) -> str:
    """Hash the mean and axes of the projection, which are fitted anew for each file."""
    digest = hashlib.sha256()
    file = open_hdf5(e.path)
    for name in ("projection_mean", "projection_axes"):
        if name in file:
            digest.update(np.asarray(file[name][:], dtype="<f4").tobytes())
    return digest.hexdigest()


def check_model(selection: Selection, e: Embeddings) -> list[str]:
    """Refuse embeddings of another model, pooling or projection.

    Returns:
        What could not be checked or is unlike, a line each.

    Raises:
        InputError: naming both.
    """
    theirs = model_of(e)
    where, rule = str(e.path), f"selection {selection.name!r}"
    if selection.model != theirs["model"]:
        raise InputError(
            f"{where}: embeddings of model {theirs['model'] or 'unknown'}, but {rule} is for model "
            f"{selection.model or 'unknown'}; embed the cutouts with that model"
        )
    if selection.pooling != theirs["pooling"]:
        raise InputError(
            f"{where}: pooling {theirs['pooling'] or 'unknown'!r}, but {rule} is for "
            f"{selection.pooling or 'unknown'!r}"
        )
    if selection.turns != theirs["turns"]:
        raise InputError(
            f"{where}: averaged over {theirs['turns']} turns, but {rule} is for {selection.turns}; "
            f"embed with --turns {selection.turns}"
        )
    if selection.projection != theirs["projection"]:
        raise InputError(
            f"{where}: projection {theirs['projection'] or 'none'}, but {rule} is for "
            f"{selection.projection or 'none'}"
        )
    if selection.projection_sha256 != theirs["projection_sha256"]:
        raise InputError(
            f"{where}: projected along axes {theirs['projection_sha256'][:12]} of its own, not "
            f"{selection.projection_sha256[:12]} of {rule}: embed both without --project"
        )
    if selection.dimensions != theirs["dimensions"]:
        raise InputError(
            f"{where}: {theirs['dimensions']} numbers per object, but {rule} is for "
            f"{selection.dimensions}"
        )
    notes = []
    if not selection.model:
        notes.append(f"{where}: does not name its model, so it cannot be checked against {rule}")
    if selection.survey != theirs["survey"]:
        notes.append(
            f"{rule} was made on survey {selection.survey or 'unknown'!r}, these are of "
            f"{theirs['survey'] or 'unknown'!r}: the figures measured there may not hold"
        )
    return notes
