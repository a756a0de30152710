"""Fitting predictors: they learn, from the training sky alone, and go on where they stopped."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.embedding import TokenStatistics
from sky_ssl.model.encoder import Encoder
from sky_ssl.model.predictor import Predictor
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training import distributed, finetune
from sky_ssl.training.checkpoint import find_checkpoint, read_checkpoint
from sky_ssl.training.fitstate import Pretrained, build, take_weights
from sky_ssl.training.layerwise import layer_of, layered_optimizer
from sky_ssl.training.log import read_metrics
from sky_ssl.training.predictconfig import FitConfig, fit_config
from sky_ssl.training.predictdata import Labels, Question, divide, make_part, scaled
from sky_ssl.training.predictor import load_predictor

INFO = CutoutInfo("test", ("g", "r"), 0.2, (30.0, 30.0), sky_sigma=(1.0, 1.0))
NETWORK = ModelConfig(width=16, depth=2, heads=2, image_size=16, patch_size=4)
N = 240


class Sky:
    """Blobs, wide or narrow, on noise; remembers which rows were read."""

    info, shape = INFO, (2, 16, 16)

    def __init__(self, n: int = N, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[-8:8, -8:8] + 0.5
        self.wide = rng.random(n) < 0.5
        self.width = np.where(self.wide, 3.0, 1.5) * rng.lognormal(0, 0.1, n)
        radius = (x**2 + y**2) / 2
        blob = 20 * np.exp(-radius / self.width[:, None, None] ** 2)
        self.images = (blob[:, None] + rng.normal(size=(n, *self.shape))).astype(np.float32)
        self.rows: set[int] = set()

    def read(self, rows: np.ndarray) -> np.ndarray:
        self.rows |= set(np.asarray(rows).tolist())
        return self.images[rows]

    def fingerprint(self) -> str:
        return hashlib.sha256(self.images.tobytes()).hexdigest()

    def labels(self, values: np.ndarray, **more: Any) -> Labels:
        n = len(values)
        question = Question(("kind",), ("narrow", "wide"))
        ra, dec = 100 + np.arange(n) / 4, np.zeros(n)
        fields = {"question": question, "rows": np.arange(n), "errors": None, "ra": ra, "dec": dec}
        return Labels(**{**fields, "values": values.reshape(n, -1).astype(float), **more})


def start() -> Pretrained:
    """Make an encoder with fixed random weights and its token statistics."""
    torch.manual_seed(3)
    encoder = Encoder(NETWORK, INFO.sky_sigma or ()).eval()
    statistics = TokenStatistics(torch.zeros(16), torch.ones(16))
    return Pretrained(NETWORK, INFO, encoder, statistics, "ab" * 32, "run")


@pytest.fixture(scope="module")
def pretrained() -> Pretrained:
    """What a predictor starts from."""
    return start()


def quick(mode: str, **settings: Any) -> FitConfig:
    defaults = {"steps": 60, "batch_size": 32, "threads": 1, "lr": 3e-3, "validate_every": 10}
    return fit_config(mode, **{**defaults, "precision": "fp32", **settings})


@pytest.mark.parametrize(
    ("mode", "head"),
    [
        ("frozen", "linear"),
        ("frozen", "attentive"),
        ("finetune", "linear"),
        ("scratch", "attentive"),
        ("cnn", "linear"),
    ],
)
def test_each_kind_learns_what_can_be_seen(
    mode: str, head: str, pretrained: Pretrained, tmp_path: Path
) -> None:
    """Wide and narrow blobs are told apart on sky that was not trained on."""
    sky = Sky()
    config = quick(mode, head=head)
    result = finetune.fit(config, sky.labels(sky.wide), sky, tmp_path / "p", pretrained)
    assert result["test"]["balanced_accuracy"]["low"] > 0.6
    assert result["n_test"] > 20
    fitted = load_predictor(tmp_path / "p")
    new = Sky(80, seed=1)
    shares = fitted.probabilities(fitted.answer(new.read, 80))
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert np.mean((shares[:, 1] > 0.5) == new.wide) > 0.75


def test_shuffled_labels_give_chance(pretrained: Pretrained, tmp_path: Path) -> None:
    """Labels that mean nothing: the interval of the test sky holds a half."""
    sky = Sky(600)
    mixed = np.random.default_rng(5).permutation(sky.wide)
    result = finetune.fit(quick("finetune"), sky.labels(mixed), sky, tmp_path, pretrained)
    figure = result["test"]["roc_auc"]
    assert figure["low"] < 0.5 < figure["high"]


def test_nothing_of_the_test_sky_reaches_the_weights(
    pretrained: Pretrained, tmp_path: Path
) -> None:
    """Other images and labels on the test sky change neither the weights nor what is read."""
    results = []
    for name in ("a", "b"):
        sky = Sky()
        labels = sky.labels(sky.wide)
        config = quick("finetune", steps=10)
        test = divide(labels, config, [])["test"]
        assert len(test) > 20
        if name == "b":
            sky.images[test] = np.nan
            labels.values[test] = 1 - labels.values[test]
        state = tmp_path / name
        finetune.fit(config, labels, sky, state, pretrained)
        folder = find_checkpoint(state)
        assert folder is not None
        results.append(load_file(folder / "model.safetensors"))
    a, b = results
    assert all(np.array_equal(a[n], b[n]) for n in a)


def test_the_parts_share_no_sky() -> None:
    """No two labels of different parts lie within the buffer of 3 arcmin."""
    rng = np.random.default_rng(0)
    sky = Sky(4)
    ra, dec = rng.uniform(10, 16, 3000), rng.uniform(0, 6, 3000)
    values = rng.integers(0, 2, 3000)
    labels = sky.labels(values, ra=ra, dec=dec)
    parts = divide(labels, fit_config("frozen"), [])
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        a, b = parts[one], parts[other]
        far = np.hypot(
            (ra[a, None] - ra[b]) * np.cos(np.radians(dec[a, None])), dec[a, None] - dec[b]
        )
        assert far.min() > 0.05


def test_few_labels_are_drawn_balanced_or_as_they_come() -> None:
    """`labels=40`: 32 and 8 of them, halves of each kind; natural: as frequent as they are."""
    rng = np.random.default_rng(0)
    values = (rng.random(4000) < 0.1).astype(int)
    labels = Sky(4).labels(values, ra=rng.uniform(0, 90, 4000), dec=rng.uniform(0, 9, 4000))
    config = fit_config("frozen", labels=40, test=0.0)
    parts = divide(labels, config, [])
    assert [len(parts[p]) for p in ("train", "validation", "test")] == [32, 8, 0]
    assert values[parts["train"]].sum() == 16
    other = divide(labels, replace(config, draw=1), [])
    assert set(other["train"].tolist()) != set(parts["train"].tolist())
    natural = divide(labels, replace(config, natural=True, labels=1000), [])
    assert 0.05 < values[natural["train"]].mean() < 0.15
    assert divide(labels, config, [])["train"].tolist() == parts["train"].tolist()


def test_natural_labels_to_stop_on_are_as_frequent_as_they_are() -> None:
    """Rare kinds are all trained on, but not forced into the few that tell when to stop."""
    rng = np.random.default_rng(0)
    values = rng.choice(12, 4000, p=[0.78, *[0.02] * 11])
    sky = Sky(4)
    question = Question(("kind",), tuple("abcdefghijkl"))
    ra, dec = rng.uniform(0, 90, 4000), rng.uniform(0, 9, 4000)
    labels = sky.labels(values, question=question, ra=ra, dec=dec)
    shares = []
    for draw in range(20):
        config = fit_config("frozen", labels=100, natural=True, test=0.0, draw=draw)
        parts = divide(labels, config, [])
        assert set(values[parts["train"]].tolist()) == set(range(12))
        shares.append(np.mean(values[parts["validation"]] == 0))
    assert np.mean(shares) == pytest.approx(0.78, abs=0.06)


def test_a_frozen_encoder_does_not_change(pretrained: Pretrained, tmp_path: Path) -> None:
    """After the fit the encoder has, bit for bit, the weights it came with; the head has not."""
    assert pretrained.encoder is not None
    sky = Sky()
    config = quick("frozen", head="attentive", steps=20)
    finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)
    model = load_predictor(tmp_path).model
    before = pretrained.encoder.state_dict()
    after = model.body.encoder.state_dict()  # type: ignore[attr-defined]
    assert all(torch.equal(after[n], before[n]) for n in before)
    fresh = build(config, NETWORK, INFO, Question(("kind",), ("a", "b")))
    assert not torch.equal(model.head.weight, fresh.head.weight)


@pytest.mark.parametrize(
    ("mode", "precision", "rounds"),
    [
        ("finetune", "auto", True),
        ("cnn", "auto", False),
        ("cnn", "bf16", True),
        ("frozen", "bf16", False),
    ],
)
def test_where_bf16_is_faster_it_is_used(
    mode: str,
    precision: str,
    rounds: bool,
    pretrained: Pretrained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where the processor has it: for transformers that learn; else if asked, and never frozen."""
    learnt: list[bool] = []

    def note(module: torch.nn.Module, images: Any) -> None:
        if module.training and isinstance(module, Predictor):
            learnt.append(torch.is_autocast_enabled("cpu"))

    monkeypatch.setattr(distributed, "has_bf16", lambda device: True)
    sky = Sky()
    config = quick(mode, steps=2, precision=precision)
    hook = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)
    finally:
        hook.remove()
    assert set(learnt) <= {rounds}
    assert learnt or mode == "frozen"


