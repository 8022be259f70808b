"""Answers that were paid for once, kept for every later search."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from archwright.core.asking import answer_of
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe, rebuildable
from archwright.core.protocols import Informed
from archwright.core.trial import Evaluation, Trial
from archwright.estimators.mean import Mean
from archwright.estimators.wrapped import Wrapped
from archwright.runtime.files import write_if_possible
from archwright.runtime.store import read_json
from archwright.spaces.operators import key_of
from archwright.spaces.space import Space
from archwright.tasks.splitting import split_summary
from archwright.tasks.task import Task

PLACES = ("checkpoints", "folder")
"""Arguments of estimators that say where files lie: no part of what an answer is."""


@dataclass(frozen=True)
class Cached(Wrapped):
    """Keeps each answer in a folder of its own, and gives it again at no cost, to any search that asks the same.

    The same is: an equal space, canonical key, fidelity, seed, description of the estimator, and data in the splits of
    its task, if it has one. A kept answer costs 0 seconds and 0 `epochs`, and has the metrics `cached`, 1, and
    `cached_seconds` and `cached_epochs`: what it cost when it was made. It still is an evaluation of the budget, so
    that a search takes the same course whether its answers were kept or not. Failures aren't kept.

    An answer that depends on the history (a parent's weights, the best so far, what a predictor learnt) is the search's
    own, so `Inherited`, `EarlyStopping`, `Predicted` and `Staged` are refused inside: put `Cached` round what every
    search asks alike, as in Staged(cheap, Cached(dear)). Mean(Cached(of)) keeps the answer to each seed, and
    Cached(Mean(of)) the mean. An answer is a file, written whole or not at all, so that any number of processes may
    share the folder; where it can't be written, a warning says so and the answer counts all the same.

    Attributes:
        of: the estimator that is asked what nobody has asked before.
        folder: where answers are kept; give all searches the same.
        version: for a space, task or estimator of your own, whose description doesn't tell what it does: any text;
            change it whenever they change.

    Raises:
        ArchwrightError: what is inside depends on the history; or an estimator or task of your own and no `version`.
    """

    folder: str
    version: str = ""

    def __post_init__(self) -> None:
        informed = _informed(self.of)
        if informed is not None:
            raise ArchwrightError(
                f"Cached can't keep what {type(informed).__name__} answers: it depends on the history, and so is no "
                "answer for another search. Put Cached round what every search asks alike: Cached(Training(task)), "
                "Mean(Cached(Training(task))), Staged(cheap, Cached(Training(task)))"
            )
        self._check_version(self._estimator)

    def estimate(self, space: Space, trial: Trial, briefing: Any = None) -> Evaluation:
        """The answer that is kept; else that of the estimator inside.

        Raises:
            ArchwrightError: a space of your own and no `version`.
            StoreError: a kept answer can't be read.
        """
        question = self._question(space, trial)
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:32]
        path = Path(self.folder).expanduser() / digest[:2] / f"{digest}.json"
        if path.exists():
            kept = read_json(path)
            metrics, spared = dict(kept["metrics"]), kept["metrics"]  # a cache inside may have spared a part before
            if "epochs" in spared:
                metrics |= {"epochs": 0.0, "cached_epochs": spared["epochs"] + spared.get("cached_epochs", 0.0)}
            metrics |= {"cached": 1.0, "cached_seconds": kept["cost"] + spared.get("cached_seconds", 0.0)}
            return Evaluation(trial, metrics, tuple(kept["curve"]))
        answer = answer_of(self.of, space, trial, None)
        if answer.failure is None:
            kept = {**question, "metrics": dict(answer.metrics), "curve": answer.curve, "cost": answer.cost}
            without = "answers are not kept there, and paid for again by the next search"
            write_if_possible(path, json.dumps(kept).encode(), without, Path(self.folder))
        return answer

    def _question(self, space: Space, trial: Trial) -> dict[str, Any]:
        description = describe(space)
        self._check_version(description)
        return {
            "space": description,
            "key": key_of(space, trial.architecture),
            "fidelity": trial.fidelity,
            "seed": trial.seed,
            "data": self._data,
            "estimator": self._estimator,
            "version": self.version,
        }

    def _check_version(self, description: Any) -> None:
        if not self.version and not rebuildable(description):
            raise ArchwrightError(
                "Cached can't tell parts of your own from what they were yesterday: give it a version, such as "
                'version="1", and another one whenever they change'
            )

    @cached_property
    def _estimator(self) -> Any:
        return _without_places(describe(self.of))

    @cached_property
    def _data(self) -> dict[str, Any] | None:
        """What the splits hold, as this process has loaded them: files may change under the same name."""
        task = getattr(self.of, "task", None)
        return split_summary(task) if isinstance(task, Task) else None

    def __getstate__(self) -> dict[str, Any]:  # workers load for themselves
        return {name: value for name, value in self.__dict__.items() if name != "_data"}


def _informed(estimator: Any) -> Any:
    """Which estimator, of one and those inside it, reads the history; None if none does."""
    if isinstance(estimator, Wrapped) and type(estimator).briefing in (Wrapped.briefing, Mean.briefing):  # hand it on
        return _informed(estimator.of)
    return estimator if isinstance(estimator, Informed) else None


def _without_places(description: Any) -> Any:
    if isinstance(description, dict):
        return {name: _without_places(value) for name, value in description.items() if name not in PLACES}
    return [_without_places(item) for item in description] if isinstance(description, list) else description
