"""A random sample of a data set, to be labelled blind: what prevalence is estimated from.

In: the objects of a data set, and the ledger, which remembers what was drawn. Out: a list in random
order without anything that would tell the labeller what to expect; the labels of such samples.
"""

import numpy as np
import pandas as pd

from sky_ssl.errors import InputError
from sky_ssl.explore.labelmatch import DataSet
from sky_ssl.explore.labels import Ledger, Origin


def draw_audit(
    ledger: Ledger, data: DataSet, n: int, *, task: str, origin: Origin, seed: int = 0
) -> pd.DataFrame:
    """Draw a simple random sample of a data set and remember it in the ledger.

    Every object that was not drawn for this task before has the same chance, so all samples of a
    task together are one simple random sample too.

    Args:
        ledger: remembers the sample, as events without a label.
        data: the objects.
        n: how many.
        task: what they will be labelled for.
        origin: who draws; data set and source are filled in.
        seed: the same seed and the same earlier samples give the same sample.

    Returns:
        Columns id, ra, dec and an empty `label`, in random order.

    Raises:
        InputError: fewer than `n` objects are left to draw from.
    """
    ids = np.asarray(data.id, dtype=object)
    earlier = set(ledger.audit_sample(task=task, dataset=data.fingerprint)["object_id"])
    left = np.flatnonzero([name not in earlier for name in ids])
    if not 1 <= n <= left.size:
        drawn = f" ({len(earlier)} of {ids.size} were drawn before)" if earlier else ""
        raise InputError(f"n = {n}: must be 1 to {left.size}, the objects left to draw{drawn}")
    # another stream for every sample, or a second one would repeat the places of the first
    rng = np.random.default_rng([seed, len(earlier)])
    rows = rng.choice(left, size=n, replace=False)
    who = Origin(origin.labeller, "audit", data.fingerprint, f"random sample, seed {seed}")
    chosen = pd.DataFrame({"id": ids[rows], "ra": data.ra[rows], "dec": data.dec[rows]})
    ledger.remember_audit(
        chosen["id"].tolist(), task=task, origin=who, ra=chosen["ra"], dec=chosen["dec"]
    )
    return chosen.assign(label="")


def audit_labels(
    ledger: Ledger, *, task: str, dataset: str, labeller: str | None = None
) -> pd.DataFrame:
    """Give the objects drawn for a task, with their labels.

    Args:
        ledger: where the samples and the labels are.
        task: of the samples.
        dataset: fingerprint.
        labeller: take this one's labels; by default what the majority says.

    Returns:
        Columns id, ra, dec, label ("" where there is none yet, or a tie), in the order drawn.
    """
    sample = ledger.audit_sample(task=task, dataset=dataset)
    if labeller is None:
        labels = ledger.consensus(task=task, dataset=dataset)
    else:
        labels = ledger.current(task=task, dataset=dataset, labeller=labeller)
    said = dict(zip(labels["object_id"], labels["label"], strict=True))
    drawn = sample.drop_duplicates("object_id").rename(columns={"object_id": "id"})
    answers = [said.get(name, "") for name in drawn["id"]]
    return drawn[["id", "ra", "dec"]].assign(label=answers).reset_index(drop=True)