def test_what_is_remembered_of_a_frozen_encoder_is_what_it_says(
    pretrained: Pretrained, tmp_path: Path
) -> None:
    """A head on kept features, in all turns, becomes that on features computed each time."""
    sky = Sky()
    heads = []
    for name, limit in (("kept", 1 << 30), ("anew", 0)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(finetune, "_REMEMBERED", limit)
            config = quick("frozen", steps=15, patience=0)
            finetune.fit(config, sky.labels(sky.wide), sky, tmp_path / name, pretrained)
        heads.append(load_predictor(tmp_path / name).model.head.weight)
    torch.testing.assert_close(*heads, rtol=1e-4, atol=1e-6)


def test_rates_fall_layer_by_layer() -> None:
    """Patches are layer 0, blocks 1 to depth, what is behind them depth + 1; 0.5 per layer."""
    config = quick("finetune", head="attentive", layer_decay=0.5)
    model = build(config, NETWORK, INFO, Question(("kind",), ("a", "b")))
    optimizer = layered_optimizer(model, depth=2, lr=1.0, decay=0.5, weight_decay=0.1)
    of = {w: g for g in optimizer.param_groups for w in g["params"]}
    rates = {name: of[weight]["lr"] for name, weight in model.named_parameters()}
    assert rates["body.encoder.patch_embedding.weight"] == 0.125
    assert rates["body.encoder.hidden_patch"] == 0.125
    assert rates["body.encoder.blocks.0.attn.qkv.weight"] == 0.25
    assert rates["body.encoder.blocks.1.mlp.fc1.bias"] == 0.5
    assert rates["body.encoder.norm.weight"] == rates["head.weight"] == 1.0
    assert {rates[n] for n in rates if n.startswith("body.attention")} == {1.0}
    decays = {n for n, w in model.named_parameters() if of[w]["weight_decay"]}
    assert "body.encoder.hidden_patch" not in decays
    assert "head.bias" not in decays
    assert "head.weight" in decays
    assert layer_of("encoder.blocks.11.norm1.weight", 12) == 12


def test_rates_are_those_of_the_first_step(pretrained: Pretrained, tmp_path: Path) -> None:
    """AdamW's first step moves each weight by about its rate: the layers as they should."""
    assert pretrained.encoder is not None
    sky = Sky()
    config = quick("finetune", steps=1, layer_decay=0.1, weight_decay=0.0, warmup=0.0, lr=1e-2)
    finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)
    start = build(config, NETWORK, INFO, Question(("kind",), ("a", "b")))
    take_weights(start, pretrained)
    after = load_predictor(tmp_path).model.state_dict()
    moved = {n: (after[n] - w).abs().max().item() for n, w in start.state_dict().items()}
    assert moved["head.weight"] == pytest.approx(1e-2, rel=0.01)
    assert moved["body.encoder.blocks.1.mlp.fc2.weight"] == pytest.approx(1e-3, rel=0.01)
    assert moved["body.encoder.blocks.0.mlp.fc2.weight"] == pytest.approx(1e-4, rel=0.01)
    assert moved["body.encoder.patch_embedding.weight"] == pytest.approx(1e-5, rel=0.02)


