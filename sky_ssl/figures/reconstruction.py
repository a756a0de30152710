"""A sheet of masked reconstructions: image, what the model saw, what it made of it, what is left.

Arrays in, a PNG out; drawn without a screen.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
_HIDDEN = "#3a3f4b"  # neither sky nor source: a colour that no stretch gives


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
    """Draw one row per image: image, visible part, reconstruction, residual of the hidden part.

    Args:
        path: the PNG to write.
        images: (B, C, H, W) physical, NaN = no data.
        hidden: (B, C, H, W), True = hidden from the model.
        filled: (B, C, H, W) visible pixels as given, the others from the model.
        bands: names of the C bands.
        sky_sigma: (C,) noise, in the unit of the images.
        band: which band to draw; None = the middle one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    B, C = images.shape[:2]
    b = C // 2 if band is None else band
    sigma = float(sky_sigma[b])
    figure = Figure(figsize=(8, 2 * B + 0.6), layout="constrained", facecolor="black")
    FigureCanvasAgg(figure)
    axes = figure.subplots(B, 4, squeeze=False)
    for row in range(B):
        image, seen = images[row, b] / sigma, ~hidden[row, b]
        made = filled[row, b] / sigma
        residual = np.where(seen, np.nan, made - image)
        stretch = {"vmin": -1.5, "vmax": float(np.arcsinh(_bright(image))), "cmap": "gray"}
        for axis, content in zip(
            axes[row, :3], (image, np.where(seen, image, np.nan), made), strict=True
        ):
            axis.imshow(np.arcsinh(content), origin="lower", interpolation="nearest", **stretch)
        shown = axes[row, 3].imshow(
            residual, origin="lower", interpolation="nearest", vmin=-5, vmax=5, cmap="RdBu_r"
        )
    titles = ("image", "what the model sees", "reconstruction", "residual / sky sigma")
    for axis, title in zip(axes[0], titles, strict=True):
        axis.set_title(f"{title}, {bands[b]}" if title == "image" else title, color="white", size=9)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[], facecolor=_HIDDEN)
    bar = figure.colorbar(shown, ax=axes[:, 3], shrink=0.6)
    bar.ax.tick_params(colors="white", labelsize=7)
    figure.savefig(path, dpi=110)


def _bright(image: Floats) -> float:
    """Give the level shown white: the brightest percent, at least 10 sigma."""
    finite = image[np.isfinite(image)]
    return max(10.0, float(np.percentile(finite, 99.5))) if finite.size else 10.0
