"""The older recipe: against formulas, stored and made tokens alike, whatever the file's order."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.encode import EmbedOptions, embed_file
from sky_ssl.embedding.store import open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import open_embedder
from sky_ssl.explore.patchsearch import (
    Recipe,
    make_target,
    neighbours_of,
    orientations,
    score_cutouts,
    score_stored,
    similarity,
)
from sky_ssl.explore.queries import exemplars_of_rows
from sky_ssl.sky.cutouts import CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts

TOKENS = np.random.default_rng(0).normal(size=(6, 9, 5)).astype(np.float32)


@pytest.mark.parametrize("combine", ["min", "mean", "max"])
def test_scores_are_those_of_the_formulas(combine: str) -> None:
    """Weighted cosine, mean square and absolute difference, one patch at a time."""
    weights = np.random.default_rng(1).uniform(0.5, 2, (9, 5))
    target = make_target(TOKENS[:2], Recipe())
    object.__setattr__(target, "weights", weights.astype(np.float32))
    for score in ("cosine", "mse", "mae"):
        result = similarity(TOKENS, target, Recipe(score, "none", combine))
        for n in range(6):
            patches = []
            for a, b, w in zip(TOKENS[n], target.mean, weights, strict=True):
                cosine = (w * a * b).sum() / np.sqrt((w * a * a).sum() * (w * b * b).sum())
                apart = {"mse": (w * (a - b) ** 2).mean(), "mae": (w * abs(a - b)).mean()}
                patches.append(cosine if score == "cosine" else -apart[score])
            expected = {"min": min, "mean": np.mean, "max": max}[combine](patches)  # type: ignore[operator]
            assert result[n] == pytest.approx(expected, abs=1e-5)


def test_weights_favour_what_exemplars_share() -> None:
    """A number that agrees among exemplars weighs more; on average weights are 1."""
    tokens = TOKENS.copy()
    tokens[:, :, 2] = 1.5
    weights = make_target(tokens, Recipe(weights="inverse-variance")).weights
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    assert weights[:, 2].min() > 2 * np.delete(weights, 2, axis=1).max()
    with pytest.raises(InputError, match="2 exemplars or more"):
        make_target(tokens[:1], Recipe(weights="inverse-variance"))
    with pytest.raises(InputError, match="allowed are cosine, mse, mae"):
        Recipe(score="dot")


def test_eight_orientations() -> None:
    """All eight are different pictures of the same pixels."""
    images = np.random.default_rng(0).normal(size=(1, 2, 4, 4)).astype(np.float32)
    turned = orientations(images)
    assert turned.shape == (8, 2, 4, 4)
    assert len({image.tobytes() for image in turned}) == 8
    np.testing.assert_allclose(
        np.sort(turned.reshape(8, -1)), np.sort(turned.reshape(8, -1))[:1].repeat(8, 0)
    )


def test_scores_do_not_depend_on_the_order_of_the_file(
    small_run: Path, galaxies: Path, embedded: Path, tmp_path: Path
) -> None:
    """The same galaxies in reversed order, and a part of them alone, keep their scores."""
    data = open_cutouts(galaxies)
    e, embedder = open_embeddings(embedded), open_embedder(small_run)
    for recipe in (Recipe("mse", "inverse-variance"), Recipe("cosine", "none", "min")):
        reference = score_cutouts(e, exemplars_of_rows(e, [3, 4]), embedder, recipe)
        for name, rows in (("reversed", np.arange(30)[::-1]), ("part", np.arange(2, 9))):
            path, out = tmp_path / f"{name}.h5", tmp_path / f"{name}-e.h5"
            with CutoutWriter(path, data.info) as writer:
                columns = {c: data.column(c)[rows] for c in ("id", "ra", "dec")}
                writer.append(data.read(rows), columns)
            embed_file(small_run, path, out)
            other = open_embeddings(out)
            like = exemplars_of_rows(other, np.flatnonzero(np.isin(other.id, ["g003", "g004"])))
            again = score_cutouts(other, like, embedder, recipe)
            np.testing.assert_allclose(again, reference[rows], atol=2e-5)


def test_stored_tokens_are_the_central_ones(small_run: Path, embedded: Path) -> None:
    """An embedding holds the central tokens of the model; its own exemplar fits it best."""
    e, embedder = open_embeddings(embedded), open_embedder(small_run)
    tokens = embedder.tokens(open_cutouts(e.attributes["cutouts"]).read(slice(None)))
    assert tokens.shape == (30, 6, 6, 32)
    np.testing.assert_allclose(tokens[:, 2:4, 2:4].reshape(30, -1), e.values, atol=1e-5)
    scores = score_stored(e, exemplars_of_rows(e, [7]), Recipe("mae"))
    assert scores[7] == pytest.approx(0, abs=1e-6)
    rows, best = neighbours_of(scores, 3, np.array([7]))
    assert rows.tolist() == np.argsort(-scores)[1:4].tolist()
    assert best[0] < 0


def test_what_cannot_be_compared_is_refused(
    small_run: Path, galaxies: Path, embedded: Path, tmp_path: Path
) -> None:
    """Pooled embeddings hold no tokens; other cutouts are not those that were embedded."""
    embed_file(small_run, galaxies, tmp_path / "mean.h5", EmbedOptions(pooling="mean"))
    pooled = open_embeddings(tmp_path / "mean.h5")
    with pytest.raises(InputError, match="holds no tokens side by side"):
        score_stored(pooled, exemplars_of_rows(pooled, [0]), Recipe())
    e, data = open_embeddings(embedded), open_cutouts(galaxies)
    with CutoutWriter(tmp_path / "other.h5", data.info) as writer:
        writer.append(
            data.read(slice(0, 5)), {"id": list("abcde"), "ra": range(5), "dec": range(5)}
        )
    embedder, like = open_embedder(small_run), exemplars_of_rows(e, [0])
    with pytest.raises(InputError, match=r"other\.h5: not the cutouts"):
        score_cutouts(e, like, embedder, Recipe(), tmp_path / "other.h5")
    with pytest.raises(InputError, match=r"no such file.*--cutouts FILE"):
        score_cutouts(e, like, embedder, Recipe(), tmp_path / "none.h5")
