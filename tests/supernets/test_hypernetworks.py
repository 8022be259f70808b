import math

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.nas_bench_201 import from_string
from archwright.spaces.operators import sample
from archwright.spaces.steps import Blend
from archwright.supernets.hypernetworks import GraphHypernetwork, Smash
from archwright.supernets.hypernetworks.decoder import Decoder, he, unit_norm
from archwright.supernets.hypernetworks.graph import Propagation
from archwright.supernets.hypernetworks.network_graph import FEATURES, KINDS, NetworkGraph, network_graph

SIGNATURE = aw.Signature((1, 8, 8), 10)
KINDS_OF_WRITERS = [
    GraphHypernetwork(hidden=8, rounds=2, channels=4, kernel=3),
    Smash(hidden=8, code=6, channels=4, kernel=3),
]


def tiny():
    return aw.spaces.nasbench201(cells=1, channels=2)


def written_by(kind, space=None):
    torch.manual_seed(0)
    return kind.over(space or tiny(), SIGNATURE)


def images(count=4):
    return torch.randn(count, *SIGNATURE.input_shape, generator=torch.Generator().manual_seed(1))


def kinds(graph):
    """The kinds of calls in each vertex."""
    named = [*KINDS, "other"]
    return [{named[column] for column in row[: len(named)].nonzero().flatten()} for row in graph.features]


@pytest.mark.parametrize("kind", KINDS_OF_WRITERS)
def test_it_writes_every_parameter_of_any_architecture(kind):
    writer = written_by(kind)
    for number in range(50):
        architecture = sample(writer.space, Streams(number)[0])
        expected = dict(writer.space.build(architecture, SIGNATURE).named_parameters())
        weights = writer.weights(architecture)
        assert list(weights) == list(expected)
        for name, parameter in expected.items():
            assert weights[name].shape == parameter.shape, name
            assert torch.isfinite(weights[name]).all(), name


@pytest.mark.parametrize("kind", KINDS_OF_WRITERS)
def test_gradients_reach_all_of_the_hypernetwork(kind):
    writer = written_by(kind)
    for number in range(4):  # one architecture need not use all columns of an embedding
        writer.decide(sample(writer.space, Streams(number)[0]))
        nn.functional.cross_entropy(writer(images()), torch.arange(4)).backward()
    for name, parameter in writer.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("kind", KINDS_OF_WRITERS)
def test_it_computes_what_the_standalone_network_computes(kind):
    writer = written_by(kind)
    architecture = sample(writer.space, Streams(5)[0])
    alone = writer.space.build(architecture, SIGNATURE)
    with torch.no_grad():
        for name, tensor in writer.weights(architecture).items():
            alone.get_parameter(name).copy_(tensor)
    writer.decide(architecture)
    assert torch.allclose(writer(images()), alone(images()), atol=1e-6)
    copy = writer.standalone(architecture)
    assert torch.allclose(copy(images()), alone(images()), atol=1e-6)
    assert copy is not writer.standalone(architecture)


@pytest.mark.parametrize("kind", KINDS_OF_WRITERS)
def test_what_has_one_dimension_begins_as_in_a_network_of_its_own(kind):
    writer = written_by(kind, aw.spaces.growing(stages=2, max_layers=2, widths=(8, 16)))
    seen = set()
    for number in range(12):
        architecture = sample(writer.space, Streams(number)[0])
        alone, weights = writer.standalone(architecture), writer.weights(architecture)
        for path, module in alone.named_modules():
            if isinstance(module, nn.BatchNorm2d):
                assert (weights[f"{path}.weight"] == 1).all()
                assert (weights[f"{path}.bias"] == 0).all()
            elif isinstance(module, nn.Linear):
                assert (weights[f"{path}.bias"] == 0).all()
            elif isinstance(module, Blend):
                count = len(module.weights)
                seen.add(count)
                assert weights[f"{path}.weights"].tolist() == pytest.approx([1 / count] * count)
        assert float(alone.train()(images(8)).std(0).max().detach()) > 1e-4  # no sum of nothing on the way
    assert 2 in seen


