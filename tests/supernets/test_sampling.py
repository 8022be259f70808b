import math
from collections import Counter
from functools import partial

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.choices import Choice, Integer, Repeat, Subset
from archwright.core.errors import ArchwrightError
from archwright.core.parts import describe, remake
from archwright.registry import parts
from archwright.spaces import elastic
from archwright.spaces.opening import current, share, taken
from archwright.spaces.space import Space
from archwright.supernets import FairNAS, OpenNetwork, PathDropout, Sandwich, Uniform
from archwright.tasks.task import Split, Splits, Task

SIGNATURE = aw.Signature((1,), 1)
SAMPLINGS = {"fair-nas": FairNAS, "path-dropout": PathDropout, "sandwich": Sandwich, "uniform": Uniform}


class Scale(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(start))

    def forward(self, x):
        return self.weight * x


class Chain(nn.Module):
    def __init__(self, ops, **_):
        super().__init__()
        self.ops = nn.ModuleList(op() for op in ops)

    def forward(self, x):
        for op in self.ops:
            x = op(x)
        return x


def scales(count):
    return Choice(*(partial(Scale, 1.0 + index / 10) for index in range(count)))


def opened(*counts):
    return OpenNetwork(Space(Chain, ops=[scales(count) for count in counts]), SIGNATURE)


def trained(network, sampler, steps, epoch=0, epochs=1):
    """How often each candidate's gradient was added to, by (choice, option)."""
    counts = Counter()
    for mixed in network.mixed:
        for option, candidate in enumerate(mixed.candidates):
            key = (mixed.choice.name, option)
            candidate.weight.register_hook(lambda gradient, key=key: counts.update([key]))
    torch.manual_seed(0)
    sampler.begin(epoch, epochs)
    for _ in range(steps):
        for _ in sampler.draws():
            network(torch.ones(2, 1)).sum().backward()
    return counts


def test_fair_trains_each_candidate_once_a_step():
    network = opened(4, 4, 4)
    assert trained(network, FairNAS().over(network), 1) == {(f"ops[{i}]", j): 1 for i in range(3) for j in range(4)}
    network = opened(4, 4, 4)
    assert set(trained(network, FairNAS().over(network), 7).values()) == {7}


def test_fair_sums_the_gradients_of_its_paths():
    network = opened(3, 3)
    sampler, paths = FairNAS().over(network), []
    for _ in sampler.draws():
        paths.append([next(iter(mixed.choice.weights)) for mixed in network.mixed])
        network(torch.ones(2, 1)).sum().backward()
    assert sorted(first for first, _ in paths) == sorted(second for _, second in paths) == [0, 1, 2]
    first, second = network.mixed
    for one, other in paths:  # output = w_1 * w_2 for each of 2 examples
        assert float(first.candidates[one].weight.grad) == pytest.approx(2 * second.candidates[other].weight.item())
        assert float(second.candidates[other].weight.grad) == pytest.approx(2 * first.candidates[one].weight.item())


def test_fair_deals_on_where_a_choice_has_fewer_options():
    network = opened(4, 3, 2)
    counts = trained(network, FairNAS().over(network), 1)
    assert all(counts["ops[0]", option] == 1 for option in range(4))
    assert sorted(counts["ops[1]", option] for option in range(3)) == [1, 1, 2]
    assert all(counts["ops[2]", option] == 2 for option in range(2))
    network = opened(4, 3, 2)
    counts = trained(network, FairNAS().over(network), 3)
    assert [{counts[f"ops[{i}]", j] for j in range(n)} for i, n in enumerate((4, 3, 2))] == [{3}, {4}, {6}]


def test_fair_pairs_candidates_at_random():
    network = opened(3, 3)
    sampler, pairs = FairNAS().over(network), Counter()
    torch.manual_seed(1)
    for _ in range(600):
        for _ in sampler.draws():
            pairs[tuple(next(iter(mixed.choice.weights)) for mixed in network.mixed)] += 1
    assert len(pairs) == 9
    assert all(abs(count - 200) < 5 * math.sqrt(600 * (1 / 3) * (2 / 3)) for count in pairs.values())


def test_fair_deals_numbers_and_subsets_too():
    space = Space(dict, depth=Integer(2, 5), inputs=Subset(2, *({"op": scales(2)} for _ in range(3))))
    network = OpenNetwork(Space(lambda **_: nn.Linear(1, 1), **space.choices), SIGNATURE)
    sampler, depths, items = FairNAS().over(network), Counter(), Counter()
    for _ in range(3):
        for _ in sampler.draws():
            depths[current(network.choices["depth"])] += 1
            items.update(network.choices["inputs"].weights)
            for item in network.choices["inputs"].weights:  # an op is dealt when its item takes part
                assert len(network.choices[f"inputs[{item}].op"].weights) == 1
    assert depths == {2: 3, 3: 3, 4: 3, 5: 3}
    assert items == {0: 8, 1: 8, 2: 8}  # 12 paths, 3 pairs: each pair 4 times, each item in 2 of them


