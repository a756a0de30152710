"""The evidence for a model: what it can do on mock skies it has never seen, beside simpler ways.

    python benchmarks/evidence.py --run RUN --out DIR [--skies 101 102 103] [--write FILE.md]
    python benchmarks/evidence.py --run RUN --out DIR --only fewshot search calibration
    python benchmarks/evidence.py --out docs/evidence --write docs/RESULTS.md     # computes nothing

Few-shot probes, fitted networks, search, calibration, a ceiling; on request real galaxies
(--pictures) and a real tile (--tile). The work is cut into parts, kept in DIR/parts: stop it at
any moment, and the same command does what is missing. What is done is put together in
DIR/evidence.json, laid out as `sky_ssl/evaluate/evidence.py` says; the results are written from
that file alone, and the same seeds give the same table. Skies and features, 1 GB for each sky,
lie there too, or in --scratch. docs/evidence is such a DIR: docs/RESULTS.md is written from it.
--presets native is for a run that knows native pixels alone; --wide-run gives one for the others.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.evaluate.bench import Bench
from sky_ssl.evaluate.evidence import (
    assemble,
    keep_evidence,
    read_evidence,
    read_needle,
    run_parts,
)
from sky_ssl.evaluate.networks import open_trained
from sky_ssl.evaluate.parts import Key, Store
from sky_ssl.evaluate.plan import plan
from sky_ssl.evaluate.settings import KINDS, Settings
from sky_ssl.progress import terminal

_MOCK = ("fewshot", "search", "calibration", "networks", "ceiling")


def settings_of(args: argparse.Namespace) -> Settings:
    """Give the settings that were asked for; those that were not given stay as they are."""
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(args).items()
        if name in Settings.__dataclass_fields__ and value is not None
    }
    return Settings(**given)


def mock_evidence(args: argparse.Namespace) -> dict[str, Any]:
    """Measure on mock skies and put together what is there."""
    settings = settings_of(args)
    trained = {name: open_trained(args.run, args.trained_on) for name in settings.presets}
    if args.wide_run and "wide" in trained:
        trained["wide"] = open_trained(args.wide_run, args.wide_trained_on)
    for note in sorted({note for t in trained.values() for note in t.notes}):
        print(f"warning: {note}", file=sys.stderr)
    bench = Bench(
        settings,
        Store(args.out, args.scratch),
        trained,
        device=args.device,
        workers=args.workers or None,
    )
    wanted = tuple(kind for kind in _MOCK if kind in args.only)
    made = run_parts(bench, plan(bench, wanted), terminal("evidence", "part"))
    print(f"{made} parts measured; the others were there", file=sys.stderr)
    return assemble(bench, plan(bench, _MOCK))


def real_evidence(args: argparse.Namespace) -> dict[str, Any]:
    """Measure on real galaxies and a real tile, where they are given."""
    found: dict[str, Any] = {}
    if args.pictures and "pictures" in args.only:
        import efigi

        said = {"measurement": efigi.VERSION, "run": _hash_of(args.pictures_run)}
        said |= {"data": Path(args.pictures).name}
        measure = lambda: efigi.measure(args.pictures, args.pictures_run)  # noqa: E731
        found["pictures"] = _once(args.out, Key("pictures", "efigi", said), measure)
    if args.tile and "tile" in args.only:
        import hidden_band

        rows = tuple(hidden_band.HELD_OUT)
        said = {"measurement": hidden_band.VERSION, "run": _hash_of(args.tile_run)}
        said |= {"data": Path(args.tile).name, "rows": list(rows)}
        measure = lambda: hidden_band.measure(args.tile, args.tile_run, turns=8, rows=rows)  # noqa: E731
        found["tile"] = _once(args.out, Key("tile", "hidden-band", said), measure)
    if args.needle:
        found["needle"] = read_needle(args.needle)
    return found


def _hash_of(run: str | None) -> str:
    return open_trained(run).sha256 if run else ""


def _once(out: str, key: Key, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Measure unless it is done; names of folders are left out, since they are of one machine."""
    store = Store(out)
    found = store.result(key)
    if found is None:
        made = {k: v for k, v in measure().items() if k not in ("run", "tile")}
        store.keep(key, {**made, "sha256": key.settings["run"]})
        found = store.result(key)
    assert found is not None
    return found


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--run", help="run directory or checkpoint; without it nothing is computed")
    p.add_argument("--wide-run", help="another run for the preset wide")
    p.add_argument("--trained-on", type=int, nargs="+", default=(), metavar="SEED",
                   help="mock skies the run was trained on, where its files are gone")  # fmt: skip
    p.add_argument(
        "--wide-trained-on",
        type=int,
        nargs="+",
        default=(),
        metavar="SEED",
        help="as --trained-on, of the wide run",
    )
    p.add_argument("--out", required=True, metavar="DIR", help="parts, evidence.json")
    p.add_argument("--scratch", metavar="DIR", help="skies, features and fits (as --out)")
    p.add_argument("--write", type=Path, metavar="FILE.md", help="write the results here")
    p.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, metavar="KIND",
                   help=f"measure these alone: {' '.join(KINDS)}")  # fmt: skip
    p.add_argument("--device", default="cpu", choices=("cpu", "cuda"), help="for networks")
    p.add_argument(
        "--workers", type=int, default=1, help="processes that make skies; 0 = all cores"
    )
    s = p.add_argument_group("mock skies")
    s.add_argument("--presets", nargs="+", help="native wide")
    s.add_argument("--skies", type=int, nargs="+", metavar="SEED", help="101 102 103")
    s.add_argument("--objects", type=int, help="of a sky, in natural proportion (12000)")
    s.add_argument("--labels", type=int, nargs="+", help="10 30 100 200 500 1000")
    s.add_argument("--repeats", type=int, help="draws of up to 200 labels (20); half above")
    s.add_argument("--turns", type=int, help="embeddings also averaged over so many")
    f = p.add_argument_group("fitted networks")
    f.add_argument("--fit-presets", nargs="+", help="native wide")
    f.add_argument("--ways", nargs="+", help="cnn scratch finetune attentive")
    f.add_argument("--fit-labels", type=int, nargs="+", help="200 1000")
    f.add_argument("--fit-draws", type=int, help="3")
    f.add_argument("--fit-steps", type=int, help="as sky-ssl predict fit")
    f.add_argument("--ceiling-seed", type=int, help="mock sky to learn from (61)")
    f.add_argument("--ceiling-objects", type=int, help="labelled cutouts (50000)")
    f.add_argument("--ceiling-steps", type=int, help="at most (12000)")
    f.add_argument("--ceiling-ways", nargs="+", help="cnn scratch")
    r = p.add_argument_group("real sky, and what was tried")
    r.add_argument("--pictures", help="folder of galaxies with labels.csv, see efigi.py")
    r.add_argument("--pictures-run", help="run that was trained on such pictures")
    r.add_argument("--tile", help="folder of a tile, see hidden_band.py")
    r.add_argument("--tile-run", help="run that was trained on such tiles")
    r.add_argument("--needle", help="JSON table of what was tried, see evidence.read_needle")
    return p


def main() -> int:
    """Measure, put together, write."""
    args = parser().parse_args()
    try:
        evidence = mock_evidence(args) if args.run else read_evidence(args.out)
        whole = keep_evidence(args.out, evidence, real_evidence(args))
        if args.write:
            from sky_ssl.evaluate.report import write_report

            write_report(args.write, whole)
    except InputError as error:
        print(f"evidence.py: {error}", file=sys.stderr)
        return 2
    missing = whole["missing"]
    print(f"{args.out}/evidence.json: {len(missing)} parts are missing", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
