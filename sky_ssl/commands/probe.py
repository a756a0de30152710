"""`sky-ssl probe`: a linear probe on labels, measured with intervals."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, warn

_WORDS = {
    "precision": "purity (precision)",
    "recall": "completeness (recall)",
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC, mean over classes",
    "r2": "R2",
    "nmad": "NMAD",
    "f1": "F1",
    "brier_score_loss": "Brier score",
    "outlier_fraction": "outliers |D| > 0.15",
    "precision_at_prevalence": "purity at the prevalence",
    "average_precision_at_prevalence": "average precision, likewise",
    "coverage_68": "held by the 68 % ranges",
    "coverage_95": "held by the 95 % ranges",
}
_POINTS = (0.99, 0.95, 0.9, 0.8, 0.5, 0.2)  # completeness, of the table of thresholds


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "probe", run, "train a linear probe on labels and measure it", show)
    p.add_argument("--embeddings", type=Path, required=True, help="embeddings file")
    p.add_argument(
        "--labels",
        type=Path,
        required=True,
        help="catalogue or cutout file with ids (or RA and Dec) and the column, or a label ledger",
    )
    p.add_argument("--column", required=True, help="of the labels; of a ledger, the task")
    p.add_argument("--positive", metavar="VALUE", help="this value against the rest")
    p.add_argument("--task", choices=("classify", "regress", "redshift"), help="default: by column")
    p.add_argument(
        "--train",
        type=int,
        default=0,
        metavar="N",
        help="draw N labels, half of each kind, and test on other sky (default: cross-validate)",
    )
    p.add_argument("--natural", action="store_true", help="draw kinds as frequent as they are")
    p.add_argument("--repeats", type=int, default=10, help="draws (default 10)")
    p.add_argument("--folds", type=int, default=5, help="of the cross-validation (default 5)")
    p.add_argument("--seed", type=int, default=0, help="of folds and draws (0)")
    p.add_argument("--prevalence", metavar="P", help="share of positives in your sky: 0.001, 0.1%%")
    p.add_argument("--audit", metavar="K/N", help="positives among N random objects looked at")
    p.add_argument("--top", type=int, default=300, help="candidates to look at (default 300)")
    p.add_argument("--radius", type=float, default=1.0, metavar="ARCSEC", help="to match positions")
    p.add_argument("--learning-curve", action="store_true", help="score fewer labels as well")
    p.add_argument("--out", type=Path, help="predictions of all objects (CSV, ECSV, FITS, VOTable)")
    p.add_argument("--save", type=Path, metavar="S.json", help="selection rule to write")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Train and measure a probe."""
    from sky_ssl.explore.probescore import ProbeOptions, measure
    from sky_ssl.explore.probeuse import expected, given_prevalence, predictions, selection_of
    from sky_ssl.explore.probing import load_problem
    from sky_ssl.progress import terminal
    from sky_ssl.sky.tablefiles import check_ending

    if args.out:
        check_ending(args.out)
    options = ProbeOptions(
        train=args.train,
        natural=args.natural,
        repeats=args.repeats,
        folds=args.folds,
        seed=args.seed,
        prevalence=given_prevalence(args.prevalence, args.audit),
        learning_curve=args.learning_curve,
    )
    problem = load_problem(
        args.embeddings,
        args.labels,
        args.column,
        positive=args.positive,
        task=args.task,
        radius_arcsec=args.radius,
        folds=args.folds,
        seed=args.seed,
    )
    steps = terminal("probe", "draw" if args.train else "fold")
    outcome = measure(problem, options, steps)
    result = outcome.result
    wanted = args.out is not None or (problem.task == "classify" and problem.positive)
    if wanted:
        frame = predictions(problem, outcome, terminal("predict", "object"))
        if problem.positive:
            result |= expected(problem, outcome, frame, args.top)
        if args.out:
            from sky_ssl.sky.catalogue import write_catalogue

            write_catalogue(frame, args.out)
            result["out"] = str(args.out)
    if args.save:
        from sky_ssl.explore.selection import save_selection

        save_selection(selection_of(problem, outcome, args.labels), args.save)
        result["save"] = str(args.save)
    if args.json:
        warn(result["notes"])
    return result


def show(r: dict[str, Any]) -> list[str]:
    """Lay the figures out as tables, what to beware of last."""
    lines = [_title(r), _method(r), ""]
    rows = [(k, v) for k, v in r.items() if isinstance(v, dict) and _is_figure(k, v)]
    if rows:
        width = max(len(_word(name)) for name, _ in rows)
        lines.append(f"{'':{width}}   value   95 % interval")
        lines += [f"{_word(name):{width}}  {_figure(v)}" for name, v in rows]
    lines += _classes(r) + _confusion(r) + _thresholds(r) + _hits(r) + _curve(r)
    lines += [f"wrote {r[key]}" for key in ("out", "save") if key in r]
    return lines + [f"note: {note}" for note in r["notes"]]


