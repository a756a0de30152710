"""What a survey as a whole, unlabelled, says of the coefficients of a probe on its tokens.

In: an embeddings file. Out: a `Prior` (see `probes.prior`), found on a sample of its rows as
probes see them, and kept for the files looked at last: that takes some seconds for long embeddings.
"""

import threading

import numpy as np

from sky_ssl.embedding.store import Embeddings
from sky_ssl.explore.features import probe_softness, softened
from sky_ssl.explore.similarity import spread
from sky_ssl.probes.prior import Prior, fit_prior, sample_size

_KEPT = 4
_found: dict[tuple[object, ...], Prior | None] = {}
_finding = threading.Lock()  # what is being found beside a page is waited for, not found twice


def find_prior(e: Embeddings) -> Prior | None:
    """Find it anew.

    Returns:
        None where there are too few objects to say anything, and for what are no tokens: of the
        rings of real galaxies it helped to find dwarfs and hurt to tell types.
    """
    softness = probe_softness(e)
    if not softness:
        return None
    sample = np.concatenate(list(spread(e.values, sample_size(e.values.shape[1]))))
    return fit_prior(softened(sample, softness))


def prior_of(e: Embeddings) -> Prior | None:
    """Give what `find_prior` finds, kept as long as the file stays as it is."""
    if not e.path.exists():  # nothing tells these numbers from others
        return find_prior(e)
    changed = e.path.stat().st_mtime_ns
    key = (str(e.path), e.values.shape, probe_softness(e), changed)
    with _finding:
        if key not in _found:
            while len(_found) >= _KEPT:
                _found.pop(next(iter(_found)))
            _found[key] = find_prior(e)
        return _found[key]
