"""Each proxy against its definition, computed plainly: by finite differences, loops over examples, or a closed form."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import archwright as aw
from archwright.core.errors import ArchwrightError
from archwright.estimators.proxies import PROXIES, Probe, Vote, Zen
from archwright.estimators.proxies.probe import borrowed
from archwright.tasks.task import Split

STEP = 1e-5
"""Of finite differences, in float64."""


class Images(nn.Module):
    """Convolutions, plain and grouped, batch-norm, rectifiers as modules and as functions, a dead branch."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.depthwise = nn.Conv2d(4, 4, 3, stride=2, padding=1, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(4)
        self.dead = nn.Sequential(nn.ReLU(), nn.Conv2d(4, 4, 1))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(4, 3)

    def features(self, x):
        x = self.stem(x)
        self.dead(x)
        return functional.relu(self.norm(self.depthwise(x)))

    def forward(self, x):
        return self.linear(self.pool(self.features(x)).flatten(1))


class Vectors(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 12), nn.Linear(12, 2)

    def features(self, x):
        return functional.leaky_relu(self.first(x), 0.1)

    def forward(self, x):
        return self.second(self.features(x))


class Texts(nn.Module):
    """The next token after each: (batch, length) -> (batch, vocabulary, length)."""

    def __init__(self):
        super().__init__()
        self.embedding, self.first, self.second = nn.Embedding(6, 3), nn.Linear(3, 4), nn.Linear(4, 6)

    def numbers(self, embedded):
        return self.second(torch.relu(self.first(embedded))).transpose(1, 2)

    def forward(self, tokens):
        return self.numbers(self.embedding(tokens))


def images(batch=5):
    inputs = torch.randn(3, batch, 2, 6, 6, dtype=torch.float64)
    return Images(), aw.Signature((2, 6, 6), 3), inputs, torch.randint(3, (3, batch)), functional.cross_entropy


def vectors(batch=5):
    inputs, targets = torch.randn(3, batch, 4, dtype=torch.float64), torch.randn(3, batch, 2, dtype=torch.float64)
    return Vectors(), aw.Signature((4,), 2), inputs, targets, functional.mse_loss


def texts(batch=5):
    tokens, signature = torch.randint(6, (3, batch, 7)), aw.Signature((7,), 6, vocabulary=6, positions=(7,))
    return Texts(), signature, tokens, torch.randint(6, (3, batch, 7)), functional.cross_entropy


KINDS = {"images": images, "vectors": vectors, "texts": texts}


@pytest.fixture(params=KINDS)
def case(request):
    """A probe in float64, and a copy of the network to compute with plainly."""
    torch.manual_seed(3)
    network, signature, inputs, targets, loss = KINDS[request.param]()
    network = network.double()
    batches = [Split(*pair) for pair in zip(inputs, targets, strict=True)]
    copied = copy.deepcopy(network)
    with borrowed(network):
        yield Probe(network, signature, batches, loss, seed=7), copied.train()


def loss_of(probe, network, number=0):
    batch = probe.batches[number]
    return probe.loss(network(batch.inputs), batch.targets)


def weights_of(network):
    return [parameter for parameter in network.parameters() if parameter.dim() > 1]


def slopes_of(probe, network, number=0):
    """The loss's derivative for each number in each weight, by central differences."""
    made = []
    with torch.no_grad():
        for weight in weights_of(network):
            slope, flat = torch.zeros_like(weight).flatten(), weight.view(-1)
            for place in range(len(flat)):
                held = flat[place].clone()
                flat[place] = held + STEP
                above = loss_of(probe, network, number)
                flat[place] = held - STEP
                slope[place] = (above - loss_of(probe, network, number)) / (2 * STEP)
                flat[place] = held
            made.append(slope.view_as(weight))
    return made


def measure(metric, probe):
    return PROXIES[metric]().measure(probe)


def test_snip_plain_and_grad_norm_are_the_loss_s_differences(case):
    probe, network = case
    weights = [weight.detach() for weight in weights_of(network)]
    pairs = list(zip(weights, slopes_of(probe, network), strict=True))
    snip = sum(float((weight * slope).abs().sum()) for weight, slope in pairs)
    plain = sum(float((weight * slope).sum()) for weight, slope in pairs)
    assert measure("snip", probe) == pytest.approx(snip, rel=1e-6)
    assert measure("plain", probe) == pytest.approx(plain, rel=1e-6, abs=1e-8)
    assert measure("grad_norm", probe) == pytest.approx(sum(float(slope.norm()) for _, slope in pairs), rel=1e-6)


