"""What a network learns from another one, whatever the task's own loss."""

import numpy as np
import pytest
import torch
from torch import nn

from archwright.tasks.task import Hyperparameters, Split, Splits, Task
from archwright.training.distilling import Distilling
from archwright.training.seeding import seeded

CPU = torch.device("cpu")


class Own(Task):
    """With a loss that no answers but a split's targets may reach."""

    def loss(self, outputs, targets, label_smoothing=0.0):
        raise AssertionError("distillation asked the task's loss")


class Positions(nn.Module):
    """Answers at each of three positions of an example: (batch, 4 classes, 3)."""

    def __init__(self, seed):
        super().__init__()
        with seeded(seed):
            self.linear = nn.Linear(5, 12)

    def forward(self, x):
        return self.linear(x).unflatten(1, (4, 3))


def of_classes():
    rng = torch.Generator().manual_seed(0)
    split = Split(torch.randn(40, 5, generator=rng), torch.randint(4, (40, 3), generator=rng))
    return Own("positions", lambda: Splits(split, split, split, ("a", "b", "c", "d")))


def of_numbers():
    rng = torch.Generator().manual_seed(0)
    inputs = torch.randn(40, 5, generator=rng)
    split = Split(inputs, 1000.0 + 50.0 * inputs[:, :2])
    return Own("numbers", lambda: Splits(split, split, split))


def linear(seed):
    with seeded(seed):
        return nn.Linear(5, 2)


def distilling(task, teacher, network):
    given = Hyperparameters(learning_rate=1.0, momentum=0.0, weight_decay=0.0, batch_size=40, warmup=0.0)
    return Distilling(teacher, network, task, task.train, given, 30, 0, CPU)


def softmax(outputs):
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_loss_of_classes_is_the_cross_entropy_with_the_teachers_probabilities():
    task, teacher, network = of_classes(), Positions(0), Positions(1)
    inputs, targets = task.train.inputs, task.train.targets
    found = distilling(task, teacher, network).loss(inputs, targets)
    wanted, made = (softmax(of(inputs).detach().double().numpy()) for of in (teacher, network))
    assert float(found.detach()) == pytest.approx(-(wanted * np.log(made)).sum(axis=1).mean(), rel=1e-5)


def test_the_loss_of_numbers_is_the_squared_error_of_standardised_answers():
    task, teacher, network = of_numbers(), linear(0), linear(1)
    found = distilling(task, teacher, network).loss(task.train.inputs, task.train.targets)
    wanted, made = (of(task.train.inputs).detach().double().numpy() for of in (teacher, network))
    assert float(found.detach()) == pytest.approx(((wanted - made) ** 2).mean(), rel=1e-5)


@pytest.mark.parametrize(("made", "network"), [(of_classes, Positions), (of_numbers, linear)])
def test_a_network_comes_to_answer_as_its_teacher_does(made, network):
    task, teacher, pupil = made(), network(0), network(1)
    kept = [value.clone() for value in teacher.state_dict().values()]
    training = distilling(task, teacher, pupil)
    inputs = task.prepare(task.train.inputs)

    def apart():
        return float((teacher(inputs) - pupil(inputs)).detach().abs().mean())

    before = apart()
    for _ in range(30):
        training.run_epoch()
    assert apart() < 0.7 * before
    assert all(torch.equal(new, old) for new, old in zip(teacher.state_dict().values(), kept, strict=True))
