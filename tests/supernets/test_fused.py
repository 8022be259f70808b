"""Candidates computed together against the plain formulation: each candidate by itself, times its weight, summed."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

import archwright as aw
from archwright.core.choices import Choice
from archwright.core.rng import Streams
from archwright.spaces import ops
from archwright.spaces.opening import opened
from archwright.supernets import OpenNetwork, Relaxation, calibrated, kernels
from archwright.supernets.bilevel import first_order
from archwright.supernets.mixed import Mixed, OpenChoice

EDGES = 3
NORMS = nn.BatchNorm2d

MIXTURES = {
    "all": lambda count: dict(enumerate(torch.softmax(torch.randn(count, dtype=torch.float64), 0).unbind())),
    "some, as numbers": lambda count: {5: 0.25, 0: 0.5, 3: 2.0},
    "two, one of them by PyTorch": lambda count: {7: 0.25, 4: 0.5},
    "one with a gradient": lambda count: {6: torch.tensor(1.0, dtype=torch.float64)},
    "one that is decided": lambda count: {3: 1.0},
    "identity alone": lambda count: {2: 0.5},
}
OPERATIONS = (*ops.NORMALIZED_DARTS_OPS, ops.Op("conv", ops.convolution, kernel=3), ops.Op("none", ops.none))


@pytest.fixture(params=["kernels", "plain PyTorch"])
def ways(request, monkeypatch):
    if request.param == "kernels" and kernels.library() is None:
        pytest.skip("there is no compiler")
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", str(int(request.param == "kernels")))
    return request.param


def edges(channels, stride, affine=True):
    """Open ops that read one tensor; running statistics and affine parameters are no longer what they begin with."""
    torch.manual_seed(0)
    made = []
    for _ in range(EDGES):
        _, found = opened(aw.Space(lambda op: op, op=Choice(*OPERATIONS)), OpenChoice)
        made.append(found["op"](channels, channels, stride).double())
    for module in (module for edge in made for module in edge.modules()):
        if isinstance(module, NORMS):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)
            module.weight.requires_grad_(affine)
            module.bias.requires_grad_(affine)
    return made


def plainly(mixed, x):
    return sum(weight * mixed.candidates[option](x) for option, weight in mixed.choice.weights.items())


def computed(made, weights, x, compute):
    """Outputs, then gradients of x, of the weights over candidates and of the parameters; then all buffers."""
    x = x.clone().requires_grad_()
    learnt = []
    for edge, given in zip(made, weights, strict=True):
        own = {o: w.clone().requires_grad_() if isinstance(w, torch.Tensor) else w for o, w in given.items()}
        learnt += [weight for weight in own.values() if isinstance(weight, torch.Tensor)]
        edge.choice.weights = own
    outputs = compute(made, x)
    asked = [x, *learnt, *(p for edge in made for p in edge.parameters() if p.requires_grad)]
    loss = sum((output * torch.sin(torch.arange(output.numel()).reshape(output.shape))).sum() for output in outputs)
    gradients = torch.autograd.grad(loss, asked, allow_unused=True)
    buffers = [buffer for edge in made for buffer in edge.buffers()]
    return outputs, [torch.zeros(()) if found is None else found for found in gradients], buffers


def assert_equal(ours, theirs, tolerance=1e-10):
    for mine, other in zip(ours, theirs, strict=True):
        for one, two in zip(mine, other, strict=True):
            assert torch.allclose(one.double(), two.double(), rtol=tolerance, atol=tolerance), float(
                (one - two).abs().max()
            )


def together(made, x):
    return ops.at_once(made, x)


def apart(made, x):
    return [plainly(edge, x) for edge in made]


@pytest.mark.parametrize("mixture", MIXTURES)
@pytest.mark.parametrize("stride", [1, 2])
def test_equal_to_the_plain_formulation(ways, mixture, stride):
    torch.manual_seed(1)
    x = torch.randn(5, 8, 7, 6, dtype=torch.float64)
    x[0, :, 0, :3] = 0.5  # equal largest pixels: the first has the gradient
    weights = [MIXTURES[mixture](len(OPERATIONS)) for _ in range(EDGES)]
    weights[1] = MIXTURES["all"](len(OPERATIONS))
    ours, theirs = edges(8, stride), edges(8, stride)
    assert_equal(computed(ours, weights, x, together), computed(theirs, weights, x, apart))


@pytest.mark.parametrize("channels", [3, 4, 16, 24, 48])
def test_any_number_of_channels(ways, channels):
    torch.manual_seed(1)
    x = torch.randn(3, channels, 9, 9, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours, theirs = edges(channels, 1), edges(channels, 1)
    assert_equal(computed(ours, weights, x, together), computed(theirs, weights, x, apart))


@pytest.mark.parametrize("threads", [2, 7])
def test_kernels_share_the_images_among_threads(monkeypatch, threads):
    """Of which there may be more than images."""
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", "1")
    torch.manual_seed(1)
    x = torch.randn(5, 8, 9, 9, dtype=torch.float64)
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours, theirs, before = edges(8, 1), edges(8, 1), torch.get_num_threads()
    wanted = computed(theirs, weights, x, apart)
    torch.set_num_threads(threads)
    try:
        assert_equal(computed(ours, weights, x, together), wanted)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("option", range(len(OPERATIONS)))
def test_what_is_no_number_stays_so(ways, option):
    """Else a search that diverged would go on."""
    x = torch.zeros(2, 8, 6, 6, dtype=torch.float64)
    x[0, 0, 3, 3] = torch.nan
    ours, theirs = edges(8, 1)[:1], edges(8, 1)[:1]
    ours[0].choice.weights = theirs[0].choice.weights = {option: 0.5, 4: 0.5}
    with torch.no_grad():
        (made,), (wanted,) = together(ours, x), apart(theirs, x)
    assert torch.equal(made.isnan(), wanted.isnan())
    assert made.isnan().any()


def test_in_float32(ways):
    """To what float32 rounds to, in each of the widths that a vector may have."""
    for channels in (4, 8, 16, 32, 64):
        torch.manual_seed(1)
        x = torch.randn(4, channels, 12, 12)
        weights = [MIXTURES["some, as numbers"](9) for _ in range(EDGES)]
        ours, theirs = edges(channels, 1), edges(channels, 1)
        exact = computed(theirs, weights, x.double(), apart)
        made = computed([edge.float() for edge in ours], weights, x, together)
        assert_equal(made[:1], exact[:1], 2e-5)
        for one, two in zip(made[1], exact[1], strict=True):
            assert float((one - two).abs().max()) <= 2e-5 * float(two.abs().max()) + 1e-4


def test_frozen_scales_get_no_gradient_and_count_as_they_are(ways):
    torch.manual_seed(1)
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours, theirs = edges(8, 1, affine=False), edges(8, 1, affine=False)
    assert_equal(computed(ours, weights, x, together), computed(theirs, weights, x, apart))


@pytest.mark.parametrize("affine", [True, False])
def test_batch_norms_without_affine_parameters_and_with_an_average_as_momentum(ways, affine):
    torch.manual_seed(1)
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours = edges(8, 1)
    for module in [module for edge in ours for module in edge.modules()]:
        for name, child in list(module.named_children()):
            if isinstance(child, NORMS):
                setattr(module, name, NORMS(8, affine=affine, momentum=None).double())
    theirs = copy.deepcopy(ours)
    for _ in range(3):
        assert_equal(computed(ours, weights, x, together), computed(theirs, weights, x, apart))
        x = x * 2 + 1


def test_statistics_that_are_not_tracked_stay(ways):
    """As a step that looks ahead leaves them."""
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours, theirs = edges(8, 1), edges(8, 1)
    for module in [module for edge in (*ours, *theirs) for module in edge.modules()]:
        if isinstance(module, NORMS):
            module.track_running_stats = False
    before = [buffer.clone() for edge in ours for buffer in edge.buffers()]
    made = computed(ours, weights, x, together)
    assert_equal(made, computed(theirs, weights, x, apart))
    assert_equal([made[2]], [before])


def test_in_evaluation(ways):
    """With running statistics, with gradients and without."""
    torch.manual_seed(1)
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)
    weights = [MIXTURES["all"](len(OPERATIONS)) for _ in range(EDGES)]
    ours, theirs = ([edge.eval() for edge in edges(8, 1)] for _ in range(2))
    assert_equal(computed(ours, weights, x, together), computed(theirs, weights, x, apart))
    with torch.no_grad():
        assert_equal([together(ours, x)], [apart(theirs, x)])


def test_a_gradient_can_be_differentiated(ways):
    """As the eigenvalue stop of RobustDARTS does."""
    torch.manual_seed(1)
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)
    found = []
    for compute in (together, apart):
        made = edges(8, 1)
        rows = torch.linspace(-1, 1, EDGES * 9, dtype=torch.float64).reshape(EDGES, 9).requires_grad_()
        for edge, row in zip(made, torch.softmax(rows, 1), strict=True):
            edge.choice.weights = dict(enumerate(row))
        weight = made[0].candidates[4][0][1].weight
        loss = sum(output.square().sum().sqrt() for output in compute(made, x))
        first = torch.autograd.grad(loss, [rows, weight], create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in first), [rows, weight])
        found.append(([*first, *second], list(made[0].buffers())))
    assert_equal(*found)


def test_an_unknown_candidate_or_one_that_is_listened_to_is_called(ways):
    """A user's own ops, hooks, even kernels, other paddings: all go the plain way."""

    class Own(nn.Conv2d):
        pass

    torch.manual_seed(1)
    x = torch.randn(3, 8, 6, 6, dtype=torch.float64)

    def strange():
        made = edges(8, 1)[:1]
        torch.manual_seed(2)
        own = [
            nn.Sequential(
                nn.ReLU(), Own(8, 8, 3, padding=1, groups=8, bias=False), nn.Conv2d(8, 8, 1, bias=False), NORMS(8)
            ),
            nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1, bias=False), NORMS(8)),
            nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 7, padding=3, groups=8, bias=False), nn.Conv2d(8, 8, 1), NORMS(8)),
            nn.Sequential(nn.AvgPool2d(3, 1, 1), NORMS(8)),
            nn.Sequential(nn.MaxPool2d(5, 1, 2), NORMS(8)),
            nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(inplace=True)),
            nn.Sequential(),
            nn.Tanh(),
        ]
        made[0].candidates.extend(module.double() for module in own)
        return made

    weights = [MIXTURES["all"](9 + 8)]
    assert_equal(computed(strange(), weights, x, together), computed(strange(), weights, x, apart))
    called = []
    made = strange()
    made[0].candidates[3][0][1].register_forward_hook(lambda *_: called.append(1))
    computed(made, weights, x, together)
    assert called


