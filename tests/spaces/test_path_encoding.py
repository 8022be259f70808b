import itertools

import archwright as aw
from archwright.core.rng import Streams
from archwright.spaces.encodings import PathEncoding
from archwright.spaces.nas_bench_201 import EDGES, from_string

WAYS = [(3,), (0, 4), (1, 5), (0, 2, 5)]  # the edges along each way from input to output


def by_hand(architecture):
    """NAS-Bench-201's paths, from the list of its four ways through the cell."""
    ops = ["none", "skip", "conv1", "conv3", "pool"]
    found = set()
    for way in WAYS:
        labels = [ops[int(architecture[f"edges[{edge}]"])] for edge in way]
        if "none" not in labels:
            found.add(tuple(label for label in labels if label != "skip"))
    return found


def test_the_ways_are_those_of_the_cell():
    for way in WAYS:
        assert EDGES[way[0]][0] == 0
        assert EDGES[way[-1]][1] == 3
        assert all(EDGES[a][1] == EDGES[b][0] for a, b in itertools.pairwise(way))


def test_vectors_tell_the_paths_apart_as_sets_by_hand_do():
    space, streams = aw.spaces.nasbench201(), Streams(4)
    known = [aw.spaces.sample(space, streams[number]) for number in range(60)]
    encode = PathEncoding(space, known)
    sets = [by_hand(architecture) for architecture in known]
    vectors = [encode(architecture) for architecture in known]
    assert encode.width == len(set().union(*sets)) + 1
    for (left, a), (right, b) in itertools.combinations(zip(sets, vectors, strict=True), 2):
        assert len(left & right) == a @ b
    assert all(vector.sum() == len(paths) and vector[-1] == 0.0 for vector, paths in zip(vectors, sets, strict=True))


def test_paths_that_no_known_architecture_has_are_counted_together():
    space = aw.spaces.nasbench201()
    known = from_string("|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|")
    other = from_string("|nor_conv_1x1~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|skip_connect~1|nor_conv_1x1~2|")
    encode = PathEncoding(space, [known])
    assert encode(known).tolist() == [1.0, 0.0]
    assert encode(other).tolist() == [1.0, 2.0]