def test_the_written_weights_depend_on_the_architecture():
    for kind in KINDS_OF_WRITERS:
        writer = written_by(kind)
        one, other = (
            writer.weights(
                from_string(f"|nor_conv_3x3~0|+|none~0|{op}~1|+|skip_connect~0|skip_connect~1|skip_connect~2|")
            )
            for op in ("nor_conv_3x3", "avg_pool_3x3")
        )
        assert not torch.allclose(one["body.0.edges.0_1.1.weight"], other["body.0.edges.0_1.1.weight"])


def alike(decoder, hidden, shape, centre=0.0):
    """Tensors of one shape, (n, *shape), made beside one of another."""
    shapes = [torch.Size((2, 2, 5, 3))] + [torch.Size(shape)] * len(hidden)
    return torch.stack(decoder(torch.cat([hidden[:1], hidden]), shapes, [0.0] + [centre] * len(hidden))[1:])


def test_layers_start_with_the_variance_that_they_should():
    torch.manual_seed(0)
    hidden = torch.randn(50, 32)
    for shape in ((16, 16, 3, 3), (8, 1, 5, 5), (10, 16), (40, 40, 1, 1)):
        made = alike(Decoder(32, 32, 7, he), hidden, shape)
        assert made.shape == (50, *shape)
        assert float(made.detach().var()) == pytest.approx(2 / math.prod(shape[1:]), rel=0.15)
    rows = alike(Decoder(32, 32, 7, unit_norm), hidden, (16, 8, 3, 3))
    assert torch.allclose(rows.flatten(2).norm(dim=2), torch.ones(50, 16), atol=1e-5)


def test_a_kernel_is_the_tiles_centre_and_what_is_larger_repeats_it():
    torch.manual_seed(0)
    decoder = Decoder(6, 3, 5, lambda numbers: numbers)
    hidden = torch.randn(2, 6)
    normed = (hidden - hidden.mean(1, keepdim=True)) / (hidden.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    whole = torch.einsum("nh,hoikl->noikl", normed, decoder.tile.view(6, 3, 3, 5, 5))
    assert torch.allclose(alike(decoder, hidden, (2, 3, 3, 1)), whole[:, :2, :, 1:4, 2:3], atol=1e-6)
    large = alike(decoder, hidden, (7, 4))
    for row in range(7):
        for column in range(4):
            assert torch.allclose(large[:, row, column], whole[:, row % 3, column % 3, 2, 2], atol=1e-6)
    with torch.no_grad():
        decoder.vectors.normal_()
    vector = alike(decoder, hidden, (5,), 1.0)
    assert torch.allclose(vector, 1.0 + (normed @ decoder.vectors)[:, [0, 1, 2, 0, 1]], atol=1e-6)


def random_graph(vertices=12, seed=0):
    generator = torch.Generator().manual_seed(seed)
    edges = [(a, b) for b in range(vertices) for a in range(b) if torch.rand((), generator=generator) < 0.3]
    return NetworkGraph(torch.rand(vertices, FEATURES, generator=generator), tuple(edges), {})


def test_propagation_is_a_plain_loop_over_the_vertices():
    """Section 4.2 of the paper written out: one vertex after the other, forward and then backward."""
    torch.manual_seed(0)
    network, graph = Propagation(hidden=6, rounds=3), random_graph()
    states = list(torch.tanh(network.enter(graph.features)))
    for _ in range(3):
        for direction, order in enumerate((range(12), reversed(range(12)))):
            for vertex in order:
                neighbours = [(a, b)[direction] for a, b in graph.edges if (b, a)[direction] == vertex]
                heard = torch.zeros(6)
                for neighbour in neighbours:
                    heard = heard + network.messages[direction](states[neighbour])
                states[vertex] = network.updates[direction](heard[None], states[vertex][None])[0]
    assert torch.allclose(network(graph), torch.stack(states), atol=1e-6)


def test_renumbered_vertices_get_the_same_states():
    torch.manual_seed(0)
    network, graph = Propagation(hidden=6, rounds=2), random_graph()
    order = torch.randperm(12)  # vertex v becomes order[v]
    features = torch.empty_like(graph.features)
    features[order] = graph.features
    edges = tuple((int(order[a]), int(order[b])) for a, b in graph.edges)
    assert torch.allclose(network(NetworkGraph(features, edges, {}))[order], network(graph), atol=1e-6)


def test_isomorphic_architectures_get_the_same_weights():
    """The cell's two middle nodes swapped: what stood on edge 0-1 stands on 0-2, what stood on 1-3 on 2-3."""
    writer = written_by(KINDS_OF_WRITERS[0])
    one = writer.weights(from_string("|nor_conv_3x3~0|+|nor_conv_1x1~0|none~1|+|none~0|avg_pool_3x3~1|nor_conv_3x3~2|"))
    other = writer.weights(
        from_string("|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|")
    )
    swap = {"0_1": "0_2", "0_2": "0_1", "1_3": "2_3", "2_3": "1_3"}
    assert len(one) == len(other)
    for name, tensor in one.items():
        parts = [swap.get(part, part) for part in name.split(".")]
        assert torch.allclose(tensor, other[".".join(parts)], atol=1e-5), name


def test_a_networks_graph_has_a_vertex_for_each_operation():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
            self.left, self.right = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 5, padding=2)
            self.pool, self.head = nn.MaxPool2d(2), nn.Linear(4, 10)
            self.idle, self.lost = nn.Linear(2, 2), nn.Linear(4, 4)

        def forward(self, x):
            x = self.first(x)
            if x.shape[1] == 4:  # Python may look at shapes
                x = self.left(x) + self.right(self.right(x))
            x = self.pool(x).mean((2, 3))
            self.lost(x)
            return self.head(x)

    graph = network_graph(Net(), images())
    assert kinds(graph)[:7] == [
        {"input"},
        {"conv", "batch_norm", "relu"},
        {"conv"},
        {"conv"},
        {"conv"},
        {"add", "max_pool", "mean"},
        {"linear"},
    ]
    assert graph.edges == ((0, 1), (1, 2), (1, 3), (2, 5), (3, 4), (4, 5), (5, 6))
    assert [place for _, place in sorted(graph.readers[f"first.{name}"][0] for name in ("0.weight", "0.bias"))] == [
        0,
        1,
    ]
    assert graph.readers["first.1.bias"] == ((1, 3),)
    assert [vertex for vertex, _ in graph.readers["right.weight"]] == [3, 4]  # called twice
    for name in ("idle.weight", "lost.weight"):  # one is not called, of the other's call nothing comes
        ((vertex, _),) = graph.readers[name]
        assert vertex > 6
        assert all(vertex not in edge for edge in graph.edges)


