"""What a network is, in numbers. Sizes are names for width, depth and heads."""

from dataclasses import dataclass

from sky_ssl.errors import InputError

SIZES = {
    "nano": (128, 4, 4),
    "small": (384, 8, 6),
    "base": (768, 12, 12),
    "large": (1024, 24, 16),
    "huge": (1280, 32, 16),
}
"""Width, depth and attention heads by name."""


@dataclass(frozen=True)
class ModelConfig:
    """A masked autoencoder of images."""

    objective: str = "simmim"  # "simmim" (Xie et al. 2022)
    size: str = "nano"  # nano, small, base, large, huge
    width: int = 0  # numbers per token; 0 = from the size
    depth: int = 0  # transformer blocks; 0 = from the size
    heads: int = 0  # attention heads; 0 = from the size
    image_size: int = 64  # pixels a side
    patch_size: int = 8  # pixels a side of a patch
    cls_token: bool = False  # a token beside the patches; SimMIM's loss does not train it
    drop_path: float = 0.0  # stochastic depth, at the last block
    scaling: str = "asinh"  # "asinh": asinh(x / (softening sigma)) / 2; "clip": x / sigma, clipped
    softening: float = 1.0  # in units of the sky noise
    clip_low: float = -3.0  # "clip": lowest value, in units of the sky noise
    clip_high: float = 1000.0  # "clip": highest value
    mask_ratio_min: float = 0.0  # the share of hidden patches is uniform from here
    mask_ratio_max: float = 0.9  # to here, one draw per image
    shared_mask: bool = False  # hide the same patches in all bands
    hide_band: float = 0.0  # probability that one whole band is hidden besides
    loss: str = "l1"  # "l1", "mse" or "huber", on hidden pixels with data
    normalize_target: bool = False  # each target patch to mean 0 and deviation 1

    def __post_init__(self) -> None:
        _choice("objective", self.objective, ("simmim",))
        _choice("size", self.size, tuple(SIZES))
        _choice("scaling", self.scaling, ("asinh", "clip"))
        _choice("loss", self.loss, ("l1", "mse", "huber"))
        for name in ("width", "depth", "heads"):
            if getattr(self, name) < 0:
                raise InputError(f"model.{name} = {getattr(self, name)}: must be 0 or more")
        for name in ("image_size", "patch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"model.{name} = {getattr(self, name)}: must be at least 1")
        if self.image_size % self.patch_size:
            raise InputError(
                f"model.patch_size = {self.patch_size} does not divide model.image_size = "
                f"{self.image_size}"
            )
        width, _, heads = self.dimensions
        if width % heads or width % 4:
            raise InputError(f"model.width = {width}: must be divisible by 4 and by {heads} heads")
        if not 0 <= self.mask_ratio_min <= self.mask_ratio_max <= 1:
            raise InputError(
                f"model.mask_ratio_min, mask_ratio_max = {self.mask_ratio_min}, "
                f"{self.mask_ratio_max}: must be 0 to 1 and in this order"
            )
        if not 0 <= self.hide_band <= 1:
            raise InputError(f"model.hide_band = {self.hide_band}: must be 0 to 1")
        if not 0 <= self.drop_path < 1:
            raise InputError(f"model.drop_path = {self.drop_path}: must be 0 or more and below 1")
        if not self.softening >= 1e-3:
            raise InputError(f"model.softening = {self.softening}: must be 0.001 or more")
        if not self.clip_low < self.clip_high:
            raise InputError(
                f"model.clip_low = {self.clip_low}: must be below clip_high = {self.clip_high}"
            )

    @property
    def dimensions(self) -> tuple[int, int, int]:
        """Width, depth and heads."""
        width, depth, heads = SIZES[self.size]
        return self.width or width, self.depth or depth, self.heads or heads

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along y and x."""
        return (self.image_size // self.patch_size,) * 2


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"model.{name} = {value!r}: allowed are {', '.join(allowed)}")
