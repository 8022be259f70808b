"""The spaces of the survey's systems: their sizes, their rules, and what their networks compute."""

import itertools

import pytest
import torch
from torch.nn import functional

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.anchors import sources
from archwright.spaces.cartesian import active
from archwright.spaces.ge_net import wiring
from archwright.spaces.motifs import edges_of, live

SIGNATURE = aw.Signature((3, 16, 16), 10)


def decided(space, choices):
    """The architecture that takes `choices` by name, the first option elsewhere; an option may be told by its label."""

    def decide(name, choice):
        wanted = choices.get(name, 0 if isinstance(choice, aw.Choice) else choice.low)
        return choice.labels.index(wanted) if isinstance(wanted, str) else wanted

    return aw.spaces.trace(space, decide)


def parameters(space, architecture):
    return sum(p.numel() for p in space.build(architecture, SIGNATURE).parameters())


def test_metaqnn_has_the_papers_rules():
    space = aw.spaces.metaqnn(max_layers=3)
    twice = decided(space, {"layers.times": 2, "layers[0]": "max_pool", "layers[1]": "max_pool"})
    assert space.excluded(twice) == "layers 1 and 2 both pool"
    apart = {"layers.times": 3, "layers[0]": "max_pool", "layers[2]": "max_pool"}
    assert space.excluded(decided(space, apart)) is None
    dense = {
        tuple(value for value in (units["units"], units.get("then")) if value)
        for units in (space.resolve(a)["dense"] for a in aw.spaces.enumerate_all(aw.spaces.metaqnn(max_layers=1)))
    }
    widths = (512, 256, 128)
    wanted = [(), *((w,) for w in widths), *((a, b) for a in widths for b in widths if b <= a)]
    assert dense == set(wanted)


@pytest.mark.parametrize(("side", "seen"), [(8, 8), (5, 5), (32, 8)])
def test_metaqnn_reads_at_most_8_by_8_pixels_densely(side, seen):
    space = aw.spaces.metaqnn(filters=(4,), units=(6,))
    network = space.build(decided(space, {"dense": "6"}), aw.Signature((1, side, side), 3))
    assert network.head[2].in_features == 4 * seen * seen


def test_metaqnn_needs_no_numbers_to_be_built():
    space = aw.spaces.metaqnn(filters=(4,), units=(6,))
    with torch.device("meta"):
        network = space.build(decided(space, {"dense": "6"}), SIGNATURE)
    assert network(torch.empty(2, 3, 16, 16, device="meta")).shape == (2, 10)


def test_pnas_has_136_different_cells_of_one_block_among_256():
    space = aw.spaces.pnas(blocks=1)
    everything = list(aw.spaces.enumerate_all(space))
    assert len(everything) == aw.spaces.size(space) == 256
    assert len({space.key(architecture) for architecture in everything}) == 136


def test_pnas_grows_without_touching_the_blocks_before():
    space = aw.spaces.pnas(filters=4, cells=1)
    blocks = [(index + 2) ** 2 * 8**2 for index in range(5)]
    assert aw.spaces.size(space) == sum(itertools.accumulate(blocks, lambda a, b: a * b))
    one = decided(space, {"blocks[0].ops[0]": 3})
    two = aw.spaces.operators.with_decision(space, one, "blocks.times", 2)
    assert set(one) - set(two) == {("blocks.times", 1)}
    assert [name for name, _ in two][-4:-2] == ["blocks[1].inputs[0]", "blocks[1].inputs[1]"]


def test_vectors_of_a_growing_cell_have_a_column_an_option():
    space = aw.spaces.pnas(blocks=2)
    encode = aw.spaces.OneHot(space)
    assert encode.width == 2 + (2 * 2 + 2 * 8) + (2 * 3 + 2 * 8)
    assert encode(decided(space, {})).sum() == 1 + 4  # the length's flag (it is the least), and a block's decisions


