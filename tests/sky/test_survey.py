"""Surveys: presets, TOML definitions, and what is refused."""

from dataclasses import asdict
from pathlib import Path

import pytest

from sky_ssl.errors import InputError
from sky_ssl.sky.survey import PRESETS, Source, load_survey, parse_survey

TWO_BANDS = """
[survey]
name = "cfhtls"
pixel_scale = 0.186
[[survey.bands]]
name = "g"
pattern = '(?P<tile>.+)_g\\.fits'
zero_point = 26.5
[[survey.bands]]
name = "r"
hdu = 1
[[survey.bands.sources]]
pattern = '(?P<tile>.+)_r2\\.fits'
[[survey.bands.sources]]
pattern = '(?P<tile>.+)_r\\.fits'
hdu = "SCI"
"""


@pytest.mark.parametrize(
    ("name", "bands", "scale", "zero_point"),
    [
        ("unions", "u g r i z", 0.1857, 30.0),
        ("hsc", "g r i z y", 0.168, 27.0),
        ("legacy", "g r i z", 0.262, 22.5),
        ("mock", "u g r i z", 0.1857, 30.0),
    ],
)
def test_presets(name: str, bands: str, scale: float, zero_point: float) -> None:
    """Each preset has its bands, pixels and zero point, and colours of its own bands."""
    survey = load_survey(name)
    assert survey.band_names == tuple(bands.split())
    assert (survey.pixel_scale, survey.zero_point) == (scale, zero_point)
    assert set(survey.rgb) <= set(survey.band_names)


@pytest.mark.parametrize("name", PRESETS)
def test_survives_a_dictionary(name: str) -> None:
    """A survey stored as a dictionary, as in a checkpoint, comes back as it was."""
    survey = load_survey(name)
    assert parse_survey(asdict(survey), "checkpoint") == survey
    hash(survey)


def test_toml_with_several_sources(tmp_path: Path) -> None:
    """A band's own keys are defaults for its sources; what is left out has the usual values."""
    path = tmp_path / "survey.toml"
    path.write_text(TWO_BANDS)
    survey = load_survey(path)
    g, r = survey.bands
    assert g.sources == (Source(r"(?P<tile>.+)_g\.fits", zero_point=26.5),)
    assert [source.hdu for source in r.sources] == [1, "SCI"]
    assert (survey.zero_point, survey.prefix, survey.rgb) == (30.0, "cfhtls", ("r", "r", "g"))


def test_section_may_name_a_preset() -> None:
    """`survey = "hsc"` in a config stands for the preset."""
    assert parse_survey({"survey": "hsc", "train": {}}, "config.toml") == load_survey("hsc")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pixel_scale = 0.186", "", "pixel_scale missing"),
        (
            "pixel_scale = 0.186",
            "pixel_scale = 0",
            "pixel_scale 0.0 of survey 'cfhtls': must be > 0",
        ),
        ("pixel_scale = 0.186", "pixel_scale = 'a'", "wrong type"),
        ("zero_point = 26.5", "zeropoint = 26.5", "unknown zeropoint; allowed are pattern"),
        ("zero_point = 26.5", "zero_point = '26'", "zero_point = '26', must be int or float"),
        ("zero_point = 26.5", "mask_hdu = 1", "without mask_bits"),
        ("zero_point = 26.5", "mask_replace = ['a']", "mask_replace = .* must be two texts"),
        (r"pattern = '(?P<tile>.+)_g\.fits'", "", "band 'g': pattern missing"),
        (r"(?P<tile>.+)_g\.fits", "(?P<tile>", "no regular expression"),
        ('name = "r"', 'name = "g"', "a band is named twice in g g"),
        ('name = "cfhtls"', 'name = "cfhtls"\nrgb = ["i", "r", "g"]', "rgb i r g of survey"),
        (TWO_BANDS, "[train]", r"no section \[survey\]"),
        ("[survey]", "[survey", "not a TOML file"),
    ],
)
def test_refusals_name_file_and_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A definition that does not hold is refused in one line that names the file."""
    path = tmp_path / "survey.toml"
    assert old in TWO_BANDS
    path.write_text(TWO_BANDS.replace(old, new))
    with pytest.raises(InputError, match=message) as refusal:
        load_survey(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_unknown_name() -> None:
    """A name that is neither preset nor file lists the presets."""
    with pytest.raises(
        InputError, match="'sdss': neither a file nor one of the presets unions hsc"
    ):
        load_survey("sdss")