def test_l2_norm(case):
    probe, network = case
    expected = sum(np.linalg.norm(weight.detach().numpy().ravel()) for weight in weights_of(network))
    assert measure("l2_norm", probe) == pytest.approx(expected, rel=1e-12)


def test_fisher_is_the_difference_that_a_gate_on_each_channel_of_each_example_makes(case):
    probe, network = case
    expected = 0.0
    for layer in [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]:
        axis = 1 if isinstance(layer, nn.Conv2d) else -1
        channels, examples = layer.weight.shape[0], len(probe.batches[0])
        for channel in range(channels):
            squares = 0.0
            for number in range(examples):
                sides = []
                for gate in (1 + STEP, 1 - STEP):

                    def scaled(module, given, made, number=number, channel=channel, gate=gate, axis=axis):
                        gates = torch.ones_like(made)
                        gates[number].select(axis if axis < 0 else axis - 1, channel).fill_(gate)
                        return made * gates

                    hook = layer.register_forward_hook(scaled)
                    with torch.no_grad():
                        sides.append(float(loss_of(probe, network)))
                    hook.remove()
                squares += ((sides[0] - sides[1]) / (2 * STEP)) ** 2
            expected += layer.weight[0].numel() * squares / examples / 2  # once for each of its weights
    assert measure("fisher", probe) == pytest.approx(expected, rel=1e-6)


def test_fisher_first_spares_the_others_their_backward_pass(case, monkeypatch):
    probe, _ = case
    fresh = Probe(probe.network, probe.signature, probe.batches, probe.loss, probe.seed)
    expected = measure("snip", fresh)
    measure("fisher", probe)
    monkeypatch.setattr(torch.autograd, "grad", None)
    assert measure("snip", probe) == pytest.approx(expected, rel=1e-12)


def test_grasp_is_the_gradient_s_difference_along_itself(case):
    probe, network = case
    weights = weights_of(network)

    def slopes():
        return [
            torch.zeros_like(weight) if slope is None else slope
            for weight, slope in zip(
                weights, torch.autograd.grad(loss_of(probe, network), weights, allow_unused=True), strict=True
            )
        ]

    along, held, sides = slopes(), [weight.detach().clone() for weight in weights], []
    for sign in (1, -1):
        with torch.no_grad():
            for weight, before, slope in zip(weights, held, along, strict=True):
                weight.copy_(before + sign * STEP * slope)
        sides.append(slopes())
    expected = -sum(
        float((before * (above - below)).sum()) / (2 * STEP) for before, above, below in zip(held, *sides, strict=True)
    )
    assert measure("grasp", probe) == pytest.approx(expected, rel=1e-5)


def test_jacob_cov_from_one_example_s_derivatives_at_a_time(case):
    probe, network = case
    given = probe.batches[0].inputs
    is_text = not given.is_floating_point()
    numbers = network.embedding(given).detach() if is_text else given
    run = network.numbers if is_text else network
    rows = []
    for number in range(len(numbers)):

        def outputs(one, number=number):
            return run(torch.cat([numbers[:number], one[None], numbers[number + 1 :]])).sum()

        rows.append(torch.autograd.functional.jacobian(outputs, numbers[number]).flatten().numpy())
    eigenvalues, _ = np.linalg.eig(np.corrcoef(np.array(rows)))
    expected = -np.sum(np.log(eigenvalues + 1e-5) + 1 / (eigenvalues + 1e-5))
    assert measure("jacob_cov", probe) == pytest.approx(float(np.real(expected)), rel=1e-6)


def test_naswot_counts_the_rectifiers_that_two_examples_agree_on(case):
    probe, network = case
    given, size = probe.batches[0].inputs, len(probe.batches[0])
    with torch.no_grad():
        if isinstance(network, Images):
            first = network.stem[1](network.stem[0](given))
            before = [first, network.norm(network.depthwise(network.stem[2](first)))]  # and not the dead branch's
        elif isinstance(network, Vectors):
            before = [network.first(given)]
        else:
            before = [network.first(network.embedding(given))]
    codes = torch.cat([(made > 0).reshape(size, -1) for made in before], dim=1).tolist()
    agree = [[sum(a == b for a, b in zip(left, right, strict=True)) for right in codes] for left in codes]
    expected = math.log(abs(np.linalg.det(np.array(agree, dtype=float))))
    assert measure("naswot", probe) == pytest.approx(expected, rel=1e-9)


