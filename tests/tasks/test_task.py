import pickle

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import archwright as aw


class Copies(TorchDispatchMode):
    """Counts the copies from one device to another."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._to_copy.default
        return function(*args, **(kwargs or {}))


def test_statistics_go_to_a_device_once():
    """A copy with each batch would make a GPU wait; `meta` stands for it."""
    task = aw.tasks.digits()
    inputs = torch.empty(4, 1, 8, 8, device="meta")
    assert task.prepare(inputs).device == inputs.device
    with Copies() as copies:
        task.prepare(inputs)
    assert copies.count == 0


def test_a_task_travels_without_its_data():
    task = aw.tasks.digits()
    prepared = task.prepare(task.valid.inputs)
    bare = pickle.dumps(aw.tasks.digits())
    sent = pickle.dumps(task)
    assert len(sent) == len(bare)
    assert torch.equal(pickle.loads(sent).prepare(task.valid.inputs), prepared)
