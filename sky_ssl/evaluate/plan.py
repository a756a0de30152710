"""The parts that evidence is made of: one preset, one sky, one kind of measurement each.

In: a bench. Out: parts in the order in which they are done, quick ones first. What a part gives is
a list of leaves: where in the evidence they go, and the draws that were made on one sky.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sky_ssl.evaluate import measures, promises, supervised
from sky_ssl.evaluate.bench import TREES, Bench
from sky_ssl.evaluate.parts import Key
from sky_ssl.evaluate.testsky import enrichment
from sky_ssl.explore.features import SOFTNESS
from sky_ssl.probes.prior import POWER
from sky_ssl.progress import terminal
from sky_ssl.training.predictconfig import fit_table

VERSIONS = {
    **{"skies": 1, "fewshot": 4, "search": 1, "calibration": 3},
    **{"networks": 2, "ceiling": 2},
}
"""Raised whenever the same settings of a measurement would give other figures."""
_DROPPED = 0.05  # share of bands hidden from those of the ceiling: other skies lack other bands
_NO_STOP_EARLY = 40  # labels, of which too few would be left to stop on


@dataclass(frozen=True)
class Part:
    """A piece of work, and where its result belongs."""

    key: Key
    make: Callable[[], dict[str, Any]]
    place: tuple[str, ...]  # in the evidence, below the preset

    @property
    def preset(self) -> str:
        """Of the mock survey."""
        return str(self.key.settings["preset"])

    @property
    def seed(self) -> int:
        """Of the sky it is measured on."""
        return int(self.key.settings["seed"])


def plan(bench: Bench, kinds: tuple[str, ...]) -> list[Part]:
    """List the parts of some kinds of measurement, sky by sky."""
    found: list[Part] = []
    quick = {"fewshot": _fewshot, "search": _search, "calibration": _calibration}
    for preset in bench.settings.presets:
        for seed in bench.settings.skies:
            found += [_about_sky(bench, preset, seed)] if "fewshot" in kinds else []
            for name in bench.features:
                for kind, parts in quick.items():
                    if kind in kinds:
                        found += parts(bench, preset, seed, name)
    for preset in bench.settings.fitted:
        found += _networks(bench, preset) if "networks" in kinds else ()
    for preset in bench.settings.fitted:
        found += _ceiling(bench, preset) if "ceiling" in kinds else ()
    return found


def _key(kind: str, words: tuple[object, ...], settings: dict[str, Any]) -> Key:
    name = "-".join(str(word).replace(", ", "-").replace(" ", "-") for word in words)
    return Key(kind, name, {"measurement": VERSIONS[kind], **settings})


def _as_seen(bench: Bench, preset: str, seed: int, name: str) -> dict[str, Any]:
    """Give what a probe's figures depend on: the features, and how the probe sees them."""
    seen = {"softness": SOFTNESS} if bench.tokens(preset, name) else {}
    seen |= {} if name == TREES else {"prior": POWER}
    return {**bench.feature_settings(preset, seed, name), **seen}


def _about_sky(bench: Bench, preset: str, seed: int) -> Part:
    """Say how many objects the test half has, and the range of their redshifts."""

    def make() -> dict[str, Any]:
        truth = bench.sky(preset, seed).truth
        z = truth.columns["zspec"][truth.with_redshift & ~truth.train]
        found = {"objects": truth.n, "redshift_low": z.min(), "redshift_high": z.max()}
        for task in ("A", "B", "C"):
            found[f"test_{task}"] = len(truth.task(task).halves(truth.train)[1])
        found |= {"test_Z": len(z), "test_dwarfs": int((truth.dwarf & ~truth.train).sum())}
        return {name: [float(value)] for name, value in found.items()}

    settings = bench.sky_settings(preset, seed)
    return Part(_key("skies", (preset, seed), settings), make, ("skies",))


def _fewshot(bench: Bench, preset: str, seed: int, name: str) -> Iterator[Part]:
    s, trees = bench.settings, name == TREES
    said = _as_seen(bench, preset, seed, name)
    for task in ("A", "B", "C", "Z"):
        labels = (*s.labels, 0) if task == "Z" else s.labels
        repeats = [s.repeats_of(n) for n in labels]
        settings = {**said, "task": task, "labels": list(labels), "repeats": repeats}

        def make(task: str = task, labels: tuple[int, ...] = labels) -> dict[str, Any]:
            x, truth = bench.values(preset, seed, name), bench.sky(preset, seed).truth
            found = {}
            for n in labels:
                how = {"labels": n, "repeats": s.repeats_of(n), "trees": trees}
                if task == "Z":
                    drawn = measures.redshift_draws(x, truth, **how)  # type: ignore[arg-type]
                else:
                    prior = None if trees else bench.prior(preset, seed, name)
                    drawn = measures.class_draws(x, truth, task, **how, prior=prior)  # type: ignore[arg-type]
                if drawn:
                    found[str(n) if n else "all"] = drawn
            return found

        key = _key("fewshot", (preset, seed, task, name), settings)
        yield Part(key, make, ("fewshot", task, name))


