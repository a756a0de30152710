"""The notebooks, run from top to bottom with small numbers, and as they are committed."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from astropy import units
from astropy.table import Table
from nbclient import NotebookClient

from sky_ssl.embedding.store import open_embeddings
from sky_ssl.explore.labels import Ledger
from sky_ssl.explore.mapfile import open_map
from sky_ssl.explore.rulefile import load_selection
from sky_ssl.sky.cutoutset import open_cutouts

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))
TILES, CANDIDATES = "tiles_to_embeddings.ipynb", "embeddings_to_candidates.ipynb"
# the kernel itself warns when it ends
STRICT = 'import warnings\nwarnings.simplefilter("error")\n' + (
    'warnings.filterwarnings("ignore", module="ipykernel")\n'
)
OWN = """
[survey]
name = "own"
pixel_scale = 0.1857
bands = [
    {name = "g", pattern = 'demo-(?P<tile>.+)-g\\.fits'},
    {name = "i", pattern = 'demo-(?P<tile>.+)-i\\.fits'},
]
"""
Run = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a notebook, up to a cell if one is named, with other parameters; give its folder."""
    home = tmp_path_factory.mktemp("jupyter")

    def execute(name: str, until: str | None = None, **parameters: object) -> Path:
        notebook = nbformat.read(FOLDER / name, as_version=4)
        work = tmp_path_factory.mktemp(Path(name).stem)
        lines = [f"{key} = {value!r}" for key, value in parameters.items()]
        given = "\n".join([STRICT, f"WORK = Path({str(work)!r})", *lines])
        ids = [cell["id"] for cell in notebook.cells]
        end = ids.index(until) if until else len(ids)
        place = ids.index("parameters") + 1
        notebook.cells = [
            *notebook.cells[:place], nbformat.v4.new_code_cell(given), *notebook.cells[place:end]
        ]  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            # neither kernels nor settings of whoever runs the tests
            for variable in ("JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
                patch.setenv(variable, str(home))
            patch.setenv("IPYTHONDIR", str(home))
            client = NotebookClient(notebook, kernel_name="python3", timeout=300)
            client.execute(cwd=str(work))
        return work

    return execute


@pytest.fixture(scope="module")
def tiles_run(run: Run) -> Path:
    """Run the notebook on tiles that it simulates."""
    small = {"MOCK_TILES": 2, "MOCK_SIDE": 512, "MOCK_OBJECTS": 60, "STEPS": 2, "METHOD": "pca"}
    return run(TILES, **small)


@pytest.fixture(scope="module")
def candidates_run(run: Run) -> Path:
    """Run the notebook on two small patches of mock sky."""
    return run(CANDIDATES, OBJECTS=900, FIRST_LOOK=40, AUDIT=100, STEPS=2, METHOD="pca")


def test_there_are_two() -> None:
    """The notebooks that the README names are there."""
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert {TILES, CANDIDATES} == set(NAMES)
    assert all(f"notebooks/{name}" in readme for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_committed_without_results(name: str) -> None:
    """No outputs, no counts and no folders of somebody's machine are kept with a notebook."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    assert not re.search(r"/(home|root|Users|work|tmp|mnt|opt)/", text)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_come_first(name: str) -> None:
    """The first cell of code holds the sizes and the folder, so that they can be replaced."""
    cells = nbformat.read(FOLDER / name, as_version=4).cells
    first = next(cell for cell in cells if cell["cell_type"] == "code")
    assert first["id"] == "parameters"
    assert first["metadata"]["tags"] == ["parameters"]
    assert {"WORK", "STEPS", "METHOD"} <= set(re.findall(r"(?m)^(\w+) = ", first["source"]))


def test_tiles_become_embeddings(tiles_run: Path) -> None:
    """Each cutout has an embedding of finite numbers and a place on the map."""
    cutouts = open_cutouts(tiles_run / "cutouts" / "objects.h5")
    e = open_embeddings(tiles_run / "embeddings" / "objects.h5")
    xy = open_map(tiles_run / "maps" / "objects.h5").xy
    assert cutouts.info.bands == ("g", "r", "i")
    assert 20 < len(e.id) == len(cutouts) == len(xy)
    assert np.isfinite(e.values).all()
    assert (e.values.std(axis=0) > 0).all()
    assert np.isfinite(xy).all()


def test_two_lines_change_for_own_tiles(run: Run, tiles_run: Path, tmp_path: Path) -> None:
    """With a folder and a survey of one's own, of other bands, nothing else need change."""
    survey = tmp_path / "own.toml"
    survey.write_text(OWN, encoding="utf-8")
    work = run(TILES, until="train", TILES=str(tiles_run / "tiles"), SURVEY=str(survey))
    cutouts = open_cutouts(work / "cutouts" / "objects.h5")
    assert cutouts.info.bands == ("g", "i")
    assert cutouts.info.survey == "own"
    assert len(cutouts) > 20
    assert not (work / "tiles").exists()


def test_candidates_are_a_votable(candidates_run: Path) -> None:
    """The list has positions in degrees as float64, ranks in order and probabilities."""
    table = Table.read(candidates_run / "exports" / "dwarfs.vot")
    for name in ("ra", "dec"):
        assert table[name].dtype == np.float64
        assert table[name].unit == units.deg
    assert table["rank"].tolist() == list(range(1, 91))
    assert ((table["probability"] >= 0) & (table["probability"] <= 1)).all()
    assert all(str(name).startswith("MOCK-2-") for name in table["id"])


def test_candidates_rest_on_labels(candidates_run: Path) -> None:
    """The ledger says how objects were come upon, and the rule what was measured on them."""
    ledger = Ledger(candidates_run / "labels.db")
    history = ledger.history(task="dwarf")
    given = history[history["kind"] == "label"]["source"].value_counts().to_dict()
    ledger.close()
    assert given == {"import": 5, "search": 40, "audit": 100}
    rule = load_selection(candidates_run / "selections" / "dwarfs.json")
    for name in ("purity", "completeness", "balanced_accuracy"):
        figure = rule.measured[name]
        assert 0 <= figure["low"] <= figure["mean"] <= figure["high"] <= 1
    assert (candidates_run / "exports" / "first.png").stat().st_size > 10_000