def one_layer(width, examples=64):
    """A layer of rectifiers, and its probe, in float32 as networks are."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, 3))
    given = Split(torch.randn(examples, 6), torch.randint(3, (examples,)))
    return network, Probe(network, aw.Signature((6,), 3), [given], functional.cross_entropy)


def test_naswot_of_fewer_rectifiers_than_examples_is_no_number():
    """K has a rank of at most their number and one, whatever the examples: its determinant would be rounding."""
    for width in (8, 40, 60):
        with pytest.raises(ArchwrightError, match=f"{width} rectifiers don't tell 64 examples apart"):
            measure("naswot", one_layer(width)[1])
    network, probe = one_layer(128)
    on = (network[0](probe.batches[0].inputs) > 0).double()
    expected = np.linalg.slogdet((on @ on.T + (1 - on) @ (1 - on).T).numpy()).logabsdet
    assert measure("naswot", probe) == pytest.approx(expected, rel=1e-12)


def test_synflow_is_the_outputs_differences_without_batch_norm(case):
    probe, network = case
    network = network.eval()
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d):
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, nn.Identity())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    is_text = isinstance(network, Texts)
    run = network.numbers if is_text else network
    ones = torch.ones(1, 7, 3) if is_text else torch.ones_like(probe.batches[0].inputs[:1])
    expected = 0.0
    with torch.no_grad():
        for weight in weights_of(network):
            flat = weight.view(-1)
            for place in range(len(flat)):
                held, sides = flat[place].clone(), []
                for sign in (1, -1):
                    flat[place] = held + sign * STEP
                    sides.append(run(ones.double()).sum())
                flat[place] = held
                expected += abs(float(held * (sides[0] - sides[1]) / (2 * STEP)))
    assert measure("synflow", probe) == pytest.approx(math.log1p(expected), rel=1e-6)


def test_synflow_of_layers_without_biases_is_their_number_times_the_output():
    """The output is linear in each layer's weights, so w dR/dw sums to R in each (Tanaka et al., theorem 1)."""
    torch.manual_seed(0)
    network = nn.Sequential(*itertools.chain(*((nn.Linear(3, 3, bias=False), nn.ReLU()) for _ in range(4))))
    probe = Probe(network, aw.Signature((3,), 3), [Split(torch.randn(2, 3), torch.zeros(2))], functional.mse_loss)
    output = torch.ones(1, 3, dtype=torch.float64)
    for layer in network[::2]:
        output = output @ layer.weight.detach().abs().double().T
    assert measure("synflow", probe) == pytest.approx(math.log1p(4 * float(output.sum())), rel=1e-12)


