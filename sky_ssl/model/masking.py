"""Which patches of which bands are hidden, and which pixels count. `True` = hidden."""

import random

import torch

from sky_ssl.model.config import ModelConfig


def random_masks(
    n: int,
    n_bands: int,
    grid: tuple[int, int],
    *,
    config: ModelConfig,
    generator: torch.Generator,
    ratio: float | None = None,
) -> torch.Tensor:
    """Draw masks on the device of the generator.

    The share of hidden patches is one uniform draw per image and the same in each band, unless
    `ratio` gives it for all; which patches is drawn per band, unless `shared_mask`. With
    probability `hide_band` one band of an image is hidden as a whole besides.

    Args:
        n: images.
        n_bands: C.
        grid: patches along y and x.
        config: ratios and probabilities.
        generator: the only source of randomness.
        ratio: share of hidden patches of all images, from `batch_ratio`; None = drawn here.

    Returns:
        (n, C, gh, gw) bool.
    """
    device, patches = generator.device, grid[0] * grid[1]
    low, high = config.mask_ratio_min, config.mask_ratio_max
    share = low + (high - low) * torch.rand(n, 1, 1, generator=generator, device=device)
    hidden = (share * patches).round().long()
    if ratio is not None:
        hidden = torch.full_like(hidden, round(ratio * patches))
    drawn = 1 if config.shared_mask else n_bands
    noise = torch.rand(n, drawn, patches, generator=generator, device=device)
    rank = noise.argsort(dim=-1).argsort(dim=-1)
    mask = (rank < hidden).expand(n, n_bands, patches).clone()
    if config.hide_band and n_bands > 1:  # of one band nothing would be left to predict it from
        whole = torch.rand(n, generator=generator, device=device) < config.hide_band
        which = torch.randint(n_bands, (n,), generator=generator, device=device)
        bands = torch.arange(n_bands, device=device)
        mask |= (whole[:, None] & (bands == which[:, None]))[:, :, None]
    return mask.view(n, n_bands, *grid)


def batch_ratio(config: ModelConfig, seed: int) -> float | None:
    """Draw the share of hidden patches of a whole batch, which MAE needs; else None.

    Images of which as many tokens are visible can be encoded together without the hidden ones.

    Args:
        config: ratios.
        seed: of this step, the same on all ranks.
    """
    if config.objective != "mae":
        return None
    low, high = config.mask_ratio_min, config.mask_ratio_max
    return low + (high - low) * random.Random(seed).random()


def to_pixels(mask: torch.Tensor, patch_size: int) -> torch.Tensor:
    """Spread masks (..., gh, gw) over the pixels of their patches (..., H, W)."""
    return mask.repeat_interleave(patch_size, -2).repeat_interleave(patch_size, -1)


def hidden_pixels(images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Count the pixels that the loss is taken on: hidden, and with data.

    Args:
        images: (B, C, H, W), NaN = no data.
        mask: (B, C, gh, gw).

    Returns:
        A scalar tensor, on the device of the images.
    """
    B, C, gh, gw = mask.shape
    patch_size = images.shape[-1] // gw
    finite = images.isfinite().reshape(B, C, gh, patch_size, gw, patch_size)
    return (finite & mask[:, :, :, None, :, None]).sum()
