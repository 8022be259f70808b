"""What a fidelity is, in words; what a run's folder is called; which field an estimator has."""

from __future__ import annotations

import re
from typing import Any


def in_words(estimator: Any, fidelity: float, whole: str | None = None) -> str:
    """4 epochs; 33% of the data; fidelity 0.06 where the estimator doesn't say of what.

    Args:
        whole: what full fidelity is called where it isn't a number of epochs.
    """
    epochs = _epochs(estimator)
    if epochs is not None:
        count = max(1, round(epochs * fidelity))
        return f"{count} epoch{'s' if count > 1 else ''}"
    if whole is not None:
        return whole
    shared = find(estimator, "along")
    return f"fidelity {fidelity:.3g}" if shared is None else f"{fidelity:.3g} of the {' and '.join(shared)}"


def folder_of(label: str) -> str:
    """A label without what a path could not hold."""
    return re.sub(r"[^\w.=,-]+", "-", label).strip("-.") or "candidate"


def _epochs(estimator: Any) -> int | None:
    """The epochs that full fidelity is, where a lower one is a share of them."""
    if find(estimator, "along") == ("epochs",):
        return int(find(estimator, "epochs"))
    table = re.fullmatch(r"(\d+) epochs?", str(getattr(find(estimator, "benchmark"), "fidelity_of", "")))
    return None if table is None else int(table[1])


def find(estimator: Any, name: str) -> Any:
    """A field of the estimator, or of the one that it is round."""
    while estimator is not None and not hasattr(estimator, name):
        estimator = getattr(estimator, "of", None)
    return getattr(estimator, name, None)
