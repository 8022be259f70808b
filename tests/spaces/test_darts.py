"""The DARTS space against the paper: sizes, known parameter counts, keys, and the spaces of RobustDARTS."""

import pytest
import torch

import archwright as aw
from archwright.core.choices import Subset
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.spaces import ops
from archwright.spaces.darts_cells import ROBUST_DARTS
from archwright.supernets import OpenNetwork, Relaxation
from archwright.supernets.bilevel import first_order

CIFAR = aw.Signature((3, 32, 32), 10)
LABELS = [op.label for op in ops.NORMALIZED_DARTS_OPS]
MAX, AVG, SKIP, SEP3, SEP5, DIL3, DIL5 = range(7)


def architecture(space, normal, reduction):
    """Each cell as [(op, source), (op, source)] for each node, sources ascending."""
    wanted = {}
    for cell, nodes in (("normal", normal), ("reduction", reduction)):
        for number, edges in enumerate(nodes):
            wanted[f"{cell}[{number}]"] = tuple(source for _, source in edges)
            for op, source in edges:
                wanted[f"{cell}[{number}][{source}].op"] = op

    def decide(name, choice):
        return choice.combinations.index(wanted[name]) if isinstance(choice, Subset) else wanted[name]

    return aw.spaces.trace(space, decide)


DARTS_V2 = (
    [
        [(SEP3, 0), (SEP3, 1)],
        [(SEP3, 0), (SEP3, 1)],
        [(SKIP, 0), (SEP3, 1)],
        [(SKIP, 0), (DIL3, 2)],
    ],
    [
        [(MAX, 0), (MAX, 1)],
        [(MAX, 1), (SKIP, 2)],
        [(MAX, 0), (SKIP, 2)],
        [(MAX, 1), (SKIP, 2)],
    ],
)
"""The cells of the paper's second-order search on CIFAR-10 (figures 4 and 5)."""


def test_the_space_is_as_large_as_the_paper_counts():
    """Each node: pairs of sources times 7^2 operations; both cells."""
    cell = 49**4 * 1 * 3 * 6 * 10
    assert aw.spaces.size(aw.spaces.darts()) == cell**2


def test_the_published_cell_has_the_published_parameters():
    """3.3 million with 20 cells of 36 channels (table 1); the pools' batch-norms are 2 numbers a channel more."""
    space = aw.spaces.darts(cells=20, channels=36, operations=ops.DARTS_OPS)
    with torch.device("meta"):
        network = space.build(architecture(space, *DARTS_V2), CIFAR)
    assert sum(parameter.numel() for parameter in network.parameters()) == pytest.approx(3.3e6, rel=0.02)


def test_reductions_stand_at_a_third_and_two_thirds():
    space = aw.spaces.darts(channels=2)
    network = space.build(architecture(space, *DARTS_V2), CIFAR)
    assert [cell.stride for cell in network.cells] == [1, 1, 2, 1, 1, 2, 1, 1]
    assert [cell.out_channels for cell in network.cells] == [8, 8, 16, 16, 16, 32, 32, 32]
    states = [network.stem(torch.randn(2, 3, 32, 32))] * 2
    sizes = []
    for cell in network.cells:
        states = [states[1], cell(*states)]
        sizes.append(states[1].shape[2])
    assert sizes == [32, 32, 16, 16, 16, 8, 8, 8]


def test_a_nodes_inputs_have_no_order_but_their_source():
    """Nodes 2 and 3 change places: another architecture, the same network."""
    space = aw.spaces.darts()
    first = [[(SEP3, 0), (SEP5, 1)], [(MAX, 0), (AVG, 1)], [(SKIP, 0), (DIL3, 2)], [(DIL5, 0), (SEP3, 3)]]
    swapped = [[(MAX, 0), (AVG, 1)], [(SEP3, 0), (SEP5, 1)], [(SKIP, 0), (DIL3, 3)], [(DIL5, 0), (SEP3, 2)]]
    other = [[(MAX, 0), (AVG, 1)], [(SEP5, 0), (SEP3, 1)], [(SKIP, 0), (DIL3, 3)], [(DIL5, 0), (SEP3, 2)]]
    keys = [space.key(architecture(space, cell, DARTS_V2[1])) for cell in (first, swapped, other)]
    assert keys[0] == keys[1] != keys[2]


