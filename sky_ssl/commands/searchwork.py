"""What `sky-ssl search` does with its arguments: exemplars, the search, the files it writes."""

import argparse
from pathlib import Path
from typing import Any

from sky_ssl.commands.parsing import tiles_of, warn
from sky_ssl.commands.searchcheck import BY_PATCHES, check
from sky_ssl.errors import InputError


def search(args: argparse.Namespace) -> dict[str, Any]:
    """Search, write what was asked for, and give the list."""
    import time

    check(args)
    started = time.monotonic()
    e, embedder = _opened(args)
    like, unlike = _exemplars(args, e, embedder)
    notes = [*like.notes, *(embedder.notes if embedder else [])]
    whitened = _whitened(args, e)
    if args.tiles:
        results, how = _on_tiles(args, e, embedder, like, unlike, whitened)
    elif args.score in BY_PATCHES:
        results, how = _by_patches(args, e, embedder, like)
    else:
        results, how = _among_embeddings(args, e, like, unlike, whitened)
    notes += how.pop("notes", [])
    warn(notes)
    how["seconds"] = round(time.monotonic() - started, 3)
    if args.out:
        _write_list(args.out, results)
        how["path"] = str(args.out)
    if args.save:
        _save_rule(args, e, like, unlike, whitened)
        how["selection"] = str(args.save)
    exemplars = [
        {"id": name, "ra": _finite(ra), "dec": _finite(dec)}
        for name, ra, dec in zip(like.ids, like.ra, like.dec, strict=True)
    ]
    return {"results": results.records(), "exemplars": exemplars, **how, "notes": notes}


def _opened(args: argparse.Namespace) -> tuple[Any, Any]:
    """Open the embeddings and the model, those that are named."""
    from sky_ssl.embedding.store import open_embeddings

    e = open_embeddings(args.embeddings) if args.embeddings else None
    if not args.run_dir:
        return e, None
    from sky_ssl.explore.embedder import open_embedder

    return e, open_embedder(args.run_dir, e, device=args.device)


def _exemplars(args: argparse.Namespace, e: Any, embedder: Any) -> tuple[Any, Any]:
    """Collect exemplars and counter-examples; None where there are no counter-examples."""
    from sky_ssl.explore.queries import exemplars_of_rows, join, row_at, rows_of_ids

    parts = []
    rows = list(rows_of_ids(e, args.like)) if args.like else []
    if not args.image:
        rows += [row_at(e, text, args.radius) for text in args.at]
    if rows:
        parts.append(exemplars_of_rows(e, list(dict.fromkeys(rows))))
    parts += [_of_image(args, text, embedder) for text in args.image]
    unlike = exemplars_of_rows(e, rows_of_ids(e, args.unlike)) if args.unlike else None
    both = set(map(int, unlike.rows)) & set(map(int, rows)) if unlike else set()
    if both:
        raise InputError(f"{str(e.id[both.pop()])!r}: both --like and --unlike")
    return join(parts), unlike


def _of_image(args: argparse.Namespace, text: str, embedder: Any) -> Any:
    """Embed an image on the spot."""
    from sky_ssl.explore.pictures import Wanted, read_pictures
    from sky_ssl.explore.queries import exemplars_of_pictures

    try:
        zero_point = tuple(float(z) for z in args.zero_point.split(",") if z)
    except ValueError:
        given = args.zero_point
        raise InputError(f"--zero-point {given}: give numbers, such as 27 or 30,27") from None
    at = args.at[0] if args.at else ""
    wanted = Wanted(embedder.info, embedder.size, at, zero_point, args.allow_pixel_scale)
    return exemplars_of_pictures(embedder, read_pictures(text, wanted))


def _whitened(args: argparse.Namespace, e: Any) -> Any:
    """Open the whitened vectors of the embeddings; None where the search is not by them."""
    if args.score != "whitened" or e is None or args.dense:
        return None
    from sky_ssl.explore.whitened import open_whitened
    from sky_ssl.progress import terminal

    return open_whitened(e, args.index_folder, terminal("whiten", "object"))


def _whitening(whitened: Any) -> Any:
    """Give the whitening to score by; None where there is none, or nothing to whiten by."""
    return whitened.whitening if whitened and len(whitened.whitening) else None


def _among_embeddings(
    args: argparse.Namespace, e: Any, like: Any, unlike: Any, whitened: Any = None
) -> tuple[Any, dict[str, Any]]:
    """Search an embeddings file, by its whitened vectors or by its index."""
    from sky_ssl.explore import search as objects

    nearest, query, how = _query(args, e, like, unlike, whitened)
    results = objects.search(
        e,
        lambda k, out: nearest.search(query, k, out),
        k=args.top,
        exclude=_named(like, unlike),
        exemplar_ra=like.ra,
        exemplar_dec=like.dec,
        merge_arcsec=args.merge,
    )
    return results, {"searched": len(e.values), **how}


def _named(like: Any, unlike: Any) -> Any:
    """Give the rows of exemplars and counter-examples."""
    import numpy as np

    named = np.concatenate([like.rows, unlike.rows if unlike else like.rows[:0]])
    return named[named >= 0]


