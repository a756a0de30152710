"""The cutout file: writer and reader."""

import multiprocessing
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from sky_ssl.errors import InputError
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts


def make_info(bands: str = "gr", **changes: object) -> CutoutInfo:
    values = {"zero_point": (30.0,) * len(bands), "pixel_scale": 0.2, **changes}
    return CutoutInfo(survey="test", bands=tuple(bands), **values)  # type: ignore[arg-type]


def write(path: Path, n: int = 20, start: int = 0, **changes: object) -> np.ndarray:
    info = make_info(**changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(start)
    pixels = rng.normal(0, 2, (n, len(info.bands), 8, 8)).astype(np.float32)
    pixels[:, :, 0, 0] = np.nan
    with CutoutWriter(path, info) as writer:
        for part in np.array_split(np.arange(n), 3):
            names = [f"object {start + i}" for i in part]
            writer.append(
                pixels[part], {"id": names, "ra": part + 0.1, "dec": part * 1.0, "zspec": part}
            )
    return pixels


def test_round_trip_keeps_pixels_and_columns(tmp_path: Path) -> None:
    """What is written piece by piece comes back in any order, NaN included."""
    pixels = write(tmp_path / "a.h5")
    cutouts = open_cutouts(tmp_path / "a.h5")
    rows = np.array([7, 3, 3, 19, 4])
    np.testing.assert_array_equal(cutouts.read(rows), pixels[rows])
    assert cutouts.column("id")[7] == "object 7"
    assert cutouts.column("ra").dtype == np.float64
    assert cutouts.info.sky_sigma == pytest.approx((2.0, 2.0), rel=0.15)


def test_scale_and_float16_keep_the_physical_value(tmp_path: Path) -> None:
    """Values of 1e-12 survive float16 through the scale of the band."""
    info = make_info("g", scale=(1e-12,), sky_sigma=(1e-12,))
    pixels = np.linspace(-5e-12, 5e-9, 64, dtype=np.float32).reshape(1, 1, 8, 8)
    with CutoutWriter(tmp_path / "a.h5", info, dtype="float16") as writer:
        writer.append(pixels, {"id": ["a"], "ra": [1.0], "dec": [2.0]})
    read = open_cutouts(tmp_path / "a.h5").read(slice(None))
    np.testing.assert_allclose(read, pixels, rtol=1e-3, atol=1e-15)


def test_folder_is_one_set_at_one_zero_point(tmp_path: Path) -> None:
    """Files at zero points 30 and 27 join: a factor 10^(0.4 x 3) in counts."""
    a = write(tmp_path / "a.h5", 5)
    b = write(tmp_path / "b.h5", 7, start=5, zero_point=(27.0, 27.0))
    cutouts = open_cutouts(tmp_path)
    assert len(cutouts) == 12
    joined = cutouts.read(np.array([4, 5]))
    np.testing.assert_allclose(joined[0], a[4])
    np.testing.assert_allclose(joined[1], b[0] * 10 ** (0.4 * 3), rtol=1e-6)


def test_bands_are_chosen_and_ordered(tmp_path: Path) -> None:
    """Bands are given by name in the order asked for; an absent one is refused."""
    pixels = write(tmp_path / "a.h5")
    read = open_cutouts(tmp_path / "a.h5", bands=["r"]).read(slice(0, 2))
    np.testing.assert_array_equal(read, pixels[:2, [1]])
    with pytest.raises(InputError, match=r"no band q; it has g r"):
        open_cutouts(tmp_path / "a.h5", bands=["q"])


def test_file_without_attributes_opens_and_says_what_is_assumed(tmp_path: Path) -> None:
    """Files of earlier research codes hold cutouts, ra, dec and columns only."""
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file["cutouts"] = np.random.default_rng(0).normal(size=(9, 3, 8, 8)).astype(">f4")
        file["ra"] = file["dec"] = np.arange(9.0)
        file["tile"] = np.array([b"017.245"] * 9)
    with pytest.raises(InputError, match="not named in the file"):
        open_cutouts(tmp_path / "old.h5")
    cutouts = open_cutouts(tmp_path / "old.h5", bands=["u", "g", "r"])
    assert cutouts.column("tile")[0] == "017.245"
    assert any("bands taken as u g r" in note for note in cutouts.notes)


def test_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """An exception while writing leaves what was there, and nothing else."""
    pixels = write(tmp_path / "a.h5")

    def interrupted() -> None:
        with CutoutWriter(tmp_path / "a.h5", make_info()) as writer:
            writer.append(pixels[:1], {"id": ["x"], "ra": [0.0], "dec": [0.0]})
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]
    assert len(open_cutouts(tmp_path / "a.h5")) == 20


def test_damaged_and_foreign_files_are_refused_by_name(tmp_path: Path) -> None:
    """A truncated HDF5, a text file and a foreign HDF5 each give one line with the file."""
    write(tmp_path / "a.h5")
    whole = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["spectra"] = np.zeros(3)
    for name in ("cut.h5", "text.h5", "foreign.h5"):
        with pytest.raises(InputError, match=name) as caught:
            open_cutouts(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        open_cutouts(tmp_path / "none.h5")


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # fork beside threads
def test_reader_works_in_other_processes(tmp_path: Path, method: str) -> None:
    """A set opened here is read in forked and spawned workers."""
    pixels = write(tmp_path / "a.h5")
    cutouts = open_cutouts(tmp_path / "a.h5")
    cutouts.read(slice(0, 1))
    with multiprocessing.get_context(method).Pool(1) as pool:
        read = pool.apply_async(cutouts.read, (slice(0, 1),)).get(timeout=60)
    np.testing.assert_array_equal(read, pixels[:1])


def test_pictures_are_three_bands(tmp_path: Path) -> None:
    """A folder of pictures opens with its table; a damaged one is no data, and named."""
    rng = np.random.default_rng(1)
    for i in range(3):
        picture = rng.integers(0, 255, (10, 12, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"p{i}.png")
    whole = (tmp_path / "p2.png").read_bytes()
    (tmp_path / "p2.png").write_bytes(whole[:200])
    (tmp_path / "labels.csv").write_text("file,ra,dec,T\np1.png,10,20,5\np2.png,11,21,6\n")
    cutouts = open_cutouts(tmp_path, size=8)
    read = cutouts.read(slice(None))
    with Image.open(tmp_path / "p1.png") as image:
        expected = np.asarray(image)[1:9, 2:10].transpose(2, 0, 1)
    np.testing.assert_array_equal(read[0], expected)
    assert np.isnan(read[1]).all()
    assert cutouts.column("T").tolist() == [5, 6]
    assert any("p2.png cannot be decoded" in note for note in cutouts.parts[0].notes)


def test_real_pictures_open(realsky: Path) -> None:
    """The labelled galaxy pictures open with their expert types."""
    cutouts = open_cutouts(realsky / "efigi_dev")
    assert cutouts.shape == (3, 88, 88)
    assert set(np.unique(cutouts.column("T"))) >= {10, 11}
    assert np.isfinite(cutouts.read(slice(0, 4))).all()
