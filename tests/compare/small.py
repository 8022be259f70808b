"""A benchmark of 25 architectures whose figures can be checked by hand."""

import json

import numpy as np

import archwright as aw
from archwright.benchmarks import Benchmark, Table
from archwright.core.architecture import Architecture
from archwright.spaces.operators import sample

SIZE = 5


class Net:
    def __init__(self, a, b):
        raise AssertionError("a comparison builds no network")


def row(architecture):
    return int(architecture["a"]) * SIZE + int(architecture["b"])


def architecture(index):
    return Architecture((("a", index // SIZE), ("b", index % SIZE)))


def small(offset=0.0, seconds=True, **columns):
    rng = np.random.default_rng(5)
    valid = rng.permutation(SIZE * SIZE) / 100 + 0.5
    found = {
        "valid_accuracy": valid,
        "test_accuracy": valid + 0.01 * rng.permutation(SIZE * SIZE) / 25 + offset,
        **({"seconds": 10.0 + rng.permutation(SIZE * SIZE)} if seconds else {}),
        **columns,
    }
    space = aw.Space(Net, a=aw.Choice(*range(SIZE)), b=aw.Choice(*range(SIZE)))
    return Benchmark("small", space, Table(found, row, architecture))


class InOrder:
    """Every architecture in the order of the table; remembers what it should not."""

    ends = True

    def __init__(self, start=0):
        self.start, self.calls = start, 0

    def propose(self, space, history, rng):
        self.calls += 1
        assert self.calls == history.asked + 1, "each search has a fresh copy"
        index = self.start + history.asked
        return aw.Trial(architecture(index)) if index < SIZE * SIZE else None


class Greedy:
    """Knows the metric's best by heart: better than random search on every seed."""

    def __init__(self, benchmark):
        best = np.argsort(-benchmark.table.columns["valid_accuracy"])
        self.order = json.loads(json.dumps(best.tolist()))

    def propose(self, space, history, rng):
        return aw.Trial(architecture(self.order[history.asked % len(self.order)]))


class Failing:
    def propose(self, space, history, rng):
        if len(history) == 3:
            raise KeyError("lost")
        return aw.Trial(sample(space, rng))
