"""Settings of the evidence that cannot be."""

import pytest

from sky_ssl.errors import InputError
from sky_ssl.evaluate.settings import Settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"presets": ("deep",)}, "presets = 'deep': must be of native, wide"),
        ({"fit_presets": ("deep",)}, "fit_presets = 'deep': must be of native, wide"),
        ({"skies": (61, 101)}, "ceiling_seed = 61"),
        ({"skies": (5, 5)}, "must be each once"),
        ({"objects": 20}, "objects = 20: must be 200 or more"),
        ({"labels": (2,)}, "4 or more each"),
        ({"turns": 3}, "must be of 1, 4, 8"),
        ({"ways": ("magic",)}, "must be of cnn"),
        ({"prevalences": (1.5,)}, "above 0 and below 1"),
    ],
)
def test_wrong_settings_are_named(given: dict, said: str) -> None:
    """With their value and what is allowed."""
    with pytest.raises(InputError, match=said):
        Settings(**given)


def test_networks_are_fitted_on_presets_that_are_measured() -> None:
    """All of them by default; those that are left out are none."""
    assert Settings().fitted == ("native", "wide")
    assert Settings(presets=("wide",), fit_presets=("native",)).fitted == ()
    assert Settings(fit_presets=("native",)).fitted == ("native",)


def test_many_labels_are_drawn_half_as_often() -> None:
    """20 draws of up to 200 labels, 10 of more."""
    assert Settings().repeats_of(200) == 20
    assert Settings().repeats_of(500) == 10
