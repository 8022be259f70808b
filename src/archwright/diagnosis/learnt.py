"""What an estimate had learnt from before it was asked: it can't be judged by that, and it wasn't free."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archwright.core.architecture import Architecture
from archwright.core.parts import describe
from archwright.core.protocols import Estimator, SearchSpace
from archwright.diagnosis.paid import seconds
from archwright.run import load


@dataclass(frozen=True)
class Learnt:
    """What the runs know that an estimator learns from.

    Attributes:
        keys: canonical keys of what they measured.
        seconds: all that they cost; NaN where that isn't known.
    """

    keys: frozenset[str] = frozenset()
    seconds: float = 0.0

    @classmethod
    def of(cls, space: SearchSpace, estimator: Estimator, fidelity: float) -> Learnt:
        """What is known at a fidelity in the runs that it, or an estimator inside it, names in a field `runs`.

        Raises:
            StoreError: a folder that is no run, or one of another space.
        """
        folders = dict.fromkeys(_runs(describe(estimator)))
        runs = [load(Path(folder).expanduser(), space=space).history for folder in folders]  # type: ignore[arg-type]
        known = (item for run in runs for item in run if item.failure is None and item.trial.fidelity == fidelity)
        keys = frozenset(space.key(item.trial.architecture) for item in known)
        return cls(keys, math.fsum(seconds(item) for run in runs for item in run))

    def as_json(self, space: SearchSpace, architectures: Iterable[Architecture]) -> dict[str, Any]:
        """For the manifest: which of the architectures it knew, twins too, and the seconds."""
        known = [one.to_json() for one in architectures if self.keys and space.key(one) in self.keys]
        return {"architectures": known, "seconds": None if math.isnan(self.seconds) else self.seconds}


def _runs(description: Any) -> Iterator[str]:
    """The folders in the fields `runs` of a part and of the parts inside it."""
    if isinstance(description, Mapping):
        for name, value in description.items():
            if name == "runs" and isinstance(value, list):
                yield from (folder for folder in value if isinstance(folder, str))
            else:
                yield from _runs(value)
    elif isinstance(description, list):
        for item in description:
            yield from _runs(item)