def test_a_node_sums_its_two_edges_and_the_cell_concatenates_its_nodes():
    torch.manual_seed(0)
    space = aw.spaces.darts(cells=3, channels=4)
    cell = space.build(architecture(space, *DARTS_V2), CIFAR).cells[0]
    before, previous = torch.randn(2, 2, 12, 8, 8)
    states = [cell.prepare_before(before), cell.prepare_previous(previous)]
    for target, node in enumerate(DARTS_V2[0], start=2):
        (_, first), (_, second) = node
        states.append(cell.edges[f"{first}_{target}"](states[first]) + cell.edges[f"{second}_{target}"](states[second]))
    assert torch.allclose(cell(before, previous), torch.cat(states[2:], 1), atol=1e-6)


@pytest.mark.parametrize(
    "make", [lambda: aw.spaces.darts(cells=3, channels=4), lambda: aw.spaces.robust_darts("S1", 3, 4)]
)
def test_a_decided_open_network_equals_the_standalone_one(make):
    torch.manual_seed(0)
    space = make()
    network = OpenNetwork(space, aw.Signature((3, 8, 8), 10)).double()
    images = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    for number in range(10):
        drawn = aw.spaces.sample(space, Streams(5)[number])
        alone = network.standalone(drawn)
        network.decide(drawn)
        network.zero_grad()
        ours, theirs = network(images), alone(images)
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-10)
        ours.square().sum().backward()
        theirs.square().sum().backward()
        gradients = network.weights_of(drawn, alone)  # names the shared tensors
        shared = {tensor.data_ptr(): tensor.grad for tensor in network.parameters()}
        for name, parameter in alone.named_parameters():
            assert torch.allclose(shared[gradients[name].data_ptr()], parameter.grad, rtol=0, atol=1e-10)


def test_robust_darts_spaces():
    assert {name: {len(ops) for cell in cells for ops in cell} for name, cells in ROBUST_DARTS.items()} == {
        name: {2} for name in ("S1", "S2", "S3", "S4")
    }
    assert all(len(cell) == 14 for cells in ROBUST_DARTS.values() for cell in cells)
    assert aw.spaces.size(aw.spaces.robust_darts("S2")) == (4**4 * 180) ** 2
    with pytest.raises(ArchwrightError, match="S4"):
        aw.spaces.robust_darts("S5")


def test_noise_is_noise_of_the_output_s_shape():
    torch.manual_seed(0)
    noise = ops.NOISE(4, 6, 2)(torch.full((32, 4, 9, 9), torch.nan))
    assert noise.shape == (32, 6, 5, 5)
    assert abs(float(noise.mean())) < 0.05
    assert float(noise.std()) == pytest.approx(1, abs=0.05)
    assert not torch.equal(noise[:, 0], noise[:, 1])


def test_noise_trains_in_an_open_network():
    torch.manual_seed(0)
    network = OpenNetwork(aw.spaces.robust_darts("S4", 3, 4), CIFAR)
    network(torch.randn(2, 3, 32, 32)).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("stride", [1, 2])
def test_an_edge_without_candidates_adds_nothing(stride):
    """As a sampled `none` leaves it: the node is what its other edges make, or zeros."""
    torch.manual_seed(0)
    network = OpenNetwork(aw.spaces.darts(cells=3, channels=4), CIFAR)
    images = torch.randn(2, 3, 8, 8)
    cell = "normal" if stride == 1 else "reduction"
    network.mix({name: {} for name in network.choices if name.startswith(f"{cell}[0][") and name.endswith(".op")})
    outputs = []
    place = 0 if stride == 1 else 1
    network.network.cells[place].register_forward_hook(lambda *args: outputs.append(args[-1]))
    network(images)
    width = outputs[0].shape[1] // 4
    assert not outputs[0][:, :width].any()
    assert outputs[0][:, width:].any()


@pytest.mark.parametrize(("space", "candidates"), [("S1", 2), ("S2", 2), ("S3", 3), ("S4", 2)])
def test_taking_no_part_is_a_candidate_in_s3_alone(space, candidates):
    network = OpenNetwork(aw.spaces.robust_darts(space, cells=3, channels=2), aw.Signature((1, 8, 8), 10))
    rows = Relaxation(network, first_order).probabilities()
    assert len(rows) == 28
    assert {len(row) for row in rows.values()} == {candidates}
