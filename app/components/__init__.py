"""Components of our own: each a folder with HTML, CSS and JavaScript, and a Python face."""

from pathlib import Path


def read_parts(folder: str) -> dict[str, str]:
    """Read the files of a component, as arguments for `st.components.v2.component`.

    The JavaScript may lie in several files, which become one module.
    """
    home = Path(__file__).parent / folder
    parts = {kind: (home / f"{folder}.{kind}").read_text("utf-8") for kind in ("html", "css")}
    scripts = sorted(home.glob("*.js"))
    return {**parts, "js": "\n".join(path.read_text("utf-8") for path in scripts)}
