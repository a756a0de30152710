"""Figures of the documentation, all of a mock sky: what a model does there, with labels held out.

    python docs/make_figures.py --workspace DIR [--evidence DIR/evidence.json] [--only NAME ...]

DIR is a demo workspace (`sky-ssl demo --workspace DIR`), which stays as it is; evidence.json is
what `benchmarks/evidence.py --out DIR` writes, and only the few-shot curves need it. Probes learn
from the odd tiles and are shown on the even ones. Each PNG goes to docs/figures (`--out`), 1,600
pixels wide and at most 300 kB.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sky_ssl.errors import InputError  # noqa: E402
from sky_ssl.evaluate.evidence import FILE, read_evidence  # noqa: E402
from sky_ssl.evaluate.networks import Trained, open_trained  # noqa: E402
from sky_ssl.evaluate.testsky import Truth, read_truth  # noqa: E402
from sky_ssl.explore.dataset import DataSet, open_dataset  # noqa: E402
from sky_ssl.explore.features import features_of  # noqa: E402
from sky_ssl.explore.hiding import Hiding, agreement, fill_objects  # noqa: E402
from sky_ssl.explore.mapfile import SkyMap, embeddings_fingerprint, open_map  # noqa: E402
from sky_ssl.explore.maps import NO_VECTOR  # noqa: E402
from sky_ssl.explore.modelrun import find_run  # noqa: E402
from sky_ssl.explore.redshifts import bin_deviations, deviations  # noqa: E402
from sky_ssl.explore.search import Results, query_vector, search  # noqa: E402
from sky_ssl.explore.similarity import token_count, top  # noqa: E402
from sky_ssl.explore.whitening import fit_whitening  # noqa: E402
from sky_ssl.figures import masked  # noqa: E402
from sky_ssl.figures.colours import colour_classes  # noqa: E402
from sky_ssl.figures.contact import rgb_bands  # noqa: E402
from sky_ssl.figures.printed.confusion import draw_confusion  # noqa: E402
from sky_ssl.figures.printed.fewshot import draw_fewshot  # noqa: E402
from sky_ssl.figures.printed.reconstruction import Shown, draw_sheet  # noqa: E402
from sky_ssl.figures.printed.redshift import Faults, draw_redshifts  # noqa: E402
from sky_ssl.figures.printed.retrieval import draw_retrieval  # noqa: E402
from sky_ssl.figures.printed.skymap import draw_map  # noqa: E402
from sky_ssl.figures.printed.style import to_png  # noqa: E402
from sky_ssl.probes.bootstrap import Interval  # noqa: E402
from sky_ssl.probes.crossval import tune_classes, tune_values  # noqa: E402
from sky_ssl.probes.metrics import class_figures, confusion_matrix  # noqa: E402
from sky_ssl.probes.redshift import value_figures  # noqa: E402
from sky_ssl.probes.scoring import most_likely  # noqa: E402
from sky_ssl.sky.hdf5part import open_hdf5  # noqa: E402
from sky_ssl.sky.mock import PRIOR  # noqa: E402
from sky_ssl.training.config import config_from_table  # noqa: E402
from sky_ssl.training.data import open_source  # noqa: E402
from sky_ssl.workspace import MODELS, Workspace  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWS, EXEMPLARS, TOP = 20, 5, 25  # of the search
SHOWN = ("spiral", "elliptical", "irregular", "lsb_spiral", "dwarf")  # of the reconstructions
HIDDEN = 0.6  # share of the patches of each band
BRIGHT = 1.5  # of pictures: dwarfs are faint


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
        run = find_run(self.place.runs, of) or find_run(MODELS, of)
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


def words(name: str, value: Interval, digits: int = 2, unit: str = "") -> str:
    """Write a figure with its interval."""
    scale = 100.0 if unit else 1.0
    mean, low, high = (f"{v * scale:.{digits}f}".replace("-", "−") for v in value)
    return f"{name} {mean}{unit} ({low} to {high})"


# ---- the figures -------------------------------------------------------------------------------


def draw_redshift(sky: Sky) -> "Figure":
    """Predict the redshifts of the even tiles."""
    z, tile = np.asarray(sky.truth.columns["zspec"], np.float64), sky.truth.columns["tile"]
    a, b = sky.halves(sky.truth.with_redshift)
    model, _ = tune_values(sky.x[a], z[a], tile[a])
    predicted = np.asarray(model.predict(sky.x[b]), np.float64)
    found = value_figures(z[b], predicted, redshift=True, groups=tile[b])
    bins = bin_deviations(z[b], deviations(z[b], predicted, True), tile[b])
    faults = (
        None
        if bins is None
        else Faults(bins.edges, bins.centre, bins.bias, bins.nmad, bins.outliers)
    )
    said = (
        f"{len(b):,} objects on even tiles, {z[b].min():.2f} < z < {z[b].max():.2f}, predicted "
        f"from {len(a):,} spectra on odd ones; in brackets and as bars 95 % intervals.",
        ";  ".join([words("R²", found["r2"]), words("bias", found["bias"], 3),
                    words("NMAD", found["nmad"], 3),
                    words("outliers", found["outlier_fraction"], 1, " %")]),
    )  # fmt: skip
    return draw_redshifts(z[b], predicted, faults, lines=said, note=sky.note)


def draw_classes(sky: Sky) -> "Figure":
    """Classify the objects of the even tiles."""
    kind, tile = np.asarray(sky.truth.columns["class"], str), sky.truth.columns["tile"]
    a, b = sky.halves(np.ones(len(kind), bool))
    classes = np.unique(kind)
    decision = tune_classes(sky.x[a], kind[a], tile[a]).decision(sky.x[b], classes)
    found = class_figures(kind[b], decision, classes, groups=tile[b])
    matrix = confusion_matrix(kind[b], classes[most_likely(decision)], classes)
    names = [name for name in PRIOR if name in classes]
    order = np.searchsorted(classes, names)
    said = (
        f"{len(b):,} objects on even tiles, learnt from {len(a):,} on odd ones, each class with "
        "the same weight. Per cent of each row.",
        words("Balanced accuracy", found["balanced_accuracy"], 3) + ", 95 % interval over tiles; "
        f"guessing gives {1 / len(classes):.3f}.",
    )
    return draw_confusion(matrix[np.ix_(order, order)], names, lines=said, note=sky.note)


def draw_curves(sky: Sky, preset: str = "native") -> "Figure":
    """Draw few-shot curves from the evidence."""
    measured = sky.evidence.get("presets", {}).get(preset, {})
    if not measured.get("fewshot"):
        raise InputError(f"few-shot curves: no such figures of the preset {preset} in {FILE}")
    said, model = sky.evidence["settings"], sky.evidence["models"][preset]
    skies = len(said["skies"])
    note = (
        f"Mock survey, simulated, preset {preset}: {skies} {'sky' if skies == 1 else 'skies'} "
        f"of {said['objects']:,} objects, even tiles. Model {model['sha256'][:8]}, "
        f"{model['step']:,} steps on other mock skies."
    )
    return draw_fewshot(
        measured["fewshot"], measured.get("ceiling", {}),
        ceiling_labels=said["ceiling_objects"], note=note,
    )  # fmt: skip


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


def draw_search(sky: Sky) -> "Figure":
    """Show the draw of exemplars that does middling well."""
    found, hits = find_dwarfs(sky)
    middle = int(np.argsort(hits, kind="stable")[len(hits) // 2])
    rows, results = found[middle]
    searched = sky.truth.dwarf[~sky.truth.train]
    said = (
        f"{hits[middle]} of the {len(results)} nearest are dwarfs, which are "
        f"{100 * searched.mean():.1f} % of the {len(searched):,} objects searched (even tiles; "
        "exemplars from odd ones).",
        f"Of {DRAWS} draws of {EXEMPLARS} exemplars the middle one is shown; on average "
        f"{hits.mean():.1f} are right, from {hits.min()} to {hits.max()}.",
    )
    kinds = np.asarray(sky.truth.columns["class"], str)[results.rows]
    return draw_retrieval(
        pictures(sky, rows), pictures(sky, results.rows), sky.truth.dwarf[results.rows],
        kinds.tolist(), kind="dwarf", title="Five dwarf galaxies, and what is most like them",
        lines=said, note=sky.note,
    )  # fmt: skip


def pictures(sky: Sky, rows: np.ndarray) -> np.ndarray:
    """Draw objects in colour, (n, H, W, 3)."""
    assert sky.data.cutouts is not None
    info = sky.data.cutouts.info
    sigma, bands = np.asarray(info.sky_sigma, dtype=float), rgb_bands(info.bands)
    images = sky.data.images(rows)
    return np.stack([masked.draw_light(image, sigma, bands, BRIGHT) for image in images])


def draw_hidden(sky: Sky) -> "Figure":
    """Hide patches of some objects that the model was not trained on, and let it fill them."""
    assert sky.data.cutouts is not None
    rows = choose_objects(sky)
    model, info = sky.model.model, sky.model.state.info
    in_file = rows if sky.data.rows is None else sky.data.rows[rows]
    found = fill_objects(model, info, sky.data.cutouts, in_file.tolist(), Hiding(HIDDEN))
    places = rgb_bands(found.bands)
    bands = ", ".join(found.bands[p] for p in places)
    said = (
        f"{100 * HIDDEN:.0f} % of the patches are hidden, others in each of {len(found.bands)} "
        f"bands; visible ones stay as they are. Shown: {bands} as red, green, blue; slate blue: "
        "hidden in all three.",
        "Objects the model was not trained on, random ones of the brighter quarter of their class. "
        "χ² per hidden pixel: of the model, and of a blank sky in its place.",
    )
    shown = [describe(sky, found, place, row, places) for place, row in enumerate(rows)]
    return draw_sheet(shown, lines=said, note=sky.note)


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


def describe(sky: Sky, found: Any, place: int, row: int, bands: tuple[int, ...]) -> Shown:
    """Draw one object four times, and say what it is."""
    image, hidden, sigma = found.images[place], found.hidden[place, 0], found.sigma
    drawn = (
        masked.draw_light(image, sigma, bands, BRIGHT),
        masked.draw_seen(image, hidden, sigma, bands, BRIGHT),
        masked.draw_made(image, found.filled[place, 0], hidden, sigma, bands, BRIGHT, tint=False),
        masked.draw_residual(found.residual_of(place)[0], image, bands),
    )
    said, z = agreement(found, place), float(sky.data.column("zspec")[row])
    about = [f"r = {float(sky.data.column('mag_r')[row]):.1f} mag"]
    about += [f"z = {z:.2f}"] if np.isfinite(z) else []
    about += ["", f"χ² {said.chi2:.3g}", f"blank sky {said.blank:.3g}"]
    return Shown(drawn, str(sky.truth.columns["class"][row]), about)


def draw_survey(sky: Sky) -> "Figure":
    """Draw the map by class."""
    found = open_current_map(sky)
    there = found.how != NO_VECTOR
    colouring = colour_classes(np.asarray(sky.truth.columns["class"], str)[there])
    method = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}.get(str(found.attributes["method"]))
    said = (
        f"{method or 'Map'} of the embeddings of {there.sum():,} objects. The classes, from the "
        "truth of the mock survey, colour it and had no part in making it.",
    )
    return draw_map(found.xy[there], colouring, method or "map", lines=said, note=sky.note)


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


FIGURES: dict[str, Callable[[Sky], "Figure"]] = {
    "map": draw_survey,
    "search": draw_search,
    "redshift": draw_redshift,
    "confusion": draw_classes,
    "reconstructions": draw_hidden,
    "few-shot": draw_curves,
}


def main() -> int:
    """Make them all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, default=ROOT / "workspace", metavar="DIR")
    parser.add_argument("--evidence", type=Path, metavar="FILE", help=f"{FILE}, or its folder")
    parser.add_argument("--only", nargs="+", choices=list(FIGURES), metavar="NAME",
                        help=" ".join(FIGURES))  # fmt: skip
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "figures", metavar="DIR")
    args = parser.parse_args()
    wanted = args.only or [name for name in FIGURES if name != "few-shot" or args.evidence]
    try:
        if "few-shot" in wanted and not args.evidence:
            raise InputError("few-shot: needs --evidence, see benchmarks/evidence.py")
        sky = open_sky(args.workspace, args.evidence)
        args.out.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            print(f"{name} ...", file=sys.stderr, flush=True)
            file = args.out / f"{name}.png"
            file.write_bytes(to_png(FIGURES[name](sky)))
            print(f"{file.name:24} {file.stat().st_size / 1000:6.0f} kB", flush=True)
    except InputError as error:
        print(f"make_figures.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
