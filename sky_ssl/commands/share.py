"""`sky-ssl share`: a trained model as a folder to give away, with a card."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command
from sky_ssl.errors import InputError


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "share", run, "make a folder of a trained model to give away")
    p.add_argument("--run", dest="run_dir", type=Path, required=True, help="run of train.py")
    p.add_argument("--out", type=Path, required=True, help="folder to write")
    p.add_argument("--name", default="", help="of the model (default: that of the folder)")
    p.add_argument("--about", type=Path, help="Markdown on its purpose, data and limits")
    p.add_argument("--licence", default="", help="under which others may use it")
    p.add_argument("--command", dest="trained_by", default="", help="that trained it")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the folder."""
    from sky_ssl.training.sharing import Words, share_model

    about = ""
    if args.about:
        try:
            about = args.about.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputError(f"{args.about}: not a text in UTF-8") from None
    name = args.name or args.out.name
    return share_model(args.run_dir, args.out, Words(name, about, args.licence, args.trained_by))