def _query(
    args: argparse.Namespace, e: Any, like: Any, unlike: Any, whitened: Any = None
) -> tuple[Any, Any, dict[str, Any]]:
    """Give what is searched, the query, and how they were made."""
    from sky_ssl.explore.expanding import expand_query
    from sky_ssl.explore.neighbours import open_index
    from sky_ssl.explore.search import distinct, query_vector
    from sky_ssl.progress import terminal

    whitened = whitened or _whitened(args, e)
    whitening = _whitening(whitened)
    how: dict[str, Any] = {}
    nearest: Any
    if whitening:
        nearest, tokens = whitened, whitening.axes.tokens
        how |= {"score": "whitened", "axes": len(whitening), "index": "exact", "recall_at_25": 1.0}
    else:
        progress = terminal("index", "row")
        nearest = open_index(e, args.index_folder, kind=args.index, progress=progress)
        tokens = nearest.tokens
        how |= {"score": "tokens", "index": nearest.kind, "recall_at_25": nearest.recall}
    if whitened and whitened.notes:
        how["notes"] = whitened.notes
    negative = unlike.vectors if unlike else None
    query = query_vector(like.vectors, negative, tokens, args.unlike_weight, whitening)
    if args.expand:
        how["expanded_by"] = args.expand

        def best(query: Any, k: int) -> tuple[Any, Any]:
            rows, found = nearest.search(query, k + 16, _named(like, unlike))
            # an exemplar once more, from a tile that overlaps, is not what was found
            keep = distinct(e.ra[rows], e.dec[rows], like.ra, like.dec, args.merge)
            return rows[keep][:k], found[keep][:k]

        values = whitened.values if whitening else e.values
        per_row = 1 if whitening else tokens
        query = expand_query(query, len(like), values, per_row, best, args.expand)
    return nearest, query, how


def _by_patches(
    args: argparse.Namespace, e: Any, embedder: Any, like: Any
) -> tuple[Any, dict[str, Any]]:
    """Search by patch tokens, of the embeddings or made on the spot."""
    from functools import partial

    from sky_ssl.explore import patchsearch
    from sky_ssl.explore import search as objects
    from sky_ssl.progress import terminal

    recipe = patchsearch.Recipe(args.score, args.weights, args.combine)
    progress = terminal("search", "object")
    if args.patches == "central":
        scores = patchsearch.score_stored(e, like, recipe, progress)
    else:
        if embedder is None:
            raise InputError("--patches all needs --run RUN, the model to make the tokens with")
        scores = patchsearch.score_cutouts(e, like, embedder, recipe, args.cutouts, progress)
    results = objects.search(
        e,
        partial(patchsearch.neighbours_of, scores),
        k=args.top,
        exclude=like.rows[like.rows >= 0],
        exemplar_ra=like.ra,
        exemplar_dec=like.dec,
        merge_arcsec=args.merge,
    )
    how = {"score": args.score, "weights": args.weights, "combine": args.combine}
    return results, {"searched": len(e.values), **how, "patches": args.patches}


def _on_tiles(
    args: argparse.Namespace, e: Any, embedder: Any, like: Any, unlike: Any, whitened: Any
) -> tuple[Any, dict[str, Any]]:
    """Search tiles, at their detections or everywhere."""
    from sky_ssl.explore.queries import exemplar_images
    from sky_ssl.explore.search import query_vector
    from sky_ssl.explore.similarity import token_count
    from sky_ssl.explore.tilesearch import Query, make_cutter, search_detections
    from sky_ssl.progress import terminal

    survey, tiles = tiles_of(args)
    cutter = make_cutter(embedder, survey, allow_pixel_scale=args.allow_pixel_scale)
    tokens = token_count(embedder.attributes, like.vectors.shape[1])
    negative = unlike.vectors if unlike else None
    whitening = _whitening(whitened)
    vector = query_vector(like.vectors, negative, tokens, args.unlike_weight, whitening)
    query = Query(vector, like.ra, like.dec, whitening)
    notes = list(whitened.notes) if whitened else []
    if args.score == "whitened" and not whitened:
        why = "a dense search goes" if args.dense else "without --embeddings the search goes"
        notes.append(f"{why} by the mean cosine over tokens, not by whitened vectors")
    common: dict[str, Any] = {
        "k": args.top,
        "merge_arcsec": args.merge,
        "reproject": args.reproject,
        "progress": terminal("search", "tile"),
    }
    if args.dense:
        from sky_ssl.explore.densesearch import search_dense, shifted_queries

        images = exemplar_images(e, like, embedder, args.cutouts)
        others = exemplar_images(e, unlike, embedder, args.cutouts) if unlike else None
        shifted = shifted_queries(embedder, images, others, args.unlike_weight)
        found = search_dense(tiles, survey, cutter, query, shifted, **common)
    else:
        found = search_detections(tiles, survey, cutter, query, workers=args.workers, **common)
    results, searched, problems = found
    how = {"searched": searched, "tiles": len(tiles), "score": "tokens"}
    if whitening:
        how |= {"score": "whitened", "axes": len(whitening)}
    mode = "dense" if args.dense else "detections"
    return results, {**how, "mode": mode, "notes": [*notes, *problems]}


def _write_list(path: Path, results: Any) -> None:
    import pandas as pd

    from sky_ssl.sky.catalogue import write_catalogue

    path.parent.mkdir(parents=True, exist_ok=True)
    write_catalogue(pd.DataFrame(results.columns()), path)


def _save_rule(
    args: argparse.Namespace, e: Any, like: Any, unlike: Any, whitened: Any = None
) -> None:
    """Write the search as a selection rule."""
    from sky_ssl.explore.selection import save_selection, search_selection

    whitened = whitened or _whitened(args, e)
    of_rows = bool((like.rows >= 0).all())
    rule = search_selection(
        e,
        like.rows if of_rows else like.vectors,
        None if unlike is None else unlike.rows,
        ids=() if of_rows else like.ids,
        threshold=args.threshold,
        name=args.name,
        unlike_weight=args.unlike_weight,
        whitening=_whitening(whitened),
        expanded=(args.expand, _query(args, e, like, unlike, whitened)[1]) if args.expand else None,
    )
    save_selection(rule, args.save)


def _finite(value: float) -> float | None:
    return float(value) if value == value else None
