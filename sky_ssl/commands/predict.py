"""`sky-ssl predict`: networks that predict a class or numbers from cutouts, fitted and applied."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, warn
from sky_ssl.errors import InputError

_MODES = ("frozen", "finetune", "scratch", "cnn")
_FLAGS = (
    *("labels", "natural", "draw", "split", "validation", "test", "head", "steps", "batch_size"),
    *("lr", "layer_decay", "patience", "seed", "device", "threads", "wandb"),
)


def add(commands: Any) -> None:
    """Describe the arguments."""
    parser = commands.add_parser(
        "predict", help="fit a head, or the whole network, on labels; apply it to cutouts"
    )
    parts = parser.add_subparsers(dest="part", required=True, metavar="PART")
    _add_fit(add_command(parts, "fit", fit, "fit a predictor on labels", show_fit))
    p = add_command(parts, "apply", apply, "predict for all cutouts of a file", show_apply)
    p.add_argument("--predictor", type=Path, required=True, metavar="DIR", help="fitted before")
    p.add_argument("--cutouts", type=Path, required=True, help="cutout file or folder")
    p.add_argument("--out", type=Path, required=True, help="table to write: .csv .ecsv .fits .vot")
    p.add_argument("--turns", action="store_true", help="average over flips and quarter turns")
    p.add_argument(
        "--check",
        nargs="?",
        const="",
        metavar="TABLE",
        help="compare with labels of a table (default: those of the cutouts)",
    )
    p.add_argument(
        "--prevalence", type=float, metavar="P", help="share of positives, for an average precision"
    )
    p.add_argument("--radius", type=float, default=1.0, metavar="ARCSEC", help="to match positions")
    p.add_argument(
        "--allow-pixel-scale", action="store_true", help="although the pixel scale is another"
    )
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _add_fit(p: argparse.ArgumentParser) -> None:
    p.add_argument("--cutouts", type=Path, required=True, help="cutout file or folder")
    p.add_argument("--out", type=Path, required=True, metavar="DIR", help="run directory")
    p.add_argument("--run", dest="run_dir", help="pre-trained run or checkpoint to start from")
    p.add_argument(
        "--mode",
        choices=_MODES,
        default="frozen",
        help="frozen encoder (default), finetune, scratch (the same network), cnn (baseline)",
    )
    p.add_argument(
        "--head",
        choices=("linear", "attentive"),
        help="linear on pooled tokens (default), or attentive: pooling that is learned",
    )
    w = p.add_argument_group("what is asked")
    w.add_argument(
        "--target",
        required=True,
        metavar="NAMES",
        help="column of classes, or columns of numbers (a,b)",
    )
    w.add_argument("--table", type=Path, help="of labels, by id or position (default: the cutouts)")
    w.add_argument("--positive", metavar="VALUE", help="this class against the rest")
    w.add_argument("--errors", default="", metavar="NAMES", help="columns of label errors (a,b)")
    w.add_argument("--task", choices=("classify", "regress"), help="default: by column")
    w.add_argument("--radius", type=float, default=1.0, metavar="ARCSEC", help="to match positions")
    d = p.add_argument_group("labels")
    d.add_argument("--labels", type=int, metavar="N", help="draw N (default: all)")
    d.add_argument(
        "--natural", action="store_true", default=None, help="kinds as frequent as they are"
    )
    d.add_argument("--draw", type=int, metavar="SEED", help="of the draw (0)")
    d.add_argument("--split", type=int, metavar="SEED", help="of the division of the sky (0)")
    d.add_argument("--validation", type=float, metavar="SHARE", help="to stop early on (0.2)")
    d.add_argument("--test", type=float, metavar="SHARE", help="of the sky to measure on (0.2)")
    t = p.add_argument_group("training")
    t.add_argument("--steps", type=int, help="at most (by mode)")
    t.add_argument("--batch-size", type=int, help="images per step (64)")
    t.add_argument("--lr", type=float, help="peak learning rate (by mode)")
    t.add_argument("--layer-decay", type=float, help="of the learning rate, per layer (by mode)")
    t.add_argument("--patience", type=int, help="looks at the validation sky without a gain")
    t.add_argument("--seed", type=int, help="of weights, order and augmentation (0)")
    t.add_argument("--device", help="auto, cpu or cuda")
    t.add_argument("--threads", type=int, help="of the CPU")
    t.add_argument(
        "--wandb", choices=("disabled", "offline", "online"), help="Weights & Biases (disabled)"
    )
    t.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, such as dropout=0.1 or noise=0.2; repeat for more",
    )
    t.add_argument(
        "--allow-pixel-scale", action="store_true", help="although the pixel scale is another"
    )


def fit(args: argparse.Namespace) -> dict[str, Any]:
    """Fit a predictor."""
    from sky_ssl.explore.predicting import open_images, read_labels
    from sky_ssl.progress import terminal
    from sky_ssl.training import finetune
    from sky_ssl.training.fitstate import load_pretrained
    from sky_ssl.training.predictconfig import fit_config

    given = {n: getattr(args, n) for n in _FLAGS if getattr(args, n) is not None}
    settings = _settings(args.set)
    for name in settings:
        if name in given or name == "mode":
            raise InputError(f"--set {name}: is given by --{name.replace('_', '-')} already")
    config = fit_config(args.mode, **given, **settings)
    if config.error_floor and not args.errors:
        raise InputError("--set error_floor: is added to errors of labels; --errors names them")
    if args.run_dir is None and args.mode in ("frozen", "finetune"):
        raise InputError(f"--mode {args.mode}: --run is missing, the pre-trained run to start from")
    pretrained = load_pretrained(args.run_dir) if args.run_dir else None
    images = open_images(
        args.cutouts,
        pretrained.info if pretrained else None,
        pretrained.config.image_size if pretrained else None,
        allow_pixel_scale=args.allow_pixel_scale,
    )
    labels = read_labels(
        images.cutouts,
        _names(args.target),
        table=args.table,
        errors=_names(args.errors),
        positive=args.positive,
        task=args.task,
        radius_arcsec=args.radius,
    )
    result = finetune.fit(config, labels, images, args.out, pretrained, terminal)
    if args.json:
        warn(result["notes"])
    return result


def apply(args: argparse.Namespace) -> dict[str, Any]:
    """Predict for all cutouts of a file."""
    from sky_ssl.explore.candidatefiles import write_candidates
    from sky_ssl.explore.predicting import open_images, read_labels
    from sky_ssl.explore.predictions import (
        answer_all,
        check_ending,
        measured,
        prediction_table,
        provenance,
    )
    from sky_ssl.progress import terminal
    from sky_ssl.training.learnt import has_learnt
    from sky_ssl.training.predictor import load_predictor

    check_ending(args.out)
    if args.prevalence is not None and not 0 < args.prevalence < 1:
        raise InputError(f"--prevalence {args.prevalence}: must be above 0 and below 1")
    if args.prevalence is not None and args.check is None:
        raise InputError("--prevalence: is for --check, which compares with labels")
    fitted = load_predictor(args.predictor)
    if args.prevalence is not None and len(fitted.question.classes) != 2:
        raise InputError("--prevalence: is for predictors of one class against the rest")
    images = open_images(
        args.cutouts, fitted.info, fitted.image_size, allow_pixel_scale=args.allow_pixel_scale
    )
    labels = None
    if args.check is not None:
        labels = read_labels(
            images.cutouts,
            fitted.question.targets,
            table=args.check or None,
            task="classify" if fitted.question.classes else "regress",
            radius_arcsec=args.radius,
            asked=fitted.question,
        )
    answers, seen = answer_all(
        fitted,
        images,
        turns=args.turns,
        device=args.device,
        progress=terminal("predict", "cutout"),
    )
    frame = prediction_table(fitted, images, answers)
    write_candidates(
        frame,
        args.out,
        provenance(fitted, images, args.turns),
        title="Predictions by a network of sky_ssl",
    )
    notes = list(images.cutouts.notes)
    if not seen.all():
        notes.append(f"{int((~seen).sum())} cutouts hold no data: no prediction")
    result: dict[str, Any] = {"path": str(args.out), "rows": len(frame), "notes": notes}
    result["columns"] = [str(name) for name in frame.columns]
    if fitted.question.classes:
        result["predicted"] = {
            name: int((frame["prediction"] == name).sum()) for name in fitted.question.classes
        }
    if labels is not None:
        same = fitted.said.get("images") == images.fingerprint()
        learnt = has_learnt(fitted.path, labels, same_images=same)
        result["check"] = measured(labels, answers, args.prevalence, learnt)
        if learnt is None:
            notes.append("fitted by an earlier version: labels it has learnt are not left out")
        elif learnt.any():
            notes.append(f"{int(learnt.sum())} labels of objects it was fitted on do not count")
        result["notes"] = list(dict.fromkeys(notes + labels.notes))
    if args.json:
        warn(result["notes"])
    return result


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _settings(pairs: list[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise InputError(f"--set {pair}: must be NAME=VALUE, such as dropout=0.1")
        found[name.strip()] = value.strip()
    return found


def show_fit(r: dict[str, Any]) -> list[str]:
    """Lay out what a fit came to."""
    if "stopped" in r:
        lines = [f"{r['path']}: stopped after step {r['stopped']}; repeat the command to go on"]
        return lines + [f"note: {note}" for note in r["notes"]]
    head = "" if r["mode"] == "cnn" else f", {r['head']} head"
    lines = [
        f"{r['path']}: {r['mode']}{head}, {' '.join(r['targets'])}"
        + (f" ({', '.join(r['classes'])})" if r["classes"] else ""),
        f"{r['n_train']:,} labels to train on, {r['n_validation']:,} to stop early on, "
        f"{r['n_test']:,} to measure on; best after step {r['best_step']} of {r['steps']}",
    ]
    part = "test" if "test" in r else "validation"
    if part in r:
        lines += _figures(r[part], f"on the {part} sky")
    return lines + [f"note: {note}" for note in r["notes"]]


def show_apply(r: dict[str, Any]) -> list[str]:
    """Lay out what was predicted."""
    lines = [f"{r['path']}: {r['rows']:,} predictions"]
    lines += [f"  {name}: {count:,}" for name, count in r.get("predicted", {}).items()]
    if "check" in r:
        lines += _figures(r["check"], f"of {r['check']['n']:,} labels")
    return lines + [f"note: {note}" for note in r["notes"]]


def _figures(found: dict[str, Any], title: str) -> list[str]:
    rows = [(k, v) for k, v in found.items() if isinstance(v, dict) and v["mean"] is not None]
    if not rows:
        return []
    width = max(len(title), *(len(name) for name, _ in rows))
    lines = ["", f"{title:{width}}   value   95 % interval"]
    for name, v in rows:
        span = "" if v["low"] is None else f"   {v['low']:.3f} to {v['high']:.3f}"
        lines.append(f"{name.replace('_', ' '):{width}}  {v['mean']:6.3f}{span}")
    return lines