def _is_figure(name: str, value: dict[str, Any]) -> bool:
    known = set(value) == {"mean", "low", "high"} and name != "prevalence"
    return known and "[" not in name  # those of each class have a table of their own


def _word(name: str) -> str:
    return _WORDS.get(name, name.replace("_", " "))


def _figure(v: dict[str, float]) -> str:
    if 0 < abs(v["mean"]) < 0.01:
        return f"{v['mean']:6.2g}   {v['low']:.2g} to {v['high']:.2g}"
    return f"{v['mean']:6.3f}   {v['low']:.3f} to {v['high']:.3f}"


def _classes(r: dict[str, Any]) -> list[str]:
    """Show completeness and purity of each class."""
    names = [name for name in r.get("classes", ()) if f"recall[{name}]" in r]
    if not names:
        return []
    width = max(len(name) for name in names)
    lines = ["", f"{'':{width}}  labels   completeness              purity"]
    for name in names:
        complete, pure = r[f"recall[{name}]"], r[f"precision[{name}]"]
        count = r["classes"][name]
        lines.append(f"{name:{width}}  {count:>6,}   {_figure(complete)}   {_figure(pure)}")
    return lines


def _title(r: dict[str, Any]) -> str:
    if r["task"] != "classify":
        span = " from {:.3g} to {:.3g}".format(*r["range"]) if "range" in r else ""
        return f"{r['column']}: {r['labels']:,} labels{span}"
    kinds = ", ".join(f"{name} {count:,}" for name, count in r["classes"].items())
    kinds = kinds if len(r["classes"]) <= 5 else f"{len(r['classes'])} classes"
    return f"{r['column']}: {r['labels']:,} labels ({kinds})"


def _method(r: dict[str, Any]) -> str:
    if "folds" in r:
        return f"cross-validation, {r['folds']} folds by {r['split']}; strength {r['strength']:g}"
    if r["n_test"] == 0:
        return "not measured"
    kinds = ", as they come" if r.get("natural") else ""
    return (
        f"{r['repeats']} draws of {r['n_train']} labels{kinds}, each tested on "
        f"{r['n_test']:,} others ({r['split']})"
    )


def _confusion(r: dict[str, Any]) -> list[str]:
    if "confusion_matrix" not in r:
        return []
    names = list(r["classes"])
    cell = max(6, *(len(name) + 2 for name in names))
    if cell * len(names) > 150:
        return []
    first = max(len(name) for name in names)
    lines = ["", "predicted (columns) against truth (rows)"]
    lines.append(" " * first + "".join(f"{name:>{cell}}" for name in names))
    for name, counts in zip(names, r["confusion_matrix"], strict=True):
        lines.append(f"{name:{first}}" + "".join(f"{count:>{cell},}" for count in counts))
    return lines


def _thresholds(r: dict[str, Any]) -> list[str]:
    """Show purity where completeness passes round numbers."""
    curves, share = r.get("curves"), r.get("prevalence")
    if not curves or not share:
        return []
    audit = f" ({share['low']:.2g} to {share['high']:.2g})" if share["low"] < share["high"] else ""
    lines = ["", f"at a prevalence of {share['mean']:.3g}{audit}:"]
    lines.append("probability >   completeness             purity")
    complete = [band[0] for band in curves["completeness"]]
    rows = sorted({next((i for i, c in enumerate(complete) if c >= p), -1) for p in _POINTS} - {-1})
    for i in rows:
        c, p = curves["completeness"][i], curves["purity"][i]
        lines.append(
            f"{curves['threshold'][i]:>13.3g}   {c[0]:.3f} ({c[1]:.3f} to {c[2]:.3f})   "
            f"{p[0]:.3g} ({p[1]:.3g} to {p[2]:.3g})"
        )
    return lines


def _hits(r: dict[str, Any]) -> list[str]:
    lines = []
    if "expected_hits" in r:
        h = r["expected_hits"]
        lines.append(
            f"the first {h['top']} without a label hold {h['mean']:.1f} "
            f"({h['low']:.0f} to {h['high']:.0f})"
        )
    if "expected_hits_held_out" in r:
        h = r["expected_hits_held_out"]
        lines.append(
            f"the first {h['top']} held out: {h['mean']:.1f} expected "
            f"({h['low']:.0f} to {h['high']:.0f}), {h['found']} found"
        )
    return ["", *lines] if lines else []


def _curve(r: dict[str, Any]) -> list[str]:
    points = r.get("learning_curve") or []
    if not points:
        return []
    name = "r2" if "r2" in points[0] else "balanced_accuracy"
    lines = ["", f"labels   {_word(name)}"]
    return lines + [f"{point['n_train']:>6,}  {_figure(point[name])}" for point in points]
