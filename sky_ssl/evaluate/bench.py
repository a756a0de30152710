"""The skies that are measured on and the features of their objects, made once and kept on disk.

In: settings, a store, the network of a run for each preset. Out: cutouts with their truth, and
features by name; each is made where it is asked for first, and read from disk afterwards.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.evaluate.measures import prior_of_sky
from sky_ssl.evaluate.networks import Network, Trained
from sky_ssl.evaluate.parts import Key, Store
from sky_ssl.evaluate.settings import Settings
from sky_ssl.evaluate.supervised import LabelledSky
from sky_ssl.evaluate.testsky import SIMPLE, Features, enrichment, read_truth, simple_features
from sky_ssl.explore.features import softened
from sky_ssl.probes.prior import Prior
from sky_ssl.progress import terminal
from sky_ssl.sky.cutoutset import open_cutouts
from sky_ssl.sky.mock import MOCK_VERSION, generate, mock_info, write_mock

FEATURES_VERSION = 1
"""Raised whenever the same settings would give other features."""
TREES = "photometry, trees"
"""The features of photometry, with boosted trees instead of a linear probe."""
_BATCH = 256
_SAMPLE = (0, 512)  # seed and objects that an untrained network's tokens are measured on


class Bench:
    """Skies and features."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        trained: Mapping[str, Trained],
        *,
        device: str = "cpu",
        workers: int | None = 1,
    ) -> None:
        """Make a bench.

        Args:
            settings: which skies.
            store: where they are kept.
            trained: network of a run, by preset.
            device: that networks work on.
            workers: processes that make mock skies; None = all cores.

        Raises:
            InputError: a network that was trained on one of the skies.
        """
        self.settings, self.store, self.trained = settings, store, dict(trained)
        self.device, self.workers = device, workers
        for network in self.trained.values():
            network.refuse(settings.skies)
        self._open: dict[Any, Any] = {}  # the last sky and the last features

    @property
    def features(self) -> tuple[str, ...]:
        """Names of all features, the network's first."""
        turns = self.settings.turns
        averaged = (turned_name(turns),) if turns > 1 else ()
        return ("trained", *averaged, "untrained", *SIMPLE[::-1], TREES)

    def tokens(self, preset: str, name: str) -> int:
        """Give T of some features; 0 where they are no tokens."""
        if name in (*SIMPLE, TREES):
            return 0
        return 4 if self.trained[preset].model.grid[0] % 2 == 0 else 9

    def sky_settings(self, preset: str, seed: int, n: int = 0) -> dict[str, Any]:
        """Give all that the pixels and the truth of a sky depend on."""
        n = n or self.settings.objects
        return {
            **{"mock": MOCK_VERSION, "preset": preset, "seed": seed, "objects": n},
            "enrich": enrichment(n),
        }

    def sky(self, preset: str, seed: int, n: int = 0) -> LabelledSky:
        """Open a sky, made where it is missing.

        Args:
            preset, seed: of the mock survey.
            n: objects in natural proportion; 0 = those of the settings.
        """
        n = n or self.settings.objects
        key = ("sky", preset, seed, n)
        if key not in self._open:
            said = self.sky_settings(preset, seed, n)
            make = partial(self._make_sky, preset, seed, n)
            path = self.store.made(Key("sky", f"{preset}-{seed}", said), ".h5", make)
            self._forget("sky")
            cutouts = open_cutouts(path)
            self._open[key] = LabelledSky(path, read_truth(cutouts.column, n))
        found: LabelledSky = self._open[key]
        return found

    def _make_sky(self, preset: str, seed: int, n: int, path: Path) -> None:
        write_mock(
            path,
            n,
            seed=seed,
            preset=preset,
            enrich=enrichment(n),
            workers=self.workers,
            progress=terminal(f"mock sky {seed}, {preset}", "cutout"),
        )

    def feature_settings(self, preset: str, seed: int, name: str) -> dict[str, Any]:
        """Give all that the features of a sky depend on."""
        source = name.partition(",")[0]
        made_by = ""
        if source == "trained":
            made_by = self.trained[preset].of_weights()
        elif source == "untrained":
            made_by = self.trained[preset].of_network()
        return {
            **self.sky_settings(preset, seed),
            **{"version": FEATURES_VERSION, "features": name, "made_by": made_by},
        }

    def values(self, preset: str, seed: int, name: str, *, raw: bool = False) -> Features:
        """Give features (N, D), made where they are missing.

        Args:
            preset, seed: which sky.
            name: one of `features`.
            raw: embeddings as they are; else as probes see them, softened.
        """
        name = "photometry" if name == TREES else name
        key = ("features", preset, seed, name, raw)
        if key not in self._open:
            mine = Key(
                "features", _stem(preset, seed, name), self.feature_settings(preset, seed, name)
            )
            found = self.store.features(mine)
            if found is None:
                self._make_features(preset, seed, name)
                found = self.store.features(mine)
                assert found is not None
            tokens = self.tokens(preset, name)
            self._forget("features")
            plain = raw or not tokens
            self._open[key] = np.array(found) if plain else softened(found)
        values: Features = self._open[key]
        return values

    def prior(self, preset: str, seed: int, name: str) -> Prior | None:
        """Give what the training half of a sky says unlabelled of features, as probes see them."""
        key = ("prior", preset, seed, name)
        if key not in self._open:
            found = prior_of_sky(self.values(preset, seed, name), self.sky(preset, seed).truth)
            self._forget("prior")
            self._open[key] = found
        prior: Prior | None = self._open[key]
        return prior

    def _forget(self, kind: str) -> None:
        """Let go of the last sky, or the last features: they are large."""
        self._open = {key: value for key, value in self._open.items() if key[0] != kind}

    def _make_features(self, preset: str, seed: int, name: str) -> None:
        sky = self.sky(preset, seed)
        info = mock_info(preset)
        if name in SIMPLE:
            truth = sky.truth
            batches = _batches(sky, f"{preset} {seed}: photometry, pixels")
            found = simple_features(
                batches, info.sky_sigma or (), lambda: truth.natural & truth.train
            )
        else:
            network = self._network(preset, name)
            label = f"{preset} {seed}: {name}"
            found = {name: np.concatenate([network(x) for x in _batches(sky, label)])}
        for each, values in found.items():
            said = self.feature_settings(preset, seed, each)
            self.store.keep_features(Key("features", _stem(preset, seed, each), said), values)

    def _network(self, preset: str, name: str) -> Network:
        trained, info = self.trained[preset], mock_info(preset)
        if name != "untrained":
            turns = self.settings.turns if "," in name else 1
            return trained.network(info, turns, self.device)
        seed, n = _SAMPLE
        sample = np.concatenate([b.images for b in generate(n, seed=seed, preset=preset)])
        return trained.untrained(info, sample, self.device)


def turned_name(turns: int) -> str:
    """Name the features that are averaged over so many orientations."""
    return f"trained, {turns} turns"


def _stem(preset: str, seed: int, name: str) -> str:
    return f"{preset}-{seed}-{name.replace(', ', '-').replace(' ', '-')}"


def _batches(sky: LabelledSky, label: str) -> Iterator[npt.NDArray[np.float32]]:
    """Read all images of a sky, batch by batch."""
    cutouts = open_cutouts(sky.path)
    show, N = terminal(label, "cutout"), len(cutouts)
    for first in range(0, N, _BATCH):
        yield cutouts.read(slice(first, min(first + _BATCH, N)))
        show(min(first + _BATCH, N), N)
