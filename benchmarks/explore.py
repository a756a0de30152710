"""Speed of exploring: maps, search, probes, labels, and the time to open each file.

    python benchmarks/explore.py                     # 1,000,000 rows; maps of 10,000
    python benchmarks/explore.py --rows 100000 --only search probe --json FILE

Runs the scripts explore_maps.py, explore_search.py, explore_probe.py and explore_labels.py beside
this one, each in a process of its own and one after the other, and joins their figures.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

PARTS = {
    "maps": ("explore_maps.py", "--rows"),
    "search": ("explore_search.py", "--rows"),
    "probe": ("explore_probe.py", "--n"),
    "labels": ("explore_labels.py", "--events"),
}
"""Script, and its option for the number of rows."""


def main() -> int:
    """Run the parts; status 1 where one fails."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--rows", type=int, default=1_000_000, help="of search, probe and labels")
    parser.add_argument("--map-rows", type=int, default=10_000)
    parser.add_argument("--json", type=Path, help="write the figures of all parts here")
    args = parser.parse_args()
    found, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            script, option = PARTS[name]
            rows = args.map_rows if name == "maps" else args.rows
            out = Path(folder) / f"{name}.json"
            command = [sys.executable, str(Path(__file__).with_name(script)), option, str(rows)]
            print(f"\n{name}: {script} {option} {rows}", flush=True)
            if subprocess.run([*command, "--json", str(out)], check=False).returncode:
                failed.append(name)
            elif out.exists():
                found[name] = json.loads(out.read_text(encoding="utf-8"))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if failed:
        print(f"explore.py: {' '.join(failed)} failed", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
