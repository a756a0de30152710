"""From a configuration to the network that it names."""

from collections.abc import Sequence

from sky_ssl.model.config import ModelConfig
from sky_ssl.model.mae import MAE
from sky_ssl.model.simmim import SimMIM

_NETWORKS: dict[str, type[SimMIM]] = {"simmim": SimMIM, "mae": MAE}


def make_model(config: ModelConfig, sky_sigma: Sequence[float]) -> SimMIM:
    """Make a network with new weights, from torch's global generator.

    Args:
        config: the network; its `objective` says which.
        sky_sigma: noise per band, in the unit of the images.
    """
    return _NETWORKS[config.objective](config, sky_sigma)
