"""The rules of the house: who may import whom, and how heavy the way in is."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = [
    "workspace", "jobs", "sky", "probes", "model", "training", "embedding", "explore", "evaluate",
    "info", "demo", "commands", "cli",
]  # fmt: skip
GROUND = {"errors", "progress"}
SEPARATE = {("sky", "probes"), ("probes", "sky")}
FIGURES_MAY = {"sky", "probes"}
HEAVY = {
    "streamlit": ("app", "pages"),
    "faiss": ("sky_ssl/explore/neighbours.py",),
    "umap": (),
    "openTSNE": ("sky_ssl/explore/maps.py",),
    "sqlalchemy": ("sky_ssl/explore",),
    "mocpy": ("sky_ssl/explore",),
    "timm": ("sky_ssl/model",),
    "wandb": ("sky_ssl/training/log.py",),
    "sklearn": ("sky_ssl/probes", "sky_ssl/explore", "sky_ssl/evaluate"),
    "sep": ("sky_ssl/sky/detect.py", "sky_ssl/sky/extraction.py", "sky_ssl/sky/photometry.py"),
}


def imports(path: Path) -> set[str]:
    """Full names of all modules that a file imports, wherever it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
    return found


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


FILES = sorted((ROOT / "sky_ssl").rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_from_rooms_before_them(path: Path) -> None:
    """One direction of flow, and nothing of the package knows the app."""
    here = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for module in imports(path):
        assert module.split(".")[0] not in ("app", "pages"), f"{path} imports {module}"
        there = room(module) if module.startswith("sky_ssl") else ""
        if there in GROUND or there in ("", here) or here in ("__main__", "__init__"):
            continue
        if here == "figures":
            assert there in FIGURES_MAY, f"{path} imports {module}"
        elif there != "figures":
            assert here in ORDER, f"{path}: a new room, put it in its place in ORDER"
            assert ORDER.index(there) < ORDER.index(here), f"{path} imports {module}"
            assert (here, there) not in SEPARATE, f"{path} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_packages_stay_in_their_files(path: Path) -> None:
    """A heavy package is imported only where it is needed; no room grows past 300 lines."""
    name = path.relative_to(ROOT).as_posix()
    for module in imports(path):
        places = HEAVY.get(module.split(".")[0])
        assert places is None or name.startswith(places), f"{name} imports {module}"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, f"{name}: split it by idea"


def test_help_imports_nothing_heavy() -> None:
    """`sky-ssl --help` loads neither torch nor astropy nor pandas: it must answer at once."""
    code = (
        "import sys; from sky_ssl.cli import build_parser; build_parser().format_help();"
        "print(sorted({'torch', 'astropy', 'pandas', 'h5py', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