def test_synflow_bn_normalises_by_the_one_example():
    torch.manual_seed(0)
    network, signature, inputs, targets, loss = images()
    plain = copy.deepcopy(network).double().train()
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.abs_()
    plain(torch.ones(1, 2, 6, 6, dtype=torch.float64)).sum().backward()
    layers = [module for module in plain.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    known = [layer.weight for layer in layers if layer.weight.grad is not None]
    expected = sum(float((weight.detach() * weight.grad).abs().sum()) for weight in known)
    with borrowed(network):
        probe = Probe(network, signature, [Split(inputs[0].float(), targets[0])], loss)
        assert measure("synflow_bn", probe) == pytest.approx(math.log1p(expected), rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_zen_is_the_features_change_times_what_batch_norm_divided_by(kind):
    torch.manual_seed(1)
    network, signature, inputs, targets, loss = KINDS[kind]()
    network, copied = network.double(), copy.deepcopy(network).double().train()
    with borrowed(network):
        probe = Probe(network, signature, [Split(inputs[0], targets[0])], loss, seed=7)
        scores = []
        for repeat in range(2):
            with torch.no_grad():
                for name, parameter in copied.named_parameters():
                    if parameter.dim() > 1:
                        parameter.copy_(probe.noise(parameter, "zen", repeat, name))
                    elif name.endswith("bias"):
                        parameter.zero_()
                like = copied.embedding(inputs[0]) if kind == "texts" else inputs[0]
                first, change = (probe.noise(like, "zen", repeat, part) for part in ("input", "change"))
                features = (lambda x: torch.relu(copied.first(x))) if kind == "texts" else copied.features
                before, after = features(first), features(first + 0.01 * change)
            size = np.mean([np.abs((after - before)[number].numpy()).sum() for number in range(len(before))])
            norms = [module for module in copied.modules() if isinstance(module, nn.BatchNorm2d)]
            scores.append(math.log(size) + sum(math.log(math.sqrt(norm.running_var.mean())) for norm in norms))
        assert Zen(repeats=2).measure(probe) == pytest.approx(np.mean(scores), rel=1e-6)
        assert Zen().measure(probe) == pytest.approx(scores[0], rel=1e-6)


def test_zico_over_three_batches(case):
    probe, network = case
    by_batch = [[slope.flatten().tolist() for slope in slopes_of(probe, network, number)] for number in range(3)]
    expected = 0.0
    for of_weight in zip(*by_batch, strict=True):
        ratios = [
            np.mean(np.abs(values)) / np.std(values) for values in zip(*of_weight, strict=True) if np.std(values) > 1e-9
        ]
        expected += math.log(sum(ratios)) if ratios else 0.0
    assert measure("zico", probe) == pytest.approx(expected, rel=1e-5)


def test_a_vote_by_every_pair():
    rng = np.random.default_rng(0)
    metrics = ("synflow", "jacob_cov", "snip")
    own, *others = [dict(zip(metrics, values, strict=True)) for values in rng.integers(4, size=(30, 3)).tolist()]
    points = 0.0
    for other in others:
        ahead = sum(own[metric] > other[metric] for metric in metrics)
        behind = sum(own[metric] < other[metric] for metric in metrics)
        points += 1.0 if ahead > behind else 0.5 if ahead == behind else 0.0
    assert Vote().share(own, others) == pytest.approx(points / 29)
    assert Vote().share(own, [{"synflow": math.inf}]) == 1.0  # it has no score of the other two, and loses both
    with pytest.raises(ArchwrightError, match="snip can't be measured"):
        Vote().share({"synflow": 1.0, "jacob_cov": 1.0}, others)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_is_left_as_it_was(kind):
    torch.manual_seed(6)
    network, signature, inputs, targets, loss = KINDS[kind](batch=3)
    network.double().eval()
    next(network.children()).train()  # modes may differ
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    random = torch.get_rng_state()
    with borrowed(network):
        probe = Probe(network, signature, [Split(*pair) for pair in zip(inputs, targets, strict=True)], loss)
        for metric in PROXIES:
            if metric != "synflow_bn" or kind == "images":
                assert math.isfinite(measure(metric, probe))
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert all("forward" not in vars(module) for module in network.modules())
    assert torch.equal(random, torch.get_rng_state())


@pytest.mark.parametrize("metric", PROXIES)
def test_rectifiers_in_place_change_nothing(metric):
    torch.manual_seed(8)
    first, second = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3)
    network = nn.Sequential(nn.ReLU(), first, nn.ReLU(), second, nn.ReLU(), nn.Flatten(), nn.Linear(16, 3))
    _, signature, inputs, targets, loss = images()
    batches = [Split(*pair) for pair in zip(inputs, targets, strict=True)]
    scores = []
    for inplace in (False, True):
        network[0].inplace = network[2].inplace = network[4].inplace = inplace
        with borrowed(network.double()):
            scores.append(measure(metric, Probe(network, signature, batches, loss)))
    assert scores[0] == pytest.approx(scores[1], rel=1e-12)


class WrittenOver(nn.Module):
    """A network that may write over what its layers made: wholly, in part, a view of it, and by a rectifier."""

    def __init__(self, inplace):
        super().__init__()
        self.inplace = inplace
        self.first, self.second = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1)
        self.tokens, self.last = nn.Linear(2, 2), nn.Linear(2, 3)  # the first one returns a view: (batch, pixels, 2)

    def forward(self, x):
        made = self.first(x)
        other = self.second(x)
        tokens = self.tokens(x.flatten(2).transpose(1, 2))
        if self.inplace:
            made += x
            functional.silu(made, inplace=True)
            other[:, :1].mul_(2.0).add_(1.0)
            functional.relu(other, inplace=True)
            tokens.add_(1.0).sigmoid_()
        else:
            made = functional.silu(made + x)
            other = functional.relu(torch.cat([other[:, :1] * 2.0 + 1.0, other[:, 1:]], dim=1))
            tokens = torch.sigmoid(tokens + 1.0)
        return self.last(made.mean((2, 3)) + other.mean((2, 3)) + tokens.mean(1))


