"""How well a model predicts a whole hidden band of a real tile from all other bands.

    python benchmarks/hidden_band.py --tile FOLDER                    # linear regression alone
    python benchmarks/hidden_band.py --tile FOLDER --run RUN [--json FILE]

The last quarter of the rows, which training must not have seen (data.rows = [0, 0.75]), is
predicted band by band. Pixels are compared as asinh((x - sky) / sigma), of sources only: where
another band stands above 3 sigma, and, as a second table, where two others do. Sky and
sigma are median and deviation of the tile, clipped at 3 sigma. In one band alone, more than half of
the pixels above 3 sigma are noise; nobody can predict those, and all scores fall.
Beside it, two linear regressions fitted on the rows before, on such pixels: on the same pixel of
the other bands, and on the 5 x 5 around. To choose a setting, score rows that a trial kept for
validation (--rows 0.675 0.75), never the last quarter.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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
VERSION = 1
"""Raised whenever the same run would give other figures."""
HELD_OUT = (0.75, 1.0)
"""Share of the rows that is predicted: from, to."""
IN_BANDS = (1, 2)
"""A source stands out in at least so many other bands; one table each."""
_ABOVE = 3.0  # sigma
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


def source_pixels(scaled: Floats, band: int, in_bands: int) -> npt.NDArray[np.bool_]:
    """Choose pixels (H, W) above 3 sigma in so many other bands or more, with data in all."""
    others = np.delete(scaled, band, axis=0)
    chosen: npt.NDArray[np.bool_] = (others > np.arcsinh(_ABOVE)).sum(axis=0) >= in_bands
    return chosen & np.isfinite(scaled).all(axis=0)


def linear_r2(
    train: Floats, test: Floats, band: int, *, in_bands: int = 1, reach: int = 0
) -> float:
    """Score a linear regression of a band on the pixels of the others, `reach` pixels around.

    It is fitted on `train` and scored on `test`, both scaled (C, H, W), where `source_pixels`.
    """
    parts = []
    for scaled in (train, test):
        y, x = np.nonzero(source_pixels(scaled, band, in_bands))
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
    predict: Predictor, tile: Floats, levels: Levels, band: int, *, size: int
) -> Floats:
    """Predict a band of a tile (C, H, W) in windows that overlap by half.

    Predictions of one pixel are averaged, those from the middle of a window weighing most.

    Args:
        predict: gets windows whose band `band` is NaN, so that it cannot look.
        tile: physical.
        levels: of the tile.
        band: which to hide.
        size: pixels a side of a window.

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
    rows, columns = ([*range(0, n - size, max(1, size // 2)), n - size] for n in (H, W))
    places = [(y, x) for y in rows for x in columns]
    for first in range(0, len(places), _BATCH):
        part = places[first : first + _BATCH]
        windows = np.stack([blind[:, y : y + size, x : x + size] for y, x in part])
        predicted = levels.scale(predict(windows, band), band)
        for (y, x), window in zip(part, predicted, strict=True):
            total[y : y + size, x : x + size] += weight * window
            weights[y : y + size, x : x + size] += weight
    return total / weights


def predict_turned(
    predict: Predictor, tile: Floats, levels: Levels, band: int, *, size: int, turns: int
) -> Floats:
    """Average `predict_band` over orientations of the tile: quarter turns, then mirrored ones."""
    total = np.zeros(tile.shape[1:])
    for turn in range(turns):
        mirrored = tile[..., ::-1] if turn >= 4 else tile
        turned = np.rot90(mirrored, turn, axes=(1, 2))
        made = np.rot90(predict_band(predict, turned, levels, band, size=size), -turn)
        total += made[:, ::-1] if turn >= 4 else made
    return total / turns


def hidden_band_r2(
    tile: Floats,
    predict: Callable[[Floats, Levels, int], Floats] | None = None,
    *,
    rows: tuple[float, float] = HELD_OUT,
    progress: Progress | None = None,
) -> dict[int, list[dict[str, float]]]:
    """Score the prediction of each band of a tile (C, H, W) on a share of its rows.

    `predict` makes a scaled band (H, W) of (tile, levels, band), as `predict_band` does.

    Returns:
        For each of `IN_BANDS`, per band: "linear" (same pixel), "linear_5x5", with a predictor
        "model"; and "pixels", how many were scored.
    """
    levels = measure_levels(tile)
    low, high = (round(share * tile.shape[1]) for share in rows)
    scaled = levels.scale(tile)
    train, test = scaled[:, :low], scaled[:, low:high]
    tables: dict[int, list[dict[str, float]]] = {in_bands: [] for in_bands in IN_BANDS}
    for band in range(len(tile)):
        if predict:
            made = predict(tile[:, low:high], levels, band)
        for in_bands, table in tables.items():
            chosen = source_pixels(test, band, in_bands)
            row = {"pixels": float(chosen.sum())}
            for name, reach in (("linear", 0), ("linear_5x5", 2)):
                row[name] = linear_r2(train, test, band, in_bands=in_bands, reach=reach)
            if predict:
                row["model"] = r2(test[band][chosen], made[chosen])
            table.append(row)
        if progress:
            progress(band + 1, len(tile))
    return tables


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


def _check_unseen(config: Config, rows: tuple[float, float], run: str) -> None:
    """Refuse a run that learned from the rows to be predicted."""
    low, high = config.data.rows or (0.0, 1.0)
    learned = high - config.data.validation * (high - low)  # of one tile, its last rows are kept
    if low < rows[1] and learned > rows[0] + 1e-9:
        raise InputError(
            f"{run}: trained on the share {low:g} to {learned:g} of the rows, but {rows[0]:g} to "
            f"{rows[1]:g} is to be predicted; train with data.rows = [0, {rows[0]:g}]"
        )


def measure(tile: str, run: str | None, *, turns: int, rows: tuple[float, float]) -> dict[str, Any]:
    """Read tile and model and give the tables as plain values."""
    config, predict = load_config(CONFIG), None
    result: dict[str, Any] = {"tile": tile, "rows": rows}
    if run:
        from sky_ssl.training.checkpoint import load_model
        from sky_ssl.training.config import config_from_table

        model, state = load_model(run)
        config = config_from_table(state.table, source=run)
        _check_unseen(config, rows, run)
        size = model.config.image_size
        predict = partial(predict_turned, model_predictor(model), size=size, turns=turns)
        result |= {"run": run, "model": model.describe(), "step": state.step, "turns": turns}
    table = config.survey_table
    survey = parse_survey(table, "[survey]") if table else load_survey(config.survey)
    progress = terminal("bands")
    tables = hidden_band_r2(read_tile(tile, survey), predict, rows=rows, progress=progress)
    result["tables"] = {}
    for in_bands, bands in tables.items():
        mean = {kind: float(np.mean([row[kind] for row in bands])) for kind in bands[0]}
        named = dict(zip(survey.band_names, bands, strict=True))
        result["tables"][in_bands] = {"bands": named, "mean": mean}
    return result


def _print(result: dict[str, Any]) -> None:
    low, high = result["rows"]
    print(f"R2 of a hidden band on source pixels, rows {low:g} to {high:g} of the tile")
    if "run" in result:
        print(f"model: {result['model']}, step {result['step']}")
    for in_bands, table in result["tables"].items():
        kinds = [kind for kind in table["mean"] if kind != "pixels"]
        print(f"\nabove {_ABOVE:g} sigma in at least {in_bands} of the other bands")
        print("band  " + "".join(f"{kind:>12}" for kind in kinds) + "    pixels")
        for name, row in table["bands"].items():
            values = "".join(f"{row[kind]:12.3f}" for kind in kinds)
            print(f"{name:6}{values}{row['pixels']:10.0f}")
        print("mean  " + "".join(f"{table['mean'][kind]:12.3f}" for kind in kinds))


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tile", required=True, help="folder of the tile")
    parser.add_argument("--run", help="run directory of train.py")
    parser.add_argument("--turns", type=int, choices=range(1, 9), default=8, help="averaged over")
    parser.add_argument("--rows", type=float, nargs=2, default=HELD_OUT, help="share to predict")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    o = parser.parse_args()
    low, high = o.rows
    if not 0 < low < high <= 1:
        parser.error(f"--rows {low:g} {high:g}: two shares such as 0.75 1")
    try:
        result = measure(o.tile, o.run, turns=o.turns, rows=(low, high))
    except InputError as error:
        print(f"hidden_band.py: {error}", file=sys.stderr)
        return 2
    _print(result)
    if o.json:
        o.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