def test_names_of_the_state_are_those_of_the_candidates():
    mixed = edges(8, 1)[0]
    assert {name.split(".")[0] for name in mixed.state_dict()} == {"candidates"}
    assert isinstance(mixed, Mixed)


def test_an_architecture_step_computes_no_gradient_of_weights(monkeypatch):
    if kernels.library() is None:
        pytest.skip("there is no compiler")
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", "1")
    asked = []
    plain = kernels.separable_backward

    def watched(*args, **kwargs):
        asked.append(args[8])
        return plain(*args, **kwargs)

    monkeypatch.setattr(kernels, "separable_backward", watched)
    torch.manual_seed(0)
    network = OpenNetwork(aw.spaces.darts(cells=3, channels=4), aw.Signature((1, 8, 8), 10), affine=False)
    relaxation = Relaxation(network, first_order)
    relaxation.apply_weights()
    outputs = network(torch.randn(2, 1, 8, 8))
    torch.autograd.grad(outputs.square().sum(), list(relaxation.parameters()), retain_graph=True)
    assert asked
    assert not any(asked)
    asked.clear()
    outputs.square().sum().backward()
    assert all(asked)
    asked.clear()
    one = network.network.cells[0].edges["0_2"].candidates[3][0][1].weight
    relaxation.apply_weights()
    torch.autograd.grad(network(torch.randn(2, 1, 8, 8)).square().sum(), [one])
    assert True in asked


