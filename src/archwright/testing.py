"""The contracts of the three boxes as checks that anybody can run on a part of their own.

    from archwright.testing import check_strategy
    def test_mine():
        check_strategy(MyStrategy())

Each raises `ContractError` (an AssertionError) that names the promise.
"""

from __future__ import annotations

import json
import math
import pickle
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from archwright.core.architecture import Architecture
from archwright.core.choices import Choice, Integer, Real, Repeat, Subset, accepts
from archwright.core.history import History
from archwright.core.objective import Goal
from archwright.core.protocols import Estimator, GradientStrategy, Strategy
from archwright.core.rng import Streams
from archwright.core.signature import Signature
from archwright.core.trial import Evaluation, Trial
from archwright.runtime.pickling import dumps
from archwright.search import budget, search
from archwright.spaces import operators
from archwright.spaces.space import Space


class ContractError(AssertionError):
    """A part does not keep a promise that the other parts rely on."""


def check_space(
    space: Space,
    signatures: Sequence[Signature] = (),
    *,
    samples: int = 300,
    seed: int = 0,
    largest_enumerated: int = 20_000,
) -> None:
    """A space keeps its promises.

    On `samples` random architectures: the walk is repeatable, decisions fit their choices, JSON goes both ways,
    mutation changes exactly one kept decision, crossover and neighbours stay inside, none is excluded, a graph's
    key does not depend on how its vertices are numbered; small spaces enumerate to exactly their size (to less where
    the space excludes some). With `signatures`, the samples are shared among them: each builds, runs forward and
    backward on a batch of two, and has parameters; architectures of equal keys have equally many (but where a
    benchmark's own `normal_form` says what is equal).

    Raises:
        ContractError: a promise is not kept; the message holds the architecture.
    """
    size = operators.size(space)
    _demand(size >= 1, f"size {size} is less than one architecture")
    if size <= largest_enumerated:
        everything = list(operators.enumerate_all(space))
        whole = len(everything) == size or (hasattr(space.factory, "excluded") and len(everything) < size)
        _demand(
            whole and len(everything) == len(set(everything)), f"enumerates {len(everything)}, but its size is {size}"
        )
    streams = Streams(seed)
    previous: Architecture | None = None
    published = hasattr(space.factory, "normal_form")
    parameters: dict[tuple[str, Signature], int] = {}
    for number in range(samples):
        architecture = operators.sample(space, streams[number])
        with _about(architecture):
            _check_architecture(space, architecture, previous, streams[samples + number])
            if signatures:
                signature = signatures[number % len(signatures)]
                count = _check_network(space, architecture, signature)
                known = parameters.setdefault((space.key(architecture), signature), count)
                _demand(known == count or published, f"an equal key stands for {known} and for {count} parameters")
        previous = architecture


def check_strategy(strategy: Strategy, *, evaluations: int = 60, seed: int = 0) -> None:
    """A strategy keeps its promises, on a numeric, a conditional, a one-point and a categorical space.

    The same history and rng give the same trial, also for a fresh copy and in a fresh process; no global randomness
    is used; failed evaluations and any order of arrival are tolerated; several trials may be pending; the history is
    not touched; one and two objectives are served. A strategy that can't take a space says so by an
    `ArchwrightError` at its first proposal.

    Raises:
        ContractError: a promise is not kept.
    """
    for name, space in spaces_to_survive().items():
        if not _proposes(strategy, space):
            continue  # such as an exhaustive search of a space with a Real, which says so
        for wanted in ("min:loss", ["min:loss", "min:cost"]):
            pickled = dumps(strategy)
            first = _drive(pickle.loads(pickled), space, wanted, evaluations, seed)
            again = _drive(pickle.loads(pickled), space, wanted, evaluations, seed)
            _demand(first == again, f"on the {name} space the same seed gave another sequence of trials")
            _check_fresh_eyes(strategy, space, wanted, first, seed)
    _check_fresh_process(strategy, seed)


