"""What the evidence is made of: one flat set of settings, stored in the JSON that it comes to."""

from dataclasses import asdict, dataclass
from typing import Any

from sky_ssl.errors import InputError
from sky_ssl.evaluate.supervised import WAYS
from sky_ssl.model.symmetry import TURNS
from sky_ssl.sky.mock import PRESETS

KINDS = ("fewshot", "search", "calibration", "networks", "ceiling", "pictures", "tile")
"""Kinds of measurement, in the order in which they are done."""
_LEAST_OBJECTS = 200


@dataclass(frozen=True)
class Settings:
    """Skies, labels and draws."""

    presets: tuple[str, ...] = ("native", "wide")  # of the mock survey
    skies: tuple[int, ...] = (101, 102, 103)  # seeds; nothing was chosen on these
    objects: int = 12_000  # of a sky, in natural proportion
    repeats: int = 20  # draws of up to 200 labels, of exemplars, and of probes that are calibrated
    labels: tuple[int, ...] = (10, 30, 100, 200, 500, 1000)  # half of each side; or spectra
    turns: int = 1  # more: embeddings also averaged over so many orientations
    exemplars: tuple[int, ...] = (1, 5, 10)  # of a search
    top: tuple[int, ...] = (25, 100)  # nearest that count
    prevalences: tuple[float, ...] = (0.02, 0.005, 0.001)  # that probabilities are moved to
    calibrated: int = 200  # labels of the probes that are calibrated
    fit_presets: tuple[str, ...] = ("native", "wide")  # of `presets`, that networks are fitted on
    ways: tuple[str, ...] = WAYS  # of fitting a network
    fit_labels: tuple[int, ...] = (200, 1000)  # labels of the networks that are fitted
    fit_draws: int = 3  # draws of them, one sky each
    fit_steps: int = 0  # 0 = as `sky-ssl predict fit`
    ceiling_seed: int = 61  # mock sky that the ceiling is learned on
    ceiling_objects: int = 50_000  # cutouts of it, all labelled
    ceiling_steps: int = 12_000  # at most; fewer where validation does not improve
    ceiling_ways: tuple[str, ...] = ("cnn", "scratch")  # the best of them is the ceiling

    def __post_init__(self) -> None:
        for setting in ("presets", "fit_presets"):
            for name in getattr(self, setting):
                _require(name in PRESETS, setting, name, f"of {', '.join(PRESETS)}")
        for way in (*self.ways, *self.ceiling_ways):
            _require(way in WAYS, "ways", way, f"of {', '.join(WAYS)}")
        for name in ("skies", "presets", "labels", "exemplars", "top", "prevalences"):
            _require(bool(getattr(self, name)), name, getattr(self, name), "one or more")
            given = getattr(self, name)
            _require(len(set(given)) == len(given), name, given, "each once")
        for name in ("repeats", "fit_draws", "ceiling_steps"):
            _require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("objects", "ceiling_objects"):
            value = getattr(self, name)
            _require(value >= _LEAST_OBJECTS, name, value, f"{_LEAST_OBJECTS} or more")
        for share in self.prevalences:
            _require(0 < share < 1, "prevalences", share, "above 0 and below 1")
        _require(self.turns in TURNS, "turns", self.turns, f"of {', '.join(map(str, TURNS))}")
        _require(min(self.labels) >= 4, "labels", self.labels, "4 or more each")
        _require(
            self.ceiling_seed not in self.skies,
            "ceiling_seed",
            self.ceiling_seed,
            f"a sky that is not tested on ({', '.join(map(str, self.skies))})",
        )

    @property
    def fitted(self) -> tuple[str, ...]:
        """Give the presets that networks are fitted on."""
        return tuple(name for name in self.presets if name in self.fit_presets)

    def repeats_of(self, labels: int) -> int:
        """Give the draws of so many labels: many labels need fewer, and take long."""
        return self.repeats if labels <= 200 else max(1, self.repeats // 2)

    def table(self) -> dict[str, Any]:
        """Give plain values."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def _require(condition: bool, name: str, value: object, allowed: str) -> None:
    if not condition:
        raise InputError(f"{name} = {value!r}: must be {allowed}")
