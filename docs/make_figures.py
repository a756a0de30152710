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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mocksky import (
    DRAWS,
    EXEMPLARS,
    Sky,
    choose_objects,
    find_dwarfs,
    open_current_map,
    open_sky,
)

from sky_ssl.errors import InputError
from sky_ssl.evaluate.evidence import FILE
from sky_ssl.explore.hiding import Hiding, agreement, fill_objects
from sky_ssl.explore.maps import NO_VECTOR
from sky_ssl.explore.redshifts import bin_deviations, deviations
from sky_ssl.explore.surveyprior import prior_of
from sky_ssl.figures import masked
from sky_ssl.figures.colours import colour_classes
from sky_ssl.figures.contact import rgb_bands
from sky_ssl.figures.printed.confusion import draw_confusion
from sky_ssl.figures.printed.fewshot import draw_fewshot
from sky_ssl.figures.printed.reconstruction import Shown, draw_sheet
from sky_ssl.figures.printed.redshift import Faults, draw_redshifts
from sky_ssl.figures.printed.retrieval import draw_retrieval
from sky_ssl.figures.printed.skymap import draw_map
from sky_ssl.figures.printed.style import to_png
from sky_ssl.probes.bootstrap import Interval
from sky_ssl.probes.crossval import tune_classes, tune_values
from sky_ssl.probes.metrics import class_figures, confusion_matrix
from sky_ssl.probes.redshift import value_figures
from sky_ssl.probes.scoring import most_likely
from sky_ssl.sky.mock import PRIOR

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
HIDDEN = 0.6  # share of the patches of each band
BRIGHT = 1.5  # of pictures: dwarfs are faint


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
    model, _ = tune_values(sky.x[a], z[a], tile[a], redshift=True)
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
    probe = tune_classes(sky.x[a], kind[a], tile[a], prior=prior_of(sky.data.embeddings))
    decision = probe.decision(sky.x[b], classes)
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


def draw_curves(sky: Sky, preset: str) -> "Figure":
    """Draw few-shot curves from the evidence."""
    measured = sky.evidence.get("presets", {}).get(preset, {})
    if not measured.get("fewshot"):
        raise InputError(
            f"few-shot curves: none of the preset {preset}; give --evidence, see "
            "benchmarks/evidence.py"
        )
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
        f"bands. Shown: {bands} as red, green, blue; slate blue: hidden in all three.",
        "Visible pixels stay as they are. χ² per hidden pixel: of the model, and of a blank sky in "
        "its place.",
        "The objects are new to the model, and drawn from the brighter quarter of their kind.",
    )
    shown = [describe(sky, found, place, row, places) for place, row in enumerate(rows)]
    return draw_sheet(shown, lines=said, note=sky.note)


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


FEWSHOT = {"few-shot": "native", "few-shot-wide": "wide"}
FIGURES: dict[str, Callable[[Sky], "Figure"]] = {
    "map": draw_survey,
    "search": draw_search,
    "redshift": draw_redshift,
    "confusion": draw_classes,
    "reconstructions": draw_hidden,
    **{name: partial(draw_curves, preset=preset) for name, preset in FEWSHOT.items()},
}


def possible(sky: Sky) -> list[str]:
    """Name the figures that can be made: few-shot curves only of what the evidence holds."""
    measured = sky.evidence.get("presets", {})
    lacking = {name for name, preset in FEWSHOT.items() if preset not in measured}
    return [name for name in FIGURES if name not in lacking]


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
    try:
        sky = open_sky(args.workspace, args.evidence)
        args.out.mkdir(parents=True, exist_ok=True)
        for name in args.only or possible(sky):
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
