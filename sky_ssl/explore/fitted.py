"""Selection rules of what is fitted or searched already: a linear classifier, exemplars.

In: open embeddings and the classifier, or rows or vectors. Out: a `Selection`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sky_ssl import __version__
from sky_ssl.embedding.store import Embeddings
from sky_ssl.errors import InputError
from sky_ssl.explore.rule import Doubles, Floats, Selection, model_of
from sky_ssl.explore.whitening import Whitening

if TYPE_CHECKING:
    from sky_ssl.probes.calibration import Calibration
    from sky_ssl.probes.linear import LinearClassifier


def probe_selection(
    e: Embeddings,
    classifier: "LinearClassifier",
    *,
    positive: Any,
    threshold: float,
    calibration: "Calibration | None" = None,
    measured: Mapping[str, Any] | None = None,
    name: str = "",
    exemplars: npt.NDArray[np.integer] | Sequence[int] = (),
    origin: Mapping[str, Any] | None = None,
) -> Selection:
    """Make a rule of a linear classifier: the decision value of one class, from a threshold on.

    Args:
        e: the embeddings that it was fitted on.
        classifier: of any number of classes.
        positive: the class that is selected.
        threshold: least decision value.
        calibration: of that decision value to the probability of the class.
        measured: purity, completeness and others, each {"mean", "low", "high"}, and "how".
        name: default: the class.
        exemplars: rows (M,) of the file to keep as examples.
        origin: what the rule comes from.

    Raises:
        InputError: the classifier has no such class.
    """
    from sky_ssl.explore.features import probe_softness

    coefficients, intercept = _one_class(classifier, positive)
    return Selection(
        kind="probe",
        name=name or str(positive),
        **model_of(e),
        softness=probe_softness(e),
        threshold=float(threshold),
        coefficients=coefficients,
        intercept=intercept,
        mean=np.asarray(classifier.mean, dtype=np.float64),
        std=np.asarray(classifier.std, dtype=np.float64),
        **exemplars_of(e, np.asarray(exemplars, dtype=np.int64)),
        calibration=None if calibration is None else calibration.as_dict(),
        calibration_of="" if calibration is None else str(positive),
        measured=dict(measured or {}),
        origin={"from": "probe", **(origin or {})},
        **stamp(),
    )


def search_selection(
    e: Embeddings,
    rows: npt.NDArray[np.integer] | Sequence[int] | Floats,
    unlike: npt.NDArray[np.integer] | Sequence[int] | Floats | None = None,
    *,
    ids: Sequence[str] = (),
    threshold: float | None = None,
    measured: Mapping[str, Any] | None = None,
    name: str = "",
    calibration: "Calibration | None" = None,
    unlike_weight: float = 0.5,
    whitening: Whitening | None = None,
    expanded: tuple[int, Floats] | None = None,
) -> Selection:
    """Make a rule of a search: the cosine to the exemplars.

    Args:
        e: the embeddings that were searched.
        rows: exemplars, as rows (M,) of the file or as vectors (M, D).
        unlike: counter-examples likewise.
        ids: (M,) of exemplars that are given as vectors.
        threshold: least score; None makes a ranking alone.
        unlike_weight: of the counter-examples against the exemplars.
        whitening: that of the search, which the rule keeps; None: the mean cosine over tokens.
        expanded: how many of the best were added to the query, and the query after that.

    Raises:
        InputError: no exemplars, rows outside the file, or vectors of another length.
    """
    from sky_ssl.explore import search, similarity

    positive = _vectors(e, rows, "exemplars")
    negative = None if unlike is None else _vectors(e, unlike, "counter-examples")
    if not len(positive):
        raise InputError("a search needs at least one exemplar")
    tokens = similarity.token_count(e.attributes, e.values.shape[1])
    query = search.query_vector(positive, negative, tokens, unlike_weight, whitening)
    given = np.asarray(rows)
    known: dict[str, Any] = (
        exemplars_of(e, given.astype(np.int64))
        if given.ndim == 1
        else {
            "exemplars": positive,
            "exemplar_ids": tuple(ids) or tuple(f"exemplar {i + 1}" for i in range(len(positive))),
            "exemplar_ra": (np.nan,) * len(positive),
            "exemplar_dec": (np.nan,) * len(positive),
        }
    )
    if len(known["exemplar_ids"]) != len(positive):
        raise InputError(f"{len(ids)} ids for {len(positive)} exemplars")
    origin: dict[str, Any] = {"from": "search", "exemplars": len(positive)}
    if negative is not None:
        origin |= {"counter_examples": len(negative), "unlike_weight": unlike_weight}
    if expanded is not None:
        origin["expanded_by"], query = expanded[0], np.asarray(expanded[1], dtype=np.float32)
    return Selection(
        kind="search",
        name=name or f"like {known['exemplar_ids'][0]}",
        **model_of(e),
        tokens=tokens,
        threshold=None if threshold is None else float(threshold),
        query=query,
        whitening=whitening,
        **known,
        calibration=None if calibration is None else calibration.as_dict(),
        measured=dict(measured or {}),
        origin=origin,
        **stamp(),
    )


def _one_class(classifier: "LinearClassifier", positive: Any) -> tuple[Doubles, float]:
    """Take the plane (D,) of one class and its offset out of a classifier."""
    classes = [str(c) for c in classifier.classes]
    if str(positive) not in classes:
        raise InputError(f"positive {positive!r}: the classes are {', '.join(classes)}")
    place = classes.index(str(positive))
    coefficients = np.atleast_2d(np.asarray(classifier.coefficients, dtype=np.float64))
    intercept = np.atleast_1d(np.asarray(classifier.intercept, dtype=np.float64))
    if len(coefficients) > 1:
        return coefficients[place], float(intercept[place])
    # of two classes there is one plane, towards the second
    sign = 1.0 if place == 1 else -1.0
    return sign * coefficients[0], float(sign * intercept[0])


def _vectors(e: Embeddings, given: Any, what: str) -> npt.NDArray[np.float32]:
    """Give vectors (M, D), of rows of the file or as they are."""
    array = np.asarray(given)
    N, D = e.values.shape
    if array.ndim == 2:
        if array.shape[1] != D or not np.isfinite(array).all():
            raise InputError(f"{what} {array.shape}: must be finite and (M, {D})")
        return array.astype(np.float32)
    if array.size and not (0 <= array.min() and array.max() < N):
        raise InputError(f"{what}: rows must be from 0 to {N - 1}")
    return np.asarray(e.values[array.astype(np.int64)], dtype=np.float32)


def exemplars_of(e: Embeddings, rows: npt.NDArray[np.int64]) -> dict[str, Any]:
    """Give exemplars with ids and places, as arguments of `Selection`."""
    return {
        "exemplars": _vectors(e, rows, "exemplars"),
        "exemplar_ids": tuple(map(str, e.id[rows])),
        "exemplar_ra": tuple(map(float, e.ra[rows])),
        "exemplar_dec": tuple(map(float, e.dec[rows])),
    }


def stamp() -> dict[str, Any]:
    """Say when and with which version a rule is made, as arguments of `Selection`."""
    return {"made": datetime.now(UTC).isoformat(timespec="seconds"), "version": __version__}