@pytest.mark.parametrize(
    "space",
    [
        tiny,
        lambda: aw.spaces.pnas(cells=1, filters=4),
        lambda: aw.spaces.memory_banks(stages=2, layers=3, banks=3, channels=2),
        lambda: aw.spaces.darts(cells=3, channels=2),
    ],
)
def test_what_the_graph_says_is_read_is_what_gradients_of_the_output_reach(space):
    made, agreed = space(), 0
    for number in range(10):
        network = made.build(sample(made, Streams(number)[0]), SIGNATURE)
        graph = network_graph(network, images(2))
        connected = {vertex for edge in graph.edges for vertex in edge}
        outputs = network.eval()(images(2)).sum()
        named = dict(network.named_parameters())
        for name, gradient in zip(
            named, torch.autograd.grad(outputs, list(named.values()), allow_unused=True), strict=True
        ):
            assert (gradient is not None) == any(vertex in connected for vertex, _ in graph.readers[name]), name
            agreed += 1
    assert agreed > 100


def test_random_state_and_the_networks_mode_are_left_alone():
    writer = written_by(KINDS_OF_WRITERS[0])
    before = torch.get_rng_state()
    writer.weights(sample(writer.space, Streams(9)[0]))
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_decided_is_said():
    with pytest.raises(RuntimeError, match="no architecture was decided"):
        written_by(KINDS_OF_WRITERS[1])(images())


@pytest.mark.parametrize("kind", KINDS_OF_WRITERS)
@pytest.mark.parametrize(
    "space",
    [
        lambda: aw.spaces.nasbench101(modules=1, channels=4),
        lambda: aw.spaces.chain(),
        lambda: aw.spaces.autonet(units=(4, 32)),
        lambda: aw.spaces.cell(cells=1, filters=4),
        lambda: aw.spaces.hierarchical(motif_nodes=3, nodes=4, channels=4, stages=2),
    ],
)
def test_any_space(kind, space):
    writer = written_by(kind, space())
    for number in range(2):
        writer.decide(sample(writer.space, Streams(number)[0]))
        assert writer(images()).shape == (4, 10)