def test_uniform_trains_candidates_equally_often_on_average():
    network = opened(4, 3)
    steps = 1200
    counts = trained(network, Uniform().over(network), steps)
    for name, options in (("ops[0]", 4), ("ops[1]", 3)):
        drawn = [counts[name, option] for option in range(options)]
        assert sum(drawn) == steps
        spread = math.sqrt(steps / options * (1 - 1 / options))
        assert all(abs(count - steps / options) < 4 * spread for count in drawn)


def test_path_dropout_rises_linearly():
    sampler = PathDropout(0.05).over(opened(4))
    for epoch in range(11):
        sampler.begin(epoch, 11)
        assert sampler.dropped(4) == pytest.approx(epoch / 10 * 0.05 ** (1 / 4), abs=1e-15)
        assert sampler.dropped(2) == pytest.approx(epoch / 10 * math.sqrt(0.05), abs=1e-15)
    sampler.begin(0, 1)
    assert sampler.dropped(4) == 0.0


def test_path_dropout_begins_with_the_sum_of_all_candidates():
    network = opened(3, 2)
    sampler = PathDropout().over(network)
    sampler.begin(0, 10)
    for _ in sampler.draws():
        assert network(torch.ones(1, 1)).item() == pytest.approx((1.0 + 1.1 + 1.2) * (1.0 + 1.1))


@pytest.mark.parametrize(("epoch", "rate"), [(2, 0.05), (4, 0.05), (4, 0.9)])
def test_path_dropout_keeps_paths_as_often_as_it_says(epoch, rate):
    network, steps = opened(4, 2), 3000
    counts = trained(network, PathDropout(rate).over(network), steps, epoch=epoch, epochs=5)
    for name, paths in (("ops[0]", 4), ("ops[1]", 2)):
        dropped = epoch / 4 * rate ** (1 / paths)
        kept = 1 - dropped + dropped**paths / paths  # where all would be dropped one stays
        for path in range(paths):
            assert abs(counts[name, path] / steps - kept) < 4 * math.sqrt(kept * (1 - kept) / steps)


def test_path_dropout_decides_what_can_not_be_summed():
    class Mixture(nn.Module):
        def __init__(self, signature, width, inputs, op):
            super().__init__()
            self.op, self.inputs, self.width = op(), inputs, width
            self.items = nn.ModuleDict({str(item["number"]): item["op"]() for item in inputs.options})

        def forward(self, x):
            summed = sum(weight * self.items[str(item["number"])](x) for item, weight in taken(self.inputs))
            return self.op(summed) * current(self.width)

    items = ({"number": number, "op": scales(2)} for number in range(3))
    space = Space(Mixture, width=Choice(2, 4), inputs=Subset(2, *items), op=scales(3))
    network = OpenNetwork(space, SIGNATURE)
    sampler, widths, sizes = PathDropout(0.5).over(network), set(), set()
    sampler.begin(3, 10)
    for _ in range(60):
        for _ in sampler.draws():
            network(torch.ones(2, 1)).sum().backward()
            widths.add(current(network.choices["width"]))
            sizes.add(len(network.choices["inputs"].weights))
    assert widths == {2, 4}
    assert sizes == {1, 2, 3}


def test_path_dropout_rate_is_a_probability():
    with pytest.raises(ArchwrightError, match="below 1, not 1"):
        PathDropout(1.0)


class Sizes(nn.Module):
    def __init__(self, signature, width, kernel, flag, layers, op):
        super().__init__()
        self.layer, self.op, self.flag, self.kernel = elastic.linear(1, width), op(), flag, kernel
        self.layers, self.width = layers, width

    def forward(self, x):
        return self.op(self.layer(x)).sum(1, keepdim=True)


def sizes():
    return Space(
        Sizes,
        width=Choice(4, 8, 2),
        kernel=Integer(3, 6),
        flag=Choice(True, False),
        layers=Repeat({"ratio": Choice(1.5, 2)}, times=Integer(1, 3)),
        op=scales(2),
    )


def test_sandwich_trains_the_largest_the_smallest_and_random_ones():
    network = OpenNetwork(sizes(), SIGNATURE)
    sampler, seen, ops = Sandwich(random=3).over(network), [], []
    torch.manual_seed(2)
    for _ in range(40):
        step = []
        for _ in sampler.draws():
            chosen = network.choices
            ratios = [current(chosen[f"layers[{i}].ratio"]) for i in range(current(chosen["layers.times"]))]
            step.append((current(chosen["width"]), current(chosen["kernel"]), share(chosen["flag"]), *ratios))
            ops.append((len(step), next(iter(chosen["op"].weights))))
        seen.append(step)
    assert all(len(step) == 5 for step in seen)
    assert {step[0] for step in seen} == {(8, 6, 1.0, 2, 2, 2)}
    assert {step[1] for step in seen} == {(2, 3, 0.0, 1.5)}
    assert len({architecture for step in seen for architecture in step[2:]}) > 50
    assert set(ops) == {(place, op) for place in range(1, 6) for op in range(2)}  # what has no order is random