def test_calibration_sees_the_same_statistics(ways):
    """The open network with a mixture, calibrated, against a calibration by the plain formulation."""
    torch.manual_seed(0)
    space = aw.spaces.darts(cells=2, channels=4)
    network = OpenNetwork(space, aw.Signature((1, 8, 8), 10)).double()
    batches = [torch.randn(4, 1, 8, 8, dtype=torch.float64) for _ in range(3)]
    with torch.no_grad(), calibrated(network, batches):
        ours = network(batches[0])
    Mixed.at_once, kept = staticmethod(lambda modules, x: [plainly(module, x) for module in modules]), Mixed.at_once
    try:
        with torch.no_grad(), calibrated(network, batches):
            theirs = network(batches[0])
    finally:
        Mixed.at_once = staticmethod(kept)
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-10)


def test_single_paths_of_the_open_network(ways):
    """Sampled weights that a gradient goes through, as GDAS has: one candidate an edge, none at some."""
    torch.manual_seed(0)
    space = aw.spaces.darts(cells=3, channels=4)
    network = OpenNetwork(space, aw.Signature((1, 8, 8), 10)).double()
    images = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    drawn = aw.spaces.sample(space, Streams(1)[0])
    alone = network.standalone(drawn)
    wanted = torch.autograd.grad(alone(images).square().sum(), list(alone.parameters()))
    shared = network.weights_of(drawn, alone)
    by_memory = {parameter.data_ptr(): parameter for parameter in network.parameters()}
    parameters = [by_memory[shared[name].data_ptr()] for name, _ in alone.named_parameters()]
    decided = [choice for choice in network.choices.values() if choice.weights and not choice.is_subset]
    one = torch.ones((), dtype=torch.float64, requires_grad=True)
    network.mix({choice.name: {next(iter(choice.weights)): one} for choice in decided})
    found = torch.autograd.grad(network(images).square().sum(), parameters)
    assert_equal([found], [wanted])


