"""What benchmarks/needle.py tries, one thing at a time."""

from dataclasses import dataclass, field

BASE = "as it is"


@dataclass(frozen=True)
class Variant:
    """One thing that is different."""

    name: str
    what: str
    settings: dict[str, str] = field(default_factory=dict)  # of the training
    pooling: str = "central"
    turns: int = 1
    use: str = ""  # how embeddings are seen, where that is what differs; see `_used`
    winner: bool = False  # is the default


VARIANTS = (
    Variant(BASE, "SimMIM 128 wide, 4 deep, patch 8; all defaults", winner=True),
    Variant("no profile", "hidden patches alone", {"model.profile_weight": "0"}),
    Variant("profile x 3", "profile loss weighed 3", {"model.profile_weight": "3"}),
    Variant("larger", "192 wide, 6 deep", {"model.width": "192", "model.depth": "6"}),
    Variant("longer", "three times the steps", {"train.steps": "x3"}),
    Variant("8 turns", "averaged over turns and mirror images", turns=8),
    Variant("unit tokens", "probes see tokens at unit length", use="unit"),
    Variant("raw tokens", "probes see tokens as they are", use="raw"),
    Variant("no prior", "probes without what the unlabelled survey says", use="no prior"),
    Variant("blocks 1 and 3", "tokens of two blocks side by side", {"model.token_blocks": "1,3"}),
    Variant("averaged", "weights averaged, decay .999", {"train.ema": "0.999"}),
    Variant("whitening 0", "search on axes as they are", use="power 0"),
    Variant("whitening 1", "search on axes of equal variance", use="power 1"),
    Variant("expanded", "search expanded by the 20 best", use="expanded"),
    Variant("mean+central", "pooling mean+central", pooling="mean+central"),
    Variant("rings", "pooling rings", pooling="rings"),
    Variant("MAE", "MAE instead of SimMIM", {"model.objective": "mae"}),
    Variant("shared masks", "the same patches in all bands", {"model.shared_mask": "true"}),
    Variant(
        "ratio .6",
        "mask ratio fixed at .6",
        {"model.mask_ratio_min": "0.6", "model.mask_ratio_max": "0.6"},
    ),
    Variant("hidden bands", "a whole band hidden in 30 % of images", {"model.hide_band": "0.3"}),
    Variant("normalised", "each target patch normalised", {"model.normalize_target": "true"}),
    Variant("softening 3", "asinh bends at 3 sigma", {"model.softening": "3"}),
    Variant("clipped", "pixels clipped, not asinh", {"model.scaling": "clip"}),
    Variant("patch 4", "patches of 4 pixels", {"model.patch_size": "4"}),
)