def test_early_stop_keeps_the_best(pretrained: Pretrained, tmp_path: Path) -> None:
    """Labels that mean nothing on the validation sky: it stops, and gives the best weights."""
    sky = Sky()
    labels = sky.labels(sky.wide)
    config = quick("finetune", steps=400, patience=3, lr=1e-2)
    validation = divide(labels, config, [])["validation"]
    labels.values[validation] = 1 - labels.values[validation]
    result = finetune.fit(config, labels, sky, tmp_path, pretrained)
    lines = [m for m in read_metrics(tmp_path) if "validation_loss" in m]
    losses = {m["step"]: m["validation_loss"] for m in lines}
    best = min(losses, key=lambda step: losses[step])
    assert result["steps"] == best + 3 * config.validate_every < 400
    assert result["best_step"] == best
    folder = find_checkpoint(tmp_path, "best")
    assert folder is not None
    assert read_checkpoint(folder).step == best


def test_label_errors_are_weights(pretrained: Pretrained, tmp_path: Path) -> None:
    """A third of the numbers are nonsense: with their errors told, the rest is learnt better."""
    scores = {}
    for told in (False, True):
        sky = Sky(600)
        rng = np.random.default_rng(2)
        bad = rng.random(600) < 0.33
        values = sky.width + np.where(bad, 20 * rng.normal(size=600), 0.0)
        errors = np.where(bad, 20.0, 0.3)[:, None] if told else None
        question = Question(("width",), (), ("regress",))
        labels = sky.labels(values, errors=errors, question=question)
        config = quick("frozen", steps=150, test=0.0)
        finetune.fit(config, labels, sky, tmp_path / str(told), pretrained)
        new = Sky(200, seed=9)
        fitted = load_predictor(tmp_path / str(told))
        ((predicted, ranges),) = fitted.numbers(fitted.answer(new.read, 200))
        assert ranges is not None
        assert (ranges[:, 0] <= ranges[:, 1]).all()
        scores[told] = np.mean((predicted - new.width) ** 2)
    assert scores[True] < 0.5 * scores[False]


