"""All that is kept between reruns, and nowhere else: open files, and what takes long to compute.

Everybody gets the same objects: arrays here are read only. Keys hold the time of the file's last
change, so what was replaced on the disk is opened anew.
"""

from app.cache.ledgers import (
    actions,
    audit,
    current,
    known,
    label_column,
    labels,
    labels_by_row,
    ledger,
)
from app.cache.maps import frame
from app.cache.networks import filled, made_with, network
from app.cache.probes import later, live, probability, probability_colours, warm
from app.cache.runs import config, holding, run, toml, weights
from app.cache.searches import candidates, embedder, searched
from app.cache.stamps import stamp
from app.cache.survey import (
    column,
    column_colours,
    cutout_ids,
    cutouts,
    data,
    thumbnails,
    tiles,
    tiles_behind,
    wider,
)

__all__ = [
    "actions",
    "audit",
    "candidates",
    "column",
    "column_colours",
    "config",
    "current",
    "cutout_ids",
    "cutouts",
    "data",
    "embedder",
    "filled",
    "frame",
    "holding",
    "known",
    "label_column",
    "labels",
    "labels_by_row",
    "later",
    "ledger",
    "live",
    "made_with",
    "network",
    "probability",
    "probability_colours",
    "run",
    "searched",
    "stamp",
    "thumbnails",
    "tiles",
    "tiles_behind",
    "toml",
    "warm",
    "weights",
    "wider",
]