@pytest.mark.parametrize("broken", [False, True])
def test_without_a_compiler_that_works_pytorch_computes(tmp_path, monkeypatch, recwarn, capfd, broken):
    if broken:
        compiler = tmp_path / "c++"
        compiler.write_text("#!/bin/sh\necho nonsense >&2; exit 1\n")
        compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kernels.library.cache_clear()
    try:
        network = OpenNetwork(aw.spaces.darts(cells=3, channels=4), aw.Signature((1, 8, 8), 10))
        assert network(torch.randn(2, 1, 8, 8)).shape == (2, 10)
        assert kernels.library() is None
    finally:
        kernels.library.cache_clear()
    assert not recwarn.list
    assert not capfd.readouterr().err


def test_other_numbers_and_settings_go_to_pytorch(monkeypatch):
    image = torch.zeros(1, 4, 2, 2)
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", "1")
    assert kernels.usable(image) == (kernels.library() is not None)
    assert not kernels.usable(image.bfloat16())
    assert not kernels.usable(image[:, :3])
    assert not kernels.usable(image.to("meta"))
    with torch.autocast("cpu", torch.bfloat16):
        assert not kernels.usable(image)
    monkeypatch.setenv("ARCHWRIGHT_KERNELS", "0")
    assert not kernels.usable(image)


@pytest.mark.parametrize("stride", [1, 2])
def test_what_is_no_number_stays_so_through_max_pooling(stride):
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    x[0, 1, 2, 3] = torch.nan
    x = x.contiguous(memory_format=torch.channels_last)
    if not kernels.usable(x):
        pytest.skip("no C++ compiler")
    made, _, _ = kernels.pool(x, False, stride)
    read = x.clone().requires_grad_()
    wanted = functional.max_pool2d(read, 3, stride, 1)
    assert torch.equal(made.isnan(), wanted.isnan())
    assert torch.equal(made.nan_to_num(), wanted.detach().nan_to_num())
    behind = torch.ones_like(wanted)
    wanted.backward(behind)
    gx = torch.zeros_like(x)
    kernels.pool_backward(x, False, stride, behind.contiguous(memory_format=torch.channels_last), gx)
    assert torch.equal(gx, read.grad)
