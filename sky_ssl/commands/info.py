"""`sky-ssl info`: what is in a file or folder, or what is wrong with it."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "info", run, "say what is in a file or folder, or what is wrong")
    p.add_argument("path", type=Path, help="any file or folder of ours, or FITS")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Say what is in a file or folder."""
    from sky_ssl.info import describe

    return describe(args.path)