def test_sandwich_distils_from_the_largest():
    """Cross-entropy with the largest's probabilities, in plain loops."""
    network = OpenNetwork(sizes(), SIGNATURE)
    sampler = Sandwich(random=1).over(network)
    targets = torch.tensor([0, 2])
    for batch in range(2):  # a new batch has a new teacher
        outputs = [torch.randn(2, 3, generator=torch.Generator().manual_seed(10 * batch + i)) for i in range(3)]
        outputs = [made.requires_grad_() for made in outputs]
        losses = []
        for made, _ in zip(outputs, sampler.draws(), strict=True):
            losses.append(sampler.loss(made, targets, torch.tensor(7.0)))
        assert losses[0] == 7.0

        def softmax(row):
            powers = [math.exp(value) for value in row]
            return [power / sum(powers) for power in powers]

        for made, loss in zip(outputs[1:], losses[1:], strict=True):
            expected = 0.0
            for row, teacher in zip(made.tolist(), outputs[0].tolist(), strict=True):
                own, wanted = softmax(row), softmax(teacher)
                expected -= sum(t * math.log(s) for s, t in zip(own, wanted, strict=True)) / 2
            assert loss.item() == pytest.approx(expected, rel=1e-5)
            loss.backward()
        assert outputs[0].grad is None
        assert outputs[1].grad is not None


def test_sandwich_distils_numbers_by_their_squared_error():
    network = OpenNetwork(sizes(), SIGNATURE)
    sampler, targets = Sandwich(random=0).over(network), torch.zeros(2, 1)
    outputs = [torch.tensor([[1.0], [2.0]]), torch.tensor([[2.0], [5.0]])]
    losses = [
        float(sampler.loss(made, targets, torch.tensor(7.0))) for made, _ in zip(outputs, sampler.draws(), strict=True)
    ]
    assert losses == [7.0, (1 + 9) / 2]


def test_the_registry_knows_every_sampling():
    assert dict(parts("samplings")) == SAMPLINGS


@pytest.mark.parametrize("name", SAMPLINGS)
def test_samplings_are_made_again_from_their_description(name):
    assert remake(describe(SAMPLINGS[name]()), parts("samplings")) == SAMPLINGS[name]()


@pytest.mark.parametrize("name", SAMPLINGS)
def test_shared_weights_trained_so_score_architectures(name):
    """An elastic space end to end."""
    space = aw.spaces.elastic_mobile(widths=(4,), strides=(2,), depth=(1, 2), kernels=(3, 5), expansions=(2, 3))
    generator = torch.Generator().manual_seed(0)
    targets = torch.arange(40) % 2
    inputs = torch.randn(40, 1, 6, 6, generator=generator) + targets[:, None, None, None]
    split = Split(inputs, targets)
    task = Task("tiny", lambda: Splits(split, split, split, ("low", "high")))
    estimator = aw.estimators.WeightSharing(task, epochs=2, sampling=SAMPLINGS[name](), device="cpu")
    run = aw.budget(aw.search(space, aw.strategies.Random(), estimator, objectives="valid_accuracy"), evaluations=4)
    done = list(run)
    assert len(done) >= 4
    assert not any(evaluation.failure for evaluation in done)
    scores = [evaluation.metrics["valid_accuracy"] for evaluation in done]
    assert all(0 <= score <= 1 for score in scores)


@pytest.mark.parametrize("name", SAMPLINGS)
@pytest.mark.parametrize(
    "space",
    [
        lambda: aw.spaces.darts(cells=3, channels=2),
        lambda: aw.spaces.enas_macro(layers=3, channels=2),
        lambda: aw.spaces.nasbench1shot1(modules=1, channels=2),
        lambda: aw.spaces.elastic_transformer(widths=(4, 8), head_width=4),
    ],
    ids=["subsets", "connections", "inputs", "sizes"],
)
def test_every_draw_computes_in_every_kind_of_space(name, space):
    torch.manual_seed(0)
    network = OpenNetwork(space(), aw.Signature((1, 8, 8), 3))
    sampler = SAMPLINGS[name]().over(network)
    sampler.begin(1, 2)
    for _ in range(2):
        for _ in sampler.draws():
            outputs = network(torch.ones(2, 1, 8, 8))
            assert outputs.shape == (2, 3)
            assert outputs.isfinite().all()
