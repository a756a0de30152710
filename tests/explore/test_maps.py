"""Maps of embeddings: the same seed the same map, and objects where they belong."""

import numpy as np
import pytest

from sky_ssl.errors import InputError
from sky_ssl.explore import maps
from sky_ssl.explore.maps import FITTED, METHODS, NO_VECTOR, PLACED, MadeMap, MapOptions, make_map
from sky_ssl.explore.placing import place

QUICK = 60  # passes: enough for islands to form


def islands(count: int, seed: int = 0, dimensions: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Make vectors (count, 16) in five clumps, and the number of the clump of each."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(0, 1, (5, dimensions))
    which = rng.integers(5, size=count)
    return (centres[which] + rng.normal(0, 0.25, (count, dimensions))).astype(np.float32), which


def made(values: np.ndarray, method: str = "umap", seed: int = 0, threads: int = 1) -> MadeMap:
    options = MapOptions(method=method, seed=seed, epochs=QUICK, perplexity=10)
    return make_map(values, options=options, threads=threads)


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_is_a_map(method: str) -> None:
    """The same seed gives the same map bit for bit, also on three threads."""
    values, _ = islands(700)
    first = made(values, method)
    for threads in (1, 3):
        np.testing.assert_array_equal(first.xy, made(values, method, threads=threads).xy)
    assert first.xy.dtype == np.float32
    assert np.isfinite(first.xy).all()
    assert (first.how == FITTED).all()


def test_a_seed_is_a_map_by_fourier_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    """As t-SNE of many objects is made: the same bit for bit, and not as with trees."""
    values, _ = islands(300)
    trees = made(values, "tsne").xy
    monkeypatch.setattr(maps, "_FFT", 100)
    first = made(values, "tsne").xy
    np.testing.assert_array_equal(first, made(values, "tsne", threads=3).xy)
    assert not np.array_equal(first, trees)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_another_seed_is_another_map(method: str) -> None:
    """Another seed gives other positions."""
    values, _ = islands(300)
    assert not np.allclose(made(values, method).xy, made(values, method, seed=1).xy, atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_in_the_map_are_alike(method: str) -> None:
    """Of the objects nearest in the map nine in ten are of the same clump."""
    values, which = islands(500)
    xy = made(values, method).xy
    apart = np.linalg.norm(xy[:, None] - xy, axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :5]
    assert (which[near] == which[:, None]).mean() > 0.9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("count", [1, 2, 5, 20])
def test_few_objects(method: str, count: int) -> None:
    """A handful of objects has a map too, with default options."""
    xy = make_map(islands(count)[0], options=MapOptions(method=method), threads=1).xy
    assert xy.shape == (count, 2)
    assert np.isfinite(xy).all()
    assert len(np.unique(xy, axis=0)) == count


def test_rows_without_a_direction_lie_outside() -> None:
    """NaN and rows of zeros lie together below all others, and are reported."""
    values, _ = islands(200)
    values[7, 3] = np.nan
    values[11] = 0
    result = made(values)
    assert np.flatnonzero(result.how == NO_VECTOR).tolist() == [7, 11]
    others = np.delete(result.xy, [7, 11], axis=0)
    assert (result.xy[[7, 11]] < others.min(axis=0)).all()
    assert result.notes == [
        "2 objects have no usable embedding (NaN or zero, the first is row 7) and lie outside, at "
        "the lower left corner"
    ]
    np.testing.assert_array_equal(others, made(np.delete(values, [7, 11], axis=0)).xy)


def test_nothing_usable_is_refused() -> None:
    """Rows that are all NaN make no map."""
    with pytest.raises(InputError, match="none of 3 embeddings is usable"):
        make_map(np.full((3, 8), np.nan, np.float32))


def test_more_objects_than_the_sample_are_placed() -> None:
    """The rest lies among its own kind; who is in the sample hangs on the seed alone."""
    values, which = islands(600)
    options = MapOptions(sample=300, epochs=QUICK)
    result = make_map(values, options=options, threads=1)
    assert (np.bincount(result.how, minlength=2) == 300).all()
    assert result.notes == ["made with 300 objects, 300 placed into it"]
    fitted, placed = np.flatnonzero(result.how == FITTED), np.flatnonzero(result.how == PLACED)
    apart = np.linalg.norm(result.xy[placed, None] - result.xy[fitted], axis=2)
    assert (which[fitted[apart.argmin(axis=1)]] == which[placed]).mean() > 0.95
    np.testing.assert_array_equal(result.xy, make_map(values, options=options, threads=2).xy)


def test_a_twin_lands_by_its_twin() -> None:
    """An object equal to a mapped one is placed where that one is."""
    values, _ = islands(300)
    result = made(values)
    points = result.axes.project(values)
    twins = result.axes.project(values[40:60] * 3)  # only the direction counts
    np.testing.assert_allclose(place(twins, points, result.xy), result.xy[40:60], atol=1e-2)


@pytest.mark.parametrize("method", ["umap", "tsne"])
def test_a_warm_start_moves_little(method: str) -> None:
    """With a sixth of new objects the others stay near; from scratch they move far."""
    values, _ = islands(600)
    old = made(values[:500], method)
    warm = np.full((600, 2), np.nan, np.float32)
    warm[:500] = old.xy
    options = MapOptions(method=method, seed=1, epochs=QUICK, perplexity=10)
    size = np.ptp(old.xy, axis=0).max()
    moved = [
        np.median(np.linalg.norm(make_map(values, options=options, **w).xy[:500] - old.xy, axis=1))
        for w in ({"warm": warm}, {})
    ]
    assert moved[0] < 0.06 * size
    assert moved[0] < 0.5 * moved[1]


@pytest.mark.parametrize("method", METHODS)
def test_progress_rises_to_the_end(method: str) -> None:
    """Progress never falls, and ends at the total once; also where objects are placed."""
    seen: list[tuple[int, int]] = []
    options = MapOptions(method=method, epochs=QUICK, sample=200, perplexity=10)
    make_map(islands(300)[0], options=options, progress=lambda *at: seen.append(at))
    done = [d for d, _ in seen]
    assert {total for _, total in seen} == {1000}
    assert done == sorted(done)
    assert done[-1] == 1000
    assert len(set(done)) > (1 if method == "pca" else 5)


def test_progress_stops_the_work() -> None:
    """What the callback raises comes through."""

    def stop(done: int, _total: int) -> None:
        if done > 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_map(islands(300)[0], options=MapOptions(epochs=QUICK), progress=stop)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "mds"}, "method 'mds': allowed are umap, tsne, pca"),
        ({"neighbours": 1}, "neighbours = 1: must be 2 or more"),
        ({"min_dist": 1.5}, "min_dist = 1.5: must be 0 to 1"),
        ({"perplexity": 0.5}, "perplexity = 0.5: must be 1 to 500"),
        ({"sample": 3}, "sample = 3: must be 10 or more"),
    ],
)
def test_wrong_options_are_refused(wrong: dict, message: str) -> None:
    """The message names the option, its value and what is allowed."""
    with pytest.raises(InputError) as caught:
        MapOptions(**wrong)
    assert str(caught.value) == message
