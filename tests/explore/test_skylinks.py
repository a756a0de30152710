"""Links to pictures of the sky."""

from urllib.parse import parse_qs, urlsplit

import numpy as np

from sky_ssl.explore.skylinks import SITES, sky_links


def test_a_link_leads_to_the_position_with_all_signs_escaped() -> None:
    """The plus of a northern declination must not become a space; nor may a minus get lost."""
    links = sky_links(np.array([10.5, 359.25]), np.array([0.25, -0.5]), 12.0)
    for site in ("aladin", "esasky"):
        targets = [parse_qs(urlsplit(url).query)["target"][0] for url in links[site]]
        assert targets == ["10.500000 +0.250000", "359.250000 -0.500000"]
    query = parse_qs(urlsplit(links["legacy"][1]).query)
    assert (query["ra"], query["dec"]) == (["359.250000"], ["-0.500000"])
    assert all(url.startswith("https://") and " " not in url for s in SITES for url in links[s])


def test_the_zoom_follows_the_field() -> None:
    """Four times the field on about 800 pixels: twice the field, one zoom step less."""
    zooms = [
        int(
            parse_qs(urlsplit(sky_links(np.zeros(1), np.zeros(1), fov)["legacy"][0]).query)["zoom"][
                0
            ]
        )
        for fov in (12.0, 24.0, 48.0, 1e6)
    ]
    assert zooms == [16, 15, 14, 4]
    polar = sky_links(np.zeros(1), np.array([89.9]), 48.0)["legacy"][0]
    assert "zoom=8" in polar


def test_no_position_no_link() -> None:
    """Not a link to the wrong place."""
    links = sky_links(np.array([np.nan, 1.0]), np.array([1.0, np.nan]))
    assert all(links[site] == ["", ""] for site in SITES)
