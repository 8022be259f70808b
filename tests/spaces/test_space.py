from collections import OrderedDict, defaultdict
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import nn

import archwright as aw
from archwright.core.architecture import Architecture, BadArchitecture


class Net(nn.Module):
    def __init__(self, signature, width, blocks=(), act="relu"):
        super().__init__()
        self.blocks = blocks
        channels = signature.channels(width)
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(signature.input_shape[-1], channels),
            nn.ReLU(),
            nn.Linear(channels, signature.outputs),
        )

    def forward(self, x):
        return self.body(x)


def plain(hidden):
    return nn.Linear(4, hidden)


SIGNATURE = aw.Signature((4,), 3)


def test_a_users_module_is_a_space():
    space = aw.Space(
        Net, width=aw.Choice(16, 32), blocks=aw.Repeat({"op": aw.Choice("a", "b")}, times=aw.Integer(1, 3))
    )
    assert aw.spaces.size(space) == 2 * (2 + 4 + 8)
    architecture = Architecture.from_json({"width": 1, "blocks.times": 2, "blocks[0].op": 0, "blocks[1].op": 1})
    network = space.build(architecture, SIGNATURE)
    assert network.blocks == [{"op": "a"}, {"op": "b"}]
    assert network.body[1].out_features == 32
    assert network(torch.zeros(2, 4)).shape == (2, 3)


def test_a_function_without_a_signature_is_a_space():
    space = aw.Space(plain, hidden=aw.Choice(3, 5))
    assert space.build(Architecture((("hidden", 1),)), SIGNATURE).out_features == 5


def test_width_scales_what_goes_through_the_signature():
    space = aw.Space(Net, width=aw.Choice(16))
    assert space.build(Architecture((("width", 0),)), aw.Signature((4,), 3, width=0.25)).body[1].out_features == 4


def test_choices_inside_partials_and_tuples_are_found():
    space = aw.Space(Net, width=8, blocks=(partial(len, aw.Choice("x", "yy")), aw.Choice(1, 2)))
    assert aw.spaces.size(space) == 4
    last = list(aw.spaces.enumerate_all(space))[-1]
    made = space.resolve(last)["blocks"]
    assert made[0]() == 2
    assert isinstance(made, tuple)


class Layer(NamedTuple):
    kernel: int
    width: Any


def test_containers_keep_their_types():
    layer = Layer(3, aw.Choice(2, 4))
    space = aw.Space(Net, width=8, blocks=[layer, OrderedDict(a=aw.Choice(1, 2)), defaultdict(list, b=layer)])
    named, ordered, with_default = space.resolve(list(aw.spaces.enumerate_all(space))[-1])["blocks"]
    assert (named.kernel, named.width, with_default["b"].width) == (3, 4, 4)
    assert type(ordered) is OrderedDict
    assert ordered == {"a": 2}
    assert with_default["new"] == []
    assert layer.width.options == (2, 4)


class Deep(Net):
    def __init__(self, signature, width, depth=1):
        super().__init__(signature, width * depth)

    @staticmethod
    def excluded(width, depth=1):
        return "too wide" if width * depth > 48 else None

    @staticmethod
    def graph(width, depth=1):
        return aw.spaces.Graph((f"{width * depth}",), ())


def test_a_partial_as_factory_is_the_function_with_some_arguments_given():
    deep = aw.Space(partial(Deep, depth=3), width=aw.Choice(16, 32))
    same = aw.Space(Deep, depth=3, width=aw.Choice(16, 32))
    (architecture,) = aw.spaces.enumerate_all(deep)
    assert deep.graph(architecture).labels == ("48",)
    assert deep.build(architecture, SIGNATURE).body[1].out_features == 48
    assert deep.declaration() == same.declaration()
    assert deep.declaration() != aw.Space(partial(Deep, depth=2), width=aw.Choice(16, 32)).declaration()


def test_what_a_partial_gives_may_be_open_or_given_anew():
    assert aw.spaces.size(aw.Space(partial(Deep, depth=aw.Choice(1, 2)), width=8)) == 2
    assert aw.Space(partial(Deep, depth=3), width=8, depth=1).choices == {"depth": 1, "width": 8}


def test_a_partial_that_says_what_it_computes_speaks_for_itself():
    factory = partial(Deep, depth=3)
    factory.graph = lambda width: aw.spaces.Graph(("own",), ())
    space = aw.Space(factory, width=16)
    assert space.graph(Architecture(())).labels == ("own",)
    assert space.build(Architecture(()), SIGNATURE).body[1].out_features == 48


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: aw.Space(Net, widht=3), "did you mean width"),
        (lambda: aw.Space(Net), "needs the argument 'width'"),
        (lambda: aw.Space(partial(plain, 3)), r"name the arguments of the partial, functools.partial\(plain, name=..."),
    ],
)
def test_choices_that_do_not_fit_the_factory(make, words):
    with pytest.raises(aw.BadSpace, match=words):
        make()


@pytest.mark.parametrize(
    ("decisions", "words"),
    [
        ({}, "lacks a decision"),
        ({"width": 7}, "no answer"),
        ({"width": 0, "depth": 1}, "asks for no decision 'depth'"),
        ({"widht": 0}, "did you mean"),
    ],
)
def test_architectures_of_another_space(decisions, words):
    with pytest.raises(BadArchitecture, match=words):
        aw.Space(Net, width=aw.Choice(16, 32)).resolve(Architecture.from_json(decisions))


def test_describe_speaks_the_users_words():
    space = aw.Space(Net, width=aw.Choice(16, 32), act=aw.Choice("relu", "gelu"))
    assert space.describe(Architecture((("width", 1), ("act", 0)))) == {"width": "32", "act": "relu"}


def test_a_declaration_is_told_by_its_digest():
    def declared(*widths, share=False):
        one, two = aw.Choice("a", "b"), aw.Choice("a", "b")
        return aw.Space(Net, width=aw.Choice(*widths), blocks=[one, one if share else two]).declaration()

    assert declared(16, 32) == declared(16, 32)
    assert len({declared(16, 32), declared(16, 64), declared(16, 32, share=True)}) == 3


def test_operations_of_one_name_are_refused():
    with pytest.raises(aw.BadSpace, match="several operations are called '<lambda>'"):
        aw.spaces.cell(operations=[lambda i, o, s: nn.Identity(), lambda i, o, s: nn.ReLU()])


def test_settings_tell_operations_apart():
    from archwright.spaces.ops import convolution, op_label

    assert op_label(partial(convolution, kernel=3)) != op_label(partial(convolution, kernel=5))
    assert op_label(partial(plain, 3)) != op_label(partial(plain, 4))
    assert op_label(partial(plain, torch.relu)) == "plain(relu)"
