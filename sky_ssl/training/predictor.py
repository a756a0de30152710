"""A fitted predictor: read from its run directory, and put to images.

In: images in the units it was fitted on. Out: probabilities of classes, or numbers with the ranges
that held 68 and 95 % of the validation sky.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sky_ssl.errors import InputError
from sky_ssl.model.config import ModelConfig
from sky_ssl.model.predictor import Predictor
from sky_ssl.probes.redshift import ObjectIntervals
from sky_ssl.progress import Progress
from sky_ssl.sky.cutouts import CutoutInfo
from sky_ssl.training import checkpoint, distributed
from sky_ssl.training.fitscore import answer, in_units
from sky_ssl.training.fitstate import build, read_state
from sky_ssl.training.predictconfig import FitConfig
from sky_ssl.training.predictdata import Question, Rows


@dataclass(frozen=True)
class Fitted:
    """A predictor with all that is needed to use it."""

    path: Path
    config: FitConfig
    network: ModelConfig
    question: Question
    info: CutoutInfo  # photometric units and noise
    model: Predictor
    said: dict[str, Any]  # predictor.json
    sha256: str

    @property
    def image_size(self) -> int | None:
        """Pixels a side that the network takes; None: any."""
        return None if self.config.mode == "cnn" else self.network.image_size

    def describe(self) -> dict[str, Any]:
        """Say what it is, for `sky-ssl info`."""
        return {
            "kind": "predictor",
            "rows": self.said["n_train"],
            **{name: self.said[name] for name in ("mode", "targets", "classes", "pretrained")},
            "bands": list(self.info.bands),
            "survey": self.info.survey,
            "sha256": self.sha256,
        }

    def answer(
        self,
        read: Callable[[Rows], npt.NDArray[np.float32]],
        n: int,
        *,
        turns: bool = False,
        device: str = "auto",
        progress: Progress | None = None,
    ) -> npt.NDArray[np.float32]:
        """Give the raw answers (n, K) to images 0 to n - 1; see `fitscore.answer`."""
        where = distributed.start(device).device
        self.model.to(where)
        return answer(self.model, read, n, device=where, turns=turns, progress=progress)

    def probabilities(self, answers: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """Give the probabilities (n, K) of the classes, as frequent as it was fitted for."""
        from scipy.special import softmax

        return np.asarray(softmax(answers.astype(np.float64), axis=1))

    def numbers(
        self, answers: npt.NDArray[np.floating]
    ) -> list[tuple[npt.NDArray[np.float64], npt.NDArray[np.floating] | None]]:
        """Give each number (n,) and its ranges (n, 4): low and high of 68 %, of 95 %, or None."""
        found = []
        for k, values in enumerate(in_units(answers, self.question).T):
            ranges = self.said["ranges"][k] if k < len(self.said["ranges"]) else {}
            around = None
            if ranges:
                intervals = ObjectIntervals(np.array(ranges["edges"]), np.array(ranges["offsets"]))
                around = intervals.around(values)
            found.append((values, around))
        return found


def load_predictor(run: str | Path) -> Fitted:
    """Load a predictor, in evaluation mode on the CPU.

    Raises:
        InputError: there is none, or its fit is not finished.
    """
    path = Path(run)
    folder = checkpoint.find_checkpoint(path, "best")
    if folder is None:
        raise InputError(f"{path}: no predictor here; expected what `sky-ssl predict fit` made")
    config, network, question, state = read_state(folder)
    try:
        said = json.loads((path / "predictor.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: this fit is not finished; repeat the command that started it"
        ) from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}/predictor.json: cannot be read ({error})") from error
    model = build(config, network, state.info, question)
    checkpoint.load_weights(model, folder / "model.safetensors")
    return Fitted(path, config, network, question, state.info, model.eval(), said, state.sha256())