def test_the_reduction_cell_of_pnas_is_its_normal_cell():
    pnas = aw.spaces.pnas(blocks=1, filters=4, cells=1)
    cell = aw.spaces.cell(blocks=1, filters=4, cells=1, operations=aw.spaces.ops.PNAS_OPS)
    taken = {"inputs[0]": 1, "ops[0]": 2, "ops[1]": 4}
    one = decided(pnas, {f"blocks[0].{name}": value for name, value in taken.items()})
    both = {f"{which}[0].{name}": value for which in ("normal", "reduction") for name, value in taken.items()}
    assert parameters(pnas, one) == parameters(cell, decided(cell, both))


def test_zoph_and_le_concatenate_what_anchors_name_and_pad_what_is_smaller():
    space = aw.spaces.zoph_le(layers=4, filters=(2,), kernels=(1, 3, 5), strides=(1, 2))
    architecture = decided(
        space,
        {
            "layers[0].kernel[0]": "3",
            "layers[0].stride": "2",
            "layers[1].kernel[1]": "5",  # no anchor: reads the image
            "layers[2].anchors[0]": 1,
            "layers[2].anchors[1]": 1,
        },  # the fourth reads the image too
    )
    network = space.build(architecture, SIGNATURE).eval()
    x = torch.randn(2, 3, 16, 16)
    first, second, third, fourth = network.layers
    assert first[0].weight.shape == (2, 3, 3, 1)
    a, b = first(x), second(x)
    c = third(torch.cat([functional.pad(a, (0, 8, 0, 8)), b], dim=1))
    wanted = network.head(torch.cat([c, fourth(x)], dim=1))  # what no layer read
    torch.testing.assert_close(network(x), wanted)


def test_zoph_and_le_read_the_image_where_no_anchor_is_set():
    layers = [{"anchors": flags} for flags in ([], [True], [False, False], [True, False, True])]
    assert sources(layers) == [[0], [1], [0], [1, 3], [2, 4]]


