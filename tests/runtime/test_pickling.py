"""What a user's own files define travels to another process, and what can't is named."""

import pickle
import threading
from functools import partial

import pytest
import torch

import archwright as aw
from archwright.cli.parts import own
from archwright.core.errors import ArchwrightError
from archwright.runtime.pickling import dumps, what_stays

OWN = """
import torch
from torch import nn
import archwright as aw

class Net(nn.Module):
    def __init__(self, signature, layers):
        super().__init__()
        self.ops = nn.ModuleList(nn.Linear(4, 2) for _ in range(layers))

    def forward(self, x):
        return torch.stack([op(x) for op in self.ops]).sum(0)

space = aw.Space(Net, layers=aw.Integer(1, 3))

class Built:
    metrics = frozenset({"outputs"})

    def estimate(self, space, trial):
        network = space.build(trial.architecture, aw.Signature((4,), 2))
        return aw.Evaluation(trial, {"outputs": float(network(torch.ones(3, 4)).numel())})
"""


@pytest.mark.parametrize("module", [torch.ops, torch.classes, torch.backends.cudnn], ids=lambda module: module.__name__)
def test_modules_of_special_classes_travel_by_name(module):
    assert pickle.loads(dumps(module)) is module


def test_a_users_module_may_name_its_layers_like_a_module_of_torch(tmp_path):
    (tmp_path / "layers_of_mine.py").write_text(OWN)
    space, built = (own(f"{tmp_path / 'layers_of_mine.py'}:{name}") for name in ("space", "Built"))
    with aw.search(
        space, aw.strategies.Exhaustive(), built(), objectives="max:outputs", executor=aw.Processes(1)
    ) as search:
        assert [evaluation.failure or evaluation.metrics["outputs"] for evaluation in search] == [6.0] * 3


LOCK = threading.Lock()


class Holds:
    def __init__(self, **held):
        self.__dict__.update(held)


def of_a_script():
    """A class and a function that travel with what they name."""

    class Locks:
        def method(self):
            return LOCK

    return Locks, lambda: LOCK


Locks, locked = of_a_script()


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        (Holds(of=Holds(name="a", lock=threading.Lock())), "of.lock"),
        (Holds(parts=[1, {"a": threading.Lock()}]), "parts[1]['a']"),
        (Holds(made=partial(locked, 3)), "made.func.LOCK"),
        (Holds(inside=Locks()), "inside.__class__.method.LOCK"),
        ((lambda lock: lambda: lock)(threading.Lock()), "lock"),
        (threading.Lock(), ""),
    ],
)
def test_what_can_not_travel_is_named(thing, place):
    assert what_stays(thing) == place


class Locked:
    metrics = frozenset({"score"})

    def __init__(self):
        self.lock = threading.Lock()

    def estimate(self, space, trial):
        raise NotImplementedError


@pytest.fixture
def locked_search():
    space = aw.Space(lambda width: None, width=aw.Choice(1, 2))
    with aw.search(space, aw.strategies.Random(), Locked(), objectives="max:score", executor=aw.Processes(1)) as search:
        yield search


def test_a_search_whose_parts_can_not_travel_ends_before_its_first_trial(locked_search):
    with pytest.raises(ArchwrightError, match=r"can't send estimator\.lock to a worker process: cannot pickle"):
        next(locked_search)
    assert not len(locked_search.history)


def test_no_folder_is_made_for_it(locked_search, tmp_path):
    with pytest.raises(ArchwrightError, match=r"can't send estimator\.lock to a worker process"):
        aw.record(locked_search, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_function_is_packed_once_for_all_workers():
    packed = []

    class Counted:
        def __reduce__(self):
            packed.append(1)
            return partial, (len, "abc")

    with aw.Processes(2) as executor:
        function = Counted()
        assert [executor.submit(function).result() for _ in range(2)] == [3, 3]
    assert len(packed) == 1
