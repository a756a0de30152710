"""Cutouts of the mock survey per second on one core, each preset.

OMP_NUM_THREADS=1 python benchmarks/mock_speed.py [--n 1280] [--rounds 3] [--json FILE]
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np

from sky_ssl.sky.mock import PRESETS, generate


def speed(preset: str, n: int) -> float:
    """Make `n` cutouts in this process; give cutouts per second of its CPU time."""
    started = time.process_time()
    made = sum(len(batch.images) for batch in generate(n, seed=1, preset=preset))
    return made / (time.process_time() - started)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--n", type=int, default=1280)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    result = {}
    for preset in PRESETS:
        speed(preset, 64)  # tiles and transfer functions are made once
        result[preset] = float(np.median([speed(preset, args.n) for _ in range(args.rounds)]))
        print(f"{preset:8s} {result[preset]:.0f} cutouts a second and core")
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
