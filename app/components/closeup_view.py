"""A cutout close up: see components/closeup/closeup.js for what goes in and comes out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st

from app.components import read_parts
from app.routes import SHELF
from sky_ssl.figures.rgb import Stretch

_closeup = st.components.v2.component("sky_ssl.closeup", **read_parts("closeup"))


@dataclass(frozen=True)
class Closeup:
    """What is shown, and how."""

    object: str
    image: npt.NDArray[np.floating]  # (C, H, W) physical, NaN = no data; row 0 at the bottom
    bands: tuple[str, ...]
    rgb: tuple[int, int, int]  # places of the bands shown as red, green and blue
    sigma: Sequence[float]  # (C,) noise, in the unit of the image
    stretch: Stretch  # to begin with
    pixel_scale: float  # arcsec a pixel; NaN if unknown
    words: str = ""  # a line about it


def draw_closeup(
    shown: Closeup,
    *,
    key: str,
    labels: Sequence[str] = (),
    width: int = 340,
    on_label: Callable[[str, str], None] | None = None,
    on_all: Callable[[float, float], None] | None = None,
) -> None:
    """Draw a picture whose stretch the browser turns at once, and hand on what the user does.

    Args:
        shown: the picture.
        key: of the component.
        labels: that the keys 1, 2, ... stand for; 0 clears.
        width: in pixels, at most.
        on_label: called with the object and a label, "clear" for none.
        on_all: called with brightness and softening that all thumbnails are to have.
    """

    def labelled() -> None:
        value = st.session_state[key].get("label")
        if value and on_label is not None:
            on_label(str(value["object"]), str(value["label"]))

    def to_all() -> None:
        value = st.session_state[key].get("all")
        if value and on_all is not None:
            on_all(float(value["brightness"]), float(value["softening"]))

    keys = [{"key": str(n), "name": name} for n, name in enumerate(labels, start=1)]
    if labels:
        keys.append({"key": "0", "name": "clear"})
    _closeup(
        key=key,
        data=contents(shown) | {"keys": keys, "width": width},
        on_label_change=labelled,
        on_all_change=to_all,
    )


def contents(shown: Closeup) -> dict[str, Any]:
    """Describe a picture for the browser; its pixels go to the shelf."""
    s = shown.stretch
    pixels = np.ascontiguousarray(shown.image, dtype="<f4").tobytes()
    return {
        "pixels": SHELF.put(pixels),
        "shape": list(shown.image.shape),
        "bands": list(shown.bands),
        "rgb": [int(b) for b in shown.rgb],
        "sigma": [float(x) for x in shown.sigma],
        "weights": list(s.weights),
        "black": s.black,
        "linear": s.linear,
        "softening": s.softening,
        "scale": float(shown.pixel_scale) if np.isfinite(shown.pixel_scale) else None,
        "object": shown.object,
        "words": shown.words,
    }
