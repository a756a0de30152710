"""What a network is, in numbers. Sizes are names for width, depth and heads."""

from dataclasses import dataclass

from sky_ssl.errors import InputError

OBJECTIVES = ("simmim", "mae")
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

    objective: str = "simmim"  # "simmim" (Xie et al. 2022) or "mae" (He et al. 2022)
    size: str = "nano"  # nano, small, base, large, huge
    width: int = 0  # numbers per token; 0 = from the size
    depth: int = 0  # transformer blocks; 0 = from the size
    heads: int = 0  # attention heads; 0 = from the size
    image_size: int = 64  # pixels a side
    patch_size: int = 8  # pixels a side of a patch
    cls_token: bool = False  # a token beside the patches; SimMIM's loss does not train it
    # blocks, from 1, whose tokens make embeddings, side by side; () = the last one, normed
    token_blocks: tuple[int, ...] = ()
    drop_path: float = 0.0  # stochastic depth, at the last block
    scaling: str = "asinh"  # "asinh": asinh(x / (softening sigma)) / 2; "clip": x / sigma, clipped
    softening: float = 1.0  # in units of the sky noise
    clip_low: float = -3.0  # "clip": lowest value, in units of the sky noise
    clip_high: float = 1000.0  # "clip": highest value
    mask_ratio_min: float = 0.0  # the share of hidden patches is uniform from here
    mask_ratio_max: float = 0.9  # to here, one draw per image (MAE: per batch)
    # hide the same patches in all bands; "none" = as the objective needs: MAE true, SimMIM false
    shared_mask: bool | None = None
    hide_band: float = 0.0  # probability that one whole band is hidden besides
    loss: str = "l1"  # "l1", "mse" or "huber", on hidden pixels with data
    normalize_target: bool = False  # each target patch to mean 0 and deviation 1
    decoder_width: int = 0  # MAE: numbers per token of the decoder; 0 = half of the encoder's
    decoder_depth: int = 2  # MAE: transformer blocks of the decoder
    decoder_heads: int = 0  # MAE: attention heads of the decoder; 0 = one for 32 numbers
    # of the loss of the radial profile that the central tokens foretell; 0 = none
    profile_weight: float = 1.0
    pool_weight: float = 0.0  # of the loss of patches foretold from one pooled vector; 0 = no pool
    sky_token: bool = False  # RA and Dec as a token beside the patches: it learns the footprint
    sky_degree: int = 4  # highest degree of the spherical harmonics of RA and Dec
    sky_withheld: float = 0.1  # share of images trained on as if their RA and Dec were unknown

    def __post_init__(self) -> None:
        _choice("objective", self.objective, OBJECTIVES)
        is_mae = self.objective == "mae"
        if self.shared_mask is None:
            object.__setattr__(self, "shared_mask", is_mae)
        _choice("size", self.size, tuple(SIZES))
        _choice("scaling", self.scaling, ("asinh", "clip"))
        _choice("loss", self.loss, ("l1", "mse", "huber"))
        for name in ("width", "depth", "heads", "decoder_width", "decoder_heads", "sky_degree"):
            if getattr(self, name) < 0:
                raise InputError(f"model.{name} = {getattr(self, name)}: must be 0 or more")
        for name in ("image_size", "patch_size", "decoder_depth"):
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
        self._check_token_blocks()
        if not 0 <= self.mask_ratio_min <= self.mask_ratio_max <= 1:
            raise InputError(
                f"model.mask_ratio_min, mask_ratio_max = {self.mask_ratio_min}, "
                f"{self.mask_ratio_max}: must be 0 to 1 and in this order"
            )
        if not 0 <= self.hide_band <= 1:
            raise InputError(f"model.hide_band = {self.hide_band}: must be 0 to 1")
        for name in ("drop_path", "sky_withheld"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"model.{name} = {getattr(self, name)}: must be 0 to below 1")
        for name in ("profile_weight", "pool_weight"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"model.{name} = {getattr(self, name)}: must be 0 or more")
        if is_mae:
            self._check_mae()
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
    def known_size(self) -> str:
        """Name the size and a space, where width and depth are those of the name; else empty."""
        return f"{self.size} " if self.dimensions[:2] == SIZES[self.size][:2] else ""

    @property
    def token_width(self) -> int:
        """Numbers per token of an embedding."""
        return self.dimensions[0] * max(1, len(self.token_blocks))

    @property
    def decoder_dimensions(self) -> tuple[int, int, int]:
        """Width, depth and heads of the decoder of MAE."""
        width = self.decoder_width or -(-self.dimensions[0] // 8) * 4
        most = max(1, width // 32)
        heads = self.decoder_heads or next(n for n in range(most, 0, -1) if width % n == 0)
        return width, self.decoder_depth, heads

    def _check_token_blocks(self) -> None:
        """Refuse blocks that are not there, or not in order."""
        chosen, depth = self.token_blocks, self.dimensions[1]
        if any(not 1 <= n <= depth for n in chosen) or list(chosen) != sorted(set(chosen)):
            raise InputError(
                f"model.token_blocks = {list(chosen)}: must be blocks from 1 to {depth}, rising, "
                "each once; none for the last"
            )

    def _check_mae(self) -> None:
        """Refuse what an encoder of the visible tokens alone cannot do."""
        if not self.shared_mask:
            raise InputError(
                "model.shared_mask = false: MAE leaves hidden tokens out, so its masks must be "
                'the same in all bands: true, or leave it out (model.objective = "mae")'
            )
        width, _, heads = self.decoder_dimensions
        if width % heads or width % 4:
            raise InputError(
                f"model.decoder_width = {width}: must be divisible by 4 and by {heads} heads"
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along y and x."""
        return (self.image_size // self.patch_size,) * 2


def _choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"model.{name} = {value!r}: allowed are {', '.join(allowed)}")