def test_weights_are_the_inverse_squares_of_errors() -> None:
    """Errors 1 and 2: weights 4 to 1, with a mean of 1; unknown numbers have none."""
    sky = Sky(6)
    values = np.array([[1.0, 5], [2, np.nan], [3, 6], [4, 7], [5, 8], [6, 9]])
    errors = np.array([[1.0, 1], [2, 1], [1, 1], [2, 1], [1, 1], [2, 1]])
    labels = sky.labels(values, errors=errors, question=Question(("a", "b"), (), ("regress",) * 2))
    question = scaled(labels, np.arange(6))
    part = make_part(sky, labels, np.arange(6), question, fit_config("frozen"))
    weights = part.weights.numpy()
    np.testing.assert_allclose(weights[:, 0], np.array([4, 1, 4, 1, 4, 1]) / 2.5)
    assert weights[1, 1] == 0
    assert question.center == (3.5, 7.0)
    assert torch.allclose(part.targets[0, 0], torch.tensor(-2.5 / np.std(np.arange(6))).float())
    floor = make_part(sky, labels, np.arange(6), question, fit_config("frozen", error_floor=100.0))
    np.testing.assert_allclose(floor.weights[:, 0], 1, atol=1e-3)


def test_several_numbers_at_once(pretrained: Pretrained, tmp_path: Path) -> None:
    """Two targets, some unknown: both are learnt, with figures and ranges of each."""
    sky = Sky(400)
    values = np.stack([sky.width, 5 - 2 * sky.width], axis=1)
    values[::9, 1] = np.nan
    question = Question(("a", "b"), (), ("regress", "regress"))
    labels = sky.labels(values, question=question)
    result = finetune.fit(quick("frozen", steps=150), labels, sky, tmp_path, pretrained)
    assert result["test"]["r2[a]"]["mean"] > 0.7
    assert result["test"]["r2[b]"]["mean"] > 0.7
    assert len(result["ranges"]) == 2