def check_estimator(
    estimator: Estimator,
    space: Space,
    *,
    architectures: int = 3,
    fidelities: Iterable[float] = (1.0,),
    tolerance: float = 0.0,
) -> None:
    """An estimator keeps its promises.

    The answer belongs to its trial; metrics are finite numbers, none of them of the test split; the cost is counted;
    the same trial gives the same metrics again (times and epochs aside); lower fidelities are answered too; it travels
    to worker processes; global randomness is left as it was.

    Args:
        tolerance: of "the same", relative: 0 is bit for bit. A GPU adds in an order that varies, so it needs some.

    Raises:
        ContractError: a promise is not kept.
    """

    def is_same(one: float, other: float) -> bool:
        return math.isclose(one, other, rel_tol=tolerance, abs_tol=tolerance)

    streams = Streams(0)
    for number in range(architectures):
        for fidelity in fidelities:
            trial = Trial(operators.sample(space, streams[number]), fidelity, seed=number)
            answer, was_used = _watching_randomness(lambda t=trial: estimator.estimate(space, t))  # type: ignore[misc]
            with _about(trial.architecture):
                _demand(answer.trial == trial, "the answer is to another trial")
                _demand(answer.failure is None, f"failed: {answer.failure}")
                _demand(bool(answer.metrics), "there are no metrics")
                for name, value in answer.metrics.items():
                    _demand(math.isfinite(value), f"{name} is {value}")
                    _demand(not name.startswith("test"), f"{name}: an estimator must not see the test split")
                _demand(answer.cost >= 0, f"the cost is {answer.cost} seconds")
                fresh = pickle.loads(dumps(estimator))
                copy, was_used_again = _watching_randomness(lambda e=fresh, t=trial: e.estimate(space, t))  # type: ignore[misc]
                _demand(not (was_used and was_used_again), "global randomness was used")
                same = {name for name in answer.metrics if not name.endswith(("_ms", "seconds", "epochs"))}
                for name in same:
                    _demand(is_same(copy.metrics[name], answer.metrics[name]), f"asked twice, {name} differs")
                curves = len(copy.curve) == len(answer.curve) and all(map(is_same, copy.curve, answer.curve))
                _demand(curves, "asked twice, the learning curve differs")


