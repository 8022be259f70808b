from functools import partial

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


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: aw.Space(Net, widht=3), "did you mean width"),
        (lambda: aw.Space(Net), "needs the argument 'width'"),
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
