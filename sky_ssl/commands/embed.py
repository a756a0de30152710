"""`sky-ssl embed`: embeddings of cutouts."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import add_command, warn


def add(commands: Any) -> None:
    """Describe the arguments."""
    p = add_command(commands, "embed", run, "embed cutouts with a trained model")
    p.add_argument("--run", required=True, dest="run_dir", help="run directory or checkpoint")
    p.add_argument("--cutouts", type=Path, required=True, help="cutout file or folder")
    p.add_argument("--out", type=Path, required=True, help="embeddings file to write")
    p.add_argument(
        "--pooling",
        default="central",
        help="central (default), mean, max, central16, rings, mean+central, cls, attention",
    )
    p.add_argument(
        "--turns",
        type=int,
        default=1,
        help="average over flips and quarter turns: 1 = none (default), 4 = turns, 8 = both",
    )
    p.add_argument("--project", type=int, default=0, metavar="D", help="PCA to D numbers")
    p.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of what is stored"
    )
    p.add_argument(
        "--sigma",
        choices=("checkpoint", "file"),
        default="checkpoint",
        help="whose noise the scaling uses: the model's (default), or that of the cutouts",
    )
    p.add_argument(
        "--allow-pixel-scale", action="store_true", help="embed although the pixel scale is another"
    )
    p.add_argument("--batch-size", type=int, default=256, help="cutouts at once (256)")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Embed cutouts."""
    from sky_ssl.embedding.encode import EmbedOptions, embed_file
    from sky_ssl.progress import terminal

    options = EmbedOptions(
        pooling=args.pooling,
        turns=args.turns,
        project=args.project,
        dtype=args.dtype,
        sigma=args.sigma,
        allow_pixel_scale=args.allow_pixel_scale,
        batch_size=args.batch_size,
        device=args.device,
    )
    result = embed_file(args.run_dir, args.cutouts, args.out, options, terminal("embed", "cutout"))
    warn(result["notes"])
    return result
