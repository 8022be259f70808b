"""Children that compute what their parent does: over all spaces that grow, all kinds of change, many at once."""

from collections import Counter
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn import functional

import archwright as aw
from archwright.core.architecture import BadArchitecture
from archwright.core.rng import Streams
from archwright.spaces.morphing import decided_as
from archwright.spaces.naming import pairs, spread
from archwright.testing import check_space, spaces_to_survive

SIGNATURE = aw.Signature((1, 8, 8), 5)
SPACES = {  # each with how many pairs of parent and child it gives to the 200
    "growing": (lambda: aw.spaces.growing(max_layers=3, widths=(4, 6, 9), stages=2), 80),
    "eas": (lambda: aw.spaces.eas(blocks=2, max_layers=4, widths=(4, 6, 9, 12), units=(8, 12, 16)), 50),
    "path_level": (lambda: aw.spaces.path_level(width=9, cells=1, stages=2, depth=2), 70),
}
KINDS = {
    "growing": {"deepen", "widen", "kernel", "skip", "concat", "branch"},
    "eas": {"deepen", "widen", "kernel"},
    "path_level": {"deepen", "replicate", "split", "divide", "kernel", "branch"},
}


def built(space, architecture, seed, dtype=torch.float64, signature=SIGNATURE):
    torch.manual_seed(seed)
    return space.build(architecture, signature).to(dtype).eval()


def trained(network, seed, steps=3):
    """A few steps on noise: what batch-norm remembers is then not trivial."""
    dtype = next(network.parameters()).dtype
    torch.manual_seed(seed)
    x, y = torch.randn(16, *SIGNATURE.input_shape, dtype=dtype), torch.randint(5, (16,))
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    network.train()
    for _ in range(steps):
        optimizer.zero_grad()
        functional.cross_entropy(network(x + 0.3 * torch.randn_like(x)), y).backward()
        optimizer.step()
    return network.eval()


def grown(space, architecture, changes, rng):
    """A child so many changes away, each of a kind drawn among those that are open; and the kinds."""
    kinds = []
    for _ in range(changes):
        children = aw.spaces.morphs(space, architecture)
        if not children:
            break
        kinds.append(str(rng.choice(sorted({child.kind for child in children}))))
        children = [child for child in children if child.kind == kinds[-1]]
        architecture = children[rng.integers(len(children))].architecture
    return architecture, kinds


def start(space, rng, smallest):
    if smallest:
        return aw.spaces.trace(space, lambda _, choice: aw.spaces.operators.first(choice))
    return aw.spaces.sample(space, rng)


@torch.no_grad()
def difference(left, right, seed=0):
    dtype = next(left.parameters()).dtype
    x = 2.0 * torch.randn(8, *SIGNATURE.input_shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return float((left(x) - right(x)).abs().max())


@pytest.mark.parametrize("name", SPACES)
def test_a_child_begins_as_the_function_that_its_trained_parent_computes(name):
    make, count = SPACES[name]
    space, seen, apart = make(), Counter(), []
    for number in range(count):
        rng = Streams(11)[number]
        single = number % 4 == 3  # float32 as networks are trained in
        architecture = start(space, rng, smallest=number % 3 == 0)
        parent = trained(built(space, architecture, number, torch.float32 if single else torch.float64), number)
        changes = (1, 10, 2, 10, 1, 4)[number % 6]
        architecture, kinds = grown(space, architecture, changes, rng)
        child = built(space, architecture, 1000 + number, torch.float32 if single else torch.float64)
        apart.append(difference(child, parent))
        assert child.inherit(parent, torch.Generator().manual_seed(number)), kinds
        assert difference(child, parent) < (1e-5 if single else 1e-12), kinds
        seen.update(kinds)
    assert set(seen) == KINDS[name]
    assert np.median(apart) > 1e-2  # what a child computes that takes nothing over


@pytest.mark.parametrize("name", SPACES)
def test_ten_generations_that_train_in_between(name):
    space, rng = SPACES[name][0](), Streams(5)[0]
    architecture = start(space, rng, smallest=True)
    network = trained(built(space, architecture, 0), 0)
    for generation in range(10):
        architecture, _ = grown(space, architecture, 1, rng)
        child = built(space, architecture, generation + 1)
        assert child.inherit(network, torch.Generator().manual_seed(generation))
        assert difference(child, network) < 1e-12
        network = trained(child, generation, steps=1)


@pytest.mark.parametrize("name", SPACES)
def test_no_part_of_a_child_is_dead(name):
    """Each parameter moves within three steps, whichever change brought it."""
    space, rng = SPACES[name][0](), Streams(8)[0]
    for kind in sorted(KINDS[name]):
        for smallest in (True, False):
            base = start(space, rng, smallest)
            children = [child.architecture for child in aw.spaces.morphs(space, base) if child.kind == kind]
            if not children:
                continue
            parent = trained(built(space, base, 1), 1)
            child = built(space, children[rng.integers(len(children))], 2)
            child.inherit(parent, torch.Generator().manual_seed(3))
            before = {key: value.clone() for key, value in child.named_parameters()}
            trained(child, 4)
            for key, value in child.named_parameters():
                still = (value == before[key]).flatten(1).all(1) if value.dim() > 1 else value == before[key]
                assert not still.all(), (kind, key)


@pytest.mark.parametrize("name", SPACES)
def test_what_is_said_to_be_exact_is_exact_after_any_change(name):
    """Mutants shrink as often as they grow."""
    space, claims = SPACES[name][0](), []
    for number in range(40):
        rng = Streams(21)[number]
        architecture = aw.spaces.sample(space, rng)
        parent = trained(built(space, architecture, number), number, steps=1)
        for _ in range(1 + number % 2):
            architecture = aw.spaces.mutate(space, architecture, rng)
        child = built(space, architecture, 1000 + number)
        claims.append(child.inherit(parent, torch.Generator().manual_seed(number)))
        assert (difference(child, parent) < 1e-12) or not claims[-1]
    assert len(set(claims)) == 2


def test_the_same_architecture_takes_over_every_number():
    for make, _ in SPACES.values():
        space = make()
        architecture = aw.spaces.sample(space, Streams(2)[0])
        parent, child = trained(built(space, architecture, 1), 1), built(space, architecture, 2)
        state = torch.get_rng_state()
        assert child.inherit(parent, torch.Generator().manual_seed(1))
        assert torch.equal(state, torch.get_rng_state())
        for key, value in parent.state_dict().items():
            if not key.endswith("num_batches_tracked"):
                torch.testing.assert_close(child.state_dict()[key], value, rtol=0, atol=0)


def test_a_network_of_half_the_width_is_a_parent_too():
    for make, _ in SPACES.values():
        space = make()
        architecture = start(space, None, smallest=True)
        parent = trained(built(space, architecture, 1), 1)
        child = built(space, architecture, 2, signature=aw.Signature((1, 8, 8), 5, width=2.0))
        assert child.inherit(parent, torch.Generator().manual_seed(1))
        assert difference(child, parent) < 1e-12


def test_what_is_taken_over_depends_on_the_generator_alone():
    space = SPACES["growing"][0]()
    architecture, _ = grown(space, start(space, None, True), 6, np.random.default_rng(0))
    parent = trained(built(space, start(space, None, True), 1), 1)
    one, two, other = (built(space, architecture, 2) for _ in range(3))
    for child, seed in ((one, 5), (two, 5), (other, 6)):
        child.inherit(parent, torch.Generator().manual_seed(seed))
    states = [torch.cat([value.flatten() for value in child.state_dict().values()]) for child in (one, two, other)]
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_a_network_of_another_kind_gives_nothing():
    space = SPACES["eas"][0]()
    child = built(space, start(space, None, True), 1)
    before = {key: value.clone() for key, value in child.state_dict().items()}
    assert not child.inherit(torch.nn.Linear(3, 4), torch.Generator())
    assert all(torch.equal(value, before[key]) for key, value in child.state_dict().items())


@pytest.mark.parametrize("name", SPACES)
def test_the_spaces_keep_their_promises(name):
    check_space(SPACES[name][0](), [SIGNATURE, aw.Signature((3, 9, 11), 4)], samples=60)


@pytest.mark.parametrize(
    "make",
    [
        *(make for make, _ in SPACES.values()),
        aw.spaces.chain,
        aw.spaces.darts,  # has Subsets
        partial(aw.spaces.pnas, blocks=3),  # a Repeat with a body for each place
        partial(aw.spaces.enas_macro, layers=5),
        *(partial(spaces_to_survive().get, name) for name in spaces_to_survive()),
    ],
)
def test_decisions_are_found_again_from_the_arguments(make):
    space = make()
    for number in range(20):
        architecture = aw.spaces.sample(space, Streams(4)[number])
        arguments = space.resolve(architecture)
        assert decided_as(space, arguments) == architecture


def test_arguments_of_no_architecture_are_refused():
    space = aw.spaces.eas()
    arguments = space.resolve(start(space, None, True))
    with pytest.raises(BadArchitecture, match="no architecture with these arguments"):
        decided_as(space, arguments | {"dense": [7]})


def test_children_are_told_once_and_stay_within_the_space():
    for make, _ in SPACES.values():
        space = make()
        for number in range(5):
            architecture = aw.spaces.sample(space, Streams(6)[number])
            children = [child.architecture for child in aw.spaces.morphs(space, architecture)]
            assert len(set(children)) == len(children)
            assert architecture not in children
            for child in children:
                assert decided_as(space, space.resolve(child)) == child


def test_a_space_that_does_not_grow_has_no_morphs():
    space = aw.spaces.chain()
    assert aw.spaces.morphs(space, aw.spaces.sample(space, Streams(0)[0])) == []


def test_pairs_of_equal_names():
    assert pairs("abc", "abc") == ([0, 1, 2], [0, 1, 2], True)
    assert pairs("abab", "ab") == ([0, 2, 1, 3], [0, 0, 1, 1], True)  # copies
    assert pairs("ab", "aab") == ([0, 0, 1], [0, 1, 2], True)  # one stands for two
    assert pairs("xbz", "ab") == ([1, 0], [1, 0], False)  # x stands in for a, as it has its place
    assert pairs("bxz", "ab") == ([0], [1], False)  # none does: b has its own


def test_shares_of_a_weight_add_up_to_it():
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, 1, 1, dtype=torch.float64)
    copied = spread(weight, pairs("abaxa", "ab"), 5, generator)
    torch.testing.assert_close(copied[:, [0, 2, 4]].sum(1), weight[:, 0])
    torch.testing.assert_close(copied[:, 1], weight[:, 1], rtol=0, atol=0)
    assert (copied[:, 3] == 0).all()
    shares = copied[:, [0, 2, 4], 0, 0] / weight[:, :1, 0, 0]
    assert shares.min() > 0.5 / 3.5
    assert shares.max() < 1.5 / 2.5
