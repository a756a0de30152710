"""The older recipe of similarity: patch by patch, weighted, combined over patches.

In: standardised tokens of all patches, stored or made on the spot, and exemplars. Out: scores, the
larger the more alike. Tokens are standardised with the training survey's statistics, never with
those of the objects searched, so scores do not depend on the order of a file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import BATCH, Embedder
from sky_ssl.explore.queries import Exemplars, embedded_cutouts, exemplar_images
from sky_ssl.explore.similarity import Best, Rows, Vectors, blocks, token_count
from sky_ssl.progress import Progress
from sky_ssl.sky.cutoutset import CutoutSet

Tokens = npt.NDArray[np.float32]
_COMBINE: dict[str, Any] = {"min": np.min, "mean": np.mean, "max": np.max}


@dataclass(frozen=True)
class Recipe:
    """How tokens are compared."""

    score: str = "cosine"  # "cosine", "mse" or "mae" over the numbers of a token
    weights: str = "none"  # "none", or "inverse-variance" among the exemplars
    combine: str = "mean"  # "min", "mean" or "max" of the similarity over patches

    def __post_init__(self) -> None:
        allowed = {
            "score": ("cosine", "mse", "mae"),
            "weights": ("none", "inverse-variance"),
            "combine": tuple(_COMBINE),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise InputError(f"{name} {getattr(self, name)!r}: allowed are {', '.join(values)}")


@dataclass(frozen=True)
class Target:
    """What tokens are compared with."""

    mean: Tokens  # (P, width) over the exemplars
    weights: Tokens  # (P, width), 1 on average


def make_target(tokens: Tokens, recipe: Recipe) -> Target:
    """Average exemplars (M, P, width); weigh numbers by how little they differ among them.

    Raises:
        InputError: weights of a single exemplar.
    """
    mean = tokens.mean(axis=0)
    if recipe.weights == "none":
        return Target(mean, np.ones_like(mean))
    if len(tokens) < 2:
        raise InputError("weights inverse-variance: need 2 exemplars or more, or --patches all")
    variance = tokens.var(axis=0)
    # a number that happens to agree must not outweigh all others
    weights = 1 / (variance + 0.1 * variance.mean() + 1e-12)
    return Target(mean, (weights / weights.mean()).astype(np.float32))


def similarity(tokens: Tokens, target: Target, recipe: Recipe) -> Vectors:
    """Score tokens (n, P, width) against a target; (n,), NaN where a token is not finite.

    "cosine" is the weighted cosine; "mse" and "mae" are the weighted mean square and absolute
    difference, with a minus sign.
    """
    weights, mean = target.weights, target.mean
    if recipe.score == "cosine":
        dot = (tokens * (weights * mean)).sum(axis=2)
        size = np.sqrt((tokens**2 * weights).sum(axis=2) * (mean**2 * weights).sum(axis=1))
        per_patch = dot / np.maximum(size, np.float32(1e-20))
    else:
        difference = tokens - mean
        apart = np.abs(difference) if recipe.score == "mae" else difference**2
        per_patch = -(apart * weights).mean(axis=2)
    return np.asarray(_COMBINE[recipe.combine](per_patch, axis=1), dtype=np.float32)


def neighbours_of(scores: Vectors, k: int, exclude: Rows) -> tuple[Rows, Vectors]:
    """Give the k best of (N,) scores, some rows left out, as `search.search` asks for it."""
    left = scores.copy()
    left[exclude] = np.nan
    best = Best(k)
    best.add(left, np.arange(len(left)))
    return best.rows, best.scores


def score_stored(
    e: Embeddings, like: Exemplars, recipe: Recipe, progress: Progress | None = None
) -> Vectors:
    """Score the central tokens that an embeddings file holds; (N,).

    Raises:
        InputError: the file does not hold tokens side by side.
    """
    D = e.values.shape[1]
    T = token_count(e.attributes, D)
    if T == 1:
        raise InputError(
            f"{e.path}: holds no tokens side by side (pooling central, not projected); give "
            "--patches all with --run"
        )
    target = make_target(np.asarray(like.vectors, np.float32).reshape(-1, T, D // T), recipe)
    parts = ((start, x.reshape(len(x), T, -1)) for start, x in blocks(e.values, progress))
    return _scored(parts, len(e.values), target, recipe)


def score_cutouts(
    e: Embeddings,
    like: Exemplars,
    embedder: Embedder,
    recipe: Recipe,
    cutouts: Path | None = None,
    progress: Progress | None = None,
) -> Vectors:
    """Score all patches of the cutouts that embeddings were made of; (N,).

    Tokens are made on the spot, a few cutouts at a time, and not kept. With weights, each exemplar
    counts in its 8 orientations.

    Args:
        e: the embeddings, row by row those of the cutouts.
        like: exemplars, rows of `e` or images.
        embedder: the model.
        cutouts: None: where they lay when they were embedded.

    Raises:
        InputError: the cutouts are not those that were embedded.
    """
    data, factor = embedded_cutouts(e, embedder, cutouts)
    exemplars = exemplar_images(e, like, embedder, cutouts)
    if recipe.weights != "none":
        exemplars = orientations(exemplars)
    target = make_target(_flat(embedder.tokens(exemplars)), recipe)
    parts = _made(data, embedder, factor, progress)
    return _scored(parts, len(data), target, recipe)


def orientations(images: Tokens) -> Tokens:
    """Turn and mirror images (n, C, S, S) in all 8 ways; (8 n, C, S, S)."""
    turned = [np.rot90(images, turns, axes=(2, 3)) for turns in range(4)]
    return np.concatenate([*turned, *(np.flip(image, axis=3) for image in turned)])


def _made(
    data: CutoutSet, embedder: Embedder, factor: Tokens, progress: Progress | None
) -> Iterator[tuple[int, Tokens]]:
    for start in range(0, len(data), BATCH):
        images = data.read(slice(start, min(start + BATCH, len(data)))) * factor
        yield start, _flat(embedder.tokens(images))
        if progress:
            progress(start + len(images), len(data))


def _flat(tokens: Tokens) -> Tokens:
    """Bring tokens (n, gh, gw, width) to (n, P, width)."""
    return tokens.reshape(len(tokens), -1, tokens.shape[-1])


def _scored(
    parts: Iterable[tuple[int, Tokens]], rows: int, target: Target, recipe: Recipe
) -> Vectors:
    result = np.empty(rows, dtype=np.float32)
    for start, tokens in parts:
        result[start : start + len(tokens)] = similarity(tokens, target, recipe)
    return result
