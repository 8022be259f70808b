"""How far cheap estimates rank as a dear one does. Read `diagnosing.py` first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archwright.core.lazy import lazy
from archwright.core.protocols import Estimator, SearchSpace

if TYPE_CHECKING:
    from archwright.diagnosis.diagnosing import Candidate
    from archwright.diagnosis.result import Diagnosis

__all__ = ["Candidate", "Diagnosis", "diagnose"]


def diagnose(
    space: SearchSpace,
    candidates: Mapping[str, Estimator | Candidate | str],
    reference: Estimator,
    *,
    folder: str | Path,
    architectures: int = 60,
    near_top: int = 20,
    objective: Any = "valid_accuracy",
    fidelities: Sequence[float] = (),
    again: bool = False,
    executor: Executor | None = None,
    seed: int = 0,
    on_answer: Callable[[str, int, int], None] | None = None,
) -> Diagnosis:
    """Measures how far estimates rank architectures as a reference does, and at which cost.

    A fair sample of the space is evaluated by the reference, then mutants of its best tenth; then every candidate is
    asked about the same architectures. Parameters and FLOPs alone stand beside them, where a run measures them. Each
    estimator's evaluations are a run in `folder`, recorded as a search is.

    Args:
        candidates: by their labels: an estimator; a `Candidate`, which says what it is judged by; or an objective's
            text, such as "max:synflow", for another metric of the reference's own evaluations. A candidate that doesn't
            measure the objective is judged by each metric of its own, which it names in a property `metrics`.
        reference: whose order counts: `Training` for many epochs, or a benchmark's estimator.
        folder: where it is kept. The same call goes on where it was interrupted; with other candidates these are added
            to those that were asked there before.
        architectures: of the fair sample; no two compute the same graph.
        near_top: how many mutants of the best tenth, to look at where a search ends up.
        objective: what the reference is judged by.
        fidelities: lower ones at which the reference is asked too, each a candidate. A training goes on from the next
            lower one where it can, and is charged for both.
        again: whether the reference is also asked from another seed: no estimate can be expected to agree with it more.
            It also tells who is the best without the luck of the first time.
        executor: where trials run, as in a search: `Inline()` by default. It is shut down at the end.
        seed: of the sample.
        on_answer: told after each answer: the run's label, how many are answered, and of how many.

    Raises:
        ArchwrightError: too few architectures, labels that can't be told apart, a reference that fails.
        BadObjective: a metric that an estimator doesn't measure.
        StoreError: a folder that holds something else, or can't be written.
    """
    from archwright.diagnosis.diagnosing import Plan

    plan = Plan.of(
        space,
        candidates,
        reference,
        architectures=architectures,
        near_top=near_top,
        objective=objective,
        fidelities=fidelities,
        again=again,
        seed=seed,
    )
    return plan.run(Path(folder), executor, on_answer)


__getattr__ = lazy(
    __name__,
    {
        "archwright.diagnosis.diagnosing": ["Candidate"],
        "archwright.diagnosis.result": ["Diagnosis"],
    },
)
