"""The map for print."""

import numpy as np

from sky_ssl.figures.colours import colour_classes
from sky_ssl.figures.printed.skymap import densest, draw_map, free_place
from sky_ssl.figures.printed.style import to_png


def test_map_names_every_class_on_it_and_beside_it() -> None:
    """Points have the colours of their classes; names stand in the legend with counts."""
    rng = np.random.default_rng(0)
    kind = np.repeat(["star", "dwarf"], [60, 40])
    xy = rng.normal(size=(100, 2)) + np.where(kind == "star", 0, 8)[:, None]
    figure = draw_map(xy, colour_classes(kind), "UMAP", lines=(), note="simulated")
    axis = figure.axes[0]
    assert axis.get_xlabel().startswith("UMAP 1")
    assert len(axis.collections[0].get_offsets()) == 100
    assert [t.get_text() for t in axis.get_legend().get_texts()] == ["star  60", "dwarf  40"]
    places = {t.get_text(): np.array(t.get_position()) for t in axis.texts}
    assert np.linalg.norm(places["star"]) < 2
    assert np.linalg.norm(places["dwarf"] - 8) < 2
    assert to_png(figure)


def test_each_point_keeps_the_colour_of_its_class() -> None:
    """They are drawn in random order, colours along with positions."""
    kind = np.array(["a"] * 30 + ["b"] * 20)
    xy = np.stack([np.where(kind == "a", -1.0, 1.0), np.arange(50.0)], axis=1)
    points = draw_map(xy, colour_classes(kind), "PCA", lines=(), note="").axes[0].collections[0]
    left = points.get_offsets()[:, 0] < 0
    colours = points.get_facecolors()
    assert len(np.unique(colours[left], axis=0)) == len(np.unique(colours[~left], axis=0)) == 1
    assert (colours[left][0] != colours[~left][0]).any()


def test_names_go_where_most_of_a_class_is() -> None:
    """A few far away do not draw the name into the void between."""
    rng = np.random.default_rng(1)
    xy = np.concatenate([rng.normal(size=(200, 2)), rng.normal(size=(60, 2)) + 50])
    assert np.linalg.norm(densest(xy)) < 5


def test_names_do_not_cover_each_other() -> None:
    """Ten names for one place all stand apart, none of them far away."""
    placed: list[np.ndarray] = []
    for _ in range(10):
        placed.append(free_place(np.zeros(2), placed))
    apart = [np.abs(a - b) for i, a in enumerate(placed) for b in placed[:i]]
    assert all(gap[0] >= 0.1 or gap[1] >= 0.03 for gap in apart)
    assert max(np.linalg.norm(p) for p in placed) < 0.3
