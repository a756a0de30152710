"""Selections: a lasso, a cut, a probe or a search as a rule that anyone can apply again.

In: open embeddings and what was drawn, fitted or searched on them. Out: a `Selection` that scores
any embeddings of the same model, and its JSON file. All that others need is named here.
"""

from sky_ssl.explore.drawn import lasso_selection, threshold_selection
from sky_ssl.explore.fitted import probe_selection, search_selection
from sky_ssl.explore.rule import Selection, check_model
from sky_ssl.explore.rulefile import content_hash, load_selection, save_selection

__all__ = [
    "Selection",
    "check_model",
    "content_hash",
    "lasso_selection",
    "load_selection",
    "probe_selection",
    "save_selection",
    "search_selection",
    "threshold_selection",
]
