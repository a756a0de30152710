"""How well a model predicts a whole hidden band of a real tile from all other bands.

    python benchmarks/hidden_band.py --tile FOLDER                    # linear regression alone
    python benchmarks/hidden_band.py --tile FOLDER --run RUN [--json FILE]

The last quarter of the rows, which training must not have seen (data.rows = [0, 0.75]), is
predicted band by band. Pixels are compared as asinh((x - sky) / sigma), only where another band
stands above 3 sigma (--above), so that blank sky does not count. Beside it, two linear regressions
fitted on the first three quarters: on the same pixel of the other bands, and on the 5 x 5 around.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from astropy.stats import sigma_clipped_stats
from sklearn.linear_model import LinearRegression

from sky_ssl.errors import InputError
from sky_ssl.progress import Progress, terminal
from sky_ssl.sky.survey import Survey, load_survey, parse_survey
from sky_ssl.sky.tiles import find_tiles, open_tile
from sky_ssl.training.config import Config, load_config

if TYPE_CHECKING:
    from sky_ssl.model.simmim import SimMIM

Floats = npt.NDArray[np.floating]
Predictor = Callable[[Floats, int], Floats]
"""(images (B, C, S, S) physical, number of the hidden band) -> that band (B, S, S), physical."""

CONFIG = Path(__file__).resolve().parents[1] / "configs" / "kids_viking.toml"
HELD_OUT = 0.25
_BATCH = 64


@dataclass(frozen=True)
class Levels:
    """Sky level and noise of each band (C, 1, 1), in the unit of the tile."""

    sky: Floats
    sigma: Floats

    def scale(self, pixels: Floats, band: int | None = None) -> Floats:
        """Bring pixels (C, ...), or of one band, to asinh((x - sky) / sigma)."""
        b = slice(None) if band is None else band
        return np.arcsinh((pixels - self.sky[b]) / self.sigma[b])


def measure_levels(tile: Floats) -> Levels:
    """Measure the sky of a tile (C, H, W): median and deviation, clipped at 3 sigma."""
    levels = [sigma_clipped_stats(band[np.isfinite(band)].astype(np.float64)) for band in tile]
    _, sky, sigma = np.array(levels).T[:, :, None, None]
    return Levels(sky, sigma)


def source_pixels(scaled: Floats, band: int, above: float) -> npt.NDArray[np.bool_]:
    """Choose pixels (H, W) above so many sigma in another band, with data in all bands."""
    others = np.delete(scaled, band, axis=0)
    chosen: npt.NDArray[np.bool_] = (others > np.arcsinh(above)).any(axis=0)
    return chosen & np.isfinite(scaled).all(axis=0)


def linear_r2(train: Floats, test: Floats, band: int, *, above: float, reach: int = 0) -> float:
    """Score a linear regression of a band on the pixels of the others, `reach` pixels around.

    Args:
        train: scaled (C, H, W) to fit on.
        test: scaled (C, H, W) to score on.
        band: which to predict.
        above: see `source_pixels`.
        reach: 0 takes the same pixel of the other bands, 2 the 5 x 5 around it.
    """
    parts = []
    for scaled in (train, test):
        y, x = np.nonzero(source_pixels(scaled, band, above))
        others = np.pad(
            np.nan_to_num(np.delete(scaled, band, axis=0)).astype(np.float32),
            ((0, 0), (reach, reach), (reach, reach)),
            mode="edge",
        )
        around = range(2 * reach + 1)
        features = np.concatenate([others[:, y + dy, x + dx] for dy in around for dx in around]).T
        parts.append((features, scaled[band][y, x]))
    (features, values), (new, truth) = parts
    return r2(truth, LinearRegression().fit(features, values).predict(new))


def r2(truth: Floats, predicted: Floats) -> float:
    """Give 1 - residual / total sum of squares."""
    truth = truth.astype(np.float64)
    return float(1 - np.square(truth - predicted).sum() / np.square(truth - truth.mean()).sum())


def predict_band(
    predict: Predictor, tile: Floats, levels: Levels, band: int, *, size: int, step: int
) -> Floats:
    """Predict a band of a tile (C, H, W) in overlapping windows.

    Predictions of one pixel are averaged, those from the middle of a window weighing most.

    Args:
        predict: gets windows whose band `band` is NaN, so that it cannot look.
        tile: physical.
        levels: of the tile.
        band: which to hide.
        size: pixels a side of a window.
        step: pixels between windows.

    Returns:
        (H, W), scaled as `Levels.scale` does.
    """
    H, W = tile.shape[1:]
    if H < size or W < size:
        raise InputError(f"tile of {H} x {W} pixels: must hold a window of {size} x {size}")
    blind = tile.copy()
    blind[band] = np.nan
    rise = np.minimum(np.arange(size), np.arange(size)[::-1]) + 1.0
    weight = np.outer(rise, rise)
    total, weights = np.zeros((2, H, W))
    places = [(y, x) for y in _starts(H, size, step) for x in _starts(W, size, step)]
    for first in range(0, len(places), _BATCH):
        part = places[first : first + _BATCH]
        windows = np.stack([blind[:, y : y + size, x : x + size] for y, x in part])
        predicted = levels.scale(predict(windows, band), band)
        for (y, x), window in zip(part, predicted, strict=True):
            total[y : y + size, x : x + size] += weight * window
            weights[y : y + size, x : x + size] += weight
    return total / weights


def _starts(length: int, size: int, step: int) -> list[int]:
    """Give the starts of windows that cover a length, the last flush with its end."""
    return [*range(0, length - size, step), length - size]


def hidden_band_r2(
    tile: Floats,
    predict: Predictor | None = None,
    *,
    size: int = 64,
    step: int = 16,
    above: float = 3.0,
    progress: Progress | None = None,
) -> list[dict[str, float]]:
    """Score the prediction of each band of a tile (C, H, W) on its last quarter of rows.

    Returns:
        Per band: "linear" (same pixel), "linear_5x5", with a predictor "model"; and "pixels", how
        many were scored.
    """
    levels = measure_levels(tile)
    border = int((1 - HELD_OUT) * tile.shape[1])
    scaled = levels.scale(tile)
    train, test = scaled[:, :border], scaled[:, border:]
    rows = []
    for band in range(len(tile)):
        chosen = source_pixels(test, band, above)
        row = {"pixels": float(chosen.sum())}
        for name, reach in (("linear", 0), ("linear_5x5", 2)):
            row[name] = linear_r2(train, test, band, above=above, reach=reach)
        if predict:
            made = predict_band(predict, tile[:, border:], levels, band, size=size, step=step)
            row["model"] = r2(test[band][chosen], made[chosen])
        rows.append(row)
        if progress:
            progress(band + 1, len(tile))
    return rows


def model_predictor(model: "SimMIM") -> Predictor:
    """Let a model predict: the band hidden in all patches, the others visible."""
    import torch

    from sky_ssl.model.reconstruct import reconstruct

    def predict(images: Floats, band: int) -> Floats:
        B, C = images.shape[:2]
        mask = torch.zeros(B, 1, C, *model.grid, dtype=torch.bool)
        mask[:, :, band] = True
        result = reconstruct(model, torch.from_numpy(images.astype(np.float32)), mask)
        return result.filled[:, 0, band].numpy()

    return predict


def read_tile(folder: str, survey: Survey) -> Floats:
    """Read the one tile of a survey in a folder, all bands (C, H, W)."""
    tiles, report = find_tiles([folder], survey)
    if len(tiles) != 1:
        raise InputError(f"{folder}: {len(tiles)} tiles of {survey.name}, one is needed {report}")
    with open_tile(tiles[0], survey) as tile:
        H, W = tile.shape
        return tile.read(0, H, 0, W)


def _survey(config: Config) -> Survey:
    if config.survey_table:
        return parse_survey(config.survey_table, "[survey]")
    return load_survey(config.survey)


def measure(tile: str, run: str | None, *, step: int, above: float) -> dict[str, Any]:
    """Read tile and model and give the table as plain values."""
    config, predict, size = load_config(CONFIG), None, 64
    result: dict[str, Any] = {"tile": tile, "above": above}
    if run:
        from sky_ssl.training.checkpoint import load_model
        from sky_ssl.training.config import config_from_table

        model, state = load_model(run)
        config = config_from_table(state.table, source=run)
        low, high = config.data.rows or (0.0, 1.0)
        if low < 1 and high > 1 - HELD_OUT:
            raise InputError(
                f"{run}: trained on data.rows = [{low}, {high}], which holds the last quarter "
                "that this benchmark predicts; train with data.rows = [0, 0.75]"
            )
        predict, size = model_predictor(model), model.config.image_size
        result |= {"run": run, "model": model.describe(), "step": state.step}
    survey = _survey(config)
    image = read_tile(tile, survey)
    rows = hidden_band_r2(
        image, predict, size=size, step=step, above=above, progress=terminal("bands")
    )
    result["bands"] = dict(zip(survey.band_names, rows, strict=True))
    kinds = ("linear", "linear_5x5", *(("model",) if predict else ()))
    result["mean"] = {kind: float(np.mean([row[kind] for row in rows])) for kind in kinds}
    return result


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tile", required=True, help="folder of the tile")
    parser.add_argument("--run", help="run directory of train.py")
    parser.add_argument("--step", type=int, default=16, help="pixels between windows")
    parser.add_argument("--above", type=float, default=3.0, help="sigma of a source in a band")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    o = parser.parse_args()
    try:
        result = measure(o.tile, o.run, step=o.step, above=o.above)
    except InputError as error:
        print(f"hidden_band.py: {error}", file=sys.stderr)
        return 2
    kinds = list(result["mean"])
    print("R2 of a hidden band on source pixels" + (f", {result['model']}" if o.run else ""))
    print("band  " + "".join(f"{kind:>12}" for kind in kinds) + "    pixels")
    for name, row in result["bands"].items():
        values = "".join(f"{row[kind]:12.3f}" for kind in kinds)
        print(f"{name:6}{values}{row['pixels']:10.0f}")
    print("mean  " + "".join(f"{result['mean'][kind]:12.3f}" for kind in kinds))
    if o.json:
        o.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