def check_relaxation(strategy: GradientStrategy, *, epochs: int = 8, seed: int = 0) -> None:
    """A gradient strategy keeps its promises, on a small problem whose best ops are known.

    The same seed gives the same evaluations, and so does a search that is interrupted and continued from what was kept
    of it; global randomness is left as it was. There is a distribution over the candidates of each open choice; every
    architecture is one of the space's; weights and parameters stay finite; there is something to train in each step.
    And it learns: an op may hand its input on, blank it or give each example another's, and at least three of the four
    ops that are decided in the end hand it on.

    Give it a learning rate with which `epochs` of 16 steps are enough.

    Raises:
        ContractError: a promise is not kept.
    """
    space, task = _toy()
    watched = _Watched(strategy)
    whole, was_used = _watching_randomness(lambda: _relaxed(watched, space, task, epochs, seed))
    again, was_used_again = _watching_randomness(lambda: _relaxed(strategy, space, task, epochs, seed))
    _demand(not (was_used and was_used_again), "global randomness was used")
    _demand(again == whole, "the same seed gave other evaluations")
    with tempfile.TemporaryDirectory() as folder:
        done = _relaxed(strategy, space, task, epochs, seed, folder, stop=len(whole) // 2)
        done += _relaxed(strategy, space, task, epochs, seed, folder, known=len(done))
    _demand(done == whole, "interrupted and continued, it gave other evaluations")
    for evaluation in whole:
        _demand(evaluation.failure is None, f"failed: {evaluation.failure}")
        with _about(evaluation.trial.architecture):
            space.resolve(evaluation.trial.architecture)
    _check_distribution(watched.relaxation)
    words = space.describe(whole[-1].trial.architecture)
    right = sum(word == "hand_on" for word in words.values())
    _demand(right >= 3, f"on a problem where ops should hand their input on, it found {words}")


def spaces_to_survive() -> dict[str, Space]:
    """The small spaces that `check_strategy` uses."""
    shared = Choice("a", "b", "c")
    return {
        "numeric": Space(_arguments, x=Real(-1.0, 1.0), rate=Real(1e-5, 1.0, log=True), n=Integer(1, 64, log=True)),
        "conditional": Space(
            _arguments,
            kind=Choice(
                {"kind": "conv", "kernel": Choice(1, 3, 5), "act": shared},
                {"kind": "pool", "size": Integer(2, 4)},
                "skip",
            ),
            layers=Repeat({"width": Choice(8, 16, 32), "act": shared}, times=Integer(0, 3)),
        ),
        "one-point": Space(_arguments, only=Choice("this"), fixed=3),
        "categorical": Space(_arguments, edges=[Choice(*range(5)) for _ in range(6)]),
    }


def _arguments(**arguments: Any) -> Any:
    return arguments


def _score(architecture: Architecture) -> Evaluation:
    """A smooth made-up answer; every seventh architecture fails."""
    values = [float(value) for _, value in architecture]
    loss = sum((value - 0.3 * index) ** 2 for index, value in enumerate(values))
    trial = Trial(architecture)
    if len(values) > 1 and round(loss * 1000) % 7 == 3:
        return Evaluation(trial, failure="it was the seventh")
    return Evaluation(trial, {"loss": loss, "cost": sum(abs(value) for value in values)}, cost=1.0)


def _answer(trial: Trial) -> Evaluation:
    made = _score(trial.architecture)
    return Evaluation(trial, made.metrics, cost=made.cost, failure=made.failure)


Log = list[tuple[int, Trial | None]]
"""What was asked: how many answers were known, and the trial."""


def _drive(strategy: Strategy, space: Space, wanted: Any, evaluations: int, seed: int) -> Log:
    """Asks with up to four trials pending and answers the youngest, the oldest and the middle one in turn."""
    history, streams, log = History(Goal.of(wanted)), Streams(seed), Log()
    state = _global_randomness()
    while len(history) < evaluations:
        while len(history.pending) < 4:
            sizes = (len(history), history.asked, len(history.pending))
            trial = strategy.propose(space, history, streams[history.asked])
            _demand(sizes == (len(history), history.asked, len(history.pending)), "the strategy changed the history")
            log.append((len(history), trial))
            if trial is None:
                break
            with _about(trial.architecture):
                space.resolve(trial.architecture)
            history.ask(trial)
        if not history.pending:
            break
        waiting = list(history.pending)
        number = waiting[(-1, 0, len(waiting) // 2)[len(history) % 3]]
        history.append(number, _answer(history.pending[number]))
    _demand(state == _global_randomness(), "global randomness was used")
    return log


def _replayed(
    space: Space, wanted: Any, log: Log, seed: int, ask: Callable[[History, Any], Trial | None]
) -> list[Trial | None]:
    """Builds the same history again and asks only at the end of it, with a strategy that saw none of it happen."""
    history, streams = History(Goal.of(wanted)), Streams(seed)
    for known, trial in log[:-1]:
        _catch_up(history, known)
        if trial is not None:
            history.ask(trial)
    _catch_up(history, log[-1][0])
    return [ask(history, streams[history.asked])]


def _catch_up(history: History, known: int) -> None:
    while len(history) < known:
        waiting = list(history.pending)
        number = waiting[(-1, 0, len(waiting) // 2)[len(history) % 3]]
        history.append(number, _answer(history.pending[number]))


def _check_fresh_eyes(strategy: Strategy, space: Space, wanted: Any, log: Log, seed: int) -> None:
    for end in {len(log), len(log) // 2, len(log) // 4 + 1}:
        part = log[:end]
        if not part:
            continue
        fresh = pickle.loads(dumps(strategy))
        (proposal,) = _replayed(space, wanted, part, seed, lambda history, rng, s=fresh: s.propose(space, history, rng))  # type: ignore[misc]
        _demand(
            proposal == part[-1][1],
            f"after {part[-1][0]} evaluations a fresh copy of the strategy proposes {proposal}, "
            f"and the one that saw them arrive {part[-1][1]}: something beside the history decides",
        )


def _check_fresh_process(strategy: Strategy, seed: int) -> None:
    """The same search in another process, whose hash seed differs, ends with the same history."""
    here = _search_all(strategy, seed)
    payload = dumps((strategy, seed))
    program = (
        "import sys, pickle; from archwright.testing import _search_all; "
        "print(_search_all(*pickle.loads(sys.stdin.buffer.read())))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=payload, capture_output=True, check=False)
    _demand(done.returncode == 0, f"in a fresh process: {done.stderr.decode()[-500:]}")
    _demand(done.stdout.decode().strip() == here, "a fresh process proposes other trials")


def _search_all(strategy: Strategy, seed: int) -> str:
    class Scores:
        def estimate(self, space: Any, trial: Trial) -> Evaluation:
            return _answer(trial)

    text = []
    for space in spaces_to_survive().values():
        if _proposes(strategy, space):
            fresh = pickle.loads(dumps(strategy))
            run = budget(search(space, fresh, Scores(), objectives="min:loss", seed=seed), evaluations=25)
            text.append([evaluation.trial.architecture.to_json() for evaluation in run])
    return json.dumps(text)


def _proposes(strategy: Strategy, space: Space) -> bool:
    """Whether the strategy takes the space at all; refusing has to be an `ArchwrightError`."""
    from archwright.core.errors import ArchwrightError

    fresh = pickle.loads(dumps(strategy))
    try:
        fresh.propose(space, History("min:loss"), Streams(0)[0])
    except ArchwrightError:
        return False
    return True


class _Watched:
    """A gradient strategy that remembers what it relaxed."""

    def __init__(self, strategy: GradientStrategy) -> None:
        self.strategy = strategy

    def relax(self, network: Any) -> Any:
        self.relaxation = self.strategy.relax(network)
        return self.relaxation


def _relaxed(
    strategy: GradientStrategy,
    space: Space,
    task: Any,
    epochs: int,
    seed: int,
    folder: str | None = None,
    known: int = 0,
    stop: int | None = None,
) -> list[Evaluation]:
    """The evaluations of a search, without what they cost."""
    from archwright.estimators import WeightSharing

    sharing = WeightSharing(task, epochs, shared=task.hyperparameters, device="cpu", checkpoints=folder)
    search = islice(sharing.relaxed(space, strategy, known, seed), stop)
    return [Evaluation(made.trial, made.metrics, made.curve, failure=made.failure) for made in search]


def _check_distribution(relaxation: Any) -> None:
    import torch

    network = relaxation.network
    sizes = {
        name: len(choice.options) + choice.optional for name, choice in network.choices.items() if choice.is_weighed
    }
    rows = {name: row.detach() for name, row in relaxation.probabilities().items()}
    _demand(list(rows) == list(sizes), f"its distributions are over {list(rows)}; what is open is {list(sizes)}")
    for name, row in rows.items():
        _demand(len(row) == sizes[name], f"{name} has {sizes[name]} candidates (none included), not {len(row)}")
        whole = abs(float(row.sum()) - 1) < 1e-4 and bool((row >= 0).all())
        _demand(whole, f"{name}: {row.tolist()} is no distribution")
    for tensor in (*network.parameters(), *relaxation.parameters()):
        _demand(bool(torch.isfinite(tensor).all()), "weights or parameters became infinite")
    with torch.random.fork_rng([]):
        _demand(sum(1 for _ in relaxation.draws()) >= 1, "it draws nothing to train")


def _toy() -> tuple[Space, Any]:
    """Two ops, and a node of two of three: each sees other colours of an image, and each colour tells a little."""
    import torch
    from torch import Tensor, nn

    from archwright.spaces.opening import every, taken
    from archwright.spaces.ops import Op, none
    from archwright.tasks import Hyperparameters, Split, Splits, Task

    colours = 4  # of an op

    class OtherExample(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.roll(1, 0)

    class Toy(nn.Module):
        def __init__(self, signature: Signature, ops: list[Any], node: Any) -> None:
            super().__init__()
            self.ops, self.node = nn.ModuleList(op(colours, colours, 1) for op in ops), node
            self.items = nn.ModuleDict({str(item["part"]): item["op"](colours, colours, 1) for item in every(node)})
            self.head = nn.Linear(signature.input_shape[0], signature.outputs)

        def forward(self, x: Tensor) -> Tensor:
            parts = list(torch.split(x, colours, 1))
            made = [op(part) for op, part in zip(self.ops, parts, strict=False)]
            made += [torch.zeros_like(part) for part in parts[len(made) :]]
            for item, weight in taken(self.node):
                if taken(item["op"]):
                    made[item["part"]] = weight * self.items[str(item["part"])](parts[item["part"]])
            outputs: Tensor = self.head(torch.cat(made, 1).mean((2, 3)))
            return outputs

    def op() -> Choice:
        return Choice(
            Op("hand_on", lambda *_: nn.Identity()), Op("blank", none), Op("other_example", lambda *_: OtherExample())
        )

    def split(seed: int) -> Split:
        targets = torch.arange(256) % 2
        images = torch.randn(256, 5 * colours, 3, 3, generator=torch.Generator().manual_seed(seed))
        return Split(images + 0.15 * (2.0 * targets - 1)[:, None, None, None], targets)

    space = Space(Toy, ops=[op(), op()], node=Subset(2, *({"part": part, "op": op()} for part in (2, 3, 4))))
    given = Hyperparameters(learning_rate=0.05, batch_size=16, label_smoothing=0.0, warmup=0.0, precision="float32")
    return space, Task("toy", lambda: Splits(split(1), split(2), split(3), ("dark", "light")), given)


def _check_architecture(space: Space, architecture: Architecture, other: Architecture | None, rng: Any) -> None:
    known = architecture.as_dict()
    for name, choice in operators.opened(space, architecture):
        _demand(accepts(choice, known[name]), f"{name} = {known[name]} is no answer to {choice!r}")
    _demand(Architecture.from_json(architecture.to_json()) == architecture, "JSON does not go both ways")
    space.resolve(architecture)
    _demand(operators.trace(space, lambda name, _: known[name]) == architecture, "walked again, it differs")
    mutant = operators.mutate(space, architecture, rng)
    changed = [name for name, value in mutant if name in known and known[name] != value]
    _demand(len(changed) == (mutant != architecture), f"a mutation changed {changed}")
    made = [architecture, mutant, *operators.neighbours(space, architecture)[:20]]
    _demand(architecture not in made[2:], "an architecture is its own neighbour")
    if other is not None:
        made.append(operators.cross_over(space, architecture, other, rng))
    for inside in made:
        space.resolve(inside)
        _demand(space.excluded(inside) is None, f"an operator gave what the space excludes: {inside.to_json()}")
    _demand(space.key(architecture) == space.key(Architecture.from_json(architecture.to_json())), "its key changes")
    graph = space.graph(architecture)
    if graph is not None:
        order = rng.permutation(len(graph.labels))
        _demand(graph.relabelled(order.tolist()).key == graph.key, "its graph's key depends on the vertices' numbers")


def _check_network(space: Space, architecture: Architecture, signature: Signature) -> int:
    import torch

    from archwright.training.seeding import seeded

    with seeded("contract"):
        network = space.build(architecture, signature)
        shape = (2, *signature.input_shape)
        inputs = torch.randint(signature.vocabulary, shape) if signature.vocabulary else torch.randn(shape)
        outputs = network(inputs)
        shape = tuple(outputs.shape)
        _demand(shape == (2, *signature.output_shape), f"for {signature.input_shape} it returns {shape}")
        _demand(bool(torch.isfinite(outputs).all()), "its outputs are not finite")
        outputs.sum().backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    _demand(bool(gradients), "no parameter gets a gradient")
    _demand(all(bool(torch.isfinite(gradient).all()) for gradient in gradients), "its gradients are not finite")
    return sum(parameter.numel() for parameter in network.parameters())


class _about:  # noqa: N801 (reads as a word: with _about(architecture))
    """Whatever goes wrong inside is reported with the architecture that it went wrong with."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = architecture

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception):
            raise ContractError(f"{error}\nwith {self.architecture.to_json()}") from error


def _global_randomness() -> tuple[Any, bytes]:
    """The state of the standard library's and of NumPy's global generators."""
    state: Any = np.random.get_state()
    return random.getstate(), state[1].tobytes()


def _watching_randomness(call: Callable[[], Any]) -> tuple[Any, bool]:
    """What a call returns, and whether it used global randomness, which is put back as it was.

    Once says little: the first call imports modules, and some draw when they are imported, such as rich. Put back, so
    that who sets the same seed each time is seen each time.
    """
    import torch

    before, numpy, states = torch.random.get_rng_state(), np.random.get_state(), _global_randomness()
    made = call()
    is_kept = torch.equal(before, torch.random.get_rng_state()) and states == _global_randomness()
    torch.random.set_rng_state(before)
    np.random.set_state(numpy)
    random.setstate(states[0])
    return made, not is_kept


def _demand(kept: bool, promise: str) -> None:
    if not kept:
        raise ContractError(promise)
