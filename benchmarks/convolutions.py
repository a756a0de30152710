"""How to lay out and round the convolutional network: seconds a batch of 64 takes on one core.

    python benchmarks/convolutions.py

Layouts and precisions take turns in one run; each figure is the least of them.
"""

import time

import torch
from torch import nn

from sky_ssl.model.convnet import ConvNet

TURNS = 6


def seconds(layers: nn.Module, images: torch.Tensor, bf16: bool) -> float:
    """Forward and backward, once."""
    start = time.process_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        loss = layers(images).float().mean()
    loss.backward()
    return time.process_time() - start


def main() -> None:
    """Print a line per layout and precision."""
    torch.set_num_threads(1)
    found: dict[tuple[str, bool], list[float]] = {}
    for _ in range(TURNS):
        for name, layout in (
            ("channels first", torch.contiguous_format),
            ("channels last", torch.channels_last),
        ):
            layers = ConvNet([1.0] * 5).layers.to(memory_format=layout)
            images = torch.randn(64, 10, 64, 64).contiguous(memory_format=layout)
            for bf16 in (False, True):
                found.setdefault((name, bf16), []).append(seconds(layers, images, bf16))
    for (name, bf16), each in found.items():
        print(f"{name:15} {'bf16' if bf16 else 'fp32'}  {min(each):.3f} s a batch")


if __name__ == "__main__":
    main()
