"""The mock sky that the figures of the documentation are of: a demo workspace, and its halves.

In: a workspace. Out: its objects, their truth and the model that made the embeddings; what is shown
of them. Odd tiles are to learn from, even ones to show.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sky_ssl.errors import InputError
from sky_ssl.evaluate.evidence import FILE, read_evidence
from sky_ssl.evaluate.networks import Trained, open_trained
from sky_ssl.evaluate.testsky import Truth, read_truth
from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.explore.features import features_of
from sky_ssl.explore.mapfile import SkyMap, embeddings_fingerprint, open_map
from sky_ssl.explore.modelrun import find_run
from sky_ssl.explore.search import Results, query_vector, search
from sky_ssl.explore.similarity import token_count, top
from sky_ssl.explore.whitening import fit_whitening
from sky_ssl.sky.hdf5part import open_hdf5
from sky_ssl.training.config import config_from_table
from sky_ssl.training.data import open_source
from sky_ssl.workspace import MODELS, Workspace

DRAWS, EXEMPLARS, TOP = 20, 5, 25  # of the search
SHOWN = ("spiral", "elliptical", "irregular", "lsb_spiral", "dwarf")  # of the reconstructions


@dataclass(frozen=True)
class Sky:
    """What all figures are of."""

    place: Workspace
    data: DataSet
    truth: Truth
    evidence: dict[str, Any]

    @cached_property
    def x(self) -> np.ndarray:
        """Features (N, D) as probes see them."""
        return np.asarray(features_of(self.data.embeddings))

    @cached_property
    def model(self) -> Trained:
        """The model that made the embeddings."""
        of = self.data.model
        run = find_run(of, self.place.runs, MODELS)
        if run is None:
            raise InputError(
                f"{self.place.root}: the run of its embeddings (sha256 {of[:12]}) is neither in "
                f"{self.place.runs} nor in {MODELS}"
            )
        return open_trained(run)

    @cached_property
    def seed(self) -> int:
        """Seed of the mock sky."""
        assert self.data.cutouts is not None
        return int(open_hdf5(self.data.cutouts.paths[0]).attrs.get("seed", -1))

    @property
    def is_trained_on(self) -> bool:
        """Say whether the model has seen this sky, without labels."""
        return self.seed in self.model.skies

    @property
    def note(self) -> str:
        """Say of what sky and by what model a figure is."""
        seen = "this sky, without labels" if self.is_trained_on else "other mock skies"
        return (
            f"Mock survey, simulated: {len(self.data):,} objects, seed {self.seed}. "
            f"Model {self.model.sha256[:8]}, {self.model.state.step:,} steps on {seen}."
        )

    def halves(self, use: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the rows to learn from, on odd tiles, and those to show, on even ones."""
        use = use & np.isfinite(self.x).all(axis=1)
        return np.flatnonzero(use & self.truth.train), np.flatnonzero(use & ~self.truth.train)


def open_sky(workspace: Path, evidence: Path | None) -> Sky:
    """Open a demo workspace.

    Raises:
        InputError: it has no embeddings of a mock sky.
    """
    place = Workspace(workspace)
    for path in sorted(place.embeddings.glob("*.h5")):
        data = open_dataset(path)
        if data.is_mock:
            truth = read_truth(data.column, len(data))
            return Sky(place, data, truth, _evidence(evidence) if evidence else {})
    raise InputError(
        f"{workspace}: no embeddings of a mock sky; make some: sky-ssl demo --workspace {workspace}"
    )


def _evidence(path: Path) -> dict[str, Any]:
    if not path.is_dir() and path.name != FILE:
        raise InputError(f"{path}: expected a file named {FILE}, or its folder")
    return read_evidence(path if path.is_dir() else path.parent)


def find_dwarfs(sky: Sky) -> tuple[list[tuple[np.ndarray, Results]], np.ndarray]:
    """Search the even tiles by dwarfs of the odd ones, several times; give hits (DRAWS,) too."""
    e, dwarf, train = sky.data.embeddings, sky.truth.dwarf, sky.truth.train
    pool, tokens = np.flatnonzero(dwarf & train), token_count(e.attributes, e.values.shape[1])
    if len(pool) < EXEMPLARS:
        raise InputError(f"{sky.place.root}: {len(pool)} dwarfs on odd tiles, {EXEMPLARS} needed")
    whitening = fit_whitening(e.values, tokens)
    white = whitening.apply(e.values)
    rng, found = np.random.default_rng(0), []
    for _ in range(DRAWS):
        rows = np.sort(rng.choice(pool, EXEMPLARS, replace=False))
        query = query_vector(e.values[rows], None, tokens, whitening=whitening)
        near = lambda k, out, q=query: top(white, q, 1, k, out)  # noqa: E731
        out = np.flatnonzero(train)
        found.append((rows, search(e, near, k=TOP, exclude=out)))
    return found, np.array([dwarf[results.rows].sum() for _, results in found])


def choose_objects(sky: Sky) -> np.ndarray:
    """Choose an object of each class, of those that the model has not been trained on."""
    unseen = np.ones(len(sky.data), dtype=bool)
    if sky.is_trained_on:
        source = open_source(config_from_table(sky.model.state.table, source="the model's run"))
        held = source.labels("id", source.validation_rows)
        unseen = np.isin(sky.data.embeddings.id, [] if held is None else np.asarray(held, str))
    kind, light = np.asarray(sky.truth.columns["class"], str), sky.data.column("mag_r")
    rng, rows = np.random.default_rng(0), []
    for name in SHOWN:
        bright = light <= np.quantile(light[kind == name], 0.25) if (kind == name).any() else False
        known = np.flatnonzero(unseen & (kind == name) & bright)
        rows += rng.choice(known, 1).tolist() if len(known) else []
    if not rows:
        raise InputError(f"{sky.place.root}: no galaxies that its model was not trained on")
    return np.array(rows)


def open_current_map(sky: Sky) -> SkyMap:
    """Find the map of the embeddings.

    Raises:
        InputError: there is none.
    """
    wanted = embeddings_fingerprint(sky.data.embeddings)
    for path in sorted(sky.place.maps.glob("*.h5")):
        found = open_map(path)
        if found.attributes.get("embeddings_fingerprint") == wanted:
            return found
    e = sky.data.embeddings.path
    out = sky.place.maps / e.name
    raise InputError(f"{sky.place.maps}: no map of {e.name}; make one: "
                     f"sky-ssl map --embeddings {e} --method umap --out {out}")  # fmt: skip