def test_the_depth_of_zoph_and_le_can_be_open():
    space = aw.spaces.zoph_le(layers=4, least=2, filters=(24,), kernels=(3,))
    assert aw.spaces.size(space) == sum(2 ** (depth * (depth - 1) // 2) for depth in (2, 3, 4))


def test_genet_has_19_bits():
    space = aw.spaces.genet()
    assert aw.spaces.size(space) == 2**19
    assert len(decided(space, {})) == 19


def test_genet_wires_as_the_papers_figure_1():
    # The first stage of figure 1, code 1-00-111: 1-2, 1-4, 2-4, 3-4, so 1 and 3 read the source, 4 ends in the sink.
    assert wiring([[True], [False, False], [True, True, True]]) == {1: [0], 2: [1], 3: [0], 4: [1, 2, 3], 5: [4]}
    # The second stage, code 0-10-000-0011: node 2 has neither predecessor nor successor and is dropped.
    second = [[False], [True, False], [False] * 3, [False, False, True, True]]
    assert wiring(second) == {1: [0], 3: [1], 4: [0], 5: [3, 4], 6: [5]}
    assert wiring([[False], [False, False]]) == {}


def test_genet_sums_what_nodes_read():
    space = aw.spaces.genet(nodes=(3,), filters=4)
    network = space.build(decided(space, {"stages[0][1][0]": 1, "stages[0][1][1]": 1}), SIGNATURE).eval()
    stage, x = network.body[0], torch.randn(2, 3, 16, 16)
    nodes = stage.nodes
    source = stage.source(x)
    wanted = nodes["4"](nodes["3"](nodes["1"](source) + nodes["2"](source)))
    torch.testing.assert_close(stage(x), wanted)


def test_bits_of_one_graph_have_one_key():
    space = aw.spaces.genet(nodes=(4,), filters=4)
    everything = list(aw.spaces.enumerate_all(space))
    # By brute force: the smallest of all numberings of the nodes that are connected.
    forms = set()
    for architecture in everything:
        row = space.resolve(architecture)["stages"][0]
        edges = {(a, b) for b, flags in enumerate(row, start=2) for a, used in enumerate(flags, start=1) if used}
        nodes = sorted({node for edge in edges for node in edge})
        forms.add(
            min(
                tuple(sorted((order[a], order[b]) for a, b in edges))
                for numbers in itertools.permutations(range(len(nodes)))
                for order in [dict(zip(nodes, numbers, strict=True))]
            )
        )
    assert len({space.key(architecture) for architecture in everything}) == len(forms)


def test_cgp_has_the_papers_grid():
    space = aw.spaces.cgp()
    architecture = decided(space, {})
    assert len(architecture) == 5 * 30 * 3 + 1
    choices = dict(aw.spaces.operators.opened(space, architecture))
    assert len(choices["nodes[0].function"].options) == 3 * 2 + 4
    reach = [choices[f"nodes[{5 * column}].inputs[0]"].options for column in (0, 9, 10, 29)]
    assert reach == [(0,), tuple(range(46)), tuple(range(1, 51)), tuple(range(96, 146))]
    assert choices["output"].options == tuple(range(101, 151))


def test_what_the_output_does_not_need_makes_no_difference():
    space = aw.spaces.cgp(rows=2, columns=3, levels_back=2, filters=(4,))
    stream = Streams(0)
    for number in range(50):
        architecture = aw.spaces.sample(space, stream[number])
        arguments = space.resolve(architecture)
        needed = set(active(arguments["nodes"], arguments["output"]))
        for name, choice in aw.spaces.operators.opened(space, architecture):
            place = int(name[len("nodes[") : name.index("]")]) + 1 if name.startswith("nodes") else None
            function = arguments["nodes"][place - 1]["function"] if place else {}
            silent = place is not None and (
                place not in needed or (name.endswith("inputs[1]") and function.get("arity", 1) == 1)
            )
            if silent and len(choice.options) > 1:
                other = (architecture[name] + 1) % len(choice.options)
                changed = aw.spaces.operators.with_decision(space, architecture, name, other)
                assert space.key(changed) == space.key(architecture)
                assert parameters(space, changed) == parameters(space, architecture)


def test_cgp_joins_what_differs_in_size_and_channels():
    space = aw.spaces.cgp(rows=2, columns=2, levels_back=2, filters=(4,), kernels=(3,))
    for join, channels in (("sum", 4), ("concat", 7)):
        architecture = decided(
            space,
            {
                "nodes[0].function": "convolution_4_3",
                "nodes[1].function": "max_pool",
                "nodes[2].function": join,
                "nodes[2].inputs[0]": "1",
                "nodes[2].inputs[1]": "2",
                "output": "3",
            },
        )
        network, x = space.build(architecture, SIGNATURE).eval(), torch.randn(2, 3, 16, 16)
        left = functional.max_pool2d(network.nodes["1"](x), 2)
        right = functional.max_pool2d(x, 2)
        both = left + functional.pad(right, (0, 0, 0, 0, 0, 1)) if join == "sum" else torch.cat([left, right], dim=1)
        assert both.shape[1] == channels
        torch.testing.assert_close(network(x), network.head(both))


def test_cgp_tells_the_order_of_a_concatenation_which_a_sum_may_see():
    space = aw.spaces.cgp(rows=2, columns=3, levels_back=3, filters=(4,))

    def summed(first, second):
        """convolution(image) + the concatenation of two others, which has more channels."""
        words = {"nodes[0].function": "convolution_4_3", "nodes[1].function": "convolution_4_5"}
        words |= {"nodes[2].function": "concat", "nodes[2].inputs[0]": first, "nodes[2].inputs[1]": second}
        words |= {"nodes[3].function": "convolution_4_3", "nodes[4].function": "sum", "output": "5"}
        return decided(space, words | {"nodes[4].inputs[0]": "3", "nodes[4].inputs[1]": "4"})

    def flipped(architecture):
        swapped = architecture.as_dict()
        one, other = (f"nodes[4].inputs[{place}]" for place in range(2))
        swapped[one], swapped[other] = swapped[other], swapped[one]
        return aw.spaces.trace(space, lambda name, _: swapped[name])

    def computed(architecture):
        other = space.build(architecture, SIGNATURE).eval()
        other.load_state_dict(weights)
        return other(x)

    network, x = space.build(summed("1", "2"), SIGNATURE).eval(), torch.randn(2, 3, 16, 16)
    weights, answer = network.state_dict(), network(x)
    for other, same in ((flipped(summed("1", "2")), True), (summed("2", "1"), False)):
        assert (space.key(other) == space.key(summed("1", "2"))) == same
        assert torch.allclose(computed(other), answer) == same


def test_residual_blocks_of_cgp_add_their_input():
    space = aw.spaces.cgp(rows=1, columns=1, levels_back=1, filters=(4,), kernels=(3,), block="residual")
    network = space.build(decided(space, {"output": "1"}), SIGNATURE).eval()
    block, x = network.nodes["1"], torch.randn(2, 3, 16, 16)
    wanted = torch.relu(functional.pad(x, (0, 0, 0, 0, 0, 1)) + block.second(block.first(x)))
    torch.testing.assert_close(block(x), wanted)


def test_autonet_takes_vectors_and_opens_an_activations_settings_with_it():
    space = aw.spaces.autonet(units=(4, 8))
    names = {
        label: [name for name, _ in decided(space, {"layers[0].activation": label}) if "activation=" in name]
        for label in ("ReLU", "LeakyReLU", "ScaledTanh")
    }
    assert names["ReLU"] == []
    assert names["LeakyReLU"] == ["layers[0].activation=LeakyReLU.negative_slope"]
    assert len(names["ScaledTanh"]) == 2
    network = space.build(decided(space, {"layers.times": 2}), aw.Signature((7,), 3))
    assert network(torch.randn(5, 7)).shape == (5, 3)


def test_autonet_refuses_text():
    space = aw.spaces.autonet()
    with pytest.raises(aw.ArchwrightError, match=r"numbers, .* are tokens; for text there are darts_rnn"):
        space.build(decided(space, {}), aw.Signature((6,), 7, vocabulary=7, positions=(6,)))


def paths(motif):
    """By brute force: the edges on some path through a motif."""
    nodes = round((1 + (1 + 8 * len(motif)) ** 0.5) / 2)
    there = {edge: op for edge, op in zip(edges_of(nodes), motif, strict=True) if op != "none"}
    found = set()
    for length in range(nodes - 1):
        for inner in itertools.combinations(range(1, nodes - 1), length):
            steps = list(itertools.pairwise([0, *inner, nodes - 1]))
            if all(step in there for step in steps):
                found |= set(steps)
    return sorted((a, b, there[a, b]) for a, b in found)


def test_live_edges_of_a_motif_lie_on_a_path():
    for motif in itertools.product(["none", "identity"], repeat=6):
        assert sorted(live(motif)) == paths(motif)


def test_hierarchical_networks_concatenate_what_nodes_read():
    space = aw.spaces.hierarchical(motifs=2, motif_nodes=3, nodes=3, channels=4, stages=1)
    architecture = decided(
        space,
        {
            "motifs[0][0]": "depthwise_3x3",  # 0 -> 1
            "motifs[0][1]": "conv_1x1",  # 0 -> 2
            "motifs[0][2]": "max_pool_3x3",  # 1 -> 2
            "motifs[1][1]": "identity",
            "top[0]": "0",
            "top[1]": "1",
            "top[2]": "1",
        },
    )
    assert space.excluded(architecture) is None
    network, x = space.build(architecture, SIGNATURE).eval(), torch.randn(2, 3, 16, 16)
    stem, cell = network.body
    motif = cell.edges["0_1"].edges
    x0 = stem(x)
    inner = torch.cat([motif["0_2"](x0), functional.max_pool2d(motif["0_1"](x0), 3, 1, 1)], dim=1)
    torch.testing.assert_close(network(x), network.head(torch.cat([x0, inner], dim=1)))
    nothing = decided(space, {"motifs[0][0]": "depthwise_3x3", "top[1]": "0"})
    assert space.excluded(nothing) == "no path leads from the cell's input to its output"
