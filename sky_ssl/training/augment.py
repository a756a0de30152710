"""Augmentation on the device: flips and quarter turns, crops, brightness, noise, dropped bands.

The random numbers of a batch are drawn first (`draw_augmentation`) and then applied, so that the
draws can be those of the global batch on any number of ranks.
"""

import torch
import torch.nn.functional as F

from sky_ssl.training.config import DataConfig


def draw_augmentation(
    n: int, shape: tuple[int, int, int], config: DataConfig, generator: torch.Generator
) -> tuple[torch.Tensor, ...]:
    """Draw the random numbers for n images of shape (C, H, W).

    Returns:
        orientation (n,) 0 to 7; crop (n, 3) uniform: size and place; brightness (n,) normal;
        drop (n, C) uniform; noise level (n,) uniform and noise (n, C, H, W), or (n, 0) if unused.
    """
    C, H, W = shape
    device = generator.device

    def uniform(*size: int) -> torch.Tensor:
        return torch.rand(size, generator=generator, device=device)

    orientation = torch.randint(8, (n,), generator=generator, device=device)
    crop, brightness = uniform(n, 3), torch.randn(n, generator=generator, device=device)
    drop, level = uniform(n, C), uniform(n)
    noise_shape = (n, C, H, W) if config.noise else (n, 0)
    noise = torch.randn(noise_shape, generator=generator, device=device)
    return orientation, crop, brightness, drop, level, noise


def augment(
    images: torch.Tensor,
    draws: tuple[torch.Tensor, ...],
    config: DataConfig,
    sky_sigma: torch.Tensor,
) -> torch.Tensor:
    """Apply drawn augmentations.

    Args:
        images: (B, C, H, W) physical values, NaN = no data.
        draws: from `draw_augmentation`, for these images.
        config: which augmentations, and how strong.
        sky_sigma: (C,) noise per band in the unit of the images.

    Returns:
        (B, C, H, W), NaN = no data.
    """
    orientation, crop, brightness, drop, level, noise = draws
    if config.flips:
        images = turn(images, orientation)
    if config.crop < 1:
        images = _crop(images, crop, config.crop)
    if config.brightness:
        images = images * torch.exp(config.brightness * brightness)[:, None, None, None]
    if config.noise:
        strength = (config.noise * level)[:, None] * sky_sigma
        images = images + noise * strength[:, :, None, None]
    if config.drop_band:
        gone = drop < config.drop_band
        gone &= ~gone.all(dim=1, keepdim=True)  # never all bands of an image
        images = images.masked_fill(gone[:, :, None, None], torch.nan)
    return images


def turn(images: torch.Tensor, orientation: torch.Tensor) -> torch.Tensor:
    """Turn each image by `orientation % 4` quarters, after a flip in x where it is 4 or more.

    Images that are not square are turned by halves only. One gather, no loop over images.
    """
    B, C, H, W = images.shape
    place = torch.arange(H * W, device=images.device).view(H, W)
    ways = []
    for k in range(8):
        flipped = place.flip(1) if k >= 4 else place
        ways.append(torch.rot90(flipped, k % 4 if H == W else 2 * (k % 2)).reshape(-1))
    index = torch.stack(ways)[orientation]  # (B, H*W)
    flat = images.reshape(B, C, H * W)
    return flat.gather(2, index[:, None].expand(B, C, H * W)).view(B, C, H, W)


def _crop(images: torch.Tensor, draw: torch.Tensor, smallest: float) -> torch.Tensor:
    """Zoom into a random square of each image, by bilinear interpolation of its pixels.

    A pixel next to one without data has none itself: NaN spreads through the interpolation.
    """
    size = smallest + (1 - smallest) * draw[:, 0]
    shift = (2 * draw[:, 1:] - 1) * (1 - size)[:, None]
    theta = torch.zeros(len(images), 2, 3, device=images.device)
    theta[:, 0, 0] = theta[:, 1, 1] = size
    theta[:, :, 2] = shift
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    zoomed = F.grid_sample(
        images, grid, mode="bilinear", align_corners=False, padding_mode="border"
    )
    return zoomed * (size**2)[:, None, None, None]  # counts per pixel: flux is conserved