def test_fisher_looks_at_what_layers_returned_whatever_is_written_over_it():
    _, signature, inputs, targets, loss = images()
    batches = [Split(*pair) for pair in zip(inputs, targets, strict=True)]
    scores = []
    for inplace in (False, True):
        torch.manual_seed(8)
        network = WrittenOver(inplace).double()
        with borrowed(network):
            scores.append(measure("fisher", Probe(network, signature, batches, loss)))
    assert scores[1] == pytest.approx(scores[0], rel=1e-12)


@pytest.mark.parametrize("metric", PROXIES)
def test_alone_and_after_the_others_a_proxy_says_the_same(metric):
    torch.manual_seed(4)
    network, signature, inputs, targets, loss = images()
    network.double()
    batches = [Split(*pair) for pair in zip(inputs, targets, strict=True)]
    with borrowed(network):
        alone = measure(metric, Probe(network, signature, batches, loss))
        probe = Probe(network, signature, batches, loss)
        after = [measure(name, probe) for name in [*PROXIES, metric]][-1]
    assert after == pytest.approx(alone, rel=1e-12)


def test_dropout_is_the_same_in_every_run():
    torch.manual_seed(5)
    network = nn.Sequential(nn.Linear(4, 50), nn.ReLU(), nn.Dropout(0.5), nn.Linear(50, 2))
    given = Split(torch.randn(6, 4), torch.randn(6, 2))
    with borrowed(network):
        first, second = (Probe(network, aw.Signature((4,), 2), [given], functional.mse_loss, seed=1) for _ in range(2))
        other = Probe(network, aw.Signature((4,), 2), [given], functional.mse_loss, seed=2)
        assert measure("snip", first) == measure("snip", second) != measure("snip", other)
        assert torch.equal(first.run(given.inputs).outputs, first.run(given.inputs).outputs)
        assert measure("synflow", first) == measure("synflow", other)  # nothing is dropped


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.classifier = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.classifier(self.attention(x[:, None], x[:, None], x[:, None])[0][:, 0])


class Recurs(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.cell, self.classifier = kind(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        made = self.cell(x)
        return self.classifier(made[0] if isinstance(made, tuple) else made)


class Matrix(nn.Module):
    def __init__(self):
        super().__init__()
        self.matrix = nn.Parameter(torch.eye(4, 2))

    def forward(self, x):
        return x @ self.matrix


@pytest.mark.parametrize(
    ("metric", "network", "says"),
    [
        ("naswot", nn.Linear(4, 2), "naswot looks at rectifiers"),
        ("fisher", Matrix(), "fisher looks at convolutions"),
        ("fisher", Attends(), "see into MultiheadAttention; write it with nn.Linear"),
        ("fisher", Recurs(nn.GRU), "see into GRU"),
        ("fisher", Recurs(nn.GRUCell), "see into GRUCell"),
        (
            "naswot",
            nn.Sequential(nn.Linear(4, 2), nn.Threshold(1e9, 0.0), nn.ReLU()),
            "2 rectifiers don't tell 3 examples apart, so naswot's determinant is 0",
        ),
        ("jacob_cov", nn.Sequential(nn.Linear(4, 2), nn.Threshold(1e9, 0.0)), "do not depend on the inputs"),
        ("zen", Matrix(), "zen looks at features"),
        ("zico", nn.Linear(4, 2), "several batches"),
        ("snip", nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (3, 4))), "has no weights"),
        ("snip", nn.Linear(4, 3), r"returns \(3, 3\), but the task needs \(3, 2\)"),
    ],
)
def test_what_a_proxy_lacks_is_said(metric, network, says):
    given = Split(torch.randn(3, 4), torch.randn(3, 2))
    probe = Probe(network, aw.Signature((4,), 2), [given], functional.mse_loss)
    with pytest.raises(ArchwrightError, match=says):
        measure(metric, probe)


def test_a_text_that_is_not_embedded_has_no_numbers_that_enter():
    class OneHot(nn.Linear):
        def forward(self, tokens):
            return super().forward(functional.one_hot(tokens, 6).float()).transpose(1, 2)

    _, signature, tokens, targets, loss = texts()
    probe = Probe(OneHot(6, 6), signature, [Split(tokens[0], targets[0])], loss)
    assert measure("snip", probe) > 0
    for metric in ("jacob_cov", "synflow", "zen"):
        with pytest.raises(ArchwrightError, match="does not embed its tokens"):
            measure(metric, probe)
