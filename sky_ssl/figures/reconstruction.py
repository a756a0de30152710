"""A sheet of masked reconstructions: image, what the model saw, what it made of it, what is left.

Arrays in, a figure or a PNG out; drawn without a screen.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.floating]
TITLES = ("image", "what the model sees", "reconstruction", "residual / sky sigma")
_HIDDEN = "#3a3f4b"  # neither sky nor source: a colour that no stretch gives
_NO_DATA = "#a8522a"


def draw_reconstructions(
    images: Floats,
    hidden: npt.NDArray[np.bool_],
    filled: Floats,
    *,
    bands: Sequence[str],
    sky_sigma: Sequence[float],
    band: int | None = None,
) -> "Figure":
    """Draw one row per image: image, visible part, reconstruction, residual of the hidden part.

    Pixels without data are tinted in all four, since what fills them cannot be checked.

    Args:
        images: (B, C, H, W) physical, NaN = no data.
        hidden: (B, C, H, W), True = hidden from the model.
        filled: (B, C, H, W) visible pixels as given, the others from the model.
        bands: names of the C bands.
        sky_sigma: (C,) noise, in the unit of the images.
        band: which band to draw; None = the middle one.

    Returns:
        A figure of B rows and four columns, the residual in units of the sky noise.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    B, C = images.shape[:2]
    b = C // 2 if band is None else band
    sigma = float(sky_sigma[b])
    figure = Figure(figsize=(8, 1.85 * B + 0.5), layout="constrained", facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(B, 4, squeeze=False)
    for row, (image, made, dark) in enumerate(
        zip(images[:, b] / sigma, filled[:, b] / sigma, hidden[:, b], strict=True)
    ):
        shown = _draw_row(axes[row], image, made, dark)
    for axis, title in zip(axes[0], TITLES, strict=True):
        axis.set_title(f"{title}, {bands[b]}" if title == "image" else title, color="white", size=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], facecolor=_HIDDEN)
    bar = figure.colorbar(shown, ax=axes[:, 3], shrink=0.6, extend="both")
    bar.ax.tick_params(colors="white", labelsize=7)
    return figure


def _draw_row(axes: Any, image: Floats, made: Floats, dark: npt.NDArray[np.bool_]) -> Any:
    """Draw one image, in units of the sky noise; give the picture of the residual."""
    from matplotlib.colors import ListedColormap

    absent = ~np.isfinite(image)
    residual = np.where(dark & ~absent, made - image, np.nan)
    stretch: dict[str, Any] = {"vmin": -1.5, "vmax": np.arcsinh(_bright(image)), "cmap": "gray"}
    common: dict[str, Any] = {"origin": "lower", "interpolation": "nearest"}
    contents = (image, np.where(dark, np.nan, image), made)
    for axis, content in zip(axes[:3], contents, strict=True):
        axis.imshow(np.arcsinh(np.where(np.isinf(content), np.nan, content)), **stretch, **common)
    shown = axes[3].imshow(residual, vmin=-5, vmax=5, cmap="RdBu_r", **common)
    if absent.any():
        tint = np.where(absent, 1.0, np.nan)
        for axis in axes:
            axis.imshow(tint, cmap=ListedColormap([_NO_DATA]), alpha=0.45, **common)
    return shown


def save_reconstructions(
    path: Path,
    images: Floats,
    hidden: npt.NDArray[np.bool_],
    filled: Floats,
    *,
    bands: Sequence[str],
    sky_sigma: Sequence[float],
    band: int | None = None,
) -> None:
    """Write the sheet of `draw_reconstructions` to a PNG."""
    figure = draw_reconstructions(
        images, hidden, filled, bands=bands, sky_sigma=sky_sigma, band=band
    )
    figure.savefig(path, dpi=110)


def _bright(image: Floats) -> float:
    """Give the level shown white: the brightest half percent, at least 10 sigma."""
    finite = image[np.isfinite(image)]
    return max(10.0, float(np.percentile(finite, 99.5))) if finite.size else 10.0
