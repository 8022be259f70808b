import pytest
import torch
from torch.nn import functional

import archwright as aw
from archwright.core.choices import BadSpace
from archwright.spaces.banks import BANK_OPS

SIGNATURE = aw.Signature((1, 8, 8), 3)


def space(banks=3):
    return aw.spaces.memory_banks(stages=1, layers=3, banks=banks, channels=2)


def decided(*layers, banks=3):
    """An architecture from each layer's (op, banks read, banks written)."""
    decisions = {}
    for place, (op, reads, writes) in enumerate(layers):
        decisions[f"stages[0][{place}].op"] = op
        for way, flags in (("reads", reads), ("writes", writes)):
            decisions |= {f"stages[0][{place}].{way}[{bank}]": int(bank in flags) for bank in range(banks)}
    return aw.Architecture.from_json(decisions)


def key(*layers):
    return space().key(decided(*layers))


def test_a_layer_projects_the_concatenation_of_what_it_reads_and_adds_parts_to_what_it_writes():
    torch.manual_seed(0)
    network = space().build(decided((0, {0, 1}, {1, 2}), (1, {1, 2}, {0}), (2, set(), {0})), SIGNATURE).eval()
    stage = network.stages[0]
    x = torch.randn(2, 4, 8, 8)
    banks = [x[:, :2], x[:, 2:], torch.zeros(2, 2, 8, 8)]
    for place, reads, writes in ((0, (0, 1), (1, 2)), (1, (1, 2), (0,))):
        joined = torch.cat([banks[bank] for bank in reads], 1).relu()
        kernel = torch.cat([stage.reads[f"{place}_{bank}"].weight for bank in reads], 1)
        made = stage.ops[str(place)](stage.norms[str(place)](functional.conv2d(joined, kernel)))
        for bank in writes:
            banks[bank] = banks[bank] + made.chunk(2, 1)[bank % 2]
    kernel = torch.cat([stage.leave[str(bank)].weight for bank in range(3)], 1)
    wanted = stage.norm(functional.conv2d(torch.cat(banks, 1).relu(), kernel))
    assert torch.allclose(stage(x), wanted, atol=1e-5)


def test_what_does_nothing_is_no_difference():
    idle = (0, set(), set())
    plain = key((0, {0}, {2}), idle, idle)
    assert plain == key((0, {0}, {2}), (3, {0, 1}, set()), (4, set(), {1}))  # writes nowhere, reads nothing
    assert plain == key((0, {0, 2}, {2}), idle, idle)  # bank 2 is empty
    assert plain == key(idle, (0, {0}, {2}), idle)
    assert plain == key((0, {1}, {2}), idle, idle)  # the two banks of the input are alike
    assert plain != key((0, {0}, {1}), idle, idle)
    assert plain != key((1, {0}, {2}), idle, idle)
    assert plain != key((0, {0, 1}, {2}), idle, idle)


def test_the_parts_of_what_a_layer_makes_are_told_apart():
    idle = (0, set(), set())
    assert key((0, {0}, {0, 1}), idle, idle) != key((0, {0}, {0, 2}), idle, idle)  # two parts, and twice the same one


def test_the_papers_ops_and_numbers():
    assert [op.label for op in BANK_OPS][:2] == ["conv_3x3", "dilated_conv_3x3"]
    for op in BANK_OPS:
        settings = op.make.keywords
        assert settings.get("dilation", 1) <= 3
        assert 1 + settings.get("dilation", 1) * (settings["kernel"] - 1) <= 9
    assert aw.spaces.size(aw.spaces.memory_banks(stages=1, layers=1)) == 6 * 2**16


def test_there_have_to_be_banks_for_the_input():
    with pytest.raises(BadSpace, match="between 1 and all 1 banks"):
        aw.spaces.memory_banks(banks=1)
