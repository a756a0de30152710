"""What `sky-ssl search` refuses: arguments that mean nothing together."""

import argparse

from sky_ssl.errors import InputError

BY_PATCHES = ("cosine", "mse", "mae")
"""Scores that go patch by patch."""


def check(args: argparse.Namespace) -> None:
    """Refuse combinations that mean nothing.

    Raises:
        InputError: naming the arguments and what they need.
    """
    if not (args.like or args.at or args.image):
        raise InputError("nothing to search for: give --like ID, --at 'RA DEC' or --image FILE")
    if not (args.embeddings or args.tiles):
        raise InputError("nothing to search in: give --embeddings E.h5, or --tiles with --run")
    if args.image and not args.run_dir:
        raise InputError("--image needs --run RUN, the model to embed it with")
    if args.tiles and not (args.run_dir and args.survey):
        raise InputError("--tiles needs --run RUN, the model, and --survey S")
    named = args.like or args.unlike or (args.at and not args.image)
    if named and not args.embeddings:
        raise InputError("--like, --unlike and --at name objects of --embeddings E.h5: give it")
    if args.image and len(args.at) > 1:
        raise InputError(f"--at is given {len(args.at)} times: with --image it can be once")
    by_patches = args.score in BY_PATCHES
    if args.save and (by_patches or not args.embeddings):
        raise InputError("--save needs --embeddings, and --score whitened or tokens")
    if args.tiles and by_patches:
        raise InputError(f"--score {args.score}: with --tiles only whitened or tokens")
    if args.unlike and by_patches:
        raise InputError(f"--unlike: has no meaning for --score {args.score}")
    if args.expand < 0:
        raise InputError(f"--expand {args.expand}: must be 0 or more")
    if args.expand and (by_patches or args.tiles):
        raise InputError("--expand: among --embeddings only, with --score whitened or tokens")
    if args.score == "whitened" and args.index in ("ivf", "ivfpq"):
        raise InputError(
            f"--index {args.index}: for --score tokens; whitened vectors are short, and always "
            "searched exactly"
        )
    if args.out:
        from sky_ssl.sky.tablefiles import check_ending

        check_ending(args.out)
    if args.top < 1:
        raise InputError(f"--top {args.top}: must be 1 or more")
    if not args.merge >= 0:
        raise InputError(f"--merge {args.merge}: must be 0 arcsec or more")
