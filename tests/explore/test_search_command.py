"""`sky-ssl search` as a user types it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.wcs import WCS

from sky_ssl.cli import main
from sky_ssl.embedding.encode import embed_file
from sky_ssl.embedding.store import Embeddings, open_embeddings
from sky_ssl.explore.selection import load_selection
from sky_ssl.explore.similarity import normalised
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import token_statistics
from sky_ssl.model.simmim import SimMIM
from sky_ssl.sky.catalogue import read_catalogue
from sky_ssl.sky.cutouts import CutoutInfo, CutoutWriter
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.training import checkpoint
from sky_ssl.training.config import Config, config_table
from tests.explore.conftest import INFO, make_galaxies
from tests.explore.test_tilesearch import write_tile

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
def many(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embeddings of 160 galaxies, h000 to h159: enough to be whitened along 10 axes."""
    folder = tmp_path_factory.mktemp("many")
    with CutoutWriter(folder / "many.h5", INFO) as writer:
        ids = [f"h{i:03d}" for i in range(160)]
        places = {"ra": 10.0 + np.arange(160), "dec": np.linspace(-2, 2, 160)}
        writer.append(make_galaxies(7, 160), {"id": ids, **places})
    embed_file(small_run, folder / "many.h5", folder / "e.h5")
    return folder / "e.h5"


def some_of_many(path: Path, rows: list[int]) -> Path:
    """Write cutouts of some of these galaxies, without positions."""
    unknown = np.full(len(rows), np.nan)
    with CutoutWriter(path, INFO) as writer:
        columns = {"id": [f"x{row}" for row in rows], "ra": unknown, "dec": unknown}
        writer.append(make_galaxies(7, 160)[rows], columns)
    return path


