from collections import OrderedDict, namedtuple

import pytest
import torch

from archwright.core.choices import BadSpace, Choice, Integer, Members, Real, Repeat, Subset
from archwright.core.errors import ArchwrightError
from archwright.core.rng import Streams
from archwright.spaces.encodings import OneHot
from archwright.spaces.opening import current, every, largest, opened, running, share, taken
from archwright.spaces.operators import enumerate_all, mutate, neighbours, sample, size
from archwright.spaces.space import Space


def keep(**arguments):
    return arguments


def node(sources, count=2):
    """What a DARTS node reads: two edges, each with an op of its own."""
    return Subset(count, *({"source": source, "op": Choice("conv", "pool", "skip")} for source in range(sources)))


def test_a_subset_decides_only_what_it_takes():
    space = Space(keep, node=node(4))
    assert size(space) == 6 * 3 * 3 == len(list(enumerate_all(space)))
    for architecture in enumerate_all(space):
        members = space.resolve(architecture)["node"]
        assert isinstance(members, Members)
        assert [name for name, _ in architecture] == [
            "node",
            *(f"node[{member['source']}].op" for member in members),
        ]


def test_what_two_combinations_share_keeps_its_decisions():
    space, streams = Space(keep, node=node(3)), Streams(0)
    for number in range(200):
        before = sample(space, streams[number])
        after = mutate(space, before, streams[1000 + number])
        kept = {name for name, _ in after} & {name for name, _ in before}
        assert sum(before[name] != after[name] for name in kept) == 1
    assert len(neighbours(space, before)) == 2 + 2 * 2  # two other pairs, and two other ops for each of the two edges


def test_a_subset_takes_no_more_than_there_is():
    with pytest.raises(BadSpace, match="not 3 of 2"):
        Subset(3, "a", "b")
    with pytest.raises(BadSpace, match="not 0 of 1"):
        Subset(0, "a")


def test_one_hot_has_a_slot_for_each_decision_of_an_item():
    space = Space(keep, node=node(3))
    encode = OneHot(space)
    vectors = {encode(architecture).tobytes() for architecture in enumerate_all(space)}
    assert len(vectors) == size(space)
    assert encode.width == 3 + 3 * 3


def test_names_of_open_choices_are_those_of_decisions():
    shared = Choice(1, 3, 5)
    space = Space(
        keep,
        node=node(3),
        layers=Repeat({"kind": Choice({"kernel": shared}, {"size": Integer(2, 3)})}, times=Integer(1, 3)),
        again=shared,
    )
    _, named = opened(space)
    streams = Streams(1)
    met = {name for number in range(500) for name, _ in sample(space, streams[number])}
    assert met == set(named)


def test_a_shared_choice_is_one_object_under_all_its_names():
    op = Choice("a", "b")
    _, named = opened(Space(keep, slot=Choice({"source": 0, "op": op}, {"source": 1, "op": op})))
    assert len({id(choice) for name, choice in named.items() if name.endswith("op")}) == 1
    assert len([name for name in named if name.endswith("op")]) == 2


def test_what_a_factory_asks_when_nothing_is_open():
    space = Space(keep, node=node(3), flag=Choice(False, True), width=Choice(8, 16), blocks=Repeat("x", Integer(1, 3)))
    arguments = space.resolve(next(iter(enumerate_all(space))))
    assert [edge["source"] for edge, _ in taken(arguments["node"])] == [0, 1]
    assert {weight for _, weight in taken(arguments["node"])} == {1.0}
    assert share(arguments["flag"]) == 0.0
    assert share(True) == 1.0
    assert largest(arguments["width"]) == current(arguments["width"]) == 8
    assert running(["made"], arguments["blocks"]) == ["made"]


def test_what_a_factory_asks_when_all_is_open():
    space = Space(keep, node=node(3), flag=Choice(False, True), width=Choice(8, 16), blocks=Repeat("x", Integer(1, 3)))
    arguments, named = opened(space)
    assert [edge["source"] for edge in every(arguments["node"])] == [0, 1, 2]
    assert largest(arguments["width"]) == 16
    assert share(arguments["flag"]) == 0.5
    with pytest.raises(ArchwrightError, match="width can be no mixture"):
        current(arguments["width"])
    named["node"].decide(1)
    named["width"].decide(0)
    named["blocks.times"].decide(2)
    named["flag"].mix([0.25, 0.75])
    assert [(edge["source"], weight) for edge, weight in taken(arguments["node"])] == [(0, 1.0), (2, 1.0)]
    assert current(arguments["width"]) == 8
    assert running([1, 2, 3], arguments["blocks"]) == [1, 2]
    assert share(arguments["flag"]) == 0.75


def test_containers_keep_their_types_with_choices_left_open():
    layer = namedtuple("layer", "kernel width")
    space = Space(keep, one=layer(3, Choice(2, 4)), other=OrderedDict(a=Choice(1, 2)))
    arguments, found = opened(space)
    assert arguments["one"].kernel == 3
    assert arguments["one"].width is found["one[1]"]
    assert type(arguments["other"]) is OrderedDict
    assert arguments["other"] == {"a": found["other.a"]}


def test_a_real_can_not_be_left_open():
    with pytest.raises(BadSpace, match="rate is a Real"):
        opened(Space(keep, rate=Real(0.0, 1.0)))


def test_a_repeat_that_branches_share_is_one_under_all_its_names():
    shared = Repeat({"op": Choice("a", "b")}, Integer(1, 2))
    space = Space(keep, body=Choice({"kind": "A", "layers": shared}, {"kind": "B", "layers": shared}))
    arguments, named = opened(space)
    streams = Streams(2)
    met = {name for number in range(200) for name, _ in sample(space, streams[number])}
    assert met == set(named)
    assert named["body=A.layers[1].op"] is named["body=B.layers[1].op"]
    first, second = (option["layers"] for option in arguments["body"].options)
    assert first is second


def test_a_size_is_no_mixture_even_of_one():
    arguments, named = opened(Space(keep, width=Choice(8, 16)))
    named["width"].mix({1: torch.tensor(1.0, requires_grad=True)})
    with pytest.raises(ArchwrightError, match="width can be no mixture"):
        current(arguments["width"])
