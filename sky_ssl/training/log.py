"""What a run writes down: `metrics.jsonl`, a bar on the terminal, Weights & Biases.

Only the first rank makes a log. W&B is imported only when it is asked for.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sky_ssl.progress import reporter


class RunLog:
    """The log of a run.

    Args:
        run: run directory.
        start: step the run starts or resumes at; lines of later steps, written after the last
            checkpoint, are dropped so that no step stands twice.
        steps: steps in all.
        table: configuration, for W&B.
        wandb: "disabled", "offline" or "online".
        project: W&B project.
    """

    def __init__(
        self,
        run: Path,
        *,
        start: int,
        steps: int,
        table: Mapping[str, Any],
        wandb: Any = "disabled",
        project: str = "sky_ssl",
    ) -> None:
        self.path = run / "metrics.jsonl"
        self._keep_before(start)
        self._file = self.path.open("a", encoding="utf-8")
        self._bar = tqdm(
            total=steps, initial=start, desc="train", unit="step", disable=None, dynamic_ncols=True
        )
        self._report, self._steps = reporter("train", "step"), steps
        self._last = (time.perf_counter(), start)
        self._wandb = None
        if wandb != "disabled":
            import wandb as weights_and_biases

            # W&B cannot rewind offline: it gets the step as a value of its own
            self._wandb = weights_and_biases.init(
                project=project,
                name=run.name,
                id=run.name,
                dir=run,
                mode=wandb,
                config=dict(table),
                resume="allow" if wandb == "online" else None,
            )

    def _keep_before(self, start: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= start:
                    kept.append(line)
            except (ValueError, KeyError):  # the half-written last line of a killed run
                break
        temporary = self.path.with_suffix(".partial")
        temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        os.replace(temporary, self.path)

    def step(self, step: int, images: int, **values: float) -> None:
        """Write the line of a finished step.

        Args:
            step: steps done.
            images: images per step, over all ranks.
            values: loss, learning rate, ...
        """
        now, (before, last) = time.perf_counter(), self._last
        rate = images * (step - last) / max(now - before, 1e-9)
        self._last = (now, step)
        self.write(step, images_per_second=round(rate, 2), **values)
        self._bar.set_postfix_str(f"loss {values['loss']:.4f}, {rate:.0f} img/s", refresh=False)
        self._bar.update(step - self._bar.n)
        self._report(step, self._steps)

    def write(self, step: int, **values: float) -> None:
        """Write any values that belong to a step."""
        self._file.write(json.dumps({"step": step, "time": round(time.time(), 3), **values}) + "\n")
        self._file.flush()
        if self._wandb is not None:
            self._wandb.log({"step": step, **values})

    def forget_pause(self) -> None:
        """Leave validation and checkpoints out of the rate."""
        self._last = (time.perf_counter(), self._last[1])

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        tqdm.write(text)

    def close(self) -> None:
        """Close the file, the bar and W&B."""
        self._file.close()
        self._bar.close()
        if self._wandb is not None:
            self._wandb.finish()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Read the lines of a run's `metrics.jsonl`; a half-written last line is left out."""
    path = run / "metrics.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    result = []
    for line in lines:
        try:
            result.append(json.loads(line))
        except ValueError:
            break
    return result