KILLED = """
import sys
sys.path.insert(0, {folder!r})
from pathlib import Path
import test_finetune as t
from sky_ssl.training import finetune
sky = t.Sky()
finetune.fit(t.LONG, sky.labels(sky.wide), sky, Path({run!r}), t.start())
"""
LONG = quick("scratch", steps=40, validate_every=5, patience=0, dropout=0.2, test=0.0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_stop_and_resume_is_bit_for_bit(how: signal.Signals, tmp_path: Path) -> None:
    """Stopped in the middle and repeated: the weights and the best step of an unbroken run."""
    code = KILLED.format(folder=str(Path(__file__).parent), run=str(tmp_path / "a"))
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while find_checkpoint(tmp_path / "a") is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(how)
    process.wait()
    at = find_checkpoint(tmp_path / "a")
    assert at is not None
    assert not (tmp_path / "a" / "predictor.json").exists()
    with pytest.raises(InputError, match="not finished"):
        load_predictor(tmp_path / "a")
    results = []
    for name in ("a", "b"):
        sky = Sky()
        results.append(finetune.fit(LONG, sky.labels(sky.wide), sky, tmp_path / name, start()))
    assert results[0]["best_step"] == results[1]["best_step"]
    a, b = (load_file(find_checkpoint(tmp_path / n) / "model.safetensors") for n in ("a", "b"))
    assert all(np.array_equal(a[n], b[n]) for n in b)
    logged = [[m["loss"] for m in read_metrics(tmp_path / n) if "loss" in m] for n in ("a", "b")]
    assert logged[0][-1] == logged[1][-1]


def test_a_finished_fit_is_not_repeated(pretrained: Pretrained, tmp_path: Path) -> None:
    """The same call again trains nothing and says the same; another setting is refused."""
    sky = Sky()
    labels, config = sky.labels(sky.wide), quick("frozen", steps=20)
    first = finetune.fit(config, labels, sky, tmp_path, pretrained)
    lines = read_metrics(tmp_path)
    again = finetune.fit(config, labels, sky, tmp_path, pretrained)
    assert json.dumps(again) == json.dumps(first)
    assert read_metrics(tmp_path) == lines
    with pytest.raises(InputError, match=r"predict.lr = 0.003, not 0.1"):
        finetune.fit(replace(config, lr=0.1), labels, sky, tmp_path, pretrained)
    other = sky.labels(~sky.wide)
    with pytest.raises(InputError, match=r"started with other labels"):
        finetune.fit(config, other, sky, tmp_path, pretrained)
    moved = replace(labels, ra=labels.ra + 1)
    with pytest.raises(InputError, match=r"started with other positions of the objects"):
        finetune.fit(config, moved, sky, tmp_path, pretrained)
    sky.images *= 2
    with pytest.raises(InputError, match=r"started with other cutouts"):
        finetune.fit(config, labels, sky, tmp_path, pretrained)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mode": "magic"}, "predict.mode = 'magic': must be one of frozen"),
        ({"mode": "cnn", "head": "attentive"}, "no tokens to attend to"),
        ({"stepz": "3"}, "unknown setting predict.stepz"),
        ({"labels": 1}, "predict.labels = 1"),
        ({"validation": 0.5, "test": 0.5}, "validation"),
        ({"lr": "fast"}, "predict.lr = 'fast': must be a float"),
    ],
)
def test_bad_settings_are_named(settings: dict[str, Any], message: str) -> None:
    """Each with its name, its value and what is allowed."""
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        fit_config(**{"mode": "frozen", **settings})


