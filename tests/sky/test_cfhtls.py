"""Detection and cutting on real MegaCam images, through the commands a user types."""

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.cli import main
from sky_ssl.sky.catalogue import read_catalogue
from sky_ssl.sky.cutoutset import open_cutouts

SURVEY = """
[survey]
name = "cfhtls"
pixel_scale = 0.186
""" + "".join(
    f"""
[[survey.bands]]
name = "{band}"
pattern = '(?P<tile>.+)_{band}\\.fits'
zero_point = 30.0
"""
    for band in "gri"
)


@pytest.fixture(scope="module")
def made(realsky: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with catalogue, cutouts, and cutouts of twice the field binned to the same size."""
    folder = tmp_path_factory.mktemp("cfhtls")
    (folder / "s.toml").write_text(SURVEY)
    common = [str(realsky / "cfhtls_megacam"), "--survey", str(folder / "s.toml"), "--workers", "1"]
    catalogue = str(folder / "objects.ecsv")
    assert main(["detect", *common, "--out", catalogue]) == 0
    cut = ["cut", *common, "--catalogue", catalogue, "--size", "32"]
    assert main([*cut, "--out", str(folder / "c.h5"), "--sheet", str(folder / "c.png")]) == 0
    assert main([*cut, "--out", str(folder / "wide.h5"), "--fov", "11.9"]) == 0
    return folder


def image(realsky: Path, band: str) -> np.ndarray:
    pixels: np.ndarray = fits.getdata(realsky / "cfhtls_megacam" / f"CFHTLS-test_{band}.fits")
    return pixels.astype(np.float64)


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")  # RADECSYS in these headers
def test_centres_are_where_astropy_puts_them(made: Path, realsky: Path) -> None:
    """Positions agree with astropy to 0.01 pixel, and sources lie at the centre of their cutout."""
    cutouts = open_cutouts(made / "c.h5")
    wcs = WCS(fits.getheader(realsky / "cfhtls_megacam" / "CFHTLS-test_r.fits"))
    x, y = wcs.all_world2pix(cutouts.column("ra"), cutouts.column("dec"), 0)
    assert np.hypot(x - cutouts.column("x"), y - cutouts.column("y")).max() < 0.01
    images = cutouts.read(slice(0, len(cutouts)))[:, 1]
    whole = np.isfinite(images).all(axis=(1, 2)) & (cutouts.column("snr") > 20)
    assert whole.sum() > 10
    v, u = np.mgrid[:32, :32] - 15.5
    light = np.clip(images[whole], 0, None) * (np.hypot(u, v) < 5)
    offset = [(light * axis).sum(axis=(1, 2)) / light.sum(axis=(1, 2)) for axis in (u, v)]
    assert np.hypot(*np.median(offset, axis=1)) < 0.3
    assert np.median(np.hypot(*offset)) < 0.7


def test_pixels_are_those_of_the_image(made: Path, realsky: Path) -> None:
    """A cutout is the window of the image, and a binned one holds the same counts."""
    narrow, wide = open_cutouts(made / "c.h5"), open_cutouts(made / "wide.h5")
    for b, band in enumerate("gri"):
        pixels = image(realsky, band)
        for cutouts, native in ((narrow, 32), (wide, 64)):
            x, y = cutouts.column("x"), cutouts.column("y")
            inside = (np.minimum(x, y) > 34) & (np.maximum(x, y) < 405)
            for row in np.flatnonzero(inside)[:12]:
                x0, y0 = (int(np.rint(c[row] - (native - 1) / 2)) for c in (x, y))
                window = pixels[y0 : y0 + native, x0 : x0 + native]
                got = cutouts.read(np.array([row]))[0, b]
                f = native // 32
                binned = window.reshape(32, f, 32, f).sum(axis=(1, 3))
                np.testing.assert_allclose(got, binned, rtol=1e-4, atol=1e-3)


def test_fluxes_agree_with_apertures(made: Path, realsky: Path) -> None:
    """Isolated sources: the flux of the catalogue is that in 14 pixels, to 15 %."""
    table = read_catalogue(made / "objects.ecsv")
    x, y = table["x"].to_numpy(), table["y"].to_numpy()
    apart = np.array([np.sort(np.hypot(x - a, y - b))[1] for a, b in zip(x, y, strict=True)])
    snr = table["snr"].to_numpy()
    inside = (np.minimum(x, y) > 35) & (np.maximum(x, y) < 405)
    chosen = np.flatnonzero((apart > 22) & (snr > 60) & (snr < 2000) & inside)
    assert len(chosen) >= 2
    rows, columns = np.mgrid[:440, :440]
    for band in "gri":
        pixels = image(realsky, band)
        for k in chosen:
            distance = np.hypot(columns - x[k], rows - y[k])
            sky = np.median(pixels[(distance > 22) & (distance < 32)])
            flux = (pixels[distance < 14] - sky).sum()
            assert table[f"flux_{band}"][k] == pytest.approx(flux, rel=0.15)


def test_cut_says_what_became_of_each_object(
    made: Path, realsky: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report under --json counts objects; those outside and at the edge are told apart."""
    table = read_catalogue(made / "objects.ecsv")[["id", "ra", "dec"]]
    table.loc[0, "dec"] = 10.0
    table.to_csv(made / "few.csv", index=False)
    argv = ["cut", str(realsky / "cfhtls_megacam"), "--survey", str(made / "s.toml"), "--json"]
    argv += ["--catalogue", str(made / "few.csv"), "--edge", "skip", "--out", str(made / "f.h5")]
    assert main([*argv, "--workers", "1"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["outside"] == 1
    assert said["at_edge"] > 3
    assert said["rows"] + said["outside"] + said["at_edge"] == len(table)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("empty.csv", "id,ra,dec\n", "empty.csv"),
        ("blind.csv", "id,mass\na,3\n", "blind.csv"),
        ("none.csv", None, "none.csv"),
    ],
)
def test_catalogues_that_cannot_be_used(
    made: Path,
    realsky: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    text: str | None,
    message: str,
) -> None:
    """Status 2 and one line that names the file; nothing is written."""
    if text is not None:
        (made / name).write_text(text)
    argv = ["cut", str(realsky / "cfhtls_megacam"), "--survey", str(made / "s.toml")]
    out = made / "never.h5"
    assert main([*argv, "--catalogue", str(made / name), "--out", str(out)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert message in said[-1]
    assert not out.exists()
