"""The `sky-ssl` command: one subcommand per stage of the flow.

Results go to standard output (one JSON document under --json), progress and warnings to standard
error. Bad input ends with one line and status 2.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence

from sky_ssl import __version__
from sky_ssl.commands import (
    anomalies,
    candidates,
    clusters,
    cut,
    demo,
    detect,
    embed,
    info,
    labels,
    map,
    mock,
    predict,
    probe,
    search,
    share,
)
from sky_ssl.errors import InputError

COMMANDS = (
    *(demo, mock, detect, cut, embed, map, clusters, anomalies, search, labels, probe),
    *(predict, candidates, share, info),
)
"""In the order of the flow, as `sky-ssl --help` shows them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; return the exit status."""
    args = build_parser().parse_args(arguments)
    try:
        result = args.run(args)
    except InputError as error:
        print(f"sky-ssl {args.command}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"sky-ssl {args.command}: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"sky-ssl {args.command}: stopped; repeat the command to go on", file=sys.stderr)
        return 130
    broken = result.get("kind") == "unreadable"
    if os.environ.get("RANK", "0") != "0":  # under torchrun one rank speaks for all
        return 0
    if args.json:
        print(json.dumps(result, indent=1, default=str))
    elif broken:
        print(f"sky-ssl {args.command}: {result['problems'][0]}", file=sys.stderr)
    else:
        print("\n".join(args.show(result)))
    return 2 if broken else 0


def build_parser() -> argparse.ArgumentParser:
    """Describe all subcommands."""
    parser = argparse.ArgumentParser(
        prog="sky-ssl", description="Self-supervised learning on multi-band sky surveys."
    )
    parser.add_argument("--version", action="version", version=f"sky_ssl {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser
