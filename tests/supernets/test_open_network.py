import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.choices import BadSpace
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.spaces.operators import sample
from archwright.supernets import Mixed, OpenNetwork, Relaxation
from archwright.supernets.bilevel import first_order

SIGNATURE = aw.Signature((1, 8, 8), 10)


def small():
    return aw.spaces.nasbench201(cells=1, channels=2)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return OpenNetwork(small(), SIGNATURE).double()


@pytest.fixture
def images():
    return torch.randn(3, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_at_first_every_candidate_has_an_equal_share(network, images):
    """Against the plain formulation: each edge computes each candidate and sums."""
    cell = network.network.body[0]
    nodes = [torch.randn(2, 2, 8, 8, dtype=torch.float64)]
    for target in (1, 2, 3):
        edges = [cell.edges[f"{source}_{target}"] for source in range(target)]
        terms = [candidate(node) / 5 for edge, node in zip(edges, nodes, strict=True) for candidate in edge.candidates]
        nodes.append(torch.stack(terms).sum(0))
    assert torch.allclose(cell(nodes[0]), nodes[3], rtol=0, atol=1e-12)


def test_cells_share_one_choice_and_have_weights_of_their_own(network):
    assert len(network.choices) == 6
    assert len(network.mixed) == 18
    assert len({id(mixed.choice) for mixed in network.mixed}) == 6


def test_a_decided_path_runs_no_other_candidate(network, images):
    architecture = sample(network.space, Streams(3)[0])
    network.decide(architecture)
    ran = []
    for mixed in network.mixed:
        for option, candidate in enumerate(mixed.candidates):
            candidate.register_forward_hook(
                lambda *_, name=mixed.choice.name, option=option: ran.append((name, option))
            )
    network(images)
    assert set(ran) == {(name, value) for name, value in architecture}
    assert len(ran) == 18


def test_a_standalone_copy_has_weights_of_its_own(network, images):
    architecture = sample(network.space, Streams(4)[0])
    alone = network.standalone(architecture)
    before = network(images)
    with torch.no_grad():
        for parameter in alone.parameters():
            parameter.add_(1.0)
    assert torch.equal(before, network(images))


def test_weights_by_name_reach_the_candidates(network, images):
    name = next(iter(network.choices))
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    network.mix({name: {3: weight}})
    network(images).sum().backward()
    assert weight.grad is not None
    assert weight.grad != 0


def test_without_affine_only_the_candidates_lose_scale_and_shift():
    network = OpenNetwork(small(), SIGNATURE, affine=False)
    learns = {name: parameter.requires_grad for name, parameter in network.named_parameters()}
    assert not any(learns[name] for name in learns if ".candidates." in name and learns[name] and name.endswith("bias"))
    assert all(learns[name] for name in learns if "stem" in name or "head" in name)


class Fixed(nn.Module):
    """Whose width is a number that a plain layer can't leave open."""

    def __init__(self, signature, width):
        super().__init__()
        self.layer = nn.Linear(signature.input_shape[0], width)


class Renames(nn.Module):
    """Whose module's name depends on what is decided."""

    def __init__(self, op):
        super().__init__()
        self.add_module("mixed" if isinstance(made := op(1, 1, 1), Mixed) else "single", made)


def test_a_factory_that_can_not_be_open_says_so():
    with pytest.raises(BadSpace, match="Fixed can't be built with its choices left open"):
        OpenNetwork(aw.Space(Fixed, width=aw.Choice(8, 16)), aw.Signature((4,), 2))


def test_a_factory_that_renames_its_modules_is_told():
    space = aw.Space(Renames, op=aw.Choice(*aw.spaces.ops.NASBENCH201_OPS[2:4]))
    network = OpenNetwork(space, SIGNATURE)
    with pytest.raises(ArchwrightError, match="has to name its modules alike"):
        network.standalone(sample(space, Streams(0)[0]))


def test_darts_learns_which_parents_to_read_where_items_hold_no_choice():
    """NAS-Bench-1Shot1's parents: rows of their own, as its authors have; the largest of them stay."""
    torch.manual_seed(0)
    network = OpenNetwork(aw.spaces.nasbench1shot1(1, modules=1, channels=2), SIGNATURE)
    relaxation = Relaxation(network, first_order)
    subsets = {name: choice for name, choice in network.choices.items() if choice.is_subset}
    assert subsets.keys() <= set(relaxation.names)
    for name, row in zip(relaxation.names, relaxation.logits, strict=True):
        if name in subsets:
            row.data = torch.arange(float(len(row)))
    architecture = relaxation.architecture()
    for name, choice in subsets.items():
        last = tuple(range(len(choice.options)))[-choice.choice.size :]
        assert choice.choice.combinations[architecture[name]] == last
    relaxation.apply_weights()
    network(torch.randn(4, *SIGNATURE.input_shape)).sum().backward()
    assert all(
        row.grad is not None
        for name, row in zip(relaxation.names, relaxation.logits, strict=True)
        if name in subsets and len(row) > 1
    )
