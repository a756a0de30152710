"""`sky-ssl demo`: a workspace to try everything on."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "demo", run, "build a demo workspace: mock sky, model, embeddings")
    p.add_argument("--workspace", type=Path, help="folder (default: workspace/ here)")
    p.add_argument("--n", type=int, default=12_000, help="mock cutouts (default 12000)")
    p.add_argument("--seed", type=int, default=0, help="of the mock sky (default 0)")
    p.add_argument(
        "--steps",
        type=int,
        default=0,
        help="train a model there, for so many steps (default: take the one that comes along)",
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Build or complete a demo workspace."""
    from sky_ssl.demo import build_demo
    from sky_ssl.workspace import open_workspace

    workspace = open_workspace(args.workspace)
    return build_demo(workspace, n=args.n, seed=args.seed, steps=args.steps or None)