def _search(bench: Bench, preset: str, seed: int, name: str) -> Iterator[Part]:
    if name == TREES:
        return
    s = bench.settings
    draws = {"exemplars": list(s.exemplars), "top": list(s.top), "repeats": s.repeats}

    def make() -> dict[str, Any]:
        return measures.search_draws(
            bench.values(preset, seed, name, raw=True),
            bench.sky(preset, seed).truth,
            bench.tokens(preset, name),
            exemplars=s.exemplars,
            top=s.top,
            repeats=s.repeats,
        )

    settings = {**bench.feature_settings(preset, seed, name), **draws, **measures.SEARCH}
    yield Part(_key("search", (preset, seed, name), settings), make, ("search", name))


def _calibration(bench: Bench, preset: str, seed: int, name: str) -> Iterator[Part]:
    if name == TREES:
        return
    s = bench.settings
    draws = {"prevalences": s.prevalences, "labels": s.calibrated, "repeats": s.repeats}

    def make() -> dict[str, Any]:
        x, truth = bench.values(preset, seed, name), bench.sky(preset, seed).truth
        prior = bench.prior(preset, seed, name)
        return promises.promise_draws(x, truth, **draws, prior=prior)  # type: ignore[arg-type]

    settings = {**_as_seen(bench, preset, seed, name), **draws}
    settings["prevalences"] = list(s.prevalences)
    place = ("calibration", name)
    yield Part(_key("calibration", (preset, seed, name), settings), make, place)


def _networks(bench: Bench, preset: str) -> Iterator[Part]:
    """Fit networks on few labels: one draw on each sky in turn."""
    s = bench.settings
    for n in s.fit_labels:
        for draw in range(s.fit_draws):
            seed = s.skies[draw % len(s.skies)]
            for way in s.ways:
                for task in ("A", "B"):
                    yield _network_part(bench, preset, seed, (way, task, n, draw))


def _network_part(bench: Bench, preset: str, seed: int, asked: tuple[str, str, int, int]) -> Part:
    way, task, n, draw = asked
    values: dict[str, Any] = {"labels": n, "draw": draw, "split": draw, "seed": draw}
    if bench.settings.fit_steps:
        values["steps"] = bench.settings.fit_steps
    if n < _NO_STOP_EARLY:
        values["validation"] = 0.0
    config = supervised.settings_of(way, **values)
    settings = {
        **bench.sky_settings(preset, seed),
        **{"way": way, "task": task, "made_by": _made_by(bench, preset, way)},
        "config": fit_table(config),
    }
    key = _key("networks", (preset, seed, task, way, n, draw), settings)

    def make() -> dict[str, Any]:
        sky = bench.sky(preset, seed)
        start = supervised.start_of(way, bench.trained[preset], sky)
        folder = bench.store.fit_folder(key)
        how = replace(config, device=bench.device)
        fitted = supervised.fitted_on(sky, task, sky.truth.train, how, start, folder)
        n_learnt = fitted.said["n_train"] + fitted.said["n_validation"]
        show = terminal("score", "cutout")
        enough = n_learnt >= n  # as for probes: a sky with too few says nothing of so many
        scores = supervised.score_on(fitted, sky, task, show, device=bench.device) if enough else {}
        shutil.rmtree(folder)  # some hundred MB each
        return {str(n): scores} if scores else {}

    return Part(key, make, ("fewshot", task, way))


def _made_by(bench: Bench, preset: str, way: str) -> str:
    """Hash what a fit takes from the run: nothing, its network, or its weights."""
    trained = bench.trained[preset]
    if way == "cnn":
        return ""
    return trained.of_network() if way == "scratch" else trained.of_weights()


def _ceiling(bench: Bench, preset: str) -> Iterator[Part]:
    """Fit networks on all labels of another sky, and score them on each sky that is tested on."""
    for way in bench.settings.ceiling_ways:
        for task in supervised.CEILING:
            for seed in bench.settings.skies:
                yield _ceiling_part(bench, preset, seed, way, task)


def _ceiling_part(bench: Bench, preset: str, seed: int, way: str, task: str) -> Part:
    s = bench.settings
    n, steps = natural_share(s.ceiling_objects), s.ceiling_steps
    every = max(1, min(200, steps // 4))
    config = supervised.settings_of(
        way, steps=steps, validation=0.1, validate_every=every, patience=12, drop_band=_DROPPED
    )
    learned = {
        **{f"from_{k}": v for k, v in bench.sky_settings(preset, s.ceiling_seed, n).items()},
        **{"way": way, "task": task, "made_by": _made_by(bench, preset, way)},
        "config": fit_table(config),
    }
    fit = _key("ceiling", (preset, "fit", task, way), learned)
    settings = {**learned, **bench.sky_settings(preset, seed)}

    def make() -> dict[str, Any]:
        sky = bench.sky(preset, s.ceiling_seed, n)
        start = supervised.start_of(way, bench.trained[preset], sky)
        everywhere = np.ones(len(sky.truth.natural), dtype=bool)
        how = replace(config, device=bench.device)
        folder = bench.store.fit_folder(fit)
        fitted = supervised.fitted_on(sky, task, everywhere, how, start, folder)
        test = bench.sky(preset, seed)
        show = terminal("score", "cutout")
        return supervised.score_on(fitted, test, task, show, device=bench.device)

    return Part(_key("ceiling", (preset, seed, task, way), settings), make, ("ceiling", task, way))


def natural_share(cutouts: int) -> int:
    """Give how many of so many cutouts are in natural proportion, once rare ones are added."""
    return int(cutouts / (1 + sum(enrichment(10_000).values()) / 10_000))
