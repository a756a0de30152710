"""The model at hand: vectors like those of the file, or a clear refusal."""

from pathlib import Path

import numpy as np
import pytest

from sky_ssl.embedding.encode import EmbedOptions, embed_file
from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.embedder import open_embedder
from sky_ssl.sky.cutoutset import open_cutouts


@pytest.mark.parametrize(
    "options",
    [
        EmbedOptions(),
        EmbedOptions(pooling="mean"),
        EmbedOptions(project=5),
        EmbedOptions(sigma="file"),
        EmbedOptions(pooling="mean+central", dtype="float16"),
        EmbedOptions(turns=8),
    ],
    ids=["central", "mean", "projected", "noise of the file", "float16", "turned"],
)
def test_vectors_are_those_of_the_file(
    small_run: Path, galaxies: Path, tmp_path: Path, options: EmbedOptions
) -> None:
    """Whatever pooling, projection or noise the file was made with."""
    embed_file(small_run, galaxies, tmp_path / "e.h5", options)
    e = open_embeddings(tmp_path / "e.h5")
    embedder = open_embedder(small_run, e)
    assert embedder.notes == []
    vectors = embedder.embed(open_cutouts(galaxies).read(slice(0, 30)))
    np.testing.assert_allclose(vectors, e.values, atol=1e-5 if e.values.itemsize == 4 else 0.02)


def test_another_model_is_refused(small_run: Path, embedded: Path) -> None:
    """Both models are named; a run without a checkpoint as well."""
    e = open_embeddings(embedded)
    other = {**e.attributes, "checkpoint_sha256": "ab" * 32}
    foreign = Embeddings(e.path, e.values, e.id, e.ra, e.dec, e.tile, other)
    with pytest.raises(InputError, match=r"but .*e\.h5 was made with model abababababab"):
        open_embedder(small_run, foreign)
    with pytest.raises(InputError, match="no checkpoint here"):
        open_embedder(embedded.parent, e)


def test_noise_that_is_gone_is_said(small_run: Path, galaxies: Path, tmp_path: Path) -> None:
    """Embedded with the noise of cutouts that are no longer there: a note."""
    embed_file(small_run, galaxies, tmp_path / "e.h5", EmbedOptions(sigma="file"))
    e = open_embeddings(tmp_path / "e.h5")
    moved = {**e.attributes, "cutouts": str(tmp_path / "gone.h5")}
    lost = Embeddings(e.path, e.values, e.id, e.ra, e.dec, e.tile, moved)
    assert "noise of its cutouts, which is unknown now" in open_embedder(small_run, lost).notes[0]
