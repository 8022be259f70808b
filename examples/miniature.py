"""The whole idea in one file: neural architecture search on torch alone.

Search space x search strategy x performance estimation strategy, each in a few lines, and a loop between them:

  1. a space is one primitive, `walk`: it visits the open choices and lets somebody decide;
  2. a strategy reads the history and names the next architecture: history is its only state;
  3. an estimator answers with a number;
  4. a search is an iterator: to stop is to cease iterating.

Run it: `python examples/miniature.py`. It searches a small convolutional network for a made-up task (which of four
patterns is drawn into noise?), with random search and with regularised evolution, and trains the winner.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

# ------------------------------------------------------------------------------------------------ the words


@dataclass(frozen=True)
class Choice:
    """One of several options, which may hold further choices."""

    options: tuple[Any, ...]


def choice(*options: Any) -> Choice:
    return Choice(options)


Architecture = tuple[tuple[str, int], ...]
"""Frozen decisions: (name, index of the option), in the order in which the space asked."""

Decide = Callable[[str, Choice], int]


@dataclass(frozen=True)
class Evaluation:
    architecture: Architecture
    accuracy: float


# ------------------------------------------------------------------------------------------------ box one: the space


def walk(tree: Any, decide: Decide, name: str = "net") -> Any:
    """`tree` with every choice replaced by what `decide` picked; branches that are not taken are not visited."""
    if isinstance(tree, Choice):
        index = decide(name, tree)
        return walk(tree.options[index], decide, f"{name}={index}")
    if isinstance(tree, dict):
        return {key: walk(part, decide, f"{name}.{key}") for key, part in tree.items()}
    if isinstance(tree, list):
        return [walk(part, decide, f"{name}[{index}]") for index, part in enumerate(tree)]
    return tree


def trace(space: Any, decide: Decide) -> Architecture:
    """The decisions of one walk, written down."""
    decisions: list[tuple[str, int]] = []

    def note(name: str, open_choice: Choice) -> int:
        decisions.append((name, decide(name, open_choice)))
        return decisions[-1][1]

    walk(space, note)
    return tuple(decisions)


def sample(space: Any, rng: random.Random) -> Architecture:
    return trace(space, lambda _, open_choice: rng.randrange(len(open_choice.options)))


def mutate(space: Any, architecture: Architecture, rng: random.Random) -> Architecture:
    """Decides one thing anew and keeps the rest; what the change opens is sampled."""
    changed = rng.choice(architecture)[0]
    kept = {name: index for name, index in architecture if name != changed}

    def decide(name: str, open_choice: Choice) -> int:
        return kept.get(name, rng.randrange(len(open_choice.options)))

    return trace(space, decide)


def replay(space: Any, architecture: Architecture) -> Any:
    """What the decisions describe, with nothing open."""
    known = dict(architecture)
    return walk(space, lambda name, _: known[name])


SPACE = {
    "width": choice(4, 8, 16),
    "layers": choice(
        *(
            [{"op": choice("pool", {"kernel": choice(1, 3, 5)}), "skip": choice(False, True)} for _ in range(depth)]
            for depth in (1, 2, 3)
        )
    ),
}
"""Conditional: a layer has a kernel only if it is a convolution, and the second layer exists only if depth > 1."""


class Network(nn.Module):
    """The factory: builds what the decisions describe, and knows nothing of searching."""

    def __init__(self, width: int, layers: list[dict[str, Any]]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.layers = nn.ModuleList(
            nn.MaxPool2d(3, 1, 1)
            if layer["op"] == "pool"
            else nn.Conv2d(width, width, layer["op"]["kernel"], padding=layer["op"]["kernel"] // 2)
            for layer in layers
        )
        self.skips = [layer["skip"] for layer in layers]
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:  # (n, 1, 8, 8) -> (n, 4)
        x = self.stem(x)
        for layer, skip in zip(self.layers, self.skips, strict=True):
            x = layer(x.relu()) + x if skip else layer(x.relu())
        return self.head(x.relu().amax((2, 3)))


# ------------------------------------------------------------------------------------------------ box two: strategies

Strategy = Callable[[Any, list[Evaluation], random.Random], Architecture]


def random_search(space: Any, history: list[Evaluation], rng: random.Random) -> Architecture:
    return sample(space, rng)


def regularized_evolution(
    space: Any, history: list[Evaluation], rng: random.Random, population: int = 8, tournament: int = 3
) -> Architecture:
    """Real et al., 2019: mutate the best of a random few of the youngest; appending is what removes the oldest."""
    if len(history) < population:
        return sample(space, rng)
    parent = max(rng.sample(history[-population:], tournament), key=lambda evaluation: evaluation.accuracy)
    return mutate(space, parent.architecture, rng)


# ------------------------------------------------------------------------------------------------ box three: estimation


def patterns(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise with one of four small shapes at a random place: images (n, 1, 8, 8) and which shape (n,)."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.tensor(
        [[[1, 1, 1], [0, 0, 0], [1, 1, 1]], [[1, 0, 1], [1, 0, 1], [1, 0, 1]], [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
         [[0, 1, 0], [1, 1, 1], [0, 1, 0]]], dtype=torch.float32,
    )  # fmt: skip
    images = 0.6 * torch.randn(count, 1, 8, 8, generator=generator)
    targets = torch.randint(4, (count,), generator=generator)
    places = torch.randint(6, (count, 2), generator=generator).tolist()
    for image, target, (row, column) in zip(images, targets, places, strict=True):
        image[0, row : row + 3, column : column + 3] += shapes[target]
    return images, targets


def train(architecture: Architecture, steps: int, seed: int = 0) -> tuple[nn.Module, float]:
    """The network trained for so many steps, and its accuracy on other images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Network(**replay(SPACE, architecture))
    images, targets = patterns(2048, seed=1)
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for step in range(steps):
        batch = slice(64 * step % 2048, 64 * step % 2048 + 64)
        loss = nn.functional.cross_entropy(network(images[batch]), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, targets = patterns(1024, seed=2)
    with torch.no_grad():
        return network, float((network(images).argmax(1) == targets).float().mean())


# ------------------------------------------------------------------------------------------------ the arrows


def search(
    space: Any, strategy: Strategy, estimate: Callable[[Architecture], float], seed: int
) -> Iterator[Evaluation]:
    """Yields evaluations for ever; nothing is evaluated twice."""
    history: list[Evaluation] = []
    known: dict[Architecture, float] = {}
    while True:
        architecture = strategy(space, history, random.Random(f"{seed}/{len(history)}"))  # resumable: no stored state
        if architecture not in known:
            known[architecture] = estimate(architecture)
        history.append(Evaluation(architecture, known[architecture]))
        yield history[-1]


def main(evaluations: int = 24, steps: int = 60) -> None:
    torch.set_num_threads(1)  # for networks this small, more threads only wait for one another
    for strategy in (random_search, regularized_evolution):
        run = search(SPACE, strategy, lambda architecture: train(architecture, steps)[1], seed=0)
        found = [next(run) for _ in range(evaluations)]  # to stop is to cease iterating
        best = max(found, key=lambda evaluation: evaluation.accuracy)
        network, accuracy = train(best.architecture, 10 * steps)
        size = sum(parameter.numel() for parameter in network.parameters())
        print(
            f"{strategy.__name__}: {best.accuracy:.3f} in the search, {accuracy:.3f} trained longer, {size} parameters"
        )
        print(f"  {replay(SPACE, best.architecture)}")


if __name__ == "__main__":
    main()
