"""Files of the user's own: an image to search by, catalogues to compare with and to learn from."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from playwright.sync_api import expect

from sky_ssl.explore.dataset import DataSet, open_dataset
from sky_ssl.workspace import Workspace


@pytest.fixture
def data(survey: Workspace) -> DataSet:
    """The objects of the survey."""
    return open_dataset(survey.embeddings / "mock.h5")


def test_an_image_finds_the_object_that_it_is_of(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace, data: DataSet,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A FITS cube of the bands of the model, embedded in a moment, is most like itself.

    It says that it lies elsewhere: what lies at the place of an exemplar is never found by it.
    """
    info = data.cutouts.info if data.cutouts else None
    assert info is not None
    header = WCS(naxis=2).to_header()
    header.update({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 32.5, "CRPIX2": 32.5})
    header.update({"CRVAL1": data.embeddings.ra[11], "CRVAL2": data.embeddings.dec[11] + 1})
    header.update({"CDELT1": -info.pixel_scale / 3600, "CDELT2": info.pixel_scale / 3600})
    header["MAGZP"] = info.zero_point[0]
    file = tmp_path / "mine.fits"
    fits.PrimaryHDU(data.images([11])[0], header).writeto(file)
    page = visit(f"{serve(survey.root).address}/search")
    me = hand(page)
    me.rest()
    page.get_by_role("button", name="By an image").click()
    page.locator('input[type="file"]').set_input_files(file)
    expect(me.cards).to_have_count(25)
    # a model of two steps finds nearly all alike: others may come as near, none nearer
    assert me.figures()[me.shown().index(str(data.embeddings.id[11]))] == "1.000"
    me.says("mine.fits: embedded with")


def test_a_catalogue_names_the_candidates_that_are_known(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace, data: DataSet,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Half an arcsecond from its own objects, each candidate has its name."""
    e = data.embeddings
    file = tmp_path / "known.csv"
    names = [f"K{row}" for row in range(len(data))]
    pd.DataFrame({"id": names, "ra": e.ra, "dec": e.dec + 0.5 / 3600}).to_csv(file, index=False)
    page = visit(f"{serve(survey.root).address}/search")
    me = hand(page)
    me.rest()
    field = page.get_by_label("Add an object by id, or the nearest to a position")
    field.fill(str(e.id[7]))
    field.press("Enter")
    expect(me.cards).to_have_count(25)
    me.turn_to("Candidates")
    page.get_by_role("tab", name="Known objects").click()
    page.locator('input[type="file"]').set_input_files(file)
    me.says(r"200 of 200 candidates lie within 10 arcsec of a known object")
    expect(page.get_by_role("button", name="Take known.csv out (300 objects)")).to_be_visible()


def test_labels_come_from_a_catalogue(
    serve: Callable, visit: Callable, hand: Callable, survey: Workspace, data: DataSet,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Joined by id on the page Probe; with the labels there is a probe at once."""
    file = tmp_path / "types.csv"
    kinds = np.where(data.column("class").astype(str) == "spiral", "dwarf", "other")
    pd.DataFrame({"id": data.embeddings.id, "type": kinds}).to_csv(file, index=False)
    page = visit(f"{serve(survey.root).address}/probe")
    me = hand(page)
    me.rest()
    page.get_by_role("button", name="Import").click()
    page.get_by_text("a catalogue", exact=True).click()
    page.locator('input[type="file"]').set_input_files(file)
    button = page.get_by_test_id("stPopoverBody").get_by_role("button", name="Import")
    button.click()
    me.says(rf"dwarf {(kinds == 'dwarf').sum()}\b")
    me.says("from import 300")