def test_labels_that_cannot_be_learnt_are_refused(pretrained: Pretrained, tmp_path: Path) -> None:
    """One kind alone, or one number alone, ends with a line that says so."""
    sky = Sky()
    with pytest.raises(InputError, match="no 'wide' on the sky to train on"):
        finetune.fit(quick("frozen"), sky.labels(np.zeros(N)), sky, tmp_path, pretrained)
    numbers = sky.labels(np.ones(N), question=Question(("z",), (), ("redshift",)))
    with pytest.raises(InputError, match="target 'z'"):
        finetune.fit(quick("frozen"), numbers, sky, tmp_path, pretrained)
    with pytest.raises(InputError, match="mode frozen: give the pre-trained run"):
        finetune.fit(quick("frozen"), sky.labels(sky.wide), sky, tmp_path)


def test_a_loss_that_is_no_number_stops_it(pretrained: Pretrained, tmp_path: Path) -> None:
    """A rate beyond all reason: the step and rows are named."""
    sky = Sky()
    config = quick("scratch", lr=1e30, clip=0.0, warmup=0.0)
    with pytest.raises(InputError, match="learning rate"):
        finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)


def test_a_network_of_its_own_size(tmp_path: Path) -> None:
    """From scratch without a run: size and patches as set, noise of the training images alone."""
    sky = Sky(60)
    labels = sky.labels(sky.wide)
    config = quick("scratch", steps=2, size="nano", patch_size=4)
    sky.images *= 7
    finetune.fit(config, labels, sky, tmp_path)
    fitted = load_predictor(tmp_path)
    assert (fitted.network.patch_size, fitted.network.dimensions[0]) == (4, 128)
    assert fitted.info.sky_sigma == pytest.approx((7, 7), rel=0.4)
    with pytest.raises(InputError, match=r"predict.size = 'nano': the network is that of"):
        finetune.fit(config, labels, sky, tmp_path / "b", start())


def test_few_labels_to_stop_on_are_mentioned(pretrained: Pretrained, tmp_path: Path) -> None:
    """Ten labels, two of which would tell when to stop: a note says what to do instead."""
    sky = Sky()
    labels = sky.labels(sky.wide)
    config = quick("frozen", steps=5, labels=10)
    result = finetune.fit(config, labels, sky, tmp_path / "a", pretrained)
    assert any("--validation 0" in note for note in result["notes"])
    result = finetune.fit(replace(config, validation=0.0), labels, sky, tmp_path / "b", pretrained)
    assert (result["n_train"], result["n_validation"], result["best_step"]) == (10, 0, 5)
    assert not any("--validation 0" in note for note in result["notes"])


def test_a_fit_of_an_earlier_version_goes_on(pretrained: Pretrained, tmp_path: Path) -> None:
    """A setting of the network that it had no word for is at what was done without it."""
    sky, config = Sky(), quick("finetune", steps=4)
    finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)
    for file in tmp_path.glob("checkpoint/step-*/state.json"):
        record = json.loads(file.read_text())
        del record["config"]["model"]["token_blocks"]
        del record["config"]["about"]["images"]
        file.write_text(json.dumps(record))
    finetune.fit(config, sky.labels(sky.wide), sky, tmp_path, pretrained)
    other = quick("finetune", steps=4, seed=1)
    with pytest.raises(InputError, match=r"this fit was started with predict\.seed = 0"):
        finetune.fit(other, sky.labels(sky.wide), sky, tmp_path, pretrained)
