"""The results in words and tables, written from the evidence alone.

In: the evidence (see `evidence`). Out: Markdown. Nothing is computed here but the layout, and
nothing in it depends on when or where it is written.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sky_ssl.evaluate.goals import Evidence, Goal, at, goals
from sky_ssl.evaluate.parts import write_whole
from sky_ssl.evaluate.reportreal import needle_section, pictures_section, tile_section
from sky_ssl.evaluate.tables import cell, escaped, table

_TASKS = {
    "A": ("Dwarfs against all other objects", ("balanced_accuracy", "average_precision")),
    "B": ("Dwarfs against their look-alikes", ("balanced_accuracy",)),
    "C": ("Star, galaxy or quasar", ("balanced_accuracy",)),
    "Z": ("Redshift", ("r2", "nmad", "outlier_fraction")),
}
_FIGURES = {
    "balanced_accuracy": "Balanced accuracy",
    "average_precision": "Average precision at a prevalence of 2 %",
    "r2": "R2",
    "nmad": "NMAD, in units of 1 + z",
    "outlier_fraction": "Share of outliers, |D| > 0.15",
}
_WORDS = (
    "Features: *trained*, the embeddings of the model; *untrained*, those of the same network with "
    "random weights; *PCA-64*, 64 principal components of the pixels; *photometry*, asinh fluxes, "
    "colours and half-light radius, by the linear probe or by boosted trees. Networks fitted on "
    "labels: *cnn*, a small convolutional one; *scratch*, the model's own from random weights; "
    "*finetune*, the model with all its weights trained on; *attentive*, the model as it is, under "
    "a pooling that is learned. Average precision at 2 %: objects weigh so that 2 % of the test "
    "half are dwarfs. Search scores: *tokens*, the mean cosine over the tokens of the middle; "
    "*whitened*, the cosine on principal axes, as `sky-ssl search` does; *expanded*, whitened, "
    "with the best that it finds as further exemplars (`--expand`). *Prototype*: the program that "
    "this one grew out of."
)
_PRESETS = {
    "native": "native pixels, 12 arcsec a side",
    "wide": "binned 4 x 4, 47.5 arcsec a side",
}


def write_report(path: str | Path, evidence: Evidence) -> None:
    """Write the results as Markdown."""
    write_whole(Path(path), report(evidence).encode())


def report(evidence: Evidence) -> str:
    """Lay out the results."""
    parts = [
        "# Results",
        *_opening(evidence),
        *goal_section(goals(evidence), evidence["settings"]["turns"]),
    ]
    for preset, found in evidence["presets"].items():
        about = _PRESETS.get(preset, "")
        parts += [f"## Mock sky `{preset}`" + (f": {about}" if about else "")]
        parts += [*_about_skies(evidence, found), *_few_shot(found), *_ceiling(found)]
        parts += [*_search(found), *_calibration(found)]
    parts += pictures_section(evidence) + tile_section(evidence) + needle_section(evidence)
    parts += _closing(evidence)
    return "\n\n".join(parts) + "\n"


def _opening(e: Evidence) -> list[str]:
    s = e["settings"]
    sure = not any(model["skies_unknown"] for model in e["models"].values())
    lines = [
        "Written by `benchmarks/evidence.py` from its measurements; not edited by hand. The mock "
        f"skies have the seeds {_listed(s['skies'])}; no network "
        f"{'was' if sure else 'is known to have been'} trained on them and no setting chosen. "
        "Labels are drawn from odd tiles; probes and networks are scored on even ones. A search "
        "goes over all objects in natural proportion, and its exemplars are not among them. "
        "Each figure is the mean over all draws of all skies; in brackets the range that holds "
        "the central 95 % of the draws, where there are several. After ±, one standard error of "
        "the mean.",
        _WORDS,
    ]
    for preset, model in e["models"].items():
        unknown = model["skies_unknown"]
        lines.append(
            f"Model for `{preset}`: {model['network']}, {model['step']:,} steps"
            + (f", trained on mock skies {_listed(model['skies'])}" if model["skies"] else "")
            + (f"; {unknown} of its training files were not at hand" if unknown else "")
            + f" (SHA-256 {model['sha256'][:16]})."
        )
    if e["missing"]:
        kinds = Counter(part.partition("-")[0] for part in e["missing"])  # "networks native"
        said = escaped(_listed([f"{kind}: {count}" for kind, count in kinds.items()]))
        lines.append(f"**{len(e['missing'])} parts have not been measured yet** ({said}).")
    return lines


def _listed(values: list[Any]) -> str:
    return ", ".join(map(str, values))


def goal_section(found: list[Goal], turns: int) -> list[str]:
    """Lay out the goals, and say in words which are reached."""
    rows = [
        [
            *(str(g.item), g.what, g.goal, g.reached),
            *([g.averaged] if turns > 1 else []),
            *(g.prototype, g.fitted, g.ceiling, f"**{g.verdict}**"),
        ]
        for g in found
    ]
    head = ["", "figure", "goal", "reached", *([f"{turns} turns"] if turns > 1 else [])]
    head += ["prototype", "fitted network", "ceiling", "verdict"]
    parts = ["## What was to be shown", table(head, rows)]
    beside = f"Beside it the same, averaged over {turns} orientations. " if turns > 1 else ""
    parts.append(
        "Reached: embeddings as `sky-ssl embed` makes them, and a linear probe; this is what is "
        f"judged. {beside}Fitted network: the best of those fitted on as many labels. Ceiling: "
        "the best supervised network with all labels of another sky."
    )
    for word in ("reached", "not reached", "not measured"):
        mine = [g for g in found if g.verdict.partition(",")[0] == word]
        if mine:
            parts += [f"{word.capitalize()}:", "\n".join(map(_in_words, mine))]
    return parts


def _in_words(goal: Goal) -> str:
    remark = f": {goal.verdict}" if "," in goal.verdict else ""
    return f"- {goal.what}{remark}. {goal.note}".strip()


def _about_skies(e: Evidence, preset: Mapping[str, Any]) -> list[str]:
    found = preset.get("skies")
    if not found:
        return []
    mean = {name: value["mean"] for name, value in found.items()}
    return [
        f"{mean['objects']:,.0f} objects a sky in natural proportion, and more of the rare ones; "
        f"scored are {mean['test_A']:,.0f} objects ({mean['test_dwarfs']:,.0f} dwarfs), "
        f"{mean['test_B']:,.0f} dwarfs and look-alikes, {mean['test_C']:,.0f} stars, galaxies and "
        f"quasars, {mean['test_Z']:,.0f} redshifts from {mean['redshift_low']:.2f} to "
        f"{mean['redshift_high']:.2f}."
    ]


def _few_shot(preset: Mapping[str, Any]) -> list[str]:
    parts = []
    for task, (title, figures) in _TASKS.items():
        found = at(preset, "fewshot", task)
        if not found:
            continue
        labels = sorted({n for by_label in found.values() for n in by_label}, key=_in_order)
        parts.append(f"### {title}")
        for figure in figures:
            rows = [
                [f"{name}", *(cell(at(by_label, n, figure)) for n in labels)]
                for name, by_label in found.items()
            ]
            what = "spectra" if task == "Z" else "labels"
            parts += [f"{_FIGURES[figure]}, by number of {what}:", table(["", *labels], rows)]
    return parts


def _in_order(labels: str) -> float:
    return float("inf") if labels == "all" else float(labels)


def _ceiling(preset: Mapping[str, Any]) -> list[str]:
    found = preset.get("ceiling")
    if not found:
        return []
    rows = []
    for task, ways in found.items():
        for way, figures in ways.items():
            for figure in _TASKS[task][1]:
                if figure in figures:
                    title = f"{_TASKS[task][0]}: {_FIGURES[figure]}"
                    rows.append([title, way, cell(figures[figure])])
    return ["### Ceiling: supervised, all labels", table(["figure", "network", "value"], rows)]


def _search(preset: Mapping[str, Any]) -> list[str]:
    found = preset.get("search")
    if not found:
        return []
    columns = sorted(
        {
            (int(n), int(top))
            for by in found.values()
            for s in by.values()
            for n in s
            for top in s[n]
        }
    )
    rows = [
        [name, scoring, *(cell(at(by, scoring, str(n), str(top)), 2) for n, top in columns)]
        for name, by in found.items()
        for scoring in by
    ]
    head = ["", "scored by", *(f"{n} exemplar{'s' * (n > 1)}, {top} nearest" for n, top in columns)]
    return [
        "### Search",
        "Share of dwarfs among the nearest, in natural proportion (2 % dwarfs):",
        table(head, rows),
    ]


def _calibration(preset: Mapping[str, Any]) -> list[str]:
    found = preset.get("calibration")
    if not found:
        return []
    rows = []
    for name, by in found.items():
        for share, figures in by.items():
            first = [cell(figures[n], 1) for n in ("expected", "found")]
            inside = f"{100 * figures['inside']['mean']:.0f} %"
            errors = [cell(figures[n], 4) for n in ("calibration_error", "brier_score_loss")]
            rows.append([name, f"{100 * float(share):g} %", *first, inside, *errors])
    head = ["", "prevalence", "promised in the first 100", "found", "within the interval"]
    parts = [
        "### Are the promises kept?",
        "Probes of 200 labels, half of them dwarfs, moved to the prevalence of a sky. The promise "
        "is the expected number of dwarfs in the first 100 of a list, with a 95 % interval.",
        table([*head, "calibration error", "Brier score"], rows),
    ]
    return parts + _reliability(found)


def _reliability(found: Mapping[str, Any]) -> list[str]:
    """Lay out promised against found in bins of probability, for the network's own features."""
    name = next(iter(found))
    rows = []
    for share, figures in found[name].items():
        bins = figures["bins"]
        for k, (low, high) in enumerate(zip(bins["edges"], bins["edges"][1:], strict=False)):
            if bins["promised"][k] is not None:
                values = (bins["share"][k], bins["promised"][k], bins["found"][k])
                shown = [f"{100 * v:.2g} %" for v in values]
                rows.append([f"{100 * float(share):g} %", f"{low:g} to {high:g}", *shown])
    head = ["prevalence", "probability", "share of the sky", "promised", "found"]
    return [f"By probability, features {escaped(name)}:", table(head, rows)]


def _closing(e: Evidence) -> list[str]:
    s = e["settings"]
    left = [name for name in s["presets"] if name not in s["fit_presets"]]
    alone = (
        f" On {_listed(left)} no networks are fitted and no ceiling is measured." if left else ""
    )
    return [
        "## How it was measured",
        f"{s['objects']:,} objects a sky; {s['repeats']} draws of up to 200 labels and half as "
        "many of more. Penalties of probes are chosen by folds within the labels; those of classes "
        "know the principal axes of the unlabelled training half, whatever the features "
        f"(`sky_ssl/probes/prior.py`). Networks are fitted on {_listed(s['fit_labels'])} labels, "
        f"{s['fit_draws']} draws, one sky each, a fifth of the labels kept to stop early. Ceiling: "
        f"{s['ceiling_objects']:,} cutouts of the sky of seed {s['ceiling_seed']}, a few bands "
        f"hidden at random, since other skies lack other bands.{alone} "
        "`sky_ssl/evaluate/evidence.py` says what the file behind this holds.",
    ]
