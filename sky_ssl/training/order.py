"""Which images make which batch, and all randomness of a step, as pure functions of the step.

Nothing here has a state, so a run resumes exactly from its step alone, on any number of ranks:
the batch is that of all ranks together, and each takes its share.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

# Random draws are made for this many samples at a time, whoever needs them: what a sample gets
# depends on its place in the global batch only, and a rank draws no more than its share.
DRAW = 64
MASK_RATIO = 1 << 32  # a third word of `step_seed` beyond those of ranks and pieces


class BatchOrder:
    """The order of the training images.

    Every epoch visits each image once. Images are read in runs of consecutive rows, for the sake
    of the disk; where the runs begin and their order change from epoch to epoch. Batches go on
    over the end of an epoch, so that no image is left out.

    Args:
        rows: (N,) row numbers to train on, ascending; None for an endless supply, numbered on.
        batch_size: images per batch, over all ranks.
        run_length: consecutive rows read together.
        seed: of the order.
    """

    def __init__(
        self, rows: npt.NDArray[np.integer] | None, batch_size: int, run_length: int, seed: int
    ) -> None:
        self.rows = rows
        self.batch_size = batch_size
        self.run_length = run_length
        self.seed = seed
        # a batch touches two epochs at most, unless the set is smaller than a batch
        self._epoch = lru_cache(maxsize=2)(self._permutation)

    def _permutation(self, epoch: int) -> npt.NDArray[np.integer]:
        assert self.rows is not None
        rng = np.random.default_rng([self.seed, 1, epoch])
        run = max(1, min(self.run_length, len(self.rows) // 4))  # a small set is shuffled fully
        edges = np.arange(rng.integers(run), len(self.rows), run)
        edges = np.unique(np.concatenate([[0], edges, [len(self.rows)]]))
        lengths = np.diff(edges)
        order = rng.permutation(len(lengths))
        starts, lengths = edges[:-1][order], lengths[order]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.rows[np.repeat(starts, lengths) + within]

    def batch(self, step: int) -> npt.NDArray[np.integer]:
        """Give the (batch_size,) row numbers of the global batch of a step."""
        positions = step * self.batch_size + np.arange(self.batch_size)
        if self.rows is None:
            return positions
        epochs, places = np.divmod(positions, len(self.rows))
        parts = [self._epoch(int(e))[places[epochs == e]] for e in np.unique(epochs)]
        return np.concatenate(parts)


def step_seed(seed: int, step: int, what: int) -> int:
    """Mix numbers into one seed of 63 bits."""
    words = np.random.SeedSequence([seed, step, what]).generate_state(2, np.uint32)
    return int(words[0]) << 31 ^ int(words[1])


def draw_for_share(
    draw: Callable[[int, torch.Generator], tuple[torch.Tensor, ...]],
    *,
    seed: int,
    step: int,
    share: slice,
    device: torch.device,
) -> tuple[torch.Tensor, ...]:
    """Make the random draws of a share of the global batch.

    Args:
        draw: called with (n, generator), returns tensors of n rows.
        seed, step: of the run.
        share: places in the global batch.
        device: where the generator and the draws live.
    """
    generator = torch.Generator(device=device)
    pieces = []
    first = share.start // DRAW
    for piece in range(first, -(-share.stop // DRAW)):
        generator.manual_seed(step_seed(seed, step, piece))
        pieces.append(draw(DRAW, generator))
    inside = slice(share.start - first * DRAW, share.stop - first * DRAW)
    return tuple(torch.cat(parts)[inside] for parts in zip(*pieces, strict=True))
