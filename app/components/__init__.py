"""Components of our own: each a folder with HTML, CSS and JavaScript, and a Python face."""

from pathlib import Path


def read_parts(folder: str) -> dict[str, str]:
    """Read the three files of a component, as arguments for `st.components.v2.component`."""
    home = Path(__file__).parent / folder
    return {kind: (home / f"{folder}.{kind}").read_text("utf-8") for kind in ("html", "css", "js")}