def whitened_cosines(e: Embeddings) -> np.ndarray:
    """Compare all with all, by a singular value decomposition in double precision."""
    x = normalised(e.values, 4).astype(np.float64)
    left, widths, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    halves = left[:, :10] * widths[:10] ** 0.5
    unit = halves / np.linalg.norm(halves, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


def search(capsys: pytest.CaptureFixture[str], *arguments: Any) -> dict[str, Any]:
    """Run the command with --json."""
    assert main(["search", *map(str, arguments), "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def refused(capsys: pytest.CaptureFixture[str], *arguments: Any) -> str:
    """Give the one line that the command ends with."""
    assert main(["search", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_json_is_the_contract(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """id, rank, score, ra and dec of each; the exemplar and its copy 0.3 arcsec off left out."""
    result = search(capsys, "--embeddings", embedded, "--like", "g000", "--top", 99)
    rows = result["results"]
    assert {"id", "rank", "score", "ra", "dec", "separation_arcsec"} <= set(rows[0])
    assert [r["rank"] for r in rows] == list(range(1, 29))
    assert {r["id"] for r in rows} == {f"g{i:03d}" for i in range(1, 29)}
    assert [r["score"] for r in rows] == sorted((r["score"] for r in rows), reverse=True)
    assert (result["index"], result["recall_at_25"]) == ("exact", 1.0)
    e = open_embeddings(embedded)
    unit = (
        e.values.reshape(30, 4, 32) / np.linalg.norm(e.values.reshape(30, 4, 32), axis=2)[..., None]
    )
    best = int(rows[0]["id"][1:])
    assert rows[0]["score"] == pytest.approx((unit[0] * unit[best]).sum() / 4, abs=1e-5)


def test_a_table_is_aligned(embedded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All rows end in one column; a last line says how it was made."""
    assert main(["search", "--embeddings", str(embedded), "--like", "g001", "--top", "12"]) == 0
    lines = capsys.readouterr().out.strip("\n").splitlines()
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[0].split() == ["id", "rank", "score", "ra", "dec", "separation_arcsec"]
    assert lines[-1].startswith("12 objects like 1 exemplars: searched 30, score tokens")


def test_ways_to_name_one_object(
    embedded: Path, galaxies: Path, small_run: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """By id, by position and by its picture: the same list."""
    e, data = open_embeddings(embedded), open_cutouts(galaxies)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [24.5, 24.5]
    wcs.wcs.crval, wcs.wcs.cdelt = [e.ra[5], e.dec[5]], [-0.1857 / 3600, 0.1857 / 3600]
    head = wcs.to_header()
    head.update(MAGZERO=30.0, BANDS="gr")
    fits.PrimaryHDU(data.read(slice(5, 6))[0], head).writeto(tmp_path / "a.fits")
    common = ["--embeddings", embedded, "--top", 5]
    by_id = search(capsys, *common, "--like", "g005")["results"]
    by_place = search(capsys, *common, "--at", f"{e.ra[5]} {e.dec[5]:+.6f}")["results"]
    assert by_place == by_id
    image = search(capsys, *common, "--image", tmp_path / "a.fits", "--run", small_run)
    assert [r["id"] for r in image["results"]] == [r["id"] for r in by_id]
    assert [r["score"] for r in image["results"]] == pytest.approx(
        [r["score"] for r in by_id], abs=1e-4
    )
    assert image["exemplars"][0]["id"] == "a"


def test_what_is_written(
    embedded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--out is a catalogue of the list; --save a rule that gives the same scores."""
    out, rule = tmp_path / "list.vot", tmp_path / "rule.json"
    options = ["--unlike", "g007", "--out", out, "--save", rule, "--name", "test"]
    result = search(capsys, "--embeddings", embedded, "--like", "g001,g002", *options)["results"]
    table = read_catalogue(out)
    assert table["id"].tolist() == [r["id"] for r in result]
    np.testing.assert_allclose(table["score"], [r["score"] for r in result], atol=1e-5)
    e = open_embeddings(embedded)
    scores = dict(zip(e.id.tolist(), load_selection(rule).scores(e.values), strict=True))
    assert [scores[r["id"]] for r in result] == pytest.approx(
        [r["score"] for r in result], abs=1e-4
    )
    assert not {"g001", "g002", "g007"} & {r["id"] for r in result}


def test_the_default_is_whitened(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The list is that of a brute-force reference; the vectors are kept where they were asked."""
    options = ["--like", "h001,h002", "--unlike", "h007", "--unlike-weight", 0.7, "--top", 99]
    folder = tmp_path / "kept"
    result = search(capsys, "--embeddings", many, *options, "--index-folder", folder)
    assert {"score": "whitened", "axes": 10, "index": "exact"}.items() <= result.items()
    cosine = whitened_cosines(open_embeddings(many))
    expected = cosine[:, [1, 2]].mean(axis=1) - 0.7 * cosine[:, 7]
    expected[[1, 2, 7]] = -np.inf
    rows = [int(r["id"][1:]) for r in result["results"]]
    assert rows == np.argsort(-expected)[:99].tolist()
    np.testing.assert_allclose([r["score"] for r in result["results"]], expected[rows], atol=1e-3)
    assert (folder / "e.h5.index" / "whitened.json").is_file()


def test_a_rule_of_a_whitened_search(
    many: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It scores as the search did, with its weight, on any file of the model."""
    rule = tmp_path / "rule.json"
    options = ["--unlike", "h007", "--unlike-weight", 0.9, "--top", 99, "--save", rule]
    found = search(capsys, "--embeddings", many, "--like", "h001,h002", *options)["results"]
    e, stored = open_embeddings(many), load_selection(rule)
    scores = dict(zip(e.id.tolist(), stored.scores(e.values), strict=True))
    assert [scores[r["id"]] for r in found] == pytest.approx([r["score"] for r in found], abs=1e-5)
    embed_file(small_run, some_of_many(tmp_path / "few.h5", [3, 5]), tmp_path / "few_e.h5")
    again = stored.scores(open_embeddings(tmp_path / "few_e.h5").values)
    assert again.tolist() == pytest.approx([scores["h003"], scores["h005"]], abs=1e-4)


def test_images_and_positions_are_whitened_too(
    many: Path, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The picture of an object finds it, and then what its id and its position find."""
    e = open_embeddings(many)
    by_id = search(capsys, "--embeddings", many, "--like", "h005", "--top", 6)["results"]
    place = f"{e.ra[5]} {e.dec[5]:+.6f}"
    assert search(capsys, "--embeddings", many, "--at", place, "--top", 6)["results"] == by_id
    picture = some_of_many(tmp_path / "picture.h5", [5])
    options = ["--image", picture, "--run", small_run, "--top", 7]
    result = search(capsys, "--embeddings", many, *options)
    assert result["score"] == "whitened"
    assert [r["id"] for r in result["results"]] == ["h005", *(r["id"] for r in by_id)]
    assert result["results"][0]["score"] == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("dense", [True, False])
def test_tiles_by_exemplars_of_a_survey(
    many: Path, galaxies: Path, small_run: Path, tmp_path: Path, dense: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Detections are whitened by that survey; a dense search goes by tokens, and says so."""
    write_tile(tmp_path / "tiles", galaxies)
    survey = tmp_path / "s.toml"
    survey.write_text(SURVEY.replace("0.186", "0.1857").replace("cfhtls", "two"))
    options = ["--tiles", tmp_path / "tiles", "--survey", survey, "--run", small_run, "--top", 3]
    options += ["--dense"] if dense else ["--workers", "1"]
    result = search(capsys, "--embeddings", many, "--like", "h005", *options)
    assert len(result["results"]) == 3
    assert max(r["score"] for r in result["results"]) <= 1
    assert result["score"] == ("tokens" if dense else "whitened")
    assert ["dense search goes by" in note for note in result["notes"]].count(True) == dense
    tokens = search(capsys, "--embeddings", many, "--like", "h005", *options, "--score", "tokens")
    assert (tokens["results"] == result["results"]) is dense


def test_few_objects_are_searched_by_tokens_and_so_is_their_rule(
    embedded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """30 are too few to whiten by: said once, and the rule has no whitening."""
    options = ["--like", "g003", "--save", tmp_path / "s.json"]
    result = search(capsys, "--embeddings", embedded, *options)
    assert (result["score"], len(result["notes"])) == ("tokens", 1)
    assert "too few to whiten" in result["notes"][0]
    assert load_selection(tmp_path / "s.json").whitening is None
    by_name = search(capsys, "--embeddings", embedded, *options, "--score", "tokens")
    assert (by_name["results"], by_name["notes"]) == (result["results"], [])


@pytest.mark.parametrize("kind", ["ivf", "ivfpq"])
def test_an_index_can_be_asked_for(
    embedded: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is kept in the folder given, and gives the list of the exact search."""
    common = ["--embeddings", embedded, "--like", "g003", "--top", 30, "--score", "tokens"]
    exact = search(capsys, *common)
    options = ["--index", kind, "--index-folder", tmp_path / "index"]
    approximate = search(capsys, *common, *options)
    assert approximate["index"] == kind
    assert [r["id"] for r in approximate["results"]] == [r["id"] for r in exact["results"]]
    assert (tmp_path / "index" / "e.h5.index" / "index.json").is_file()


@pytest.mark.parametrize(
    "options",
    [
        ["--score", "cosine", "--patches", "central"],
        ["--score", "mse", "--weights", "inverse-variance", "--combine", "max"],
        ["--score", "mae", "--combine", "min"],
    ],
)
def test_the_older_recipe(
    embedded: Path, small_run: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every object but the exemplar and its copy is ranked by patches."""
    common = ["--embeddings", embedded, "--like", "g000", "--top", 99, "--run", small_run]
    result = search(capsys, *common, *options)
    assert len(result["results"]) == 28
    assert result["score"] == options[1]


def test_nonsense_is_refused_in_one_line(
    embedded: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line names the way out."""
    e = ["--embeddings", embedded]
    cases = [
        ([*e], "nothing to search for"),
        (["--like", "g001"], "nothing to search in"),
        ([*e, "--like", "g001", "--unlike", "g001"], "both --like and --unlike"),
        ([*e, "--image", "a.fits"], "--image needs --run"),
        ([*e, "--like", "zzz"], "no object 'zzz' among its 30"),
        ([*e, "--at", "200 10"], "the nearest, 'g02"),
        ([*e, "--like", "g001", "--top", "0"], "--top 0: must be 1 or more"),
        ([*e, "--like", "g001", "--merge", "-1"], "--merge -1"),
        ([*e, "--like", "g001", "--tiles", "t"], "--tiles needs --run RUN"),
        ([*e, "--like", "g001", "--score", "mse"], "--patches all needs --run"),
        ([*e, "--like", "g001", "--score", "tokens", "--out", "l.docx"], "is not one of .csv"),
        ([*e, "--like", "g001", "--index", "ivf"], "--index ivf: for --score tokens"),
        ([*e, "--like", "g001", "--score", "mae", "--save", "s.json"], "--score whitened or to"),
        ([*e, "--like", "g001", "--score", "mse", "--unlike", "g002"], "--unlike: has no meaning"),
        ([*e, "--image", "none.fits", "--run", small_run], "none.fits: no such file"),
        ([*e, "--image", "a.fits", "--run", small_run, "--zero-point", "x"], "--zero-point x"),
    ]  # fmt: skip
    for arguments, reason in cases:
        assert reason in refused(capsys, *arguments)


@pytest.mark.parametrize("mode", [["--dense"], ["--workers", "1"]])
@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")  # RADECSYS in these headers
def test_real_tiles(
    realsky: Path, tmp_path: Path, mode: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A real galaxy, given as a place in the images, is the best match where it lies on them."""
    folder = realsky / "cfhtls_megacam"
    survey = tmp_path / "s.toml"
    survey.write_text(SURVEY)
    assert main(["detect", str(folder), "--survey", str(survey), "--workers", "1",
                 "--out", str(tmp_path / "d.csv")]) == 0  # fmt: skip
    objects = read_catalogue(tmp_path / "d.csv")
    inside = objects[objects["x"].between(60, 380) & objects["y"].between(60, 380)]
    galaxy = inside.sort_values("snr").iloc[-3]
    info = CutoutInfo("cfhtls", tuple("gri"), 0.186, (30.0,) * 3, (5.0,) * 3)
    torch.manual_seed(0)
    config = Config(model=ModelConfig(width=32, depth=2, heads=2, image_size=32, patch_size=4))
    model = SimMIM(config.model, info.sky_sigma or ())
    field = [fits.getdata(folder / f"CFHTLS-test_{b}.fits")[:416, :416] for b in "gri"]
    pieces = np.stack(field).astype(np.float32).reshape(3, 13, 32, 13, 32).transpose(1, 3, 0, 2, 4)
    sample = torch.from_numpy(np.ascontiguousarray(pieces.reshape(-1, 3, 32, 32)))
    tokens = token_statistics(model.encoder, [sample])
    state = checkpoint.Checkpoint(tmp_path, 1, info, config_table(config), {})
    tensors = {"mean": tokens.mean, "std": tokens.std}
    checkpoint.save_checkpoint(tmp_path, state, {"model": model.state_dict(), "tokens": tensors})
    capsys.readouterr()
    image = ",".join(f"{b}={folder / f'CFHTLS-test_{b}.fits'}" for b in "gri")
    result = search(
        capsys, "--image", image, "--at", f"{galaxy.ra} {galaxy.dec:+f}", "--zero-point", 30,
        "--run", tmp_path, "--tiles", folder, "--survey", survey, "--top", 5, "--merge", 0, *mode,
    )  # fmt: skip
    best = result["results"][0]
    assert np.hypot(best["x"] - galaxy.x, best["y"] - galaxy.y) < 1.5
    assert best["score"] > 0.999
    assert "by the mean cosine over tokens" in " ".join(result["notes"])
    assert result["results"][1]["score"] < best["score"] - 0.002


def test_an_expanded_search_and_its_rule(
    many: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The best that were found join the exemplars; the rule ranks as the search did."""
    rule = tmp_path / "rule.json"
    options = ["--embeddings", many, "--like", "h001,h002", "--top", 20]
    plain = search(capsys, *options)
    found = search(capsys, *options, "--expand", 10, "--save", rule)
    assert found["expanded_by"] == 10
    assert "expanded_by" not in plain
    assert [r["id"] for r in found["results"]] != [r["id"] for r in plain["results"]]
    e, stored = open_embeddings(many), load_selection(rule)
    assert stored.origin["expanded_by"] == 10
    scores = dict(zip(e.id.tolist(), stored.scores(e.values), strict=True))
    assert [scores[r["id"]] for r in found["results"]] == pytest.approx(
        [r["score"] for r in found["results"]], abs=1e-5
    )


def test_expansions_that_mean_nothing(many: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused with what they need."""
    options = ["--embeddings", many, "--like", "h001", "--expand"]
    assert "--expand -1: must be 0 or more" in refused(capsys, *options, -1)
    assert "--expand: among" in refused(capsys, *options, 5, "--score", "mse")
