"""The spaces that weight sharing needs: sizes, rules, and what their networks compute, against plain loops."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from torch.nn import functional

import archwright as aw
from archwright.core.choices import BadSpace
from archwright.core.rng import Streams
from archwright.spaces.fabrics import sources
from archwright.spaces.nas_bench_101 import EDGES
from archwright.spaces.operators import sample, trace
from archwright.spaces.wiring import Joined, needed
from archwright.supernets import OpenNetwork

SIGNATURE = aw.Signature((1, 8, 8), 3)


def decided(space, choices):
    """The architecture that takes `choices` by name, as labels; the first option elsewhere."""
    return trace(space, lambda name, choice: choice.labels.index(choices.get(name, choice.labels[0])))


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def built(space, architecture):
    torch.manual_seed(0)
    return space.build(architecture, SIGNATURE)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_sizes_are_the_papers():
    size = aw.spaces.size
    assert size(aw.spaces.enas_macro()) == 6**12 * 2**66
    assert size(aw.spaces.enas_micro()) == np.prod([((node + 2) * 5) ** 2 for node in range(5)], dtype=object) ** 2
    assert size(aw.spaces.proxyless()) == 6**6 * 7**15
    assert [size(aw.spaces.nasbench1shot1(number)) for number in (1, 2, 3)] == [180 * 3**4, 360 * 3**4, 5400 * 3**5]
    inner = {2: 3, 3: 7}  # non-empty subsets of what a node may read: at the borders two nodes, else three
    last = {2: 3, 3: 7, 4: 15}
    assert size(aw.spaces.fabric(layers=4, scales=3)) == (inner[2] * inner[3] * inner[2]) ** 2 * (
        last[2] * last[4] * last[3]
    )
    assert size(aw.spaces.maskconnect(modules=(3,), fan_in=2)) == 1 * 1 * 3 * 6


def test_a_convolution_of_a_concatenation_is_the_sum_of_its_parts():
    joined = Joined([0, 2, 5], channels=3, out_channels=4).double()
    parts = {place: images(2, 3, 4, 4).double() + place for place in (0, 5)}
    weight = torch.cat([joined.parts[str(place)].weight for place in parts], dim=1)
    wanted = functional.conv2d(torch.cat(list(parts.values()), dim=1), weight)
    assert torch.allclose(joined([parts[0], None, parts[5]]), wanted, atol=1e-12)


def test_needed_is_what_a_path_leads_to_the_last_from():
    assert needed({1: [0], 2: [0], 3: [1, 0], 4: [2]}, 3) == {3, 1, 0}


def test_macro_layers_add_the_outputs_that_their_flags_name():
    space = aw.spaces.enas_macro(layers=3, channels=2)
    skips = {"layers[1].skips[0]": "True", "layers[2].skips[1]": "True", "layers[0].op": "enas_max_pool_3x3"}
    network = built(space, decided(space, skips))
    x = network.stem(images(2, 1, 8, 8))
    first = network.layers["1"](x)
    stem, first = network.reductions["1_0"](x), network.reductions["1_1"](first)
    second = network.norms["2"](network.layers["2"](first) + stem)
    first, second = network.reductions["2_1"](first), network.reductions["2_2"](second)
    third = network.norms["3"](network.layers["3"](second) + first)
    assert torch.allclose(network(images(2, 1, 8, 8)), network.head(third), atol=1e-6)
    assert set(network.reductions) == {"1_0", "1_1", "2_1", "2_2"}  # none of what is read no more


def test_a_macro_network_of_12_layers_is_halved_behind_4_and_8():
    network = built(aw.spaces.enas_macro(channels=2, growth=2), decided(aw.spaces.enas_macro(), {}))
    assert list(network.reductions) == ["4_4", "8_8"]
    assert network.head[-1].in_features == 8


def test_how_loose_an_open_state_is_equals_the_share_of_cells_in_which_nobody_reads_it():
    space = aw.spaces.enas_micro(nodes=3, cells=1, channels=2, stages=1)
    torch.manual_seed(0)
    network = OpenNetwork(space, SIGNATURE)
    cell, seen, joined = network.network.cells[0], [], []
    cell.relu.register_forward_hook(lambda _, given, made: seen.append(made))
    cell.join.register_forward_pre_hook(lambda _, given: joined.extend(given[0]))
    network(images(2, 1, 8, 8))
    choices = [range(node) for node in (2, 2, 3, 3, 4, 4)]
    cells = list(itertools.product(*choices))
    for place, node in enumerate((2, 3, 4)):
        share = sum(node not in read for read in cells) / len(cells)
        assert torch.allclose(joined[place], share * seen[place], atol=1e-6)


def test_a_micro_cell_joins_its_loose_ends_only():
    space = aw.spaces.enas_micro(nodes=3, cells=1, channels=2, stages=1)
    chain = {f"normal[{node}].inputs[{slot}]": str(node + 1) for node in (1, 2) for slot in (0, 1)}
    assert list(built(space, decided(space, chain)).cells[0].join.parts) == ["4"]
    assert list(built(space, decided(space, {})).cells[0].join.parts) == ["2", "3", "4"]


def test_a_stage_may_leave_out_blocks_but_not_its_first():
    space = aw.spaces.proxyless((2, 3), blocks=(3, 2), strides=(1, 2), stem=(2, 2), head=4)
    options = [len(choice.options) for stage in space.choices["stages"] for choice in stage]
    assert options == [7, 7, 7, 6, 7]  # the first stage's first block keeps shape and channels
    early = decided(space, {"stages[0][0]": "mbconv_5x5_e6", "stages[0][1]": "none", "stages[0][2]": "mbconv_3x3_e3"})
    late = decided(space, {"stages[0][0]": "mbconv_5x5_e6", "stages[0][1]": "mbconv_3x3_e3", "stages[0][2]": "none"})
    other = decided(space, {"stages[0][0]": "mbconv_3x3_e3", "stages[0][1]": "mbconv_5x5_e6", "stages[0][2]": "none"})
    assert space.key(early) == space.key(late) != space.key(other)
    elsewhere = pickle.loads(pickle.dumps(space))  # as a worker process gets it
    assert elsewhere.key(early) == elsewhere.key(late) == space.key(early)
    x = images(2, 2, 4, 4)
    assert torch.equal(built(space, early).blocks[1](x), x)
    with pytest.raises(BadSpace, match="one number a stage"):
        aw.spaces.proxyless((2, 3), blocks=(3,), strides=(1, 2))


def test_the_published_mobile_network_has_its_size():
    """MobileNetV2 is all 3x3 and 6 times: 3.4 million parameters (Sandler et al., 2018, table 4), of other stages."""
    space = aw.spaces.proxyless()
    network = space.build(trace(space, lambda _, choice: 1), aw.Signature((3, 224, 224), 1000))
    assert network.blocks[0].op[0][0].out_channels == 16 * 6
    assert sum(block.op[1].stride == (2, 2) for block in network.blocks) == 4
    assert len(network.blocks) == 21
    assert 3.0e6 < parameters(network) < 6.5e6


@pytest.mark.parametrize("number", [1, 2, 3])
def test_every_1shot1_cell_is_a_cell_of_nasbench101(number):
    space, whole = aw.spaces.nasbench1shot1(number), aw.spaces.nasbench101()
    for draw in range(100):
        architecture = sample(space, Streams(number)[draw])
        cell = space.resolve(architecture)
        count = len(cell["blocks"])
        reads = {place: set(block["parents"]) for place, block in enumerate(cell["blocks"], start=1)}
        reads |= {6: set(cell["output"])}  # vertices that are lacking in spaces 1 and 2 are isolated
        there = {f"edges[{place}]": str(a in reads.get(b, ())) for place, (a, b) in enumerate(EDGES)}
        ops = {f"ops[{place}]": block["op"].label for place, block in enumerate(cell["blocks"])}
        twin = decided(whole, there | ops)
        assert sum(map(len, reads.values())) == 9
        assert count == (5 if number == 3 else 4)
        assert whole.excluded(twin) is None
        assert space.key(architecture) == whole.key(twin)


def test_blocks_that_lead_nowhere_have_no_weights():
    space = aw.spaces.nasbench1shot1(2, modules=1, channels=2)
    loose = decided(space, {"output": "0+1+2", "blocks[3].op": "conv1x1-bn-relu"})
    cell = built(space, loose).cells[0]
    assert set(cell.blocks) == {"1", "2"}
    assert set(cell.projections) == {"1", "2", "-1"}


def test_a_1shot1_cell_against_a_plain_loop():
    space = aw.spaces.nasbench1shot1(1, modules=1, channels=2)
    network = built(space, decided(space, {"blocks[2].parents": "1+2", "output": "0+3", "blocks[0].op": "maxpool3x3"}))
    cell, x = network.cells[0], images(2, 2, 8, 8)
    given = {vertex: projection([x]) for vertex, projection in cell.projections.items()}
    first = cell.blocks["1"](given["1"])
    second = cell.blocks["2"](given["2"] + first)
    third = cell.blocks["3"](first + second)
    handed_on = cell([x])
    assert cell.parts == [0, 3]
    assert torch.allclose(handed_on[0], given["-1"], atol=1e-6)
    assert torch.allclose(handed_on[1], third, atol=1e-6)


def test_impossible_sizes_are_refused():
    with pytest.raises(BadSpace, match="1, 2 and 3, not 4"):
        aw.spaces.nasbench1shot1(4)
    with pytest.raises(BadSpace, match="at least 2 layers"):
        aw.spaces.fabric(layers=1)


def test_all_edges_are_the_fabric_itself():
    """Against a loop over layers and scales; 7 pixels are 4 at the next scale, and 7 again."""
    space = aw.spaces.fabric(layers=3, scales=3, channels=2)
    torch.manual_seed(0)
    network = space.build(trace(space, lambda _, choice: len(choice.options) - 1), aw.Signature((1, 7, 7), 3))
    x = images(2, 1, 7, 7)
    maps = {(0, 0): network.stem(x)}
    for layer, scale in itertools.product(range(3), range(3)):
        if (layer, scale) == (0, 0):
            continue
        total = 0
        for way, source in sources((layer, scale), 3, 3).items():
            edge, given = network.edges[f"{layer}_{scale}_{way}"], maps[source]
            if way == "coarser":
                given, edge = functional.interpolate(given, size=(7, 4, 2)[scale], mode="nearest"), edge[1]
            total = total + functional.conv2d(
                given, edge.weight, stride=1 if way in ("same", "coarser") else 2, padding=1
            )
        maps[layer, scale] = network.nodes[f"{layer}_{scale}"](total)
        assert maps[layer, scale].shape[-1] == (7, 4, 2)[scale]
    assert torch.allclose(network(x), network.head(maps[2, 2]), atol=1e-6)


def test_a_fabric_holds_chains():
    """Straight on, then down: the last layer is entered at scale 0 and handed down."""
    space = aw.spaces.fabric(layers=3, scales=2, channels=2)
    chain = decided(space, {"grid[0][0]": "same", "grid[1][0]": "same", "grid[1][1]": "within"})
    network = built(space, chain)
    assert set(network.edges) == {"1_0_same", "2_0_same", "2_1_within"}
    early = decided(space, {"grid[0][0]": "same", "grid[1][0]": "same", "grid[1][1]": "finer"})
    assert set(built(space, early).edges) == {"1_0_same", "2_1_finer"}
    down = decided(space, {"grid[0][0]": "same", "grid[0][1]": "finer", "grid[1][1]": "same"})
    across = decided(space, {"grid[0][1]": "same", "grid[1][1]": "same"})
    assert space.key(down) != space.key(across)  # "finer, same", and "finer, same, same" from within the first layer


def test_masks_choose_what_a_module_sums():
    space = aw.spaces.maskconnect(modules=(3,), fan_in=2, channels=4, cardinality=2, width=1)
    network = built(space, decided(space, {"stages[0][2]": "0+2", "stages[0][3]": "2+3"}))
    stage, x = network.body[1], images(2, 4, 8, 8)
    first = stage.blocks["1"](x)
    second = stage.blocks["2"](x + first)
    third = stage.blocks["3"](x + second)
    assert torch.allclose(stage(x), second + third, atol=1e-6)
    last = built(space, decided(space, {"stages[0][2]": "0+1", "stages[0][3]": "1+3"}))
    assert set(last.body[1].blocks) == {"1", "3"}  # nobody reads the second


@pytest.mark.parametrize("name", ["enas_macro", "enas_micro", "fabric", "maskconnect", "nasbench1shot1", "proxyless"])
def test_weights_over_open_choices_get_gradients(name):
    """Every weight matters to an open network, those of connections included."""
    small = {
        "enas_macro": {"layers": 4, "channels": 2},
        "enas_micro": {"nodes": 3, "cells": 1, "channels": 2, "stages": 2},
        "fabric": {"layers": 3, "scales": 2, "channels": 2},
        "maskconnect": {"modules": (3,), "channels": 2, "cardinality": 1, "width": 1},
        "nasbench1shot1": {"modules": 1, "channels": 2},
        "proxyless": {"channels": (2,), "blocks": (2,), "strides": (2,), "stem": (2, 2), "head": 4},
    }
    torch.manual_seed(0)
    network = OpenNetwork(getattr(aw.spaces, name)(**small[name]), SIGNATURE).double()
    rows = {key: torch.rand(len(choice.options), dtype=torch.float64) for key, choice in network.choices.items()}
    rows = {key: row.requires_grad_() for key, row in rows.items()}
    network.mix(rows)
    network(images(4, 1, 8, 8).double()).square().sum().backward()
    idle = ("False", "none")  # what is not there computes nothing
    for key, row in rows.items():
        labels = network.choices[key].choice.labels
        lacking = [place for place, slope in enumerate(row.grad) if slope == 0 and labels[place] not in idle]
        assert not lacking, (key, lacking)


@pytest.mark.parametrize("name", ["cell", "chain", "genet", "hierarchical", "multibranch", "nasbench101", "pnas"])
def test_spaces_whose_factories_need_decisions_say_so(name):
    with pytest.raises(BadSpace, match="can't be built with its choices left open"):
        OpenNetwork(getattr(aw.spaces, name)(), SIGNATURE)
