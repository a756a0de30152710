"""The mock survey: cutouts of a sky that is simulated, with the truth about each, from a seed."""

from sky_ssl.sky.mock.conditions import BANDS, PRESETS, SIZE
from sky_ssl.sky.mock.populations import LOOK_ALIKES, PRIOR
from sky_ssl.sky.mock.survey import MOCK_VERSION, MockBatch, generate, mock_info, write_mock

__all__ = [
    "BANDS",
    "LOOK_ALIKES",
    "MOCK_VERSION",
    "PRESETS",
    "PRIOR",
    "SIZE",
    "MockBatch",
    "generate",
    "mock_info",
    "write_mock",
]
